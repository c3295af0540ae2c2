//! Kills that the kernel decides, or makes on behalf of somebody.

use std::fs;
use std::os::unix::process::ExitStatusExt;

use anyhow::bail;
use whodunit_case::fact::{SenderCall, SignalOrigin};
use whodunit_lab::cgroup::Names;

use crate::cgroups::Cgroup;
use crate::scene::{Actor, Check, children, exit_of, mark_of, signal_to, signals_to};
use crate::truth::Truth;

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("oom_kill_in_a_memory_cgroup", oom_kill_in_a_memory_cgroup),
    ("oom_kill_by_a_write", oom_kill_by_a_write),
    ("pid_namespace_teardown", pid_namespace_teardown),
    ("cpu_limit", cpu_limit),
    ("cgroup_kill", cgroup_kill),
    ("ptrace_exitkill", ptrace_exitkill),
    ("deep_and_long_cgroup_names", deep_and_long_cgroup_names),
];

const LIMIT_BYTES: u64 = 64 << 20;

fn names() -> Names {
    Names::new(format!("trace {}", std::process::id()))
}

fn oom_kill_in_a_memory_cgroup() -> anyhow::Result<()> {
    let cgroup = Cgroup::limited(&names().pod_cgroupfs("eater", "app"), LIMIT_BYTES)?;
    // The pod dies as a whole; the limit that is hit is the container's, below it.
    let whole = cgroup
        .directory
        .parent()
        .map(|pod| pod.join("memory.oom.group"));
    let whole = whole.filter(|file| file.exists());
    if let Some(file) = &whole {
        fs::write(file, "1")?;
    }
    let mut eater = Actor::new("eater", &["eat", "1024"]);
    cgroup.put(eater.pid());
    let (pid, truth) = (eater.pid(), eater.truth());
    let place = truth.memory.as_ref().or(truth.unified.as_ref());
    assert_eq!(place, Some(&cgroup.path));
    eater.go();
    assert_eq!(eater.wait().signal(), Some(libc::SIGKILL));
    let signal = signal_to(pid);
    truth.hold("target", &signal.target);
    truth.hold_with_arguments("sender", &signal.sender);
    assert_eq!((signal.signal, signal.code), (9, 128));
    assert_eq!((signal.origin, signal.group), (SignalOrigin::Kernel, true));
    // It wrote to a page that it did not have yet.
    assert_eq!(
        (signal.call, signal.system_call),
        (SenderCall::NoCall, None)
    );
    let memory = signal.memory;
    assert_eq!(memory.memcg_limit_kib, Some(LIMIT_BYTES / 1024));
    assert_eq!(memory.memcg_full_level, Some(0), "its own cgroup was full");
    assert_eq!(memory.memcg_group_level, whole.map(|_| 1));
    let usage = memory.memcg_usage_kib.unwrap();
    assert!(
        usage.abs_diff(LIMIT_BYTES / 1024) < 1024,
        "usage {usage} KiB"
    );
    let anon = memory.anon_rss_kib.unwrap();
    // The process's counter and the cgroup's are brought up to date in batches of their own.
    assert!(
        (40 * 1024..=LIMIT_BYTES / 1024 + 1024).contains(&anon),
        "anon {anon} KiB"
    );
    assert!(memory.max_rss_kib >= memory.anon_rss_kib, "{memory:?}");
    assert!(memory.total_vm_kib >= memory.max_rss_kib, "{memory:?}");
    let mark = mark_of(pid);
    assert_eq!(mark.by_tgid, pid);
    assert!(mark.boot_ns >= signal.boot_ns);
    assert_eq!(exit_of(pid).signal(), Some(9));
    Ok(())
}

/// Out of memory in write(2), to a file that is named like the kernel's own switch for it: the file system tells.
fn oom_kill_by_a_write() -> anyhow::Result<()> {
    let cgroup = Cgroup::limited(&names().pod_cgroupfs("writer", "app"), LIMIT_BYTES)?;
    let directory = match fs::metadata("/dev/shm") {
        Ok(_) => "/dev/shm",
        // In a virtual machine of the lab.
        Err(_) => "/tmp",
    };
    let mounts = fs::read_to_string("/proc/mounts")?;
    if !mounts
        .lines()
        .any(|line| line.contains(&format!(" {directory} tmpfs ")))
    {
        bail!("{directory} is no tmpfs");
    }
    let folder = tempfile::Builder::new()
        .prefix("whodunit-live-")
        .tempdir_in(directory)?;
    let file = folder.path().join("sysrq-trigger");
    let mut eater = Actor::new("eater", &["eat-file", file.to_str().unwrap()]);
    cgroup.put(eater.pid());
    let pid = eater.pid();
    eater.go();
    assert_eq!(eater.wait().signal(), Some(libc::SIGKILL));
    let signal = signal_to(pid);
    assert_eq!(
        (signal.origin, signal.call),
        (SignalOrigin::Kernel, SenderCall::Write)
    );
    assert_eq!(signal.system_call, Some(libc::SYS_write));
    let written = signal.written_file.unwrap();
    let folder_name = folder.path().file_name().unwrap().to_str().unwrap();
    assert_eq!(written.filesystem, "tmpfs");
    assert_eq!(written.path, format!("/{folder_name}/sysrq-trigger"));
    mark_of(pid);
    Ok(())
}

fn pid_namespace_teardown() -> anyhow::Result<()> {
    let mut outside = Actor::new("unsharer", &["namespace"]);
    let init = children(outside.pid())[0];
    let (init_truth, mut inside) = (Truth::of(init), children(init));
    // The init says that it is ready after it has made its child.
    let member = inside.pop().unwrap();
    let truth = Truth::of(member);
    assert_eq!((init_truth.namespaced_tgid, truth.namespaced_tgid), (1, 2));
    outside.go();
    assert!(outside.wait().success());
    let signal = signal_to(member);
    truth.hold("target", &signal.target);
    let mut sender = signal.sender.clone();
    // Its memory is gone already, and with it the name of its program.
    assert_eq!(sender.exe.take(), None);
    sender.exe = init_truth.exe.as_deref().map(Into::into);
    init_truth.hold("sender", &sender);
    assert!(sender.exiting);
    assert_eq!(sender.pid_namespace, signal.target.pid_namespace);
    assert_eq!((signal.origin, signal.code), (SignalOrigin::Kernel, 128));
    assert_eq!(signal.call, SenderCall::Exit);
    assert_eq!(signal.system_call, Some(libc::SYS_exit_group));
    assert_eq!(exit_of(member).signal(), Some(9));
    Ok(())
}

fn cpu_limit() -> anyhow::Result<()> {
    let mut spinner = Actor::new("spinner", &["spin"]);
    let (pid, truth) = (spinner.pid(), spinner.truth());
    spinner.go();
    assert_eq!(spinner.wait().signal(), Some(libc::SIGKILL));
    let signal = signal_to(pid);
    truth.hold("target", &signal.target);
    assert_eq!(signal.sender.tgid, pid);
    assert_eq!((signal.origin, signal.code), (SignalOrigin::Kernel, 128));
    assert_eq!(signal.call, SenderCall::NoCall);
    let limit = signal.cpu_limit.unwrap();
    assert_eq!(limit.hard_s, 1);
    assert!((1000..3000).contains(&limit.used_ms), "{limit:?}");
    assert_eq!(exit_of(pid).signal(), Some(9));
    Ok(())
}

fn cgroup_kill() -> anyhow::Result<()> {
    let cgroup = Cgroup::unified(&names().pod_scope("doomed", "app"))?;
    let switch = cgroup.directory.join("cgroup.kill");
    if !switch.is_file() {
        let release = whodunit_lab::machine::kernel_release();
        // 5.14: kernel/cgroup/cgroup.c
        if release.starts_with("5.10.") {
            println!("kernel {release} has no cgroup.kill");
            return Ok(());
        }
        bail!("no {}", switch.display());
    }
    let mut victims: Vec<Actor> = (0..3).map(|_| Actor::new("victim", &["sleep"])).collect();
    victims.iter().for_each(|victim| cgroup.put(victim.pid()));
    let truths: Vec<Truth> = victims.iter().map(Actor::truth).collect();
    let killer = Actor::new("assassin", &["write", switch.to_str().unwrap(), "1"]);
    let killer_truth = killer.truth();
    assert!(killer.act().success());
    for (victim, truth) in victims.iter_mut().zip(truths) {
        assert_eq!(victim.wait().signal(), Some(libc::SIGKILL));
        let signal = signal_to(victim.pid());
        truth.hold("target", &signal.target);
        killer_truth.hold_with_arguments("sender", &signal.sender);
        assert_eq!(
            signal.target.cgroups.unified.as_deref(),
            Some(cgroup.path.as_str())
        );
        assert_eq!((signal.origin, signal.code), (SignalOrigin::NoInfo, 0));
        assert_eq!(signal.call, SenderCall::Write);
        let written = signal.written_file.unwrap();
        assert_eq!(written.filesystem, "cgroup2");
        assert_eq!(written.path, format!("{}/cgroup.kill", cgroup.path));
        assert_eq!(exit_of(victim.pid()).signal(), Some(9));
    }
    Ok(())
}

fn ptrace_exitkill() -> anyhow::Result<()> {
    let mut victim = Actor::new("victim", &["sleep"]);
    let tracer = Actor::new("debugger", &["tracer", &victim.pid().to_string()]);
    let (truth, tracer_pid) = (victim.truth(), tracer.pid());
    assert!(tracer.act().success());
    assert_eq!(victim.wait().signal(), Some(libc::SIGKILL));
    let signal = signal_to(victim.pid());
    truth.hold("target", &signal.target);
    assert_eq!(signal.sender.tgid, tracer_pid);
    assert_eq!(
        (signal.origin, signal.call),
        (SignalOrigin::Kernel, SenderCall::Exit)
    );
    assert!(signal.ptrace_exitkill);
    assert_eq!(signal.tracer_tgid, Some(tracer_pid));
    // Its real parent is the one above it, not its tracer.
    assert_eq!(signal.target_ancestors[0].tgid, std::process::id());
    Ok(())
}

/// Names of the greatest length, and a path that is deeper than 16 levels: what is told of it can't be taken for a
/// whole path.
fn deep_and_long_cgroup_names() -> anyhow::Result<()> {
    let base = format!("/whodunit-{}", std::process::id());
    let long = "n".repeat(255);
    let cases = [
        (format!("{base}/{long}/{long}/{long}/leaf"), true),
        (format!("{base}{}", "/level".repeat(15)), true),
        (format!("{base}{}", "/level".repeat(16)), false),
        (format!("{base}{}/leaf", "/level".repeat(20)), false),
    ];
    for (path, whole) in cases {
        let cgroup = Cgroup::unified(&path)?;
        let victim = Actor::new("victim", &["sleep"]);
        let pid = victim.pid();
        cgroup.put(pid);
        assert!(
            Actor::new("assassin", &["kill", "9", &pid.to_string()])
                .act()
                .success()
        );
        let signal = signal_to(pid);
        assert_eq!(signals_to(pid).len(), 1);
        let told = signal.target.cgroups.unified.unwrap();
        if whole {
            assert_eq!(told, path);
        } else {
            let names = told.strip_prefix("…").unwrap();
            assert!(path.ends_with(names), "{told}");
            assert_eq!(names.matches('/').count(), 16);
        }
    }
    Ok(())
}
