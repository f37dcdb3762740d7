//! The engine by itself: N resources that do nothing, resource i depends on i/10,
//! through planner, executor and the durable store. Prints one JSON object.
//!
//! `cargo run --release -p rayplat-state --example noop_graph -- 1000`

use std::{error::Error, sync::Arc, time::Instant};

use rayplat_engine::{
    apply::Interrupt,
    context::{Ctx, SystemClock},
    error::ProviderError,
    event::Events,
    ops::{Engine, Options},
    provider::{Created, Current, Observed, Provider, Reading, Recovered, Registry},
    retry::RetryPolicy,
    stack::{Resource, Stack},
    store::Binding,
    urn::Urn,
    value::Expr,
};
use rayplat_state::SledStore;
use serde_json::{Value, json};

struct Noop;

impl Provider for Noop {
    type Inputs = Value;
    type Outputs = Value;

    const TYPE: &'static str = "test:Noop";

    async fn create(&self, ctx: &Ctx, _: &Value) -> Result<Created<Value>, ProviderError> {
        let id = ctx.urn().name().to_owned();
        Ok(Created { outputs: json!({ "id": id }), id })
    }

    async fn read(&self, _: &Ctx, current: &Current<Value, Value>) -> Reading<Value, Value> {
        Ok(Some(Observed { inputs: current.inputs.clone(), outputs: current.outputs.clone() }))
    }

    async fn delete(&self, _: &Ctx, _: &Current<Value, Value>) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn recover(&self, _: &Ctx, _: &Value) -> Result<Recovered, ProviderError> {
        Ok(Recovered::Absent)
    }
}

fn graph(count: usize) -> Result<Stack, Box<dyn Error>> {
    let mut stack = Stack::new("noop");
    for index in 0..count {
        let urn = Urn::new(Noop::TYPE, &index.to_string())?;
        let mut entries = vec![(Expr::Value("index".into()), Expr::Value(index.into()))];
        if index > 0 {
            let parent = Urn::new(Noop::TYPE, &(index / 10).to_string())?;
            entries.push((Expr::Value("parent".into()), Expr::Ref { urn: parent, field: "id".into() }));
        }
        stack.insert(Resource::new(urn, Expr::Object(entries)))?;
    }
    Ok(stack)
}

/// How often the whole of this, run once more under strace, asked the kernel for an fsync;
/// `None` where there is no strace.
fn fsyncs(count: usize) -> Option<usize> {
    if std::env::var_os(COUNTED).is_some() {
        return None;
    }
    let log = std::env::temp_dir().join(format!("rayplat-noop-graph-{}.strace", std::process::id()));
    let status = std::process::Command::new("strace")
        .args(["-f", "-e", "trace=fsync,fdatasync", "-o"])
        .arg(&log)
        .arg(std::env::current_exe().ok()?)
        .arg(count.to_string())
        .env(COUNTED, "1")
        .stdout(std::process::Stdio::null())
        .status();
    let calls = status.ok().filter(std::process::ExitStatus::success).and_then(|_| std::fs::read_to_string(&log).ok());
    // The log may not be there; it is only a temporary file.
    drop(std::fs::remove_file(&log));
    calls.map(|text| text.lines().filter(|line| line.contains("sync(") && !line.contains("resumed")).count())
}

/// Set for the run that is counted.
const COUNTED: &str = "RAYPLAT_NOOP_GRAPH_COUNTED";

/// The most memory this process has held, in MB (Linux).
fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1000.0 * 1.024)
}

fn main() -> Result<(), Box<dyn Error>> {
    let count: usize = std::env::args().nth(1).ok_or("usage: noop_graph N")?.parse()?;
    let folder = std::env::temp_dir().join(format!("rayplat-noop-graph-{}", std::process::id()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(measure(count, &folder));
    std::fs::remove_dir_all(&folder)?;
    #[allow(clippy::print_stdout)] // the benchmark's output
    {
        let mut result = result?;
        result["fsyncs"] = fsyncs(count).into();
        println!("{result}");
    }
    Ok(())
}

async fn measure(count: usize, folder: &std::path::Path) -> Result<Value, Box<dyn Error>> {
    let store = Arc::new(SledStore::open(folder, "noop_graph")?);
    let options = Options {
        parallelism: 64,
        retry: RetryPolicy::default(),
        clock: Arc::new(SystemClock),
        binding: Binding { partition: "none".into(), account: "none".into(), region: "none".into(), endpoint: None },
        seed: 1,
    };
    let engine = Engine::new(Registry::new().with(Noop), store.clone(), options);
    let stack = graph(count)?;

    let began = Instant::now();
    let planned = engine.preview(&stack, Events::none()).await?;
    let plan_s = began.elapsed().as_secs_f64();
    assert_eq!(planned.plan.steps.len(), count);
    drop(planned);

    let began = Instant::now();
    let report = engine.up(&stack, Events::none(), Interrupt::default(), |_| true).await?;
    let apply_s = began.elapsed().as_secs_f64();
    assert_eq!(report.summary.created, count as u64);
    drop(report);

    let began = Instant::now();
    let again = engine.preview(&stack, Events::none()).await?;
    let unchanged_plan_s = began.elapsed().as_secs_f64();
    assert!(again.plan.is_empty());

    Ok(json!({
        "resources": count,
        "plan_s": plan_s,
        "apply_s": apply_s,
        "unchanged_plan_s": unchanged_plan_s,
        "flushes": store.flushes(),
        "peak_memory_mb": peak_memory_mb(),
    }))
}
