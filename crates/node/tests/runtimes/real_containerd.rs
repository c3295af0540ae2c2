//! A containerd of a test's own: Debian's, with its own root, state and socket, beside any that runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use whodunit_node::runtimes::{Endpoint, Protocol};

use crate::wait_for;

/// The image of the pods' first container, and of the others.
pub(crate) const IMAGE: &str = "docker.io/whodunit/busybox:test";

pub(crate) struct RealContainerd {
    directory: TempDir,
    daemon: Option<Child>,
}

impl RealContainerd {
    /// `None`, with the reason on standard error, where there is none or it can't run.
    pub(crate) fn start() -> Option<Self> {
        for program in ["containerd", "ctr", "runc", "busybox"] {
            if find(program).is_none() {
                return cannot(&format!("{program} is not installed"));
            }
        }
        if !rustix::process::geteuid().is_root() {
            return cannot("containerd needs root");
        }
        let directory = tempfile::Builder::new()
            .prefix("whodunit-containerd-")
            .tempdir()
            .unwrap();
        let path = directory.path();
        let at = |name: &str| path.join(name).display().to_string();
        // No CNI is installed: pods are on the host's network.
        let config = format!(
            "version = 2\nroot = {root:?}\nstate = {state:?}\ndisabled_plugins = [\n  \
             \"io.containerd.snapshotter.v1.aufs\", \"io.containerd.snapshotter.v1.btrfs\",\n  \
             \"io.containerd.snapshotter.v1.devmapper\", \"io.containerd.snapshotter.v1.zfs\"]\n\
             [grpc]\n  address = {socket:?}\n[ttrpc]\n  address = {ttrpc:?}\n\
             [plugins.\"io.containerd.grpc.v1.cri\"]\n  sandbox_image = {IMAGE:?}\n  disable_apparmor = true\n  \
             restrict_oom_score_adj = true\n\
             [plugins.\"io.containerd.grpc.v1.cri\".containerd]\n  snapshotter = \"native\"\n",
            root = at("root"),
            state = at("state"),
            socket = at("containerd.sock"),
            ttrpc = at("ttrpc.sock"),
        );
        fs::write(path.join("config.toml"), config).unwrap();
        let bin = path.join("rootfs/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::copy(find("busybox").unwrap(), bin.join("busybox")).unwrap();
        for applet in ["sh", "sleep", "tail"] {
            symlink("busybox", bin.join(applet)).unwrap();
        }
        let mut this = Self {
            directory,
            daemon: None,
        };
        this.start_daemon();
        Some(this)
    }

    pub(crate) fn start_daemon(&mut self) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .unwrap();
        let daemon = Command::new("containerd")
            .arg("--config")
            .arg(self.path("config.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.daemon = Some(daemon);
        let answers = || {
            let asked = Command::new("ctr")
                .arg("--address")
                .arg(self.socket())
                .arg("version")
                .output();
            asked.is_ok_and(|output| output.status.success())
        };
        assert!(
            wait_for(Duration::from_secs(20), answers),
            "containerd does not answer: {}",
            fs::read_to_string(self.path("log")).unwrap_or_default()
        );
    }

    pub(crate) fn stop_daemon(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("containerd.sock")
    }

    pub(crate) fn endpoint(&self, protocol: Protocol) -> Endpoint {
        Endpoint {
            protocol,
            runtime: "containerd",
            socket: self.socket(),
        }
    }

    pub(crate) fn try_ctr(&self, arguments: &[&str]) -> Output {
        Command::new("ctr")
            .arg("--address")
            .arg(self.socket())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    pub(crate) fn ctr(&self, arguments: &[&str]) -> String {
        let done = self.try_ctr(arguments);
        assert!(
            done.status.success(),
            "ctr {arguments:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        String::from_utf8(done.stdout).unwrap()
    }

    /// Starts a container of busybox in the background.
    pub(crate) fn run(&self, id: &str, limit_bytes: u64, command: &str) {
        let cgroup = format!("{}/{id}", own_cgroup());
        let rootfs = self.path("rootfs").display().to_string();
        let limit = limit_bytes.to_string();
        self.ctr(&[
            "run",
            "--detach",
            "--cgroup",
            &cgroup,
            "--rootfs",
            "--memory-limit",
            &limit,
            "--label",
            "nerdctl/name=web",
            &rootfs,
            id,
            "/bin/sh",
            "-c",
            command,
        ]);
    }

    /// Makes an image of busybox known to the CRI plugin, as `docker save` writes one.
    pub(crate) fn import_image(&self) {
        let image = self.path("image");
        fs::create_dir_all(&image).unwrap();
        let tar = |directory: &Path, into: &Path, what: &str| {
            let done = Command::new("tar")
                .arg("-C")
                .arg(directory)
                .arg("-cf")
                .arg(into)
                .arg(what)
                .status();
            assert!(done.unwrap().success());
        };
        tar(&self.path("rootfs"), &image.join("layer.tar"), "bin");
        let digest = Command::new("sha256sum")
            .arg(image.join("layer.tar"))
            .output()
            .unwrap();
        let digest = String::from_utf8(digest.stdout).unwrap()[..64].to_owned();
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{"Cmd":["/bin/sleep","3600"]}},"rootfs":{{"type":"layers","diff_ids":["sha256:{digest}"]}}}}"#
        );
        fs::write(image.join("config.json"), config).unwrap();
        let manifest = format!(
            r#"[{{"Config":"config.json","RepoTags":["{IMAGE}"],"Layers":["layer.tar"]}}]"#
        );
        fs::write(image.join("manifest.json"), manifest).unwrap();
        let file = self.path("image.tar");
        tar(&image, &file, ".");
        self.ctr(&[
            "--namespace",
            "k8s.io",
            "images",
            "import",
            "--snapshotter",
            "native",
            &file.display().to_string(),
        ]);
        // The plugin hears of it by an event.
        std::thread::sleep(Duration::from_millis(300));
    }
}

impl Drop for RealContainerd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.path("log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(15).collect();
            for line in tail.iter().rev() {
                eprintln!("containerd: {line}");
            }
        }
        if self.daemon.is_none() {
            self.start_daemon();
        }
        for namespace in ["default", "k8s.io"] {
            let listed = self.try_ctr(&["--namespace", namespace, "tasks", "list", "--quiet"]);
            for id in String::from_utf8_lossy(&listed.stdout).lines() {
                self.try_ctr(&["--namespace", namespace, "tasks", "delete", "--force", id]);
            }
            let listed = self.try_ctr(&["--namespace", namespace, "containers", "list", "--quiet"]);
            for id in String::from_utf8_lossy(&listed.stdout).lines() {
                self.try_ctr(&["--namespace", namespace, "containers", "delete", id]);
            }
        }
        self.stop_daemon();
        let own = own_cgroup();
        let hierarchies = fs::read_dir("/sys/fs/cgroup")
            .into_iter()
            .flatten()
            .flatten();
        for hierarchy in hierarchies
            .map(|hierarchy| hierarchy.path())
            .chain(["/sys/fs/cgroup".into()])
        {
            remove_cgroups(&hierarchy.join(own.trim_start_matches('/')));
        }
        // Mounts of sandboxes are left when their tasks are deleted behind the plugin's back.
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let own = self.directory.path().display().to_string();
        for mount in mounts
            .lines()
            .rev()
            .filter_map(|line| line.split(' ').nth(1))
        {
            if mount.starts_with(&own) {
                let _ = Command::new("umount").args(["-l", mount]).status();
            }
        }
    }
}

/// The cgroup that all of a test's containers are in.
pub(crate) fn own_cgroup() -> String {
    format!("/whodunit-test-{}", std::process::id())
}

fn remove_cgroups(directory: &Path) {
    for below in fs::read_dir(directory).into_iter().flatten().flatten() {
        if below.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_cgroups(&below.path());
        }
    }
    for _ in 0..50 {
        if fs::remove_dir(directory).is_ok() || !directory.exists() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

fn cannot<T>(why: &str) -> Option<T> {
    assert!(!whodunit_lab::required(), "{why}");
    eprintln!("not tested: {why}");
    None
}
