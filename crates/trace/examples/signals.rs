//! Prints every SIGKILL and SIGTERM on this machine, every end that came of one and every mark of the OOM killer, one
//! JSON object a line: `cargo run -p whodunit-trace --example signals`, as root.

use std::io::Write;

use anyhow::{Context, bail};
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::{Value, json};
use whodunit_case::fact::Fact;
use whodunit_trace::{Options, Tracer};

fn main() -> anyhow::Result<()> {
    let (mut tracer, abilities) = Tracer::start(Options::default())?;
    eprintln!("signals: {}", abilities.signals);
    eprintln!("exits:   {}", abilities.exits);
    eprintln!("marks:   {}", abilities.marks);
    let mut out = std::io::stdout().lock();
    let mut lost = 0;
    loop {
        let mut ready = [PollFd::new(&tracer.records, PollFlags::IN)];
        poll(&mut ready, None).context("poll of the ring buffer")?;
        let mut told = Ok(());
        tracer.records.drain(&mut |fact| {
            if told.is_ok() {
                told = line(&fact).and_then(|line| Ok(writeln!(out, "{line}")?));
            }
        });
        told?;
        out.flush()?;
        let losses = tracer.programs.losses()?;
        if losses.total() != lost {
            lost = losses.total();
            eprintln!("lost: {losses:?}");
        }
    }
}

fn line(fact: &Fact) -> anyhow::Result<Value> {
    let (kind, fact) = match fact {
        Fact::Signal(signal) => ("signal", serde_json::to_value(signal)?),
        Fact::Exit(exit) => ("exit", serde_json::to_value(exit)?),
        Fact::OomMark(mark) => ("oom_mark", serde_json::to_value(mark)?),
        other => bail!("the tracer makes no such fact: {other:?}"),
    };
    Ok(json!({ kind: fact }))
}
