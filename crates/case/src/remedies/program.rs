//! Remedies in the program and its surroundings: huge pages, allocator, heap limits, tmpfs, page cache, kernel memory.

use crate::commands;
use crate::findings::SHARED_MAPPINGS;
use crate::incident::{Remedy, Value};

use super::{Case, remedy};

pub(super) fn remedies(case: &Case<'_, '_>, list: &mut Vec<Remedy>) {
    // Where they are most of it, they come first; that alone does not prove waste.
    if huge_pages_percent(case) >= MOST_PERCENT {
        list.push(huge_pages_off());
    }
    if case.has("memory-unaccounted") && !case.scene.is_memcg() {
        list.push(find_unaccounted());
    }
    if case.has("tmpfs-counted") {
        list.push(match is_shared_mapping(case) {
            true => bound_shared_memory(),
            false => tmpfs_limit(case),
        });
    }
    if case.has("many-of-one-name") {
        list.push(fewer_workers());
    }
    // memory.high is a cgroup's: it is no help to a machine that is short.
    if case.has("page-cache-unreclaimed") && case.scene.is_memcg() {
        list.push(page_cache(case));
    }
    if case.has("kernel-memory") {
        list.push(match case.scene.is_memcg() {
            true => kernel_memory(case),
            false => machines_kernel_memory(),
        });
    }
    if let Some(heap) = heap_limit(case) {
        list.push(heap);
    }
    if case.has("child-killed") {
        list.push(notice_child(case));
    }
    let exempt = case.has("no-killable-process") && case.has("unkillable-tasks");
    if exempt || case.has_any(&["oom-score-adj-target", "oom-score-adj-spared"]) {
        list.push(oom_score_adj(case));
    }
    if case.has("reaper-failed") {
        list.push(remedy(
            "find-stuck-process",
            "See where the victim hangs",
            "The reaper gives up when a task holds the address space in an uninterruptible wait, often on storage or a network \
             file system.",
            &["ps -eo pid,stat,wchan:32,comm | awk '$2 ~ /D/'", "cat /proc/PID/stack"],
            "None: this only looks.",
        ));
    }
}

/// What may help any program that holds much anonymous memory: last, since nothing in the report points at it.
pub(super) fn in_any_case(case: &Case<'_, '_>, list: &mut Vec<Remedy>) {
    let percent = huge_pages_percent(case);
    if is_anonymous(case) && percent == 0 {
        list.push(allocator());
    }
    if (1..MOST_PERCENT).contains(&percent) {
        list.push(huge_pages_off());
    }
}

/// Of the memory at the limit, in percent: most of it.
const MOST_PERCENT: u64 = 50;

/// What transparent huge pages are of the memory in question.
fn huge_pages_percent(case: &Case<'_, '_>) -> u64 {
    case.number("huge-pages-share", "percent").unwrap_or(0)
}

fn is_shared_mapping(case: &Case<'_, '_>) -> bool {
    case.finding("tmpfs-counted").is_some_and(|finding| {
        finding.values.get("kind") == Some(&Value::Text(SHARED_MAPPINGS.into()))
    })
}

fn bound_shared_memory() -> Remedy {
    remedy(
        "bound-shared-memory",
        "Make the program's shared memory fit",
        "Its size is most often a setting of the program (PostgreSQL's shared_buffers, Oracle's SGA, the segments of a shared cache). \
         Leave room for what each process needs besides.",
        &[
            "ipcs -m",
            "grep -E 'Pss_Shmem|Shared_Dirty' /proc/PID/smaps_rollup",
        ],
        "A smaller cache makes the program slower.",
    )
}

fn fewer_workers() -> Remedy {
    remedy(
        "fewer-workers",
        "Run fewer of them at a time, or give each less",
        "The number of workers times what one needs at its largest has to fit: pool sizes (php-fpm's pm.max_children, gunicorn's and \
         Apache's workers), the parallelism of a build (make -j, ninja -j, bazel --jobs) or of a test run.",
        &["ps -eo rss,pid,comm,args --sort=-rss | head -30"],
        "Less is done at the same time.",
    )
}

fn find_unaccounted() -> Remedy {
    remedy(
        "find-unaccounted-memory",
        "Find who holds the memory that nothing counts",
        "Look now and an hour later, and at what the modules in the list are. ZFS gives its cache back too slowly for the OOM killer: \
         zfs_arc_max bounds it. page_owner=on at boot names every holder, at a price.",
        &[
            "grep -E 'MemTotal|MemAvailable|VmallocUsed|Percpu|CmaTotal|CmaFree|Hugetlb' /proc/meminfo",
            "grep -E '^(size|c_max) ' /proc/spl/kstat/zfs/arcstats",
            "lsmod; zramctl; grep -H . /sys/kernel/debug/dri/*/amdgpu_vram_mm 2>/dev/null | tail -3",
            "sudo sort -rn /sys/kernel/debug/page_owner_stacks/show_stacks 2>/dev/null | head",
        ],
        "None: these only look.",
    )
}

/// Most of the split is anonymous memory in small or huge pages.
fn is_anonymous(case: &Case<'_, '_>) -> bool {
    case.scene.split.as_ref().is_some_and(|split| {
        split
            .anon_kib
            .is_some_and(|anon| anon.saturating_mul(2) > split.usage_kib)
    })
}

fn huge_pages_off() -> Remedy {
    remedy(
        "transparent-huge-pages-madvise",
        "Let programs ask for huge pages instead of giving them to all",
        "With transparent_hugepage=always the kernel backs any large enough heap with huge pages, touched or not. With `madvise` \
         only programs that ask get them. For one program: prctl(PR_SET_THP_DISABLE) before exec, or glibc.malloc.hugetlb=0 (its \
         default; 1 asks for them, glibc 2.35 and later). It helps when the memory is sparsely touched; it does not when the \
         program fills it.",
        &[
            "cat /sys/kernel/mm/transparent_hugepage/enabled",
            "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled",
            "echo 0 | sudo tee /sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none",
        ],
        "Acts on the whole machine at once; programs that gain from huge pages may run slower. Not kept across a reboot.",
    )
}

fn tmpfs_limit(case: &Case<'_, '_>) -> Remedy {
    let (detail, commands) = commands::tmpfs(case.owner());
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    remedy(
        "limit-tmpfs",
        "Bound the tmpfs, or put these files on disk",
        detail,
        &commands,
        "Writes beyond the size fail with ENOSPC; on disk they are slower.",
    )
}

fn page_cache(case: &Case<'_, '_>) -> Remedy {
    // cgroup v1 has no memory.high.
    if case.scene.is_cgroup_v1() == Some(true) {
        return remedy(
            "write-less-at-once",
            "Let less wait to be written",
            "Smaller vm.dirty_bytes and vm.dirty_background_bytes make the writer wait earlier; O_DIRECT, or fsync now and then, \
             keeps a copy from filling the container with pages that cannot be dropped yet. cgroup v2 counts dirty pages per \
             container and slows the writer down; v1 does not.",
            &["sysctl vm.dirty_ratio vm.dirty_bytes vm.dirty_background_ratio"],
            "For the whole machine: all writers wait more often.",
        );
    }
    let high = case.cgroup_file("memory.high");
    remedy(
        "slow-down-before-the-limit",
        "Make the kernel reclaim before the limit (memory.high)",
        &format!(
            "Below memory.max, memory.high makes the writer wait and reclaim instead of dying. {} For dirty pages, smaller \
             vm.dirty_bytes or writing with O_DIRECT or fsync now and then helps too.",
            commands::memory_high(case.owner())
        ),
        &[
            &format!("echo $((LIMIT_BYTES * 9 / 10)) | sudo tee {high}"),
            "sysctl vm.dirty_ratio vm.dirty_bytes",
        ],
        "A container above memory.high is slowed, sometimes to a crawl, instead of killed.",
    )
}

fn kernel_memory(case: &Case<'_, '_>) -> Remedy {
    let stat = case.cgroup_file("memory.stat");
    remedy(
        "find-kernel-memory",
        "Find which kernel objects these processes hold",
        "Many open files or directories walked (dentry, inode caches), many threads (stacks), many sockets or large socket \
         buffers, or huge sparse mappings (page tables).",
        &[
            "sudo slabtop -o -s c | head -20",
            &format!("cat {stat}"),
            "ls /proc/PID/task | wc -l",
        ],
        "None: this only looks.",
    )
}

fn machines_kernel_memory() -> Remedy {
    remedy(
        "find-kernel-memory",
        "Find what the kernel's memory is, and whether it grows",
        "Look at the slab caches and page tables now and an hour later. A cache that only grows is a leak, mostly of a driver, a \
         module or a file system: a newer kernel or module is the cure, a reboot the way out. Caches of dentries and inodes come \
         from walking many files.",
        &[
            "sudo slabtop -o -s c | head -20",
            "grep -E 'Slab|SReclaimable|SUnreclaim|PageTables|VmallocUsed|Percpu' /proc/meminfo",
        ],
        "None: this only looks.",
    )
}

/// Runtimes that manage a heap of their own and can be told the limit. Chosen by the process name, which is a hint
/// and no proof: the words say so.
fn heap_limit(case: &Case<'_, '_>) -> Option<Remedy> {
    // A share of what, where no limit was hit? Without one the runtimes take less of the machine than these settings.
    if !case.scene.is_memcg() {
        return None;
    }
    let comm = case.scene.victim?.comm.as_str();
    let (title, detail, commands): (&str, &str, &[&str]) = if comm == "java"
        || comm.starts_with("java")
    {
        (
            "Give the Java heap a share of the limit",
            "The heap is only a part: metaspace, thread stacks, direct buffers and the JIT come on top. Leave a quarter to a half \
             for them. Since Java 10 (8u191) the JVM reads the container's limit.",
            &[
                "java -XX:MaxRAMPercentage=60 -XX:+ExitOnOutOfMemoryError ...",
                "jcmd PID VM.native_memory summary",
            ],
        )
    } else if comm == "node" || comm == "nodejs" {
        (
            "Give the V8 heap a share of the limit",
            "V8's old space is bounded by --max-old-space-size (MiB); buffers live outside of it.",
            &["NODE_OPTIONS=--max-old-space-size=MIB node ..."],
        )
    } else if comm == "dotnet" || comm.starts_with(".NET") {
        (
            "Give the .NET heap a hard limit",
            "The collector takes 75 % of the container's limit by default; native memory comes on top.",
            &["DOTNET_GCHeapHardLimitPercent=3C dotnet ...   # hexadecimal: 60 %"],
        )
    } else {
        return None;
    };
    Some(remedy(
        "bound-the-heap",
        title,
        detail,
        commands,
        "Chosen by the process name. Too small a heap costs time in collections, or ends in the runtime's own out-of-memory error, \
         which at least names the place.",
    ))
}

fn allocator() -> Remedy {
    remedy(
        "bound-malloc-arenas",
        "Keep malloc from holding freed memory",
        "glibc keeps up to eight arenas a core and gives memory back late. MALLOC_ARENA_MAX=2 and a trim threshold hold that \
         down; jemalloc with background threads does too. It helps programs with many threads that allocate and free a lot; it \
         does not help when the memory is really in use.",
        &["MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=131072 PROGRAM"],
        "More contention between threads that allocate.",
    )
}

fn notice_child(case: &Case<'_, '_>) -> Remedy {
    let group = case.cgroup_file("memory.oom.group");
    let events = case.cgroup_file("memory.events");
    // cgroup v1 has no group kill.
    if case.scene.is_cgroup_v1() == Some(true) {
        return remedy(
            "notice-dead-children",
            "Make the first process notice",
            "Let the first process exit when a worker was killed by SIGKILL. Only cgroup v2 can take the whole container at once \
             (memory.oom.group).",
            &[],
            "The whole container restarts for one worker.",
        );
    }
    let kubelet = if case.in_kubernetes() {
        ", which the kubelet sets since Kubernetes 1.28 (unless singleProcessOOMKill, 1.32, says otherwise)"
    } else {
        ""
    };
    remedy(
        "notice-dead-children",
        "Make the first process notice, or let the whole container go",
        &format!(
            "Let the first process exit when a worker was killed by SIGKILL, or let the kernel take the whole container: on cgroup \
             v2 with memory.oom.group{kubelet}."
        ),
        &[
            &format!("cat {group}"),
            &format!("cat {events}   # oom_kill counts every death"),
        ],
        "With a group kill the workers that did nothing die too.",
    )
}

fn oom_score_adj(case: &Case<'_, '_>) -> Remedy {
    remedy(
        "review-oom-score-adj",
        "Check who set oom_score_adj, and whether it is meant",
        commands::oom_score_adj(case.owner()),
        &["grep -H . /proc/[0-9]*/oom_score_adj | sort -t: -k2 -n | tail -20"],
        "Who is spared leaves the kill to another.",
    )
}
