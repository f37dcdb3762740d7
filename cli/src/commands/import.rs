//! `rayplat import`

use std::collections::{BTreeMap, BTreeSet};

use rayplat_engine::{
    event::Events,
    import::{ImportOptions, ImportReport, Imported},
    urn::Urn,
};
use rayplat_resources::adopt::{self, Adoption, Fate};
use serde_json::json;

use super::init;
use crate::{
    args::{Global, ImportArgs},
    exit::{Ending, Failure},
    report::{self, kept, out, tree},
    setup::{self, Access, World},
};

pub async fn run(global: &Global, args: &ImportArgs) -> Result<Ending, Failure> {
    if let Some(what) = &args.release {
        return release(global, what).await;
    }
    let pairs = pairs(&args.pairs)?;
    let state = args.tfstate.as_deref().map(init::tfstate).transpose()?;
    if pairs.is_empty() && state.is_none() {
        return Err(Failure::Usage {
            message: "there is nothing to import".to_owned(),
            hint: "Give pairs of ADDRESS and ID (`rayplat graph` has the addresses), or --tfstate FILE.".to_owned(),
        });
    }
    let access = if args.dry_run { Access::Look } else { Access::Work };
    let world = setup::open(global, access, "import").await?;
    let (wanted, left) = match (&state, &args.tfstate) {
        (Some(state), Some(path)) => {
            let found = adopt::adoptions(state, &world.loaded.manifest.name)
                .map_err(|error| Failure::Terraform { path: path.clone(), error })?;
            sorted(&world, found)
        }
        _ => (pairs, Vec::new()),
    };
    let options = ImportOptions { pin: !args.no_pin, partial: state.is_some(), dry_run: args.dry_run };
    let report = world.engine.import(&world.platform.stack, &wanted, options, Events::none()).await?;
    let outcome = Outcome { dry_run: args.dry_run, new: new(&world, &report), report, left };
    if global.json {
        out(&outcome.json().to_string());
    } else {
        report::warn(&world.loaded.warnings);
        out(&tree::heading(&world));
        out(&outcome.text());
    }
    Ok(if outcome.report.refused.is_empty() { Ending::Done } else { Ending::Incomplete })
}

fn pairs(words: &[String]) -> Result<Vec<(Urn, String)>, Failure> {
    let usage = |message: String| Failure::Usage {
        message,
        hint: "E.g. `rayplat import aws:eks:NodeGroup/cpu ray/cpu-workers`; `rayplat graph` has the addresses."
            .to_owned(),
    };
    let (chunks, rest) = words.as_chunks::<2>();
    if let Some(rest) = rest.first() {
        return Err(usage(format!("`{rest}` has no partner: addresses and ids are given in pairs")));
    }
    chunks.iter().map(|[address, id]| Ok((urn(address)?, id.clone()))).collect()
}

fn urn(address: &str) -> Result<Urn, Failure> {
    address.parse::<Urn>().map_err(|error| Failure::Usage {
        message: error.to_string(),
        hint: "`rayplat graph` has the addresses.".to_owned(),
    })
}

/// Something that is not adopted.
struct Left {
    address: String,
    why: String,
    advice: Option<String>,
}

/// What can be adopted, and what not: the manifest may have no place for it.
fn sorted(world: &World, found: Vec<Adoption>) -> (Vec<(Urn, String)>, Vec<Left>) {
    let (mut wanted, mut left) = (Vec::new(), Vec::new());
    for Adoption { address, fate } in found {
        match fate {
            Fate::Adopt { urn, id } => {
                let known = world.state.current(&urn).and_then(|object| object.id.as_deref());
                if known == Some(id.as_str()) {
                    let why = format!("the state has it already as {urn}");
                    left.push(Left { address, why, advice: None });
                } else if world.platform.stack.get(&urn).is_none() {
                    let why = format!("the manifest's platform has no {urn}");
                    let advice = "It stays unmanaged. `rayplat init --from-tfvars FILE --tfstate FILE` writes a manifest that \
                                  has a place for what stands.";
                    left.push(Left { address, why, advice: Some(advice.to_owned()) });
                } else {
                    wanted.push((urn, id));
                }
            }
            Fate::Left { why, advice } => left.push(Left { address, why, advice }),
        }
    }
    (wanted, left)
}

/// The platform's resources that nothing stands for: the next run makes them.
fn new(world: &World, report: &ImportReport) -> Vec<Urn> {
    let adopted: BTreeSet<&Urn> = report.adopted.iter().map(|object| &object.urn).collect();
    let missing = |urn: &&Urn| world.state.current(urn).is_none() && !adopted.contains(*urn);
    let lookup = |urn: &&Urn| urn.kind() != "aws:tls:IssuerCertificate";
    world.platform.stack.resources().map(|resource| &resource.urn).filter(missing).filter(lookup).cloned().collect()
}

struct Outcome {
    dry_run: bool,
    report: ImportReport,
    left: Vec<Left>,
    new: Vec<Urn>,
}

impl Outcome {
    fn json(&self) -> serde_json::Value {
        let adopted = |object: &Imported| {
            json!({
                "address": object.urn, "id": object.id, "claimed": object.claimed,
                "kept": kept::json(&object.kept), "changes": object.changes,
            })
        };
        let refused = self.report.refused.iter().map(
            |refused| json!({"address": refused.urn, "id": refused.id, "reason": refused.reason, "hint": refused.hint}),
        );
        json!({
            "dry_run": self.dry_run,
            "written": self.report.written,
            "adopted": self.report.adopted.iter().map(adopted).collect::<Vec<_>>(),
            "refused": refused.collect::<Vec<_>>(),
            "left": self.left.iter().map(|left| json!({
                "address": left.address, "reason": left.why, "hint": left.advice,
            })).collect::<Vec<_>>(),
            "new": self.new,
        })
    }

    fn text(&self) -> String {
        let mut lines = Vec::new();
        let written = self.report.written || self.dry_run;
        let adopted = &self.report.adopted;
        if !adopted.is_empty() {
            lines.push(match (self.dry_run, written) {
                (true, _) => "Would be adopted:".to_owned(),
                (false, true) => "Adopted:".to_owned(),
                (false, false) => "Could be adopted, and was not because of the rest:".to_owned(),
            });
        }
        let width = adopted.iter().map(|object| object.urn.as_str().len()).max().unwrap_or_default();
        for object in adopted {
            lines.push(format!("  {:width$}  {}", object.urn.as_str(), object.id));
            lines.extend(object.kept.iter().map(|kept| format!("    {}", kept::line(kept))));
            lines.extend(object.changes.iter().map(|change| format!("    the next run changes {}", change.path)));
        }
        if !self.report.refused.is_empty() {
            lines.push("Not adopted:".to_owned());
        }
        for refused in &self.report.refused {
            lines.push(format!("  {} ({}): {}", refused.urn, refused.id, refused.reason));
            lines.extend(refused.hint.iter().map(|hint| format!("    hint: {hint}")));
        }
        lines.extend(self.left_lines());
        if !self.new.is_empty() {
            lines.push("Nothing stands for these; the next run makes them:".to_owned());
            lines.extend(self.new.iter().map(|urn| format!("  {urn}")));
        }
        lines.push(self.closing());
        lines.join("\n")
    }

    /// Many objects stay where they are for one reason: it is said once.
    fn left_lines(&self) -> Vec<String> {
        let mut reasons: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for left in &self.left {
            let advice = left.advice.as_deref().unwrap_or_default();
            reasons.entry((&left.why, advice)).or_default().push(&left.address);
        }
        let mut lines = Vec::new();
        if !reasons.is_empty() {
            lines.push("Stays where it is, unmanaged:".to_owned());
        }
        for ((why, advice), addresses) in reasons {
            lines.extend(addresses.iter().map(|address| format!("  {address}")));
            lines.push(format!("    {why}"));
            lines.extend(Some(format!("    {advice}")).filter(|_| !advice.is_empty()));
        }
        lines
    }

    fn closing(&self) -> String {
        let count = self.report.adopted.len();
        if self.dry_run {
            format!("{count} would be adopted. Nothing was changed.")
        } else if self.report.written {
            format!("{count} adopted; nothing was changed in the account. `rayplat preview` shows what comes next.")
        } else {
            "Nothing was adopted.".to_owned()
        }
    }
}

async fn release(global: &Global, what: &str) -> Result<Ending, Failure> {
    let name = what.find('/').map_or(0, |slash| slash + 1);
    let (address, path) = match what[name..].split_once(':') {
        Some((rest, path)) => (&what[..name + rest.len()], Some(path)),
        None => (what, None),
    };
    let urn = urn(address)?;
    let world = setup::open(global, Access::Work, "import").await?;
    let pinned: Vec<&str> =
        world.state.current(&urn).map(|object| object.pinned.keys().map(String::as_str).collect()).unwrap_or_default();
    if pinned.is_empty() || path.is_some_and(|path| !pinned.contains(&path)) {
        let pinned = if pinned.is_empty() { "nothing".to_owned() } else { pinned.join(", ") };
        return Err(Failure::Usage {
            message: format!("`{what}` is not kept"),
            hint: format!("Kept of {urn}: {pinned}. `rayplat preview` shows all that is kept."),
        });
    }
    let released = world.engine.release(world.platform.stack.name(), &urn, path).await?;
    if global.json {
        out(&json!({"address": urn, "released": released}).to_string());
    } else {
        out(&format!(
            "released of {urn}: {}. `rayplat preview` shows what the manifest makes of it.",
            released.join(", ")
        ));
    }
    Ok(Ending::Done)
}
