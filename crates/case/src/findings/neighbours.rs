//! When a pod's or a parent's limit was hit: which of the containers below it was the large one.

use crate::cgroup_path::{CgroupOwner, Level, is_same_or_below, short_id};
use crate::incident::{Finding, Severity};
use crate::scene::Scene;
use crate::size::{human, percent};
use oom_report::report::{LineIndex, StatUnit};

use super::{capital, finding};

/// A container below the limit, by the statistics that the kernel printed for it.
struct Usage<'a> {
    path: &'a str,
    id: String,
    kib: u64,
    line: Option<LineIndex>,
}

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    own_limit(scene, found);
    let shared = scene.is_memcg()
        && (scene.limit_of_outer_container()
            || matches!(
                scene.limit_owner.level,
                Level::Pod
                    | Level::QosTier
                    | Level::Kubepods
                    | Level::Slice
                    | Level::Task
                    | Level::Service
            ));
    if !shared {
        return;
    }
    let containers = containers(scene);
    if containers.len() >= 2 {
        by_container(scene, &containers, found);
    } else {
        by_process(scene, found);
    }
}

/// A container's own limit counts nothing of its neighbours.
fn own_limit(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let in_pod = scene.limit_owner.level == Level::Container && scene.limit_owner.pod_uid.is_some();
    if !scene.is_memcg() || !in_pod || scene.limit_of_outer_container() {
        return;
    }
    found.push(
        finding(
            "neighbours-innocent",
            Severity::Info,
            "Only this container counts towards the limit: sidecars and other pods have no part in it",
            "The limit that was hit is the container's own. What neighbours use is charged to them; the one exception is a file in a \
             shared tmpfs, which is charged to the container that touched it first.",
        )
        .text("by", "limit")
        .cite(scene, [scene.constraint_line()]),
    );
}

/// Containers with their usage, largest first. Only kernels before 5.3 print statistics for every cgroup.
fn containers<'a>(scene: &Scene<'a>) -> Vec<Usage<'a>> {
    let report = scene.report;
    let stats = report
        .memcg
        .as_ref()
        .map(|memcg| memcg.stats.as_slice())
        .unwrap_or_default();
    let mut list: Vec<Usage<'_>> = Vec::new();
    for of_cgroup in stats.iter().filter(|stats| stats.unit == StatUnit::KB) {
        let Some(path) = of_cgroup.path.as_deref() else {
            continue;
        };
        let owner = CgroupOwner::of(path);
        let Some(container) = owner.container_path(path) else {
            continue;
        };
        let kib = ["rss", "cache"]
            .into_iter()
            .filter_map(|name| of_cgroup.kib(name))
            .fold(0, u64::saturating_add);
        match list.iter_mut().find(|usage| usage.path == container) {
            // The kernel lists a cgroup before those below it, so the container itself came first.
            Some(known) => known.kib = known.kib.saturating_add(kib),
            None => {
                let id = owner
                    .container_id
                    .or(owner.container_name)
                    .unwrap_or_default();
                list.push(Usage {
                    path: container,
                    id: short_id(&id).to_owned(),
                    kib,
                    line: of_cgroup.line,
                });
            }
        }
    }
    list.sort_by_key(|usage| std::cmp::Reverse(usage.kib));
    list
}

fn by_container(scene: &Scene<'_>, containers: &[Usage<'_>], found: &mut Vec<Finding>) {
    let (Some(largest), Some(path)) = (containers.first(), scene.victim_path) else {
        return;
    };
    let Some(victim) = containers
        .iter()
        .find(|usage| is_same_or_below(path, usage.path))
    else {
        return;
    };
    let all: u64 = containers
        .iter()
        .map(|usage| usage.kib)
        .fold(0, u64::saturating_add);
    let whose = scene.limit_whose();
    if largest.path == victim.path {
        let others = all.saturating_sub(victim.kib);
        found.push(
            finding(
                "neighbours-innocent",
                Severity::Notice,
                format!(
                    "The victim's container used {} % of what {whose} {} containers used: {}",
                    percent(victim.kib, all),
                    containers.len(),
                    if containers.len() == 2 {
                        "the other is innocent"
                    } else {
                        "the others are innocent"
                    }
                ),
                format!(
                    "Container {} had {}, {} {}.{}",
                    victim.id,
                    human(victim.kib),
                    if containers.len() == 2 {
                        "the other"
                    } else {
                        "all others together"
                    },
                    human(others),
                    sum_of_limits(scene, percent(victim.kib, all))
                ),
            )
            .number("victim_container_kib", victim.kib)
            .number("others_kib", others)
            .number("containers", containers.len() as u64)
            .text("by", "container")
            .cite(scene, [victim.line]),
        );
    } else {
        found.push(
            finding(
                "neighbour-used-more",
                Severity::Warning,
                format!(
                    "The victim's container was not the largest: container {} used {}, the victim's {}",
                    largest.id,
                    human(largest.kib),
                    human(victim.kib)
                ),
                format!(
                    "{} limit counts all containers below it. The kernel chooses a process, by its memory and \
                     oom_score_adj, not the container that used most.",
                    capital(&whose)
                ),
            )
            .number("victim_container_kib", victim.kib)
            .number("largest_container_kib", largest.kib)
            .text("largest_container", largest.id.clone())
            .number("containers", containers.len() as u64)
            .text("by", "container")
            .cite(scene, [largest.line, victim.line]),
        );
    }
}

/// The table does not say which container a process is in: only processes can be compared.
fn by_process(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(victim) = scene.victim_task else {
        return;
    };
    let victim_weight = scene.weight_pages(victim);
    let others = || {
        scene
            .processes
            .iter()
            .filter(|task| !scene.is_victim(task) && task.comm != "pause")
    };
    let number = others().count();
    let others_weight = others()
        .map(|task| scene.weight_pages(task))
        .fold(0, u64::saturating_add);
    let (Some(victim_kib), Some(others_kib)) = (scene.kib(victim_weight), scene.kib(others_weight))
    else {
        return;
    };
    if number == 0 {
        return;
    }
    let whose = scene.limit_whose();
    if victim_kib >= others_kib {
        found.push(
            finding(
                "neighbours-innocent",
                Severity::Notice,
                format!(
                    "{} (pid {}) held more than {} under {whose} limit",
                    victim.comm,
                    victim.pid,
                    match number {
                        1 => "the only other process".to_owned(),
                        _ => format!("all {number} other processes together"),
                    }
                ),
                format!(
                    "It held {}, {} {}. The table does not say which container each is in.{}",
                    human(victim_kib),
                    if number == 1 {
                        "the other"
                    } else {
                        "the others"
                    },
                    human(others_kib),
                    sum_of_limits(
                        scene,
                        percent(victim_kib, victim_kib.saturating_add(others_kib))
                    )
                ),
            )
            .number("victim_kib", victim_kib)
            .number("others_kib", others_kib)
            .text("by", "process")
            .cite(scene, [Some(victim.line)]),
        );
    } else if let Some(largest) = others().max_by_key(|task| scene.weight_pages(task))
        && let Some(largest_kib) = scene.kib(scene.weight_pages(largest))
        && largest_kib > victim_kib
    {
        found.push(
            finding(
                "neighbour-used-more",
                Severity::Warning,
                format!(
                    "The victim was not the largest: {} (pid {}) held {}, the victim {}",
                    largest.comm,
                    largest.pid,
                    human(largest_kib),
                    human(victim_kib)
                ),
                format!(
                    "{} limit counts everything below it. The kernel chooses by memory and oom_score_adj together. The \
                     table does not say which container each is in.",
                    capital(&whose)
                ),
            )
            .number("victim_kib", victim_kib)
            .number("largest_kib", largest_kib)
            .number("largest_pid", u64::from(largest.pid))
            .text("by", "process")
            .cite(scene, [Some(largest.line), Some(victim.line)]),
        );
    }
}

/// Source: `ResourceConfigForPod`, pkg/kubelet/cm/helpers_linux.go: a pod's limit is the sum of its containers' limits.
fn sum_of_limits(scene: &Scene<'_>, victims_percent: u64) -> &'static str {
    let of_pod = scene.limit_owner.level == Level::Pod && scene.limit_owner.kubernetes;
    match of_pod && victims_percent >= 95 {
        true => {
            " Kubernetes makes a pod's limit the sum of its containers' limits, and the sandbox counts towards it: with one \
             container the pod's limit is reached a moment before the container's own."
        }
        false => "",
    }
}
