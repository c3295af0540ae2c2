//! Suspects that the report clears, each with what clears it. Only what the evidence excludes stands here.

use oom_report::report::{Provenance, Scope};

use crate::cgroup_path::Level;
use crate::incident::{Killer, RuledOut};
use crate::scene::Scene;

pub(super) fn ruled_out(scene: &Scene<'_>, killer: Killer) -> Vec<RuledOut> {
    let report = scene.report;
    let mut cleared = Vec::new();
    let constraint = || scene.cites([scene.constraint_line()]);
    let mut clear = |killer: Killer, because: &str, evidence| {
        cleared.push(RuledOut {
            killer,
            because: because.into(),
            evidence,
        });
    };
    match report.scope {
        Some(Scope::Memcg) => {
            clear(
                Killer::KernelGlobal,
                "The kernel names a memory cgroup's limit as the constraint: the machine was not out of memory.",
                constraint(),
            );
            let own_limit =
                scene.limit_path.is_some() && scene.limit_owner.level == Level::Container;
            if own_limit && !scene.limit_of_outer_container() {
                if scene.limit_owner.pod_uid.is_some() {
                    clear(
                        Killer::KernelMemcgPod,
                        "The limit that was hit is the container's, not the pod's.",
                        constraint(),
                    );
                }
                clear(
                    Killer::KernelMemcgAncestor,
                    "The limit that was hit is the container's, not one of a cgroup above.",
                    constraint(),
                );
            }
            if scene.limit_owner.level == Level::Pod {
                clear(
                    Killer::KernelMemcgContainer,
                    "No container's own limit was hit: it was the pod's.",
                    constraint(),
                );
            }
            if matches!(scene.limit_owner.level, Level::Kubepods | Level::QosTier) {
                clear(
                    Killer::KernelMemcgContainer,
                    "No container's own limit was hit: it was one above.",
                    constraint(),
                );
                clear(
                    Killer::KernelMemcgPod,
                    "No pod's limit was hit: it was one above.",
                    constraint(),
                );
            }
        }
        Some(Scope::Global | Scope::Cpuset | Scope::Mempolicy) => {
            clear(
                Killer::KernelMemcg,
                "The kernel names no memory cgroup as the constraint: no container, pod or slice limit was hit.",
                constraint(),
            );
        }
        Some(Scope::Sysrq) | None => {}
    }
    // A SIGKILL from user space leaves no kill line of the OOM killer.
    let killed = scene
        .victim
        .is_some_and(|victim| !scene.only_announced(victim));
    if killed && killer != Killer::Unknown {
        let condition = match report.provenance {
            Provenance::Unverified => {
                " (if the kernel wrote these lines, which this form of log does not show)"
            }
            Provenance::KernelTag | Provenance::Kernel => "",
        };
        let kill = || scene.cites([scene.kill_line()]);
        for (suspect, who) in [
            (
                Killer::KubeletEviction,
                "The kubelet evicts through the container runtime",
            ),
            (
                Killer::DaemonSystemdOomd,
                "A memory daemon such as systemd-oomd or earlyoom sends its own signal",
            ),
            (
                Killer::Runtime,
                "The container runtime sends its own signal",
            ),
        ] {
            let because = format!(
                "{who}; the kernel's OOM killer says that it was itself that killed this process{condition}."
            );
            cleared.push(RuledOut {
                killer: suspect,
                because,
                evidence: kill(),
            });
        }
        // Before 4.3 only the call trace shows that it was asked for; `oom-kill:` came with 5.0.
        let would_show = report.kernel.is_some_and(|kernel| kernel.at_least(4, 3))
            || report.constraint_line.is_some()
            || scene.is_memcg();
        if killer != Killer::KernelSysrq && would_show {
            let because = format!(
                "A person's kill leaves no such line, and this was not asked for with sysrq-f{condition}."
            );
            cleared.push(RuledOut {
                killer: Killer::Person,
                because,
                evidence: kill(),
            });
        }
    }
    cleared
}
