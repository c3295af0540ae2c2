//! The machine went away: the boot id changed between two runs of the watch.

use jiff::Timestamp;

use crate::assemble::Fnv;
use crate::incident::{Cite, Confidence, Incident, Killer, NotLookedAt, RuledOut, Verdict};

/// The boot that ended, and the one that followed.
#[derive(Debug, Clone)]
pub struct LostBoot<'a> {
    /// The one that ended.
    pub boot_id: &'a str,
    /// Last sign of life.
    pub last_seen: Timestamp,
    /// It was told that it goes down.
    pub clean_shutdown: bool,
    /// The one that followed.
    pub next_boot_id: &'a str,
    /// When that began.
    pub next_booted: Option<Timestamp>,
}

/// The incident of it: one decision that ended everything on the machine.
pub fn node_lost(boot: &LostBoot<'_>, node: Option<&str>) -> Incident {
    let mut hash = Fnv::new();
    hash.text("node-lost");
    hash.text(boot.boot_id);
    let name = node.unwrap_or("The machine");
    let how = match boot.clean_shutdown {
        true => "was shut down in an orderly way and booted again",
        false => {
            "was booted again, after a shutdown, a panic, a power cut or a reclaim: nobody was there to see which"
        }
    };
    let next = match boot.next_booted {
        Some(time) => format!(", at {time:.0}"),
        None => String::new(),
    };
    let cite = |file: &str, value: String| Cite::File {
        file: file.into(),
        field: "boot_id".into(),
        value,
    };
    Incident {
        id: hash.finish(),
        time: Some(boot.last_seen),
        time_assumed: true,
        boot_id: Some(boot.boot_id.to_owned()),
        node: node.map(str::to_owned),
        verdict: Verdict {
            killer: Killer::NodeLost,
            confidence: Confidence::Certain,
            summary: format!(
                "{name} {how}{next}: every container on it ended with that. Last sign of life: {:.0}.",
                boot.last_seen
            ),
            evidence: vec![
                cite("the store's record of boots", boot.boot_id.to_owned()),
                cite("/proc/sys/kernel/random/boot_id", boot.next_boot_id.to_owned()),
            ],
            ruled_out: vec![RuledOut {
                killer: Killer::KernelMemcg,
                because: "Containers that ended with the machine were not killed one by one.".into(),
                evidence: vec![cite("/proc/sys/kernel/random/boot_id", boot.next_boot_id.to_owned())],
            }],
            not_looked_at: vec![NotLookedAt {
                what: "why the machine went down".into(),
                why: "A panic, a power cut and a reclaimed instance look the same from the next boot.".into(),
                how_to: "last -x; journalctl -b -1 -e; ls /sys/fs/pstore /var/crash; the cloud provider's event log".into(),
            }],
        },
        ..Incident::empty()
    }
}
