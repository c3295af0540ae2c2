//! Signals that a process sends.

use std::fs;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;

use whodunit_case::fact::{KillSignal, SenderCall, SignalOrigin};

use crate::scene::{Actor, Check, exit_of, exits_of, signal_to, signals_to, wait};
use crate::truth::{Truth, hold_ancestors};

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("a_killer_that_exits_at_once", a_killer_that_exits_at_once),
    ("tgkill", tgkill),
    ("pidfd_send_signal", pidfd_send_signal),
    ("sigqueue", sigqueue),
    ("a_user_kills_their_own", a_user_kills_their_own),
    ("a_login_shell_on_a_terminal", a_login_shell_on_a_terminal),
    ("sigterm_then_sigkill", sigterm_then_sigkill),
    ("ignored_and_pending_sigterm", ignored_and_pending_sigterm),
    ("many_threads_end_once", many_threads_end_once),
    ("exit_137", exit_137),
    ("hostile_names", hostile_names),
    ("long_arguments", long_arguments),
];

/// A victim and its killer, both waiting.
struct Pair {
    victim: Actor,
    killer: Actor,
    victim_truth: Truth,
    killer_truth: Truth,
    victim_ancestors: Vec<Truth>,
    killer_ancestors: Vec<Truth>,
}

impl Pair {
    fn new(victim: Actor, killer: Actor) -> Self {
        let (victim_truth, killer_truth) = (victim.truth(), killer.truth());
        Self {
            victim_ancestors: victim_truth.ancestors(4),
            killer_ancestors: killer_truth.ancestors(8),
            victim_truth,
            killer_truth,
            victim,
            killer,
        }
    }

    /// Gives the cue and holds what is told of both to what they were.
    fn play(mut self) -> KillSignal {
        let pid = self.victim.pid();
        assert!(self.killer.act().success());
        assert_eq!(self.victim.wait().signal(), Some(libc::SIGKILL));
        let signal = signal_to(pid);
        self.killer_truth
            .hold_with_arguments("sender", &signal.sender);
        self.victim_truth.hold("target", &signal.target);
        assert_eq!(signal.sender.pid, signal.sender.tgid);
        hold_ancestors("sender", &self.killer_ancestors, &signal.sender_ancestors);
        hold_ancestors("target", &self.victim_ancestors, &signal.target_ancestors);
        assert_eq!((signal.signal, signal.result), (9, 0));
        assert_eq!(signal.origin, SignalOrigin::Siginfo);
        assert_eq!(signal.written_file, None);
        assert_eq!((signal.tracer_tgid, signal.ptrace_exitkill), (None, false));
        assert_eq!(signal.cpu_limit, None);
        let exit = exit_of(pid);
        self.victim_truth.hold_exit(&exit.process);
        hold_ancestors("ended", &self.victim_ancestors, &exit.ancestors);
        assert_eq!((exit.wait_status, exit.signal()), (9, Some(9)));
        assert!(exit.process.exiting);
        assert!(exit.boot_ns > signal.boot_ns);
        signal
    }
}

impl Truth {
    /// Before 6.16 the program's file is gone with its memory when the end is told.
    fn hold_exit(&self, fact: &whodunit_case::fact::Process) {
        let mut with_file = fact.clone();
        if with_file.exe.is_none() {
            with_file.exe = self.exe.as_deref().map(Into::into);
        }
        self.hold("ended", &with_file);
    }
}

fn victim() -> Actor {
    Actor::new("victim", &["sleep"])
}

fn a_killer_that_exits_at_once() -> anyhow::Result<()> {
    let victim = victim();
    let pid = victim.pid().to_string();
    let before = boot_ns();
    let signal = Pair::new(
        victim,
        Actor::new("assassin", &["comm=innocent", "kill", "9", &pid]),
    )
    .play();
    assert_eq!(signal.sender.comm, "innocent");
    assert_eq!(signal.sender.exe.as_deref(), Some("assassin"));
    assert_eq!((signal.code, signal.group), (0, true));
    assert_eq!(signal.call, SenderCall::Kill);
    assert_eq!(signal.system_call, Some(libc::SYS_kill));
    assert_eq!(signal.kill_pid, i32::try_from(signal.target.tgid).ok());
    assert!((before..boot_ns()).contains(&signal.boot_ns));
    let memory = signal.memory;
    assert!(
        memory.total_vm_kib.is_some_and(|size| size > 500),
        "{memory:?}"
    );
    assert!(
        memory.pgtables_kib.is_some_and(|size| size > 0),
        "{memory:?}"
    );
    assert!(
        memory.max_rss_kib.is_some_and(|size| size > 100),
        "{memory:?}"
    );
    assert_eq!(memory.oom_score_adj, Some(own_score()));
    Ok(())
}

/// Children have their parent's.
fn own_score() -> i32 {
    let text = fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    text.trim().parse().unwrap()
}

fn boot_ns() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes the time.
    assert_eq!(
        unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut now) },
        0
    );
    u64::try_from(now.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap()
}

fn tgkill() -> anyhow::Result<()> {
    let victim = victim();
    let pid = victim.pid().to_string();
    let signal = Pair::new(victim, Actor::new("assassin", &["tgkill", "9", &pid, &pid])).play();
    assert_eq!((signal.code, signal.group), (-6, false));
    assert_eq!(signal.call, SenderCall::Tkill);
    Ok(())
}

fn pidfd_send_signal() -> anyhow::Result<()> {
    let victim = victim();
    let pid = victim.pid().to_string();
    let signal = Pair::new(victim, Actor::new("assassin", &["pidfd", "9", &pid])).play();
    assert_eq!((signal.code, signal.group), (0, true));
    assert_eq!(signal.call, SenderCall::PidfdSendSignal);
    Ok(())
}

fn sigqueue() -> anyhow::Result<()> {
    let victim = victim();
    let pid = victim.pid().to_string();
    let signal = Pair::new(victim, Actor::new("assassin", &["sigqueue", "9", &pid])).play();
    assert_eq!((signal.code, signal.group), (-1, true));
    assert_eq!(signal.call, SenderCall::Sigqueue);
    Ok(())
}

fn a_user_kills_their_own() -> anyhow::Result<()> {
    let victim = Actor::new("victim", &["as-user", "4242", "0", "0"]);
    let pid = victim.pid().to_string();
    let killer = Actor::new("assassin", &["as-user", "4242", "9", &pid]);
    let signal = Pair::new(victim, killer).play();
    assert_eq!((signal.sender.uid, signal.target.uid), (4242, 4242));
    Ok(())
}

/// A shell in a session and on a terminal of its own, with a login that all it does is accounted to.
fn a_login_shell_on_a_terminal() -> anyhow::Result<()> {
    let victim = victim();
    let pid = victim.pid().to_string();
    let (master, slave) = pseudo_terminal();
    let mut command = Command::new("sh");
    command.args(["-c", "echo ready; read go; kill -9 \"$1\"", "sh", &pid]);
    // SAFETY: only system calls between fork and exec.
    unsafe {
        command.pre_exec(move || {
            if libc::setsid() < 0 || libc::ioctl(slave, libc::TIOCSCTTY, 0) < 0 {
                return Err(std::io::Error::last_os_error());
            }
            if let Ok(mut file) = fs::File::options().write(true).open("/proc/self/loginuid") {
                std::io::Write::write_all(&mut file, b"4321")?;
            }
            Ok(())
        });
    }
    let signal = Pair::new(victim, Actor::of(command)).play();
    drop(master);
    assert!(
        signal
            .sender
            .tty
            .as_deref()
            .is_some_and(|tty| tty.starts_with("pts")),
        "{:?}",
        signal.sender.tty
    );
    if fs::exists("/proc/self/loginuid")? {
        assert_eq!(signal.sender.login_uid, Some(4321));
        assert!(signal.sender.login_session.is_some());
    }
    assert_eq!(signal.target.tty, None);
    assert_eq!(signal.call, SenderCall::Kill);
    Ok(())
}

fn pseudo_terminal() -> (OwnedFd, i32) {
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: the descriptors are written, nothing else is asked for.
    let made = unsafe {
        libc::openpty(
            &mut master,
            &mut slave,
            std::ptr::null_mut(),
            std::ptr::null(),
            std::ptr::null(),
        )
    };
    assert_eq!(made, 0, "openpty: {}", std::io::Error::last_os_error());
    // SAFETY: it was just opened, and nobody else owns it. The slave is left open for the child.
    (unsafe { OwnedFd::from_raw_fd(master) }, slave)
}

fn sigterm_then_sigkill() -> anyhow::Result<()> {
    let victim = Actor::new("victim", &["ignore-term"]);
    let pid = victim.pid();
    let text = pid.to_string();
    let killer = Actor::new("runtime", &["kill", "15", &text]);
    let killer_truth = killer.truth();
    assert!(killer.act().success());
    let first = signal_to(pid);
    killer_truth.hold_with_arguments("first sender", &first.sender);
    // Ignored by its disposition.
    assert_eq!((first.signal, first.result), (15, 1));
    assert!(exits_of(pid).is_empty());
    let second = Actor::new("runtime", &["kill", "9", &text]);
    let second_truth = second.truth();
    assert!(second.act().success());
    exit_of(pid);
    let signals = signals_to(pid);
    assert_eq!(
        signals.iter().map(|one| one.signal).collect::<Vec<_>>(),
        [15, 9]
    );
    second_truth.hold_with_arguments("second sender", &signals[1].sender);
    Ok(())
}

/// Delivered to one that does not mind, and again while the first is pending.
fn ignored_and_pending_sigterm() -> anyhow::Result<()> {
    let mut command = Command::new("sh");
    // A stopped process takes no signal but SIGKILL and SIGCONT.
    command.args(["-c", "echo ready; read go; sleep 1000"]);
    let mut victim = Actor::of(command);
    let pid = victim.pid();
    let text = pid.to_string();
    assert!(
        Actor::new("stopper", &["kill", "19", &text])
            .act()
            .success()
    );
    assert!(
        Actor::new("stopper", &["kill", "15", &text, &text])
            .act()
            .success()
    );
    assert!(
        Actor::new("stopper", &["kill", "18", &text])
            .act()
            .success()
    );
    assert_eq!(victim.wait().signal(), Some(libc::SIGTERM));
    let exit = exit_of(pid);
    assert_eq!(exit.signal(), Some(15));
    let results: Vec<i32> = signals_to(pid).iter().map(|one| one.result).collect();
    assert_eq!(results, [0, 2]);
    Ok(())
}

fn many_threads_end_once() -> anyhow::Result<()> {
    for _ in 0..20 {
        let victim = Actor::new("victim", &["threads", "16"]);
        let pid = victim.pid().to_string();
        Pair::new(victim, Actor::new("assassin", &["kill", "9", &pid])).play();
    }
    Ok(())
}

fn exit_137() -> anyhow::Result<()> {
    for (status, told) in [(137, true), (143, true), (1, false)] {
        let actor = Actor::new("quitter", &["exit", &status.to_string()]);
        let (pid, truth) = (actor.pid(), actor.truth());
        assert_eq!(actor.act().code(), Some(status));
        if told {
            let exit = exit_of(pid);
            truth.hold_exit(&exit.process);
            assert_eq!(
                (exit.signal(), exit.status()),
                (None, Some(status.unsigned_abs()))
            );
        } else {
            // What comes later was told later.
            let last = Actor::new("quitter", &["exit", "137"]);
            let last_pid = last.pid();
            last.act();
            exit_of(last_pid);
            assert!(exits_of(pid).is_empty());
        }
        assert!(signals_to(pid).is_empty());
    }
    Ok(())
}

/// Escape sequences, line ends and bytes that are no UTF-8 come through as facts and break nothing.
fn hostile_names() -> anyhow::Result<()> {
    let victim = Actor::new(
        "vic\u{1b}[2Jtim\n",
        &["comm=\u{1b}]0;x\u{7}\nOut of", "sleep"],
    );
    let pid = victim.pid();
    let text = pid.to_string();
    let comm = fs::read(format!("/proc/{pid}/comm"))?;
    assert!(
        Actor::new("assassin", &["kill", "9", &text])
            .act()
            .success()
    );
    let signal = signal_to(pid);
    assert_eq!(format!("{}\n", signal.target.comm).as_bytes(), comm);
    assert_eq!(signal.target.exe.as_deref(), Some("vic\u{1b}[2Jtim\n"));
    Ok(())
}

fn long_arguments() -> anyhow::Result<()> {
    let victim = victim();
    let pid = victim.pid();
    let text = pid.to_string();
    let long = "x".repeat(10_000);
    let killer = Actor::new("assassin", &["kill", "9", &text, &long]);
    let arguments = killer.truth().arguments;
    assert!(killer.act().success());
    let told = wait("signal", |fact| match fact {
        whodunit_case::fact::Fact::Signal(signal) if signal.target.tgid == pid => {
            Some(signal.sender.arguments.clone())
        }
        _ => None,
    });
    assert_eq!(told[..5], arguments[..5]);
    let bytes: usize = told.iter().map(|one| one.len() + 1).sum::<usize>() - 1;
    assert_eq!((told.len(), bytes), (6, 256));
    assert!(long.starts_with(told[5].as_str()));
    Ok(())
}
