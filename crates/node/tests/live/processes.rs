//! Live processes of this machine, and the cgroups they are in.

use std::io::ErrorKind;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use whodunit_node::Root;
use whodunit_node::clock::boot_ns;
use whodunit_node::memory::machine_memory;
use whodunit_node::process::ProcessReader;

use crate::stage::Stage;

/// Ended when the test is.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn shell(script: &str) -> Ended {
    let child = Command::new("sh")
        .args(["-c", script, "name", "an argument"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(50));
    Ended(child)
}

#[test]
fn a_process_is_described_with_its_parents() {
    let reader = ProcessReader::new(&Root::system());
    let before_ns = boot_ns();
    let child = shell("read line");
    let pid = child.0.id();
    let live = reader.read(pid).unwrap();
    let process = &live.process;
    assert_eq!(
        (process.pid, process.tgid, process.comm.as_str()),
        (pid, pid, "sh")
    );
    assert_eq!(
        process.arguments,
        ["sh", "-c", "read line", "name", "an argument"]
    );
    assert_eq!(process.uid, rustix::process::geteuid().as_raw());
    assert!(process.exe.is_some() && !process.kernel_thread && !process.exiting);
    let apart = process.start_boot_ns.abs_diff(before_ns);
    assert!(apart < 1_000_000_000, "{apart} ns");
    let own = reader.read(std::process::id()).unwrap();
    assert_eq!(process.pid_namespace, own.process.pid_namespace);
    assert!(process.pid_namespace.is_some() && process.namespaced_tgid.is_some());
    assert_eq!(live.parent_tgid, own.process.tgid);
    assert_eq!(live.memory.oom_score_adj, own.memory.oom_score_adj);
    assert!(live.memory.total_vm_kib > live.memory.file_rss_kib);
    assert!(live.memory.pgtables_kib.is_some() && live.oom_score.is_some());
    assert!(
        (1..=live.memory.total_vm_kib.unwrap()).contains(&reader.proportional_kib(pid).unwrap())
    );
    assert!(reader.pids().contains(&pid));

    let parents = reader.ancestors(pid, 8);
    assert_eq!(parents[0].tgid, std::process::id());
    assert_eq!(parents[0].start_boot_ns, own.process.start_boot_ns);
    assert_eq!(parents.last().unwrap().tgid.min(1), 1);
    assert_eq!(reader.ancestors(pid, 1).len(), 1);

    drop(child);
    assert_eq!(reader.read(pid).unwrap_err().kind(), ErrorKind::NotFound);
    assert!(reader.ancestors(pid, 8).is_empty());
}

#[test]
fn a_name_made_to_mislead_hides_nothing() {
    let reader = ProcessReader::new(&Root::system());
    let child = shell("printf 'a) R 0 (\\377' > /proc/$$/comm; read line");
    let live = reader.read(child.0.id()).unwrap();
    assert_eq!(live.process.comm, "a) R 0 (\u{fffd}");
    assert_eq!(live.process.tgid, child.0.id());
    assert_eq!(live.process.uid, rustix::process::geteuid().as_raw());
    assert_eq!(live.parent_tgid, std::process::id());
}

#[test]
fn limits_and_usages_are_read_from_the_cgroup_up_to_the_root() {
    let Some(mut stage) = Stage::set() else {
        return;
    };
    let inner = format!("{}/inner", stage.path);
    stage.make(&inner).unwrap();
    stage.limit(&stage.path, 64 << 20);
    stage.limit(&inner, 32 << 20);
    let child = Ended(stage.start(&inner, "exec sleep 30"));
    std::thread::sleep(Duration::from_millis(50));
    let reader = ProcessReader::new(&Root::system());
    let live = reader.read(child.0.id()).unwrap();
    assert_eq!(
        reader
            .hierarchies()
            .memory_path(&live.process.cgroups)
            .unwrap(),
        &inner
    );
    assert_eq!(live.process.cgroups.path(), Some(inner.as_str()));
    assert!(live.process.cgroups.unified_id.is_some());
    assert_eq!(live.memory.memcg_limit_kib, Some(32 << 10));
    assert!(live.memory.memcg_usage_kib.is_some());
    let levels = reader.hierarchies().memory_along(&inner);
    let limits: Vec<_> = levels
        .iter()
        .map(|level| (level.path.as_str(), level.limit_bytes))
        .collect();
    assert_eq!(
        limits,
        [
            (inner.as_str(), Some(32 << 20)),
            (stage.path.as_str(), Some(64 << 20)),
            ("/", None)
        ]
    );
    assert_eq!(levels[0].processes, Some(1));
    assert!(levels[0].usage_bytes.unwrap() > 0 && levels[0].oom.unwrap().oom_kill == 0);
    assert!(levels[0].stat.len() > 10);
    drop(child);
    stage.kill_in(&inner);
    assert_eq!(
        reader
            .hierarchies()
            .memory_of(&inner)
            .unwrap()
            .oom
            .unwrap()
            .oom_kill,
        1
    );
    assert_eq!(reader.hierarchies().memory_of("/no-such-cgroup"), None);
    assert_eq!(reader.hierarchies().memory_of("/../../etc"), None);
}

#[test]
fn the_machines_memory_and_settings_are_read() {
    let memory = machine_memory(&Root::system());
    assert!(memory.total_kib > memory.available_kib && memory.available_kib > Some(0));
    assert!(memory.overcommit_memory.unwrap() <= 2 && memory.panic_on_oom.unwrap() <= 2);
    assert!(memory.committed_as_kib.is_some() && memory.commit_limit_kib.is_some());
}
