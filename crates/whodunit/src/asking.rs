//! Asking the store: which file, and which incidents, from the arguments.

use anyhow::{Context, anyhow};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use whodunit_case::incident::Killer;
use whodunit_store::{Filter, Options, Store, default_path};

use crate::cli::{ChoiceArgs, StoreArgs};
use crate::moment::moment;
use crate::terminal;

/// Reads a killer's code as the output contract has it.
pub fn killer(code: &str) -> Result<Killer, String> {
    serde_json::from_value(serde_json::Value::String(code.to_owned())).map_err(|_| {
        "no killer has that code: see `verdict.killer` in the output contract".to_owned()
    })
}

/// Opens the store to be asked.
pub fn open(arguments: &StoreArgs) -> anyhow::Result<Store> {
    let uid = rustix::process::geteuid().as_raw();
    let path = default_path(arguments.store.as_deref(), uid, |name| {
        std::env::var_os(name)
    })
    .ok_or_else(|| anyhow!("no store is known: name its file with --store"))?;
    Store::open(&path, &Options::read_only(), Timestamp::now())
        .context("the kept incidents can't be read (`sudo whodunit watch` keeps them)")
}

/// What is asked for.
pub fn filter(choice: &ChoiceArgs) -> anyhow::Result<Filter> {
    let now = ZonedDateTime::new(Timestamp::now(), TimeZone::system());
    let read = |name: &str, text: &Option<String>| -> anyhow::Result<Option<Timestamp>> {
        let moment = text.as_ref().map(|text| moment(text, &now));
        moment
            .transpose()
            .map_err(|error| anyhow!("{name}: {error}"))
    };
    Ok(Filter {
        since: read("--since", &choice.since)?,
        until: read("--until", &choice.until)?,
        killers: choice.killer.clone(),
        pod: choice.pod.clone(),
        namespace: choice.namespace.clone(),
        container: choice.container.clone(),
        comm: choice.comm.clone(),
        node: choice.node.clone(),
        ..Filter::default()
    })
}

/// How a list looks on this terminal.
pub fn looks(all: bool) -> whodunit_view::Looks {
    whodunit_view::Looks {
        width: terminal::width().into(),
        colored: false,
        all,
        quiet: false,
        unicode: terminal::unicode(),
    }
}

/// `namespace/pod`, else the pod's uid.
pub fn pod(namespace: Option<&str>, pod: Option<&str>, uid: Option<&str>) -> Option<String> {
    match (namespace, pod, uid) {
        (Some(namespace), Some(pod), _) => Some(format!("{namespace}/{pod}")),
        (_, Some(pod), _) => Some(pod.to_owned()),
        (_, None, uid) => uid.map(str::to_owned),
    }
}
