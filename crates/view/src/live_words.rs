//! Signals, ends and runtimes' events in words. May hold hostile text: the caller escapes it.

use std::borrow::Cow;

use whodunit_case::fact::{
    Exit, KillSignal, RuntimeEvent, RuntimeEventKind, SenderCall, SignalOrigin,
};

/// `SIGKILL`
pub(crate) fn signal_name(number: u32) -> Cow<'static, str> {
    match number {
        9 => "SIGKILL".into(),
        15 => "SIGTERM".into(),
        other => format!("signal {other}").into(),
    }
}

/// The process, where it runs and what started it. May hold hostile text.
pub(crate) fn signal(signal: &KillSignal) -> String {
    let crowd;
    let how = match signal.call {
        SenderCall::Kill => {
            crowd = kill_call(signal.kill_pid);
            &crowd
        }
        SenderCall::Tkill => "tgkill(2)",
        SenderCall::Sigqueue => "sigqueue(3)",
        SenderCall::PidfdSendSignal => "pidfd_send_signal(2)",
        SenderCall::Write => "write(2)",
        SenderCall::Exit => "its own end",
        SenderCall::Exec => "execve(2)",
        SenderCall::OtherCall => "another system call",
        SenderCall::NoCall => "no system call",
        SenderCall::NotKnown => "an unknown way",
    };
    let origin = match signal.origin {
        SignalOrigin::Kernel => ", by the kernel's own decision in its context",
        SignalOrigin::NoInfo => ", by the kernel on its behalf",
        SignalOrigin::Siginfo => "",
    };
    let exe = signal.sender.exe.as_deref().unwrap_or("no executable");
    let mut text = format!(
        "to {} (pid {}) from {} (pid {}, {exe}, uid {}) by {how}{origin}",
        signal.target.comm,
        signal.target.tgid,
        signal.sender.comm,
        signal.sender.tgid,
        signal.sender.uid
    );
    for ancestor in &signal.sender_ancestors {
        text.push_str(&format!(" < {} {}", ancestor.comm, ancestor.tgid));
    }
    if let Some(path) = signal.sender.cgroups.path() {
        text.push_str(&format!(", in cgroup {path}"));
    }
    text
}

/// Whom the call was for, where that is more than one process (man 2 kill).
fn kill_call(pid: Option<i32>) -> Cow<'static, str> {
    match pid {
        Some(-1) => "kill(2) of every process".into(),
        Some(0) => "kill(2) of its own process group".into(),
        Some(group @ ..0) => format!("kill(2) of process group {}", group.unsigned_abs()).into(),
        _ => "kill(2)".into(),
    }
}

/// `app (pid 3) ended by SIGKILL`
pub(crate) fn exit(exit: &Exit) -> String {
    let process = format!("{} (pid {})", exit.process.comm, exit.process.tgid);
    match (exit.signal(), exit.status()) {
        (Some(signal), _) => format!("{process} ended by {}", signal_name(signal)),
        (None, status) => format!("{process} ended with exit status {}", status.unwrap_or(0)),
    }
}

/// `container 0123 removed`
pub(crate) fn event(event: &RuntimeEvent) -> String {
    let container = &event.container_id;
    let what = match &event.kind {
        RuntimeEventKind::Exited {
            status, exec: true, ..
        } => return format!("a command run in container {container} ended with {status}"),
        RuntimeEventKind::Started { .. } => "started".to_owned(),
        RuntimeEventKind::Oom => "out of memory".to_owned(),
        RuntimeEventKind::Exited { status, .. } => format!("ended with {status}"),
        RuntimeEventKind::Kill { signal } => match signal {
            Some(signal) => format!("was to be sent {}", signal_name(*signal)),
            None => "was to be sent a signal".to_owned(),
        },
        RuntimeEventKind::Deleted => "removed".to_owned(),
    };
    format!("container {container} {what}")
}
