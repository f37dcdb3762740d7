//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

const EXIT_CODES: &str = "\
Exit codes:
  0    done, or nothing to do
  1    a step failed (the rest was done; the next run goes on from there), or
       the answer was no, or doctor found something to mend
  2    preview only: there are changes, or drift
  3    a policy forbids the plan
  4    verify only: a check did not pass or could not run
  64   wrong usage
  65   the manifest, a policy file or a file of Terraform's is wrong, or the
       manifest asks for what is protected, cannot be, is not this
       platform's yet, or would be refused by the cluster's API
  66   there is no manifest
  69   AWS cannot be reached or refused
  70   a bug
  73   a file, the state or a port cannot be used
  74   the state or a saved plan is damaged, or of a newer version
  75   another run is at work
  76   the saved plan is outdated: state, account or manifest have moved on
  77   no credentials, or not allowed
  78   the state or a saved plan belongs to another account, region, endpoint
       or platform
  130  interrupted";

/// Provisions a production EKS platform for Ray.
#[derive(Debug, Parser)]
#[command(name = "rayplat", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Args {
    /// What every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, ClapArgs)]
pub struct Global {
    /// The manifest
    #[arg(short, long, global = true, value_name = "FILE", default_value = "rayplat.yaml")]
    pub file: PathBuf,
    /// Machine-readable output: JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Do not ask
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// Work on the emulated account: no credentials, no network, virtual time
    #[arg(long, global = true)]
    pub rehearse: bool,
    /// What the emulated account draws durations and ids from
    #[arg(long, global = true, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many steps may run at once
    #[arg(long, global = true, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub parallelism: u16,
    /// An AWS profile, in place of AWS_PROFILE
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// The region, if it must be the manifest's: any other is refused
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// An endpoint for every AWS service, in place of AWS_ENDPOINT_URL
    #[arg(long, global = true, value_name = "URL")]
    pub endpoint_url: Option<String>,
    /// The state's folder; default: .rayplat/state beside the manifest. In a
    /// rehearsal, the folder of state and account; default:
    /// .rayplat/rehearsal/MANIFEST.
    /// Or a place in S3, for several people or runners:
    /// s3://BUCKET/PREFIX[?region=REGION&kms_key_id=KEY]
    #[arg(long, global = true, value_name = "DIR|s3://...", env = "RAYPLAT_STATE", hide_env_values = true)]
    pub state: Option<PathBuf>,
    /// In a rehearsal: write the least IAM policy for the platform's whole life
    #[arg(long, global = true, value_name = "FILE")]
    pub policy_out: Option<PathBuf>,
    /// In a rehearsal: refuse every call that this IAM policy does not allow
    #[arg(long, global = true, value_name = "FILE")]
    pub enforce: Option<PathBuf>,
    /// Show every input of what is to be made
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// No colours; so does NO_COLOR
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// What is asked of a plan beside the manifest.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Planning {
    /// Make a new object in place of this one, even if nothing differs or it is
    /// protected: aws:eks:NodeGroup/cpu, or nodegroup/cpu, or cpu. May be repeated
    #[arg(long, value_name = "NAME")]
    pub replace: Vec<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what `up` would do, and why; changes nothing
    Preview(PreviewArgs),
    /// Bring the account to what the manifest says
    Up(UpArgs),
    /// Destroy everything that the state knows, and what was made through the cluster
    /// that goes; backups and their key are kept
    Down(DownArgs),
    /// Check the platform that stands: does it do what it is for?
    Verify {
        /// The check.
        #[command(subcommand)]
        command: VerifyCommand,
    },
    /// Show the platform's outputs
    Output {
        /// One output, as plain text
        name: Option<String>,
    },
    /// Look at everything that a run needs, and say how to mend what it lacks; changes nothing
    Doctor,
    /// Let kubectl into the cluster: an entry in its configuration, beside those of others
    Kubeconfig(KubeconfigArgs),
    /// Print a token for a cluster, as kubectl asks for it
    Token {
        /// The cluster's name; its region is --region
        #[arg(long, value_name = "NAME")]
        cluster: String,
    },
    /// Look into the state, save it, mend it
    State {
        /// What to show.
        #[command(subcommand)]
        command: StateCommand,
    },
    /// Show what past runs did, newest first
    History {
        /// One run, with everything it did
        run: Option<u64>,
        /// How many runs
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
    },
    /// Show the resources and what waits for what
    Graph {
        /// The text form
        #[arg(long, value_enum, default_value_t = GraphFormat::Dot)]
        format: GraphFormat,
    },
    /// Check the manifest
    Validate,
    /// Look for what a manifest may say and is known to end badly
    Lint {
        /// List the rules, their reasons and sources
        #[arg(long)]
        rules: bool,
    },
    /// Print the manifest's JSON Schema
    Schema {
        /// As a reference for people
        #[arg(long)]
        markdown: bool,
    },
    /// Write a commented manifest to begin with
    Init(InitArgs),
    /// Put into the state what stands in the account already; changes nothing there
    Import(ImportArgs),
    /// Work with the emulated account
    Rehearse {
        /// What to do.
        #[command(subcommand)]
        command: RehearseCommand,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// `rayplat kubeconfig ...`
#[derive(Debug, ClapArgs)]
pub struct KubeconfigArgs {
    /// The file; default: the first of KUBECONFIG, else ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The entry's name; default: the cluster's
    #[arg(long)]
    pub name: Option<String>,
    /// Take over an entry of that name that something else wrote
    #[arg(long)]
    pub replace: bool,
}

/// `rayplat verify ...`. What is deleted and changed for a check is put back.
#[derive(Debug, Subcommand)]
pub enum VerifyCommand {
    /// Delete the Ray head while requests come in: do any fail, when is it back?
    HeadFailover(HeadFailoverArgs),
    /// Ask for many workers at once: when are they ready, how fast is DNS meanwhile?
    Scale(ScaleArgs),
    /// Do the GPU nodes that stand take as many pods as their types can?
    GpuDensity,
    /// Overfill a worker's object store: is it spilled, does anything die?
    MemorySpill(MemorySpillArgs),
    /// All of them that the manifest has a use for
    All {
        /// How many workers `scale` asks for; default: 200, or as many as the group
        /// may have
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        workers: Option<u32>,
    },
}

/// `rayplat verify head-failover ...`
#[derive(Debug, ClapArgs)]
pub struct HeadFailoverArgs {
    /// Requests a second
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub rate: u16,
    /// Ask an application of your own at this path, e.g. /predict, in place of one
    /// that the check deploys and takes away
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub path: Option<String>,
    /// The most requests that may fail, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    pub error_rate: f64,
    /// Within how many seconds the head must be back
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub recovery: u32,
}

/// `rayplat verify scale ...`
#[derive(Debug, ClapArgs)]
pub struct ScaleArgs {
    /// How many workers
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub workers: u32,
    /// The group of workers; default: the first without GPUs
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
    /// Within how many seconds all must be ready
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub within: u32,
    /// How slow one in a hundred answers of DNS may be, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500)]
    pub dns: u32,
    /// For how many seconds names are asked for
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub dns_window: u32,
    /// Ask even if the pool may not have nodes for all
    #[arg(long)]
    pub beyond: bool,
}

/// `rayplat verify memory-spill ...`
#[derive(Debug, ClapArgs)]
pub struct MemorySpillArgs {
    /// How much is made, in sizes of a worker's object store
    #[arg(long, value_name = "TIMES", default_value_t = 1.5, value_parser = factor)]
    pub factor: f64,
    /// Within how many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub within: u32,
}

fn path(text: &str) -> Result<String, String> {
    if text.starts_with('/') { Ok(text.to_owned()) } else { Err("a path begins with /".to_owned()) }
}

fn factor(text: &str) -> Result<f64, String> {
    let factor: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (1.1..=10.0).contains(&factor) {
        Ok(factor)
    } else {
        Err("between 1.1 and 10: less overfills nothing".to_owned())
    }
}

/// `rayplat preview ...`
#[derive(Debug, ClapArgs)]
pub struct PreviewArgs {
    /// The form; --json is the same as --format json
    #[arg(long, value_enum)]
    pub format: Option<PreviewFormat>,
    /// Keep the plan in a file, for `up --plan FILE`
    #[arg(long, value_name = "FILE", conflicts_with = "refresh_only")]
    pub out: Option<PathBuf>,
    /// Show only what in the account is no longer as the state has recorded it;
    /// exit code 2 if anything
    #[arg(long, conflicts_with = "replace")]
    pub refresh_only: bool,
    /// What is asked of the plan.
    #[command(flatten)]
    pub planning: Planning,
}

/// The forms of a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PreviewFormat {
    /// For the terminal
    Text,
    /// One object
    Json,
    /// A comment on a pull request, under 65,000 characters
    Markdown,
    /// The form of `terraform show -json PLAN`, for tools that read that
    TerraformJson,
}

/// `rayplat up ...`
#[derive(Debug, ClapArgs)]
pub struct UpArgs {
    /// Apply this plan, kept by `preview --out FILE`, and nothing else; does not ask
    #[arg(long, value_name = "FILE", conflicts_with = "replace")]
    pub plan: Option<PathBuf>,
    /// What is asked of the plan.
    #[command(flatten)]
    pub planning: Planning,
}

/// `rayplat down ...`
#[derive(Debug, ClapArgs)]
pub struct DownArgs {
    /// Destroy the backups too, every version of them
    #[arg(long)]
    pub purge_backups: bool,
    /// Leave the volumes of claims that others made in the account
    #[arg(long, conflicts_with = "delete_volumes")]
    pub keep_volumes: bool,
    /// Destroy the volumes of claims that others made, the claims and what uses them
    #[arg(long)]
    pub delete_volumes: bool,
}

/// `rayplat init ...`
#[derive(Debug, ClapArgs)]
pub struct InitArgs {
    /// Write the manifest of the Terraform module's variables: terraform.tfvars or
    /// .tfvars.json
    #[arg(long, value_name = "FILE")]
    pub from_tfvars: Option<PathBuf>,
    /// The module's state, which knows best what stands; implies --adopt
    #[arg(long, value_name = "FILE", requires = "from_tfvars")]
    pub tfstate: Option<PathBuf>,
    /// Fit it to the platform that the module made: what that did not have is
    /// switched off
    #[arg(long, requires = "from_tfvars")]
    pub adopt: bool,
}

/// `rayplat import ...`
#[derive(Debug, ClapArgs)]
pub struct ImportArgs {
    /// Resource and id, in pairs: aws:eks:NodeGroup/cpu ray/cpu-workers
    #[arg(value_name = "ADDRESS ID", conflicts_with_all = ["tfstate", "release"])]
    pub pairs: Vec<String>,
    /// Everything that the Terraform module made, by its state
    #[arg(long, value_name = "FILE", conflicts_with = "release")]
    pub tfstate: Option<PathBuf>,
    /// Only say what would be adopted
    #[arg(long, conflicts_with = "release")]
    pub dry_run: bool,
    /// Let the next `up` change what differs from the manifest, instead of keeping
    /// it as it stands
    #[arg(long, conflicts_with = "release")]
    pub no_pin: bool,
    /// Let the manifest have its way with a kept field, or with all of a resource
    #[arg(long, value_name = "ADDRESS[:FIELD]")]
    pub release: Option<String>,
}

/// `rayplat state ...`
#[derive(Debug, Subcommand)]
pub enum StateCommand {
    /// One line for each object
    List,
    /// Everything about one resource
    Show {
        /// E.g. aws:eks:NodeGroup/cpu
        urn: String,
    },
    /// Write the whole state as one JSON document, for safekeeping
    Export {
        /// The file, which must not exist; default: standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Put back what `state export` wrote
    Import {
        /// The file
        // Not `file`: that is the manifest, of every command.
        #[arg(id = "saved", value_name = "FILE")]
        file: PathBuf,
        /// In place of the objects that the state holds now
        #[arg(long)]
        replace: bool,
    },
    /// Let resources go: they leave the state and stay in the account
    Rm {
        /// E.g. aws:eks:NodeGroup/cpu
        #[arg(required = true, value_name = "URN")]
        urns: Vec<String>,
    },
    /// Free a lock in S3 that a run has left behind
    Unlock,
    /// Rebuild a lost state from what stands in the account, then show what would change
    Rebuild,
    /// Give a resource another name in the state
    Mv {
        /// Its name so far
        from: String,
        /// Its name from here on
        to: String,
    },
}

/// `rayplat rehearse ...`
#[derive(Debug, Subcommand)]
pub enum RehearseCommand {
    /// Make a bucket with versions on the emulated account, to keep a state in
    MakeBucket {
        /// Its name
        name: String,
    },
    /// Offer the emulated account over HTTP, in real time or faster
    Serve {
        /// Where to listen; only on this machine
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4566")]
        listen: std::net::SocketAddr,
        /// How many times faster than real time life cycles run
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        speed: u32,
        /// Make the VPC and subnets that this manifest names
        #[arg(long, value_name = "FILE")]
        manifest: Option<PathBuf>,
        /// The account's twelve digits
        #[arg(long, value_name = "ID", default_value = "123456789012", value_parser = account_id)]
        account: String,
    },
}

fn account_id(text: &str) -> Result<String, String> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err("an account id has twelve digits".to_owned())
    }
}

/// The forms of a graph.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum GraphFormat {
    /// Graphviz
    Dot,
    /// Mermaid
    Mermaid,
}
