//! `whodunit agent`: the watch as a service. It prints nothing but its log; incidents are stored, logged, counted and
//! handed to hooks; others ask it over HTTP how it does, and the service manager is told.

mod figures;
mod health;
mod logging;
mod own_cost;
mod pages;
mod series;
mod server;
mod service_manager;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use whodunit_case::incident::Incident;
use whodunit_node::clock;

use crate::cli::{AgentArgs, Listen};
use crate::exit::Status;
use crate::filter::Filter;
use crate::hooks::Hooks;
use crate::keeping::Keeping;
use crate::stakeout::{From, Stakeout};
use crate::stopping;
use crate::vigil::{Attendant, Orders, keep_vigil};
use crate::voice::Voice;
use figures::Figures;
use health::Health;
use pages::Pages;
use server::Server;
use service_manager::ServiceManager;

pub use series::{Labels, Series};

/// A turn takes so long at most, so that it is seen that the loop lives.
const LONGEST_TURN: Duration = Duration::from_secs(10);

/// Watches until it is asked to stop. What goes wrong is in the log.
pub fn run(arguments: &AgentArgs) -> anyhow::Result<Status> {
    logging::start(arguments.log_format, arguments.log_level.as_deref())?;
    match watch(arguments) {
        Ok(()) => Ok(Status::Finished),
        Err(error) => {
            Voice::Log.complain(&format!("{error:#}"));
            Ok(Status::Failed)
        }
    }
}

fn watch(arguments: &AgentArgs) -> anyhow::Result<()> {
    let voice = Voice::Log;
    voice.inform(concat!("whodunit ", env!("CARGO_PKG_VERSION"), " begins"));
    let stop = stopping::requested().context("signals to stop by")?;
    let hooks = Hooks::start(&arguments.hooks, voice)?;
    let keeping = Keeping::open(store_path(arguments).as_deref(), voice);
    let figures = Arc::new(Figures::new(
        arguments.max_series,
        hooks.counts(),
        keeping.path(),
    ));
    let health = Arc::new(Health::new());
    let server = serve(arguments.listen, &figures, &health)?;
    let from = match (arguments.from_boot, keeping.position()) {
        (true, _) => From::Oldest,
        (false, Some(position)) => From::Position(position),
        (false, None) => From::Now,
    };
    let orders = Orders {
        from,
        signals: !arguments.no_ebpf,
        filter: Filter::default(),
        voice,
        stop,
    };
    let mut desk = Desk {
        figures,
        health,
        service_manager: ServiceManager::new(),
        told: 0,
    };
    keep_vigil(orders, keeping, hooks, &mut desk)?;
    voice.inform(&format!("stopped; {} incident(s) were told", desk.told));
    drop(server);
    Ok(())
}

fn serve(
    listen: Listen,
    figures: &Arc<Figures>,
    health: &Arc<Health>,
) -> anyhow::Result<Option<Server>> {
    let Listen::At(address) = listen else {
        return Ok(None);
    };
    let pages = Pages::new(figures.clone(), health.clone());
    let server = Server::start(address, pages).with_context(|| {
        format!("listening on {address} (another --listen ADDRESS:PORT, or `none`, may help)")
    })?;
    Voice::Log.inform(&format!(
        "http://{0}/metrics, http://{0}/healthz, http://{0}/readyz",
        server.address()
    ));
    Ok(Some(server))
}

/// The flag and WHODUNIT_STORE before systemd's folder; none leaves it to the usual place.
fn store_path(arguments: &AgentArgs) -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if arguments.store.is_some() || set(whodunit_store::ENVIRONMENT).is_some() {
        return arguments.store.clone();
    }
    // Several are separated by colons (systemd.exec(5)).
    let directories = set("STATE_DIRECTORY")?;
    let first = std::env::split_paths(&directories).next()?;
    first.is_absolute().then(|| first.join("incidents.db"))
}

/// Where everything about an incident ends up.
struct Desk {
    figures: Arc<Figures>,
    health: Arc<Health>,
    service_manager: ServiceManager,
    told: u64,
}

impl Attendant for Desk {
    fn begun(&mut self, stakeout: &Stakeout, keeping: &Keeping) -> anyhow::Result<()> {
        self.look(stakeout, keeping);
        self.health.begun();
        self.service_manager.ready(&self.health.in_words(self.told));
        tracing::info!(target: "whodunit", "watching");
        Ok(())
    }

    fn tell(&mut self, incident: &Incident, happened_boot_ns: Option<u64>) -> anyhow::Result<()> {
        self.told += 1;
        let lag = happened_boot_ns
            .map(|happened| Duration::from_nanos(clock::boot_ns().saturating_sub(happened)));
        self.figures.count(incident, lag);
        logging::incident(incident);
        Ok(())
    }

    fn turned(&mut self, stakeout: &Stakeout, keeping: &Keeping) {
        self.look(stakeout, keeping);
        self.service_manager.alive(&self.health.in_words(self.told));
    }

    fn longest_turn(&self) -> Option<Duration> {
        let ping = self.service_manager.ping_every();
        ping.into_iter().chain([LONGEST_TURN]).min()
    }

    fn stopping(&mut self) {
        tracing::info!(target: "whodunit", "asked to stop");
        self.service_manager.stopping();
    }
}

impl Desk {
    fn look(&self, stakeout: &Stakeout, keeping: &Keeping) {
        let standing = stakeout.standing();
        let store = keeping.state();
        self.figures.look(stakeout.counts(), &standing, &store);
        self.health.turned(Instant::now(), standing, store.why_not);
    }
}
