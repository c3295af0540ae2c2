//! One kill of each kind, one after the other, for observers side by side.

use std::io::{PipeReader, PipeWriter, Read, Write};

use anyhow::{Context, bail};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, pidfd_send_signal, waitpid,
};
use whodunit_lab::machine;

use super::{
    Cgroups, Deed, await_line, boot_ns, fork, herd, oom, persons, ready, sleep, strike, tell,
};

pub(super) fn play() -> anyhow::Result<()> {
    let mut cgroups = Cgroups::new(&machine::hierarchy()?)?;
    ready()?;
    await_line()?;
    let victim = fork(sleep)?;
    let mut deeds = vec![strike("parent", victim)?];
    waitpid(Some(victim), WaitOptions::empty())?;
    deeds.push(pidfd()?);
    deeds.extend(persons(1)?);
    deeds.extend(oom(1, &mut cgroups)?);
    deeds.extend(namespace()?);
    deeds.extend(group()?);
    tell(&deeds)
}

fn pidfd() -> anyhow::Result<Deed> {
    let victim = fork(sleep)?;
    let after_ns = boot_ns();
    pidfd_send_signal(pidfd_open(victim, PidfdFlags::empty())?, Signal::KILL)?;
    waitpid(Some(victim), WaitOptions::empty())?;
    Ok(Deed {
        kind: "pidfd",
        victim,
        killer: rustix::process::getpid(),
        after_ns,
        before_ns: boot_ns(),
    })
}

/// Two sleepers in a pid namespace whose first process ends by itself.
fn namespace() -> anyhow::Result<Vec<Deed>> {
    let (mut pids, say) = std::io::pipe()?;
    let (wait, mut go) = std::io::pipe()?;
    let child = fork(|| {
        // SAFETY: this process has one thread; its next child is the first of the namespace.
        if unsafe { libc::unshare(libc::CLONE_NEWPID) } != 0 {
            return 1;
        }
        let init = fork(|| init(&say, &wait));
        i32::from(
            init.and_then(|init| Ok(waitpid(Some(init), WaitOptions::empty())?))
                .is_err(),
        )
    })?;
    drop(say);
    let init = read_pid(&mut pids)?;
    let members = [read_pid(&mut pids)?, read_pid(&mut pids)?];
    let after_ns = boot_ns();
    go.write_all(b"!")?;
    waitpid(Some(child), WaitOptions::empty())?;
    let before_ns = boot_ns();
    Ok(members
        .map(|victim| Deed {
            kind: "namespace",
            victim,
            killer: init,
            after_ns,
            before_ns,
        })
        .into())
}

/// Says its pid, has two children that say theirs, and ends when a byte comes.
fn init(say: &PipeWriter, mut wait: &PipeReader) -> i32 {
    let mut failed = say_pid(say).is_err();
    for _ in 0..2 {
        let child = fork(|| match say_pid(say) {
            Ok(()) => sleep(),
            Err(_) => 1,
        });
        failed |= child.is_err();
    }
    failed |= wait.read_exact(&mut [0]).is_err();
    i32::from(failed)
}

/// The pid that the machine's /proc has for this process, whatever its namespace calls it.
fn say_pid(mut say: &PipeWriter) -> anyhow::Result<()> {
    let own = std::fs::read_link("/proc/self")?;
    let number: u32 = own.to_str().context("/proc/self")?.parse()?;
    Ok(say.write_all(&number.to_ne_bytes())?)
}

fn read_pid(from: &mut PipeReader) -> anyhow::Result<Pid> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Pid::from_raw(i32::from_ne_bytes(bytes)).context("a pid")
}

/// Two sleepers in a cgroup of the unified hierarchy, and one write to its `cgroup.kill` (5.14 and later).
fn group() -> anyhow::Result<Vec<Deed>> {
    let cgroup =
        machine::unified_hierarchy()?.join(format!("whodunit-bench-{}", std::process::id()));
    std::fs::create_dir(&cgroup).with_context(|| cgroup.display().to_string())?;
    let members = herd(2)?;
    let done = (|| -> anyhow::Result<Vec<Deed>> {
        for member in &members {
            std::fs::write(
                cgroup.join("cgroup.procs"),
                member.as_raw_nonzero().to_string(),
            )?;
        }
        let after_ns = boot_ns();
        std::fs::write(cgroup.join("cgroup.kill"), "1")?;
        let before_ns = boot_ns();
        let deed = |victim: &Pid| Deed {
            kind: "group",
            victim: *victim,
            killer: rustix::process::getpid(),
            after_ns,
            before_ns,
        };
        Ok(members.iter().map(deed).collect())
    })();
    for member in &members {
        // Whatever went wrong, nobody is left.
        if done.is_err() {
            kill_process(*member, Signal::KILL)?;
        }
        waitpid(Some(*member), WaitOptions::empty())?;
    }
    for _ in 0..100 {
        if std::fs::remove_dir(&cgroup).is_ok() {
            return done;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    bail!("{} cannot be removed", cgroup.display())
}
