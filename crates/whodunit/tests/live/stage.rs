//! An agent that runs, victims to kill, and what can be read of both.

use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::http::{Answer, get};

/// Longest that anything may take; the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What `found` gives once it gives something.
pub(crate) fn wait_for<T>(what: &str, found: impl FnMut() -> Option<T>) -> T {
    wait_within(PATIENCE, found).unwrap_or_else(|| panic!("{what}: not within {PATIENCE:?}"))
}

/// The same with a time of one's own.
pub(crate) fn wait_within<T>(most: Duration, mut found: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + most;
    loop {
        if let Some(found) = found() {
            return Some(found);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An agent with a store, a log and a service manager of its own.
pub(crate) struct Agent {
    child: Child,
    pub(crate) folder: TempDir,
    address: Option<String>,
    notify: UnixDatagram,
    told: Vec<String>,
}

/// Arguments and environment of an agent that is to be started in a folder.
pub(crate) struct Start<'a> {
    pub(crate) arguments: &'a [&'a str],
    pub(crate) environment: &'a [(&'a str, &'a str)],
}

impl Agent {
    /// One that stands with all its sources; None, loudly, where that cannot be.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        let start = Start {
            arguments,
            environment: &[],
        };
        Self::start_in(tempfile::tempdir().unwrap(), &start)
    }

    pub(crate) fn start_in(folder: TempDir, start: &Start<'_>) -> Option<Self> {
        let socket = folder.path().join("notify");
        let _ = fs::remove_file(&socket);
        let notify = UnixDatagram::bind(&socket).unwrap();
        notify.set_nonblocking(true).unwrap();
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.path().join("log"))
            .unwrap();
        let from = log.metadata().unwrap().len();
        let mut command = Command::new(env!("CARGO_BIN_EXE_whodunit"));
        command
            .args(["agent", "--listen", "127.0.0.1:0"])
            .args(start.arguments)
            .env_remove("WHODUNIT_STORE")
            .env_remove("WHODUNIT_LOG")
            .env("STATE_DIRECTORY", folder.path())
            .env("NOTIFY_SOCKET", &socket)
            .envs(start.environment.iter().copied())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(File::create(folder.path().join("out")).unwrap())
            .stderr(log);
        if !start.arguments.contains(&"--log-format") {
            command.args(["--log-format", "json"]);
        }
        let mut agent = Self {
            child: command.spawn().unwrap(),
            folder,
            address: None,
            notify,
            told: Vec::new(),
        };
        wait_for("READY=1", || {
            if let Some(status) = agent.child.try_wait().unwrap() {
                panic!("it ended with {status}: {}", agent.log());
            }
            agent.was_told("READY=1").then_some(())
        });
        let log = agent.log();
        let new = &log[usize::try_from(from).unwrap()..];
        let at = new.find("http://").map(|at| &new[at + 7..]);
        agent.address = at
            .and_then(|text| text.split('/').next())
            .map(str::to_owned);
        let missing = match agent.address {
            Some(_) => agent.missing(),
            None => None,
        };
        match missing {
            None => Some(agent),
            Some(missing) => {
                assert!(
                    !whodunit_lab::required(),
                    "the agent lacks sources here: {missing}"
                );
                eprintln!(
                    "\n*** NOT TESTED: the agent lacks sources here (root? eBPF?): {missing}\n"
                );
                None
            }
        }
    }

    /// The page that says what is missing, if something is.
    fn missing(&self) -> Option<String> {
        let answer = self.get("/readyz", None);
        (answer.status != 200).then_some(answer.body)
    }

    pub(crate) fn address(&self) -> &str {
        self.address.as_deref().expect("it listens")
    }

    pub(crate) fn get(&self, path: &str, accept: Option<&str>) -> Answer {
        get(self.address(), path, accept)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// The events of a JSON log.
    pub(crate) fn events(&self) -> Vec<Value> {
        let log = self.log();
        // The last line may be in the writing.
        let whole = log.rfind('\n').map_or("", |end| &log[..end]);
        whole
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
            })
            .collect()
    }

    /// The logged incident of a victim.
    pub(crate) fn incident_of(&self, pid: u32) -> Option<Value> {
        let mut events = self.events().into_iter();
        events.find(|event| event["victim_pid"] == pid)
    }

    /// Whether the service manager was told so by now.
    pub(crate) fn was_told(&mut self, line: &str) -> bool {
        self.count_told(line) > 0
    }

    pub(crate) fn count_told(&mut self, line: &str) -> usize {
        let mut buffer = [0; 4096];
        while let Ok(count) = self.notify.recv(&mut buffer) {
            let text = std::str::from_utf8(&buffer[..count]).unwrap();
            self.told.extend(text.lines().map(str::to_owned));
        }
        self.told.iter().filter(|told| *told == line).count()
    }

    pub(crate) fn status_lines(&self) -> Vec<&str> {
        let status = self
            .told
            .iter()
            .filter_map(|told| told.strip_prefix("STATUS="));
        status.collect()
    }

    /// SIGTERM.
    pub(crate) fn ask_to_stop(&self) {
        kill_process(pid(self.pid()), Signal::TERM).unwrap();
    }

    /// SIGTERM, and its exit status.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.ask_to_stop();
        let ended = wait_within(PATIENCE, || self.child.try_wait().unwrap());
        ended.unwrap_or_else(|| panic!("it does not stop: {}\n{}", self.threads(), self.log()))
    }

    /// What each thread waits for.
    fn threads(&self) -> String {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let about = |task: PathBuf| {
            let read = |name: &str| fs::read_to_string(task.join(name)).unwrap_or_default();
            format!("{}{}\n{}", read("comm"), read("wchan"), read("stack"))
        };
        tasks.map(|task| about(task.unwrap().path())).collect()
    }

    /// The folder for another run.
    pub(crate) fn into_folder(mut self) -> TempDir {
        let spare = tempfile::tempdir().unwrap();
        std::mem::replace(&mut self.folder, spare)
    }

    /// What it kept, as `whodunit incidents` tells it.
    pub(crate) fn kept(&self) -> Vec<Value> {
        let output = Command::new(env!("CARGO_BIN_EXE_whodunit"))
            .args(["incidents", "-o", "ndjson", "--limit", "100000", "--store"])
            .arg(self.path("incidents.db"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        objects(std::str::from_utf8(&output.stdout).unwrap())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// JSON objects, one a line.
pub(crate) fn objects(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
        .collect()
}

/// Those that a file holds by now.
pub(crate) fn objects_in(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    objects(text.rfind('\n').map_or("", |end| &text[..end]))
}

/// Whether the incident is that of this victim.
pub(crate) fn is_of(incident: &Value, pid: u32) -> bool {
    incident["victims"][0]["pid"] == pid
}

pub(crate) fn pid(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
}

/// Something to kill.
pub(crate) struct Victim(Child);

impl Victim {
    pub(crate) fn new() -> Self {
        Self::called("sleep")
    }

    /// With this name for its program, which becomes its comm.
    pub(crate) fn called(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join(name);
        fs::copy("/bin/sleep", &program).unwrap();
        let child = wait_for("a copy that can be run", || {
            Command::new(&program).arg("1000").spawn().ok()
        });
        let victim = Self(child);
        // A moment long it has the old name still.
        let comm = format!("/proc/{}/comm", victim.pid());
        let expected = &name.as_bytes()[..name.len().min(15)];
        wait_for("its name", || {
            let comm = fs::read(&comm).unwrap();
            comm.starts_with(expected).then_some(())
        });
        victim
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// With SIGKILL; gives its pid.
    pub(crate) fn kill(mut self) -> u32 {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
        self.pid()
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
