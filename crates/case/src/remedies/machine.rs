//! Remedies on the machine: reserves, eviction, swap, fragmentation, bound nodes, huge page pools.

use oom_report::report::Scope;

use crate::findings::{Shortage, shortage};
use crate::incident::Remedy;

use super::{Case, remedy};

pub(super) fn remedies(case: &Case<'_, '_>, list: &mut Vec<Remedy>) {
    if case.has_any(&["panic", "memory-deadlock"]) && case.scene.found_nobody() {
        list.push(remedy(
            "leave-something-to-kill",
            "Leave the kernel a process that it may kill",
            "All that held memory was exempt (oom_score_adj -1000) or not a process's: kernel memory, tmpfs, huge pages. Exempt only \
             what the machine cannot live without, and give what grows a limit of its own.",
            &[
                "grep -l '^-1000$' /proc/[0-9]*/oom_score_adj",
                "grep -E 'Slab|SUnreclaim|Shmem|HugePages_Total|VmallocUsed|Percpu' /proc/meminfo",
            ],
            "None: these only look.",
        ));
    } else if case.has("panic") {
        list.push(remedy(
            "panic-on-oom-off",
            "Let the kernel kill a process instead of stopping the machine",
            match case.in_kubernetes() {
                true => {
                    "vm.panic_on_oom=0 is the default and what the kubelet sets. A panic with panic_on_oom=0 means that nothing was \
                     left to kill."
                }
                false => {
                    "vm.panic_on_oom=0 is the default. A panic with panic_on_oom=0 means that nothing was left to kill."
                }
            },
            &["sysctl vm.panic_on_oom", "sudo sysctl -w vm.panic_on_oom=0"],
            "Where a fast reboot is wanted on purpose (fencing in a cluster), this takes it away.",
        ));
    }
    if case.has("sysrq-asked") {
        list.push(remedy(
            "bound-sysrq",
            "Find who asked, and forbid sysrq-f if nobody should",
            "Writing to /proc/sysrq-trigger needs root; the keyboard needs bit 64 of kernel.sysrq.",
            &[
                "sysctl kernel.sysrq",
                "sudo ausearch -f /proc/sysrq-trigger",
                "last -F | head",
            ],
            "Without sysrq a hung machine is harder to save.",
        ));
    }
    if !case.scene.is_machine() {
        return;
    }
    if case.scene.allocating_task_line().is_some() {
        list.push(remedy(
            "choose-the-victim",
            "Let the kernel choose whom it kills",
            "With vm.oom_kill_allocating_task=0, the default, the process that holds most memory (oom_score_adj included) is killed, and \
             not whoever asks next.",
            &[
                "sysctl vm.oom_kill_allocating_task",
                "sudo sysctl -w vm.oom_kill_allocating_task=0",
            ],
            "On machines with very many processes the choice takes longer.",
        ));
    }
    let shortage = shortage(case.scene);
    if case.has("page-fault-refused") || case.scene.is_page_fault() && shortage.is_none() {
        list.push(remedy(
            "find-who-refused",
            "Find who refused the memory",
            match case.has("page-fault-refused") {
                true => WHO_REFUSED_SOME,
                false => WHO_REFUSED,
            },
            &[
                "grep -H . /sys/fs/cgroup/memory/*/memory.kmem.failcnt /sys/fs/cgroup/hugetlb/*/hugetlb.*.failcnt 2>/dev/null | grep -v ':0$'",
                "sudo dmesg | tail -n 200",
            ],
            "None: this only looks.",
        ));
    }
    if case.has("page-fault-refused") {
        return;
    }
    match shortage {
        Some(Shortage::Fragmented) => list.push(fragmented()),
        Some(Shortage::LowZone) => list.push(low_zone()),
        Some(Shortage::Bound) => list.push(bound(case)),
        Some(Shortage::MovableOnly) => list.push(movable_only()),
        None if is_bound(case) => list.push(bound(case)),
        _ => {}
    }
    // A reserve for the whole machine does not help a task that may use a part of it, nor where memory was free.
    if is_bound(case)
        || matches!(
            shortage,
            Some(
                Shortage::Bound | Shortage::MovableOnly | Shortage::LowZone | Shortage::Unexplained
            )
        )
    {
        return;
    }
    // Anonymous memory and tmpfs: what processes answer for, and what swap takes in.
    let of_processes = case.scene.split.as_ref().map(|split| {
        let kib = [split.anon_kib, split.shmem_kib].into_iter().flatten();
        kib.fold(0, u64::saturating_add).saturating_mul(4) > split.usage_kib
    });
    if case.in_kubernetes() {
        list.push(node_reserve());
    } else if of_processes != Some(false) {
        list.push(less_on_the_machine());
    }
    if of_processes == Some(true) && needs_swap(case) {
        list.push(swap(case));
    }
}

const WHO_REFUSED_SOME: &str = "More memory does not help: the machine had some. Look for cgroups at a limit of kernel memory or of huge \
     pages, and for what a driver logged right before.";
const WHO_REFUSED: &str = "A page fault is refused memory by the machine or by a limit. Look for cgroups at a limit of kernel memory or \
     of huge pages, and for what a driver logged right before.";

/// No swap, or one that is full and small against the memory: more than that only puts off what comes anyway.
fn needs_swap(case: &Case<'_, '_>) -> bool {
    let total_kib = case.number("swap-full", "swap_total_kib");
    let usage_kib = case.scene.split.as_ref().map_or(0, |split| split.usage_kib);
    case.has("swap-absent") || total_kib.is_some_and(|total| total < usage_kib / 4)
}

/// The kernel names the binding itself.
fn is_bound(case: &Case<'_, '_>) -> bool {
    matches!(
        case.scene.report.scope,
        Some(Scope::Cpuset | Scope::Mempolicy)
    )
}

/// What a pool of huge pages keeps from everybody else is the first thing to give back.
pub(super) fn pool(case: &Case<'_, '_>, list: &mut Vec<Remedy>) {
    let unused_kib = case.number("hugetlb-pool-reserved", "free_pool_kib");
    if unused_kib.is_some_and(|kib| kib > 0) {
        list.push(remedy(
            "shrink-hugetlb-pool",
            "Give unused huge pages back",
            "Pages in the pool serve only programs that ask for hugetlbfs.",
            &[
                "grep Huge /proc/meminfo",
                "sudo sysctl -w vm.nr_hugepages=NUMBER",
            ],
            "Programs that count on the pool fail to start when it is too small.",
        ));
    }
}

fn node_reserve() -> Remedy {
    remedy(
        "reserve-for-the-system",
        "Reserve memory for the system and evict earlier",
        "Pods may use what is allocatable: capacity less kubeReserved, systemReserved and the hard eviction threshold. When these \
         are too small the machine runs out before the kubelet evicts: it looks every 10 seconds, the kernel does not wait. \
         Requests below real use have the same effect.",
        &[
            "kubectl describe node NODE   # Capacity, Allocatable, Allocated resources",
            "kubectl get --raw /api/v1/nodes/NODE/proxy/configz | jq '.kubeletconfig | {kubeReserved, systemReserved, evictionHard, evictionSoft}'",
        ],
        "Less is left for pods; some may become unschedulable. The kubelet has to be restarted.",
    )
}

fn less_on_the_machine() -> Remedy {
    remedy(
        "bound-the-large-ones",
        "Give the largest services limits of their own",
        "With MemoryHigh and MemoryMax a service that grows hits its own limit and not the machine's, and the kill falls on it.",
        &[
            "systemd-cgtop -m",
            "sudo systemctl set-property UNIT MemoryHigh=SIZE MemoryMax=SIZE",
        ],
        "A limit that is too small kills a service that did nothing wrong.",
    )
}

/// Node swap: LimitedSwap is stable in Kubernetes 1.34, beta since 1.28; Burstable pods only (KEP-2400).
fn swap(case: &Case<'_, '_>) -> Remedy {
    let kubelet = if case.in_kubernetes() {
        " On a Kubernetes node the kubelet needs failSwapOn: false, and memorySwap.swapBehavior: LimitedSwap to let Burstable pods \
         use it (beta since 1.28, stable in 1.34, cgroup v2)."
    } else {
        ""
    };
    remedy(
        "add-swap",
        match case.has("swap-full") {
            true => "Give the machine more swap, or compressed memory (zram)",
            false => "Give the machine some swap, or compressed memory (zram)",
        },
        &format!(
            "Anonymous memory that nobody touches for hours can then make room. It puts a leak's kill off and does not prevent it.{kubelet}"
        ),
        &[
            "sudo fallocate -l 4G /swapfile && sudo chmod 600 /swapfile && sudo mkswap /swapfile && sudo swapon /swapfile",
            "sudo modprobe zram && dev=$(sudo zramctl --find --size 4G) && sudo mkswap $dev && sudo swapon -p 100 $dev",
        ],
        "Under real shortage the machine becomes slow before it kills; on disks shared with the workload, much slower.",
    )
}

fn fragmented() -> Remedy {
    remedy(
        "less-fragmentation",
        "Keep larger blocks free",
        "The allocation needs contiguous pages. A larger vm.min_free_kbytes makes the kernel reclaim and compact earlier; what \
         asks for such blocks (see the trigger's call trace: network buffers, drivers, kernel stacks) may have a setting of its own.",
        &[
            "cat /proc/buddyinfo",
            "echo 1 | sudo tee /proc/sys/vm/compact_memory",
            "sudo sysctl -w vm.min_free_kbytes=KIB vm.watermark_scale_factor=100",
        ],
        "Memory kept free is memory not used; too large a value of vm.min_free_kbytes brings on the very kill it should prevent.",
    )
}

fn low_zone() -> Remedy {
    remedy(
        "relieve-low-zone",
        "Find what needs memory from the low zone",
        "Only some devices and (on 32-bit kernels) the kernel itself are bound to low zones. The trigger's call trace names the \
         driver. On 32-bit systems with much RAM a 64-bit kernel is the cure.",
        &[
            "cat /proc/zoneinfo | grep -A 8 -E 'zone +(DMA|DMA32|Normal)'",
            "sysctl vm.lowmem_reserve_ratio",
        ],
        "A higher reserve takes the memory from everything else.",
    )
}

fn movable_only() -> Remedy {
    remedy(
        "more-kernel-memory",
        "Give the node memory that is not for movable pages alone",
        "Memory that was plugged in with `online_movable` (CXL and persistent memory, memory of virtual machines), or that the boot \
         parameters movable_node, kernelcore= and movablecore= set aside, takes no page tables, slab or other kernel memory. Let a \
         part of it be `online_kernel`, or let the task use another node besides.",
        &[
            "grep -H . /sys/devices/system/memory/memory*/valid_zones | head -40",
            "cat /sys/devices/system/memory/auto_online_blocks",
            "grep -A 12 zone /proc/zoneinfo | grep -E 'zone|free|managed'",
        ],
        "Memory that holds the kernel's own pages can't be unplugged any more.",
    )
}

fn bound(case: &Case<'_, '_>) -> Remedy {
    let binders = match case.in_kubernetes() {
        true => "numactl --membind, or the kubelet's Memory Manager with policy Static",
        false => "numactl --membind, or systemd's AllowedMemoryNodes= and NUMAPolicy=",
    };
    remedy(
        "widen-nodes",
        "Let the task use more NUMA nodes",
        &format!(
            "A cpuset (cpuset.mems), {binders} binds it. Prefer `preferred` to `bind`, or add a node."
        ),
        &[
            "numastat -m | head -20",
            "grep Mems_allowed_list /proc/PID/status",
            "cat /sys/fs/cgroup/PATH/cpuset.mems.effective",
        ],
        "Memory on another node is slower to reach.",
    )
}
