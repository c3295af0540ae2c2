//! Remedies at the limit: raise it, move it, make it equal to the request, change how a kill spreads.

use crate::cgroup_path::Level;
use crate::incident::{QosClass, Remedy};
use crate::shell;
use crate::size::human;
use crate::usage::real_limit;

use super::{Case, remedy};

/// Requests and limits of a pod's containers.
const RESOURCES: &str = "kubectl get pod POD -n NAMESPACE -o jsonpath='{range .spec.containers[*]}{.name}{\" \"}{.resources}{\"\\n\"}{end}'";

pub(super) fn remedies(case: &Case<'_, '_>, list: &mut Vec<Remedy>) {
    if case.scene.is_memcg() {
        raise(case, list);
        spread(case, list);
    }
    if case.has_any(&["repeated-kills", "kill-storm"]) {
        let (usage, fields) = match case.scene.is_cgroup_v1() {
            Some(true) => ("memory.usage_in_bytes", "rss|cache|shmem|rss_huge"),
            _ => ("memory.current", "anon|file|shmem|kernel|anon_thp"),
        };
        let watch = format!(
            "while sleep 2; do date +%T; cat {}; grep -E '^({fields}) ' {}; done",
            case.cgroup_file(usage),
            case.cgroup_file("memory.stat")
        );
        list.push(remedy(
            "watch-growth",
            "Watch what grows before the next kill",
            "Repeated kills are a leak, a workload that needs more, or both: the growth between two kills tells. Sample the \
             cgroup's usage and statistics every few seconds; averages over a minute hide the end. (A restarted container has a \
             new cgroup.)",
            &[&watch],
            "None: this only looks.",
        ));
    }
}

/// Strict overcommit refuses a reservation: it acts on the cause of an overcommit gap, not on this limit. So it comes
/// after what does.
pub(super) fn against_overcommit(case: &Case<'_, '_>, list: &mut Vec<Remedy>) {
    if case.has("overcommit-gap") && case.scene.is_memcg() {
        list.push(strict_overcommit(case));
    }
}

/// A quarter more than the limit, in whole MiB.
fn quarter_more_mib(limit_kib: u64) -> u64 {
    (limit_kib.saturating_add(limit_kib / 4)).div_ceil(1024)
}

/// docker counts memory and swap together, and wants both: what was allowed of swap stays allowed.
fn with_swap_kept(case: &Case<'_, '_>, mib: u64) -> String {
    let memcg = case.scene.report.memcg.as_ref();
    let swap = memcg.and_then(
        |memcg| match (memcg.memsw.limit_kib, memcg.swap.limit_kib) {
            (Some(memsw), _) => Some(memsw.saturating_sub(memcg.memory.limit_kib?)),
            (None, swap) => swap,
        },
    );
    match swap {
        Some(swap) if real_limit(Some(swap)).is_none() => "-1".to_owned(),
        swap => format!("{}m", mib.saturating_add(swap.unwrap_or(0).div_ceil(1024))),
    }
}

fn raise(case: &Case<'_, '_>, list: &mut Vec<Remedy>) {
    let scene = case.scene;
    let owner = &scene.limit_owner;
    let (what, limit) = scene.limit_hit();
    // No limit is above a count that is below zero.
    if scene.broken_counter().is_some() && scene.full_counter().is_none() {
        return;
    }
    let Some(limit) = limit.filter(|_| scene.limit_path.is_some()) else {
        return find_limit(case, list);
    };
    let with_swap = what == "memory+swap";
    let mib = quarter_more_mib(limit);
    let told = human(mib.saturating_mul(1024));
    let limit_file = match scene.is_cgroup_v1() {
        Some(true) if with_swap => "memory.memsw.limit_in_bytes",
        Some(true) => "memory.limit_in_bytes",
        _ => "memory.max",
    };
    let (title, commands): (String, Vec<String>) = match (owner.level, owner.kubernetes) {
        (Level::Container, true) => (
            format!("Raise the container's memory limit, to {told} for a start"),
            vec![format!("kubectl set resources deployment/NAME -n NAMESPACE -c CONTAINER --limits=memory={mib}Mi")],
        ),
        (Level::Pod, true) => (
            "Raise the limits of the pod's containers (their sum is the pod's limit)".into(),
            vec![
                RESOURCES.into(),
                "kubectl set resources deployment/NAME -n NAMESPACE -c CONTAINER --limits=memory=MORE".into(),
            ],
        ),
        (Level::Kubepods | Level::QosTier, true) => (
            "Give the pods of this node more room, or put fewer on it".into(),
            vec![
                "kubectl describe node NODE   # Allocatable, Allocated resources".into(),
                "kubectl get --raw /api/v1/nodes/NODE/proxy/configz | jq '.kubeletconfig | {kubeReserved, systemReserved, evictionHard, enforceNodeAllocatable}'".into(),
            ],
        ),
        (Level::Container, false) => {
            let id = owner.container_id.as_deref().and_then(shell::plain).unwrap_or("CONTAINER");
            let command = match owner.runtime {
                // The limit of memory alone stays as it is.
                Some(runtime @ ("docker" | "podman")) if with_swap => format!("{runtime} update --memory-swap {mib}m {id}"),
                Some("docker") => format!("docker update --memory {mib}m --memory-swap {} {id}", with_swap_kept(case, mib)),
                Some("podman") => format!("podman update --memory {mib}m {id}"),
                _ => format!("echo {mib}M | sudo tee {}", case.cgroup_file(limit_file)),
            };
            (format!("Raise the container's {what} limit, to {told} for a start"), vec![command])
        }
        (Level::Service | Level::Slice | Level::UserSession, _) => {
            let unit = owner.unit.as_deref().and_then(shell::quoted).unwrap_or_else(|| "UNIT".into());
            let manager = match owner.manager_uid() {
                Some(uid) => format!("--user --machine={uid}@ "),
                None => String::new(),
            };
            (
                format!("Raise MemoryMax of {}, to {told} for a start", owner.level_in_words()),
                vec![format!("sudo systemctl {manager}set-property {unit} MemoryMax={mib}M")],
            )
        }
        _ => (
            format!("Raise the cgroup's {what} limit, to {told} for a start"),
            vec![format!("echo {mib}M | sudo tee {}", case.cgroup_file(limit_file))],
        ),
    };
    list.push(Remedy {
        code: "raise-limit".into(),
        title,
        detail: format!(
            "The report shows that more than {} was wanted, not how much more: a quarter more is a first step.{} It helps when the \
             need is real; a leak fills any limit.",
            human(limit),
            match swapped_kib(case) {
                Some(kib) if kib > limit / 4 => format!(" Another {} of the table's processes stand in swap.", human(kib)),
                _ => String::new(),
            }
        ),
        commands,
        risk: match case.in_kubernetes() {
            true => {
                "The memory has to exist: with limits far above requests the machine itself may run short, and then the kernel \
                 chooses among all."
            }
            false => {
                "The memory has to exist: where all limits together are more than the machine has, it may run short itself, and \
                 then the kernel chooses among all."
            }
        }
        .into(),
    });
    if case.in_kubernetes()
        && matches!(
            scene.victim_owner.qos_class,
            Some(QosClass::Burstable | QosClass::BestEffort)
        )
    {
        list.push(requests_equal_limits());
    }
}

/// What the table's processes have in swap.
fn swapped_kib(case: &Case<'_, '_>) -> Option<u64> {
    let swapped = case
        .scene
        .processes
        .iter()
        .filter_map(|task| task.swapents_pages);
    case.scene.kib(swapped.fold(0, u64::saturating_add))
}

/// Nobody was killed, and nobody will be: the charge is tried again and again.
pub(super) fn by_hand(case: &Case<'_, '_>, list: &mut Vec<Remedy>) {
    let scene = case.scene;
    if !scene.is_memcg() || !scene.found_nobody() || !scene.victims.is_empty() {
        return;
    }
    let owner = &scene.limit_owner;
    let id = owner.container_id.as_deref().and_then(shell::plain);
    let stop = match (owner.runtime, id) {
        _ if case.in_kubernetes() => "kubectl delete pod POD -n NAMESPACE".to_owned(),
        (Some(runtime @ ("docker" | "podman")), Some(id)) => format!("{runtime} restart {id}"),
        _ => "sudo kill -9 PID".to_owned(),
    };
    list.push(remedy(
        "end-it-by-hand",
        "End or restart it by hand: the kernel won't",
        "All processes under this limit are exempt (oom_score_adj -1000): each charge fails, looks for a victim and finds none, again \
         and again. A person's SIGKILL works on them all the same.",
        &[&format!("cat {}", case.cgroup_file("cgroup.procs")), &stop],
        "What the process had not saved is lost.",
    ));
}

/// Where the report does not show what there is to raise.
fn find_limit(case: &Case<'_, '_>, list: &mut Vec<Remedy>) {
    let scene = case.scene;
    let mut commands = vec!["journalctl -k -o export | whodunit explain -".to_owned()];
    if scene.limit_path.is_some() {
        let files: &[&str] = match scene.is_cgroup_v1() {
            Some(true) => &["memory.limit_in_bytes", "memory.failcnt"],
            _ => &["memory.max", "memory.events"],
        };
        let files: Vec<String> = files.iter().map(|file| case.cgroup_file(file)).collect();
        commands.push(format!("grep -H . {}", files.join(" ")));
    }
    if case.in_kubernetes() {
        commands.push(RESOURCES.to_owned());
    }
    list.push(Remedy {
        code: "find-limit".into(),
        title: "Find the limit that was hit: these lines do not say it".into(),
        detail: "The kernel prints the cgroup, its usage and its limit before the kill line: the whole report shows what to raise, \
                 and by how much."
            .into(),
        commands,
        risk: "None: this only looks.".into(),
    });
}

fn requests_equal_limits() -> Remedy {
    remedy(
        "requests-equal-limits",
        "Set memory requests to what is really used",
        "The scheduler counts requests, the kernel enforces limits. With request = limit for CPU and memory of every container the \
         pod is Guaranteed: its node keeps the room, and its oom_score_adj is -997. It does not move the limit itself.",
        &[
            "kubectl set resources deployment/NAME -n NAMESPACE -c CONTAINER --requests=memory=SIZE --limits=memory=SIZE",
        ],
        "Fewer pods fit on a node.",
    )
}

fn spread(case: &Case<'_, '_>, list: &mut Vec<Remedy>) {
    if !case.has("group-kill") || !case.in_kubernetes() {
        return;
    }
    // kubernetes/kubernetes#126096: singleProcessOOMKill in KubeletConfiguration, 1.32.
    list.push(remedy(
        "single-process-kill",
        "Let the kernel kill one process instead of the whole container",
        "Since Kubernetes 1.28 the kubelet sets memory.oom.group for containers on cgroup v2. singleProcessOOMKill: true in the \
         kubelet's configuration (1.32 and later) leaves it unset: then only the chosen process dies, and the application has to \
         notice.",
        &["kubectl get --raw /api/v1/nodes/NODE/proxy/configz | jq .kubeletconfig.singleProcessOOMKill"],
        "For the whole node. A container whose worker died keeps running, and its pod shows nothing.",
    ));
}

fn strict_overcommit(case: &Case<'_, '_>) -> Remedy {
    let kubelet = if case.in_kubernetes() {
        " The kubelet sets vm.overcommit_memory=1 when it starts (and refuses to start with --protect-kernel-defaults when it is \
         not 1), so the setting has to be made again after it."
    } else {
        ""
    };
    remedy(
        "strict-overcommit",
        "Make the kernel refuse promises it cannot keep (with care)",
        &format!(
            "vm.overcommit_memory=2 makes a reservation beyond CommitLimit fail in the program that asks, instead of a kill later. It \
             acts on the machine's total, not on a cgroup's limit: a container's limit is hit just the same once its pages are \
             touched.{kubelet}"
        ),
        &[
            "grep -E 'CommitLimit|Committed_AS' /proc/meminfo",
            "sudo sysctl -w vm.overcommit_memory=2 vm.overcommit_ratio=100",
        ],
        "Programs that reserve much and use little (Go, Java, sanitizers, fork of large processes) fail at once when Committed_AS is \
         near the limit. Compare the two numbers first.",
    )
}
