//! A kind of the embedder's own beside the kinds for AWS: a file on disk that holds a
//! role's ARN. The account is an emulated one.
//!
//! `cargo run --release -p rayplat-examples --example custom_kind`

use std::{error::Error, fs, io, path::PathBuf, sync::Arc};

use rayplat_engine::{
    apply::Interrupt,
    context::Ctx,
    error::{ErrorClass, ProviderError},
    event::Events,
    input::Input,
    inputs,
    ops::{Engine, Options},
    outputs,
    provider::{Created, Current, Observed, Provider, Reading, Recovered, Registry},
    retry::RetryPolicy,
    stack::Stack,
    value::Expr,
};
use rayplat_resources::{
    aws::iam_role::{Role, RoleArgs},
    rehearsal::{Rehearsal, Seed},
};
use rayplat_state::SledStore;

inputs! {
    /// A text file.
    pub struct FileInputs, FileArgs {
        /// The beginning of its name; a short hash is added.
        pub prefix: String,
        /// What is in it.
        pub text: String,
    }
}

outputs! {
    /// A text file.
    pub struct FileOutputs, FileRefs {
        /// Its path.
        pub path: String,
    }
}

/// The kind.
struct File {
    folder: PathBuf,
}

impl File {
    fn path(&self, ctx: &Ctx, inputs: &FileInputs) -> String {
        self.folder.join(ctx.unique_name(&inputs.prefix, 64)).display().to_string()
    }
}

fn failed(error: io::Error) -> ProviderError {
    ProviderError::new(ErrorClass::Failed, error.to_string()).hint("Check the folder's permissions and room.")
}

/// The first line names the intent that made the file: that is how the file is known to
/// be ours after a crash.
fn write(path: &str, nonce: &str, text: &str) -> Result<(), ProviderError> {
    fs::write(path, format!("{nonce}\n{text}")).map_err(failed)
}

fn content(path: &str) -> Result<Option<(String, String)>, ProviderError> {
    match fs::read_to_string(path) {
        Ok(all) => Ok(all.split_once('\n').map(|(nonce, text)| (nonce.to_owned(), text.to_owned()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

impl Provider for File {
    type Inputs = FileInputs;
    type Outputs = FileOutputs;

    const TYPE: &'static str = "example:File";
    const REPLACE_ON: &'static [&'static str] = &["prefix"];

    async fn create(&self, ctx: &Ctx, inputs: &FileInputs) -> Result<Created<FileOutputs>, ProviderError> {
        let path = self.path(ctx, inputs);
        write(&path, ctx.nonce(), &inputs.text)?;
        Ok(Created { id: path.clone(), outputs: FileOutputs { path } })
    }

    async fn read(&self, _: &Ctx, current: &Current<FileInputs, FileOutputs>) -> Reading<FileInputs, FileOutputs> {
        Ok(content(&current.id)?.map(|(_, text)| Observed {
            inputs: FileInputs { prefix: current.inputs.prefix.clone(), text },
            outputs: current.outputs.clone(),
        }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<FileInputs, FileOutputs>,
        to: &FileInputs,
    ) -> Result<FileOutputs, ProviderError> {
        write(&current.id, ctx.nonce(), &to.text)?;
        Ok(current.outputs.clone())
    }

    async fn delete(&self, _: &Ctx, current: &Current<FileInputs, FileOutputs>) -> Result<(), ProviderError> {
        match fs::remove_file(&current.id) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }

    async fn recover(&self, ctx: &Ctx, inputs: &FileInputs) -> Result<Recovered, ProviderError> {
        let path = self.path(ctx, inputs);
        Ok(match content(&path)? {
            Some((nonce, _)) if nonce == ctx.nonce() => Recovered::Mine(path),
            Some(_) => Recovered::Foreign(path),
            None => Recovered::Absent,
        })
    }
}

fn trust() -> serde_json::Value {
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    })
}

// A paused clock: the account's minutes pass in milliseconds.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("rayplat-custom-kind-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let store = SledStore::open(&folder.join("state"), "custom_kind")?;
    let seed = Seed { account_id: "123456789012".into(), region: "us-east-1".into(), seed: 7 };
    let account = Rehearsal::in_memory(&seed, 1_800_000_000_000);
    let clients = account.clients();
    let options = Options {
        parallelism: 4,
        retry: RetryPolicy::default(),
        clock: Arc::new(account.clone()),
        binding: clients.binding(&clients.identity().await?),
        seed: 7,
    };
    // One registration line a kind: AWS's, and ours.
    let mut registry = Registry::new();
    rayplat_resources::register(&mut registry, &clients);
    registry.add(File { folder: folder.clone() });
    let engine = Engine::new(registry, Arc::new(store), options);

    // The file's text refers to the role's ARN, which is known when the role stands.
    let mut stack = Stack::new("files");
    let role = RoleArgs { name_prefix: "custom-kind".into(), trust_policy: trust().into(), ..RoleArgs::default() };
    let role = stack.add::<Role>("reader", role)?;
    let arn = Expr::Concat(vec![Expr::Value("role ".into()), role.out.arn().expr()]);
    stack.add::<File>("note", FileArgs { prefix: "note".into(), text: Input::expr(arn) })?;

    let up = engine.up(&stack, Events::none(), Interrupt::default(), |_| true).await?;
    assert_eq!(up.summary.created, 2);
    let note = up.state.objects.values().find(|object| object.urn.name() == "note").ok_or("no note")?;
    println!("{}", note.inputs["text"]);
    let again = engine.preview(&stack, Events::none()).await?;
    assert!(again.plan.is_empty());
    let down = engine.down("files", Events::none(), Interrupt::default(), |_| true).await?;
    println!("made {}, destroyed {}", up.summary.created, down.summary.deleted);
    fs::remove_dir_all(&folder)?;
    Ok(())
}
