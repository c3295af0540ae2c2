//! Live evidence read from trees: cgroup v2 and v1 files, users and logins, pressure. Constructed, with the forms of
//! the kernels and programs that are named.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use whodunit_case::fact::{CgroupHierarchy, CgroupPaths, OomCounts};
use whodunit_node::Root;
use whodunit_node::cgroup::Hierarchies;
use whodunit_node::logins::{login, user_name};
use whodunit_node::memory::machine_memory;
use whodunit_node::process::ProcessReader;

fn tree(files: &[(&str, &[u8])]) -> (TempDir, Root) {
    let tree = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let file = tree.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
    let root = Root::at(tree.path());
    (tree, root)
}

#[test]
fn limits_of_cgroup_v2_are_read_along_the_path() {
    let (_tree, root) = tree(&[
        ("proc/1/mounts", b"cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n"),
        ("sys/fs/cgroup/cgroup.procs", b""),
        ("sys/fs/cgroup/kubepods/memory.max", b"max\n"),
        ("sys/fs/cgroup/kubepods/memory.current", b"7000000\n"),
        ("sys/fs/cgroup/kubepods/pod1/memory.max", b"67108864\n"),
        ("sys/fs/cgroup/kubepods/pod1/memory.high", b"60000000\n"),
        ("sys/fs/cgroup/kubepods/pod1/memory.oom.group", b"1\n"),
        ("sys/fs/cgroup/kubepods/pod1/memory.swap.max", b"0\n"),
        ("sys/fs/cgroup/kubepods/pod1/memory.events", b"low 0\nhigh 3\nmax 9\noom 2\noom_kill 5\noom_group_kill 1\n"),
        ("sys/fs/cgroup/kubepods/pod1/memory.events.local", b"low 0\nhigh 3\nmax 9\noom 1\noom_kill 4\noom_group_kill 0\n"),
        ("sys/fs/cgroup/kubepods/pod1/memory.stat", b"anon 4096\nfile 8192\n"),
        ("sys/fs/cgroup/kubepods/pod1/cgroup.procs", b"1\n2\n"),
        (
            "sys/fs/cgroup/kubepods/pod1/memory.pressure",
            b"some avg10=1.50 avg60=0.25 avg300=0.00 total=77\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=7\n",
        ),
    ]);
    let hierarchies = Hierarchies::find(&root);
    assert_eq!(hierarchies.memory().unwrap().0, CgroupHierarchy::Unified);
    let levels = hierarchies.memory_along("/kubepods/pod1");
    assert_eq!(
        levels
            .iter()
            .map(|level| level.path.as_str())
            .collect::<Vec<_>>(),
        ["/kubepods/pod1", "/kubepods", "/"]
    );
    let pod = &levels[0];
    assert_eq!(
        (pod.limit_bytes, pod.high_bytes, pod.unlimited),
        (Some(67_108_864), Some(60_000_000), false)
    );
    assert_eq!(
        (pod.oom_group, pod.swap_limit_bytes, pod.processes),
        (Some(true), Some(0), Some(2))
    );
    // Its own count, not that of its subtree.
    assert_eq!(
        pod.oom,
        Some(OomCounts {
            oom: Some(1),
            oom_kill: 4,
            oom_group_kill: Some(0)
        })
    );
    assert_eq!(pod.stat[1].1, 8192);
    let pressure = pod.pressure.unwrap();
    assert_eq!(
        (
            pressure.some.avg10_percent,
            pressure.some.total_us,
            pressure.full.unwrap().total_us
        ),
        (1.5, 77, 7)
    );
    assert_eq!(
        (
            levels[1].limit_bytes,
            levels[1].unlimited,
            levels[1].usage_bytes
        ),
        (None, true, Some(7_000_000))
    );
    assert_eq!(
        hierarchies.usage_and_limit_kib("/kubepods"),
        (Some(7_000_000 >> 10), None)
    );
    // A container's own view of its cgroup leads out of the hierarchy.
    assert!(
        hierarchies
            .memory_along("/../pod1")
            .iter()
            .all(|level| level.path == "/")
    );
}

#[test]
fn limits_of_cgroup_v1_are_read_and_no_limit_is_none() {
    let (_tree, root) = tree(&[
        ("proc/mounts", b"cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", b"9223372036854771712\n"),
        ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", b"33554432\n"),
        ("sys/fs/cgroup/memory/a/memory.usage_in_bytes", b"1048576\n"),
        ("sys/fs/cgroup/memory/a/memory.memsw.usage_in_bytes", b"3145728\n"),
        ("sys/fs/cgroup/memory/a/memory.memsw.limit_in_bytes", b"9223372036854771712\n"),
        ("sys/fs/cgroup/memory/a/memory.failcnt", b"12\n"),
        ("sys/fs/cgroup/memory/a/memory.oom_control", b"oom_kill_disable 1\nunder_oom 1\noom_kill 3\n"),
    ]);
    let levels = Hierarchies::find(&root).memory_along("/a");
    let inner = &levels[0];
    assert_eq!(
        (inner.limit_bytes, inner.usage_bytes, inner.swap_usage_bytes),
        (Some(32 << 20), Some(1 << 20), Some(2 << 20))
    );
    assert_eq!(
        (
            inner.swap_limit_bytes,
            inner.failcnt,
            inner.oom_kill_disabled
        ),
        (None, Some(12), Some(true))
    );
    assert_eq!(inner.oom.unwrap().oom_kill, 3);
    assert_eq!((levels[1].limit_bytes, levels[1].unlimited), (None, true));
}

#[test]
fn a_process_of_another_root_is_read_there() {
    let (tree, root) = tree(&[
        ("proc/mounts", b"cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"),
        ("sys/fs/cgroup/a:b/memory.max", b"max\n"),
        (
            "proc/42/stat",
            b"42 (app) S 7 42 42 34819 -1 4194304 1 0 0 0 100 50 0 0 20 0 1 0 123456 4096 10 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
        ),
        ("proc/42/cgroup", b"4:memory:/m\n1:name=systemd:/x\n0::/a:b\n"),
        ("proc/42/loginuid", b"1000\n"),
        ("proc/42/sessionid", b"4294967295\n"),
        ("proc/42/cmdline", b"/usr/bin/app\0--flag\0\0"),
        ("proc/43/stat", b"43 (app)"),
        ("proc/44/stat", b"("),
    ]);
    std::os::unix::fs::symlink("/usr/bin/app (deleted)", tree.path().join("proc/42/exe")).unwrap();
    let reader = ProcessReader::new(&root);
    let live = reader.read(42).unwrap();
    assert_eq!(live.process.start_boot_ns, 1_234_560_000_000);
    assert_eq!(live.process.tty.as_deref(), Some("pts3"));
    assert_eq!(
        (live.process.login_uid, live.process.login_session),
        (Some(1000), None)
    );
    assert_eq!(live.process.exe.as_deref(), Some("app"));
    assert_eq!(live.process.arguments, ["/usr/bin/app", "--flag", ""]);
    assert_eq!(live.process.cgroups.unified.as_deref(), Some("/a:b"));
    assert_eq!(live.process.cgroups.memory.as_deref(), Some("/m"));
    assert!(live.process.cgroups.unified_id.is_some());
    assert_eq!((live.parent_tgid, live.memory.total_vm_kib), (7, None));
    assert!(reader.read(43).is_err() && reader.read(44).is_err());
    let mut other = live.process.clone();
    other.start_boot_ns += 9_999_999;
    assert!(live.process.is_same(&other));
    other.start_boot_ns += 1;
    assert!(!live.process.is_same(&other));
    assert_ne!(live.process.cgroups, CgroupPaths::default());
}

const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/bash\n# comment\nbad line\nalice:x:1000:1000:,,,:/home/alice:/bin/sh\n:x:1001:::\n";

#[test]
fn a_login_is_named_by_logind() {
    let (_tree, root) = tree(&[
        ("etc/passwd", PASSWD),
        (
            "run/systemd/sessions/5",
            b"# This is private data. Do not parse.\nUID=1000\nUSER=alice\nACTIVE=1\nREMOTE=1\nTTY=pts/3\nREMOTE_HOST=192.0.2.7\nSERVICE=sshd\nLEADER=812\nAUDIT=5\n",
        ),
    ]);
    assert_eq!(user_name(&root, 0).as_deref(), Some("root"));
    assert_eq!(user_name(&root, 1001), None);
    let alice = login(&root, 1000, Some(5), Some("pts3"));
    assert_eq!(
        (alice.name.as_deref(), alice.tty.as_deref()),
        (Some("alice"), Some("pts/3"))
    );
    assert_eq!(
        (alice.remote_host.as_deref(), alice.service.as_deref()),
        (Some("192.0.2.7"), Some("sshd"))
    );
    assert_eq!(
        (alice.remote_address, alice.leader_pid),
        ("192.0.2.7".parse().ok(), Some(812))
    );
    // The session belongs to somebody else: what it says is not said of this one.
    let other = login(&root, 1234, Some(5), Some("pts7"));
    assert_eq!(
        (other.name, other.tty.as_deref(), other.remote_host),
        (None, Some("pts7"), None)
    );
}

/// A record of glibc's `struct utmp` on x86-64: 384 bytes.
#[cfg(target_arch = "x86_64")]
fn utmp(pid: i32, line: &str, user: &[u8], host: &str) -> Vec<u8> {
    let mut record = vec![0; 384];
    record[0] = 7; // USER_PROCESS
    record[4..8].copy_from_slice(&pid.to_le_bytes());
    record[8..8 + line.len()].copy_from_slice(line.as_bytes());
    record[44..44 + user.len()].copy_from_slice(user);
    record[76..76 + host.len()].copy_from_slice(host.as_bytes());
    record
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_login_is_named_by_utmp_where_there_is_no_logind() {
    let records = [
        utmp(700, "pts/1", b"\xff\xfe", "203.0.113.9"),
        utmp(812, "pts/3", b"alice", "client.example"),
        utmp(900, "pts/4", b"bob", ":0"),
    ]
    .concat();
    let (_tree, root) = tree(&[
        ("etc/passwd", PASSWD),
        ("run/utmp", &records),
        ("proc/812/sessionid", b"9\n"),
    ]);
    let alice = login(&root, 1000, Some(9), None);
    assert_eq!(
        (alice.tty.as_deref(), alice.remote_host.as_deref()),
        (Some("pts/3"), Some("client.example"))
    );
    assert_eq!((alice.leader_pid, alice.remote_address), (Some(812), None));
    // By the terminal alone; an X display is no host.
    let bob = login(&root, 1002, None, Some("pts4"));
    assert_eq!((bob.name.as_deref(), bob.remote_host), (Some("bob"), None));
    let nobody = login(&root, 1003, None, Some("pts9"));
    assert_eq!((nobody.name, nobody.tty.as_deref()), (None, Some("pts9")));
}

#[test]
fn settings_and_pressure_are_read_from_a_tree() {
    let (tree, root) = tree(&[
        ("proc/sys/vm/overcommit_memory", b"1\n"),
        ("proc/sys/vm/overcommit_ratio", b"50\n"),
        // 4.20 to 5.12 have no line for all.
        (
            "proc/pressure/cpu",
            b"some avg10=2.00 avg60=0.00 avg300=0.00 total=5\n",
        ),
        ("proc/pressure/memory", b"\n"),
    ]);
    let memory = machine_memory(&root);
    assert_eq!(
        (
            memory.overcommit_memory,
            memory.overcommit_ratio,
            memory.panic_on_oom
        ),
        (Some(1), Some(50), None)
    );
    let cpu = memory.cpu_pressure.unwrap();
    assert_eq!((cpu.some.avg10_percent, cpu.full), (2.0, None));
    assert_eq!((memory.memory_pressure, memory.total_kib), (None, None));
    assert!(Path::new(tree.path()).exists());
}
