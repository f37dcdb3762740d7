//! `rayplat graph`

use rayplat_engine::stack::Stack;

use crate::{
    args::{Global, GraphFormat},
    exit::{Ending, Failure},
    report::out,
    setup,
};

pub fn run(global: &Global, format: GraphFormat) -> Result<Ending, Failure> {
    let loaded = setup::manifest(&global.file)?;
    let platform = setup::offline(global, &loaded, None)?;
    out(&match format {
        GraphFormat::Dot => dot(&platform.stack),
        GraphFormat::Mermaid => mermaid(&platform.stack),
    });
    Ok(Ending::Done)
}

/// An arrow leads to what waits.
fn dot(stack: &Stack) -> String {
    let mut text = format!("digraph \"{}\" {{\n  rankdir=LR;\n  node [shape=box];\n", stack.name());
    for resource in stack.resources() {
        text.push_str(&format!("  \"{}\";\n", resource.urn));
    }
    for resource in stack.resources() {
        for on in resource.depends_on() {
            text.push_str(&format!("  \"{on}\" -> \"{}\";\n", resource.urn));
        }
    }
    text.push('}');
    text
}

fn mermaid(stack: &Stack) -> String {
    let mut text = "flowchart LR".to_owned();
    let number = |urn: &_| stack.resources().position(|resource| resource.urn == *urn).unwrap_or_default();
    for (index, resource) in stack.resources().enumerate() {
        text.push_str(&format!("\n  n{index}[\"{}\"]", resource.urn));
    }
    for (index, resource) in stack.resources().enumerate() {
        for on in resource.depends_on() {
            text.push_str(&format!("\n  n{} --> n{index}", number(&on)));
        }
    }
    text
}
