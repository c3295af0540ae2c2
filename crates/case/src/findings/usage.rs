//! What the memory was: which part is to blame, huge pages, tmpfs, page cache that stayed, kernel memory, locked pages.

use oom_report::report::Scope;

use crate::incident::{Finding, Severity, UsagePart};
use crate::scene::Scene;
use crate::size::{human, percent};
use crate::usage::{OTHER, UsageSplit, Whole};

use super::finding;

/// Below this a part is no cause of anything.
const WORTH_A_WORD_KIB: u64 = 4096;

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(split) = &scene.split else { return };
    let parts = split.parts();
    // What no counter of the report accounts for.
    let other = parts.iter().find(|part| part.name == OTHER);
    let other = other.map_or(0, |part| part.kib);
    unaccounted(scene, split, other, found);
    usage_split(scene, split, (&parts, other), found);
    huge_pages(scene, split, found);
    tmpfs(scene, split, found);
    page_cache(scene, split, found);
    kernel(scene, split, found);
    locked(scene, split, found);
}

/// The whole in words.
fn whole(split: &UsageSplit) -> &'static str {
    match split.whole {
        Whole::Cgroup => "the memory at the limit",
        Whole::Machine => "the machine's memory",
    }
}

/// What no counter of the report holds: it can be the most of it, and then nothing else explains the kill.
fn unaccounted(scene: &Scene<'_>, split: &UsageSplit, other: u64, found: &mut Vec<Finding>) {
    let share = percent(other, split.usage_kib);
    // Of a cgroup, what is not printed are the small parts; of a machine some megabytes are never accounted for.
    let (least_percent, least_kib) = match split.whole {
        Whole::Cgroup => (30, WORTH_A_WORD_KIB),
        Whole::Machine => (15, 16 * WORTH_A_WORD_KIB),
    };
    if other < least_kib || share < least_percent {
        return;
    }
    let (where_, detail) = match split.whole {
        Whole::Machine => (
            "of the machine's memory",
            "Whoever takes pages straight from the page allocator is counted in no line of the report and in no process's size: a \
             driver (GPU, network, storage), a balloon of the hypervisor, ZFS (its ARC), page pools of network and NFS servers, \
             vmalloc, zram, CMA. The call trace may name it: who takes most asks most often.",
        ),
        Whole::Cgroup => (
            "of the cgroup's usage",
            "The statistics that the kernel prints do not hold it: kernel memory that this version does not count by kind, \
             cgroups below whose lines are missing, or pages of cgroups that were removed.",
        ),
    };
    found.push(
        finding(
            "memory-unaccounted",
            if share >= 30 {
                Severity::Warning
            } else {
                Severity::Notice
            },
            format!(
                "{} ({share} %) {where_} is in no counter of the report",
                human(other)
            ),
            detail,
        )
        .number("unaccounted_kib", other)
        .number("usage_kib", split.usage_kib)
        .number("percent", share)
        .cite(scene, [split.line]),
    );
}

fn usage_split(
    scene: &Scene<'_>,
    split: &UsageSplit,
    (parts, other): (&[UsagePart], u64),
    found: &mut Vec<Finding>,
) {
    let Some(main) = parts
        .iter()
        .find(|part| !matches!(part.name.as_str(), "free" | OTHER))
    else {
        return;
    };
    let told: Vec<String> = parts
        .iter()
        .filter(|part| percent(part.kib, split.usage_kib) >= 1)
        .map(|part| {
            format!(
                "{} {} ({} %)",
                part.name,
                human(part.kib),
                percent(part.kib, split.usage_kib)
            )
        })
        .collect();
    let estimated = if split.shmem_estimated {
        " This kernel prints no field for tmpfs and shared memory: that part is worked out from the page lists."
    } else {
        ""
    };
    let mut draft = finding(
        "usage-split",
        Severity::Info,
        match other > main.kib {
            // What is counted explains nothing then.
            true => format!(
                "Of {} only {} are counted; the largest counted part is {}: {}",
                human(split.usage_kib),
                human(split.usage_kib.saturating_sub(other)),
                main.name,
                human(main.kib)
            ),
            false => format!(
                "{} is {}: {} of {}",
                // Of a machine with room (sysrq-f, a bound node) most is free.
                match main.kib.saturating_mul(2) > split.usage_kib {
                    true => format!("Most of {}", whole(split)),
                    false => format!("The largest part of {} in use", whole(split)),
                },
                main.name,
                human(main.kib),
                human(split.usage_kib)
            ),
        },
        format!("{}.{estimated}", told.join(", ")),
    )
    .text("main_part", main.name.clone())
    .number("main_part_percent", percent(main.kib, split.usage_kib))
    .number("usage_kib", split.usage_kib);
    let named = [
        ("anonymous_kib", split.anon_small_kib()),
        ("huge_pages_kib", split.anon_huge_kib),
        ("page_cache_kib", split.file_kib),
        ("shmem_kib", split.shmem_kib),
        ("kernel_kib", split.kernel_kib),
        ("socket_buffers_kib", split.sock_kib),
        ("hugetlb_pool_kib", split.hugetlb_pool_kib),
        ("free_kib", split.free_kib),
    ];
    for (name, kib) in named {
        draft = draft.number(name, kib);
    }
    let usage_line = scene
        .report
        .memcg
        .as_ref()
        .and_then(|memcg| memcg.memory.line);
    found.push(draft.cite(
        scene,
        [
            split.line,
            usage_line.filter(|_| split.whole == Whole::Cgroup),
        ],
    ));
}

fn huge_pages(scene: &Scene<'_>, split: &UsageSplit, found: &mut Vec<Finding>) {
    let Some(huge) = split.anon_huge_kib.filter(|huge| *huge >= WORTH_A_WORD_KIB) else {
        return;
    };
    let share = percent(huge, split.usage_kib);
    if share < 10 {
        return;
    }
    let severity = if share >= 50 {
        Severity::Warning
    } else {
        Severity::Notice
    };
    found.push(
        finding(
            "huge-pages-share",
            severity,
            format!("{} of {} are transparent huge pages ({share} %)", human(huge), human(split.usage_kib)),
            "A touched byte makes a whole huge page (2 MiB on x86-64) resident, so a program that touches its memory here and \
             there can hold much more than it uses. This does not prove waste: a program that fills its memory gets huge \
             pages too. Compare with the same work under transparent_hugepage=madvise.",
        )
        .number("huge_pages_kib", huge)
        .number("usage_kib", split.usage_kib)
        .number("percent", share)
        .number("anonymous_kib", split.anon_kib)
        .cite(scene, [split.line]),
    );
}

fn tmpfs(scene: &Scene<'_>, split: &UsageSplit, found: &mut Vec<Finding>) {
    let Some(shmem) = split.shmem_kib.filter(|shmem| *shmem >= WORTH_A_WORD_KIB) else {
        return;
    };
    let share = percent(shmem, split.usage_kib);
    if share < 10 {
        return;
    }
    let severity = if share >= 25 {
        Severity::Warning
    } else {
        Severity::Notice
    };
    let mapped = is_mapped_by_victim(scene, split, shmem);
    let (what, detail) = match mapped {
        true => (
            "shared memory that processes have mapped",
            "Shared mappings (a database's shared buffers, System V segments, MAP_SHARED without a file) count for the cgroup that \
             touched them first, and in the size of each process that maps them. They are freed when the last of these ends.".to_owned(),
        ),
        false => (
            "tmpfs or shared memory",
            format!(
                "Files in a tmpfs (/dev/shm, an emptyDir with medium: Memory) and shared memory count for the cgroup that touched \
                 them first. Files stay until they are deleted: killing a process does not free them.{}{}",
                if scene.victim_owner.kubernetes {
                    " An emptyDir outlives a restart of the container."
                } else {
                    ""
                },
                victim_held_little(scene, split)
            ),
        ),
    };
    found.push(
        finding(
            "tmpfs-counted",
            severity,
            format!(
                "{} ({share} %) is {what}, which cannot be reclaimed without swap",
                human(shmem)
            ),
            detail,
        )
        .text(
            "kind",
            if mapped {
                SHARED_MAPPINGS
            } else {
                "tmpfs or shared memory"
            },
        )
        .number("shmem_kib", shmem)
        .number("usage_kib", split.usage_kib)
        .number("percent", share)
        .text(
            "source",
            if split.shmem_estimated {
                "worked out from the page lists"
            } else {
                "printed"
            },
        )
        .cite(scene, [split.line]),
    );
}

/// Value `kind` of `tmpfs-counted` where processes have the memory mapped.
pub(crate) const SHARED_MAPPINGS: &str = "shared mappings";

/// Files in a tmpfs are rarely mapped; shared memory is, and then it counts for the processes that have it.
fn is_mapped_by_victim(scene: &Scene<'_>, split: &UsageSplit, shmem_kib: u64) -> bool {
    let victim_kib = scene.victim.and_then(|victim| victim.shmem_rss_kib);
    let mapped = split
        .mapped_kib
        .is_none_or(|mapped| mapped >= shmem_kib / 10 * 9);
    mapped && victim_kib.is_some_and(|victim| victim >= shmem_kib / 2)
}

/// The process that was killed for memory that is no process's.
fn victim_held_little(scene: &Scene<'_>, split: &UsageSplit) -> String {
    let Some(row) = scene.victim_task else {
        return String::new();
    };
    match scene.kib(scene.weight_pages(row)) {
        Some(kib) if kib.saturating_mul(4) < split.usage_kib => format!(
            " The process that was killed held {} itself; such files count for the cgroup, not for a process.",
            human(kib)
        ),
        _ => String::new(),
    }
}

fn page_cache(scene: &Scene<'_>, split: &UsageSplit, found: &mut Vec<Finding>) {
    // Nothing had to be reclaimed where somebody asked for the kill.
    if scene.report.scope == Some(Scope::Sysrq) {
        return;
    }
    let Some(file) = split.file_kib.filter(|file| *file >= WORTH_A_WORD_KIB) else {
        return;
    };
    let share = percent(file, split.usage_kib);
    if share < 20 {
        return;
    }
    let busy = split
        .dirty_kib
        .unwrap_or(0)
        .saturating_add(split.writeback_kib.unwrap_or(0));
    let why = if percent(busy, file) >= 30 {
        let writing = split.writeback_kib.unwrap_or(0);
        match writing.saturating_mul(20) < busy {
            // Only writing that goes on shows a slow disk.
            true => format!(
                "{} of it waits to be written, and next to nothing was being written: write-out had not begun. Kernels with the \
                 multi-generational LRU (/sys/kernel/mm/lru_gen/enabled) have been seen not to start it in time.",
                human(busy)
            ),
            false => format!(
                "{} of it waits to be written or is being written: the disk could not keep up with the writer.",
                human(busy)
            ),
        }
    } else if split
        .unevictable_kib
        .is_some_and(|locked| percent(locked, file) >= 30)
    {
        "Much memory is locked (unevictable) and stays.".to_owned()
    } else {
        "The report does not show why it stayed: pages in active use come back at once, and reclaim gives up after a number of \
         rounds without progress."
            .to_owned()
    };
    found.push(
        finding(
            "page-cache-unreclaimed",
            Severity::Notice,
            format!(
                "{} ({share} %) is page cache of files that was not reclaimed in time",
                human(file)
            ),
            format!("Page cache is usually given back before a kill. {why}"),
        )
        .number("page_cache_kib", file)
        .number("dirty_kib", split.dirty_kib)
        .number("writeback_kib", split.writeback_kib)
        .number("usage_kib", split.usage_kib)
        .number("percent", share)
        .cite(scene, [split.line]),
    );
}

fn kernel(scene: &Scene<'_>, split: &UsageSplit, found: &mut Vec<Finding>) {
    let kernel = split
        .kernel_kib
        .unwrap_or(0)
        .saturating_add(split.sock_kib.unwrap_or(0));
    let share = percent(kernel, split.usage_kib);
    let threshold = match split.whole {
        Whole::Cgroup => 20,
        Whole::Machine => 25,
    };
    if kernel < WORTH_A_WORD_KIB || share < threshold {
        return;
    }
    let system = scene.report.system.as_ref();
    let top = system.and_then(|system| system.slab.iter().max_by_key(|slab| slab.total_kib));
    let cache = match top {
        Some(slab) => format!(
            " The largest slab cache is {} with {}.",
            slab.name,
            human(slab.total_kib)
        ),
        None => String::new(),
    };
    let mut draft = finding(
        "kernel-memory",
        if share >= 40 { Severity::Warning } else { Severity::Notice },
        match split.whole {
            Whole::Cgroup => {
                format!("{} ({share} %) is kernel memory on behalf of these processes", human(kernel))
            }
            Whole::Machine => {
                format!("{} ({share} %) of the machine is the kernel's own memory", human(kernel))
            }
        },
        match split.whole {
            Whole::Cgroup => format!(
                "Slab (inodes and dentries of many files, sockets), page tables, stacks of many threads, socket buffers: no heap \
                 profile of the program shows it.{cache}"
            ),
            Whole::Machine => format!(
                "It is in no process's size, and what is not reclaimable of it ({}) comes back by no kill unless it belongs to the \
                 one killed: slab of a driver, a file system or the network, or page tables.{cache}",
                human(kernel.saturating_sub(split.slab_reclaimable_kib.unwrap_or(0)))
            ),
        },
    )
    .number("kernel_kib", kernel)
    .number("slab_reclaimable_kib", split.slab_reclaimable_kib)
    .number("slab_unreclaimable_kib", split.slab_unreclaimable_kib)
    .number("socket_buffers_kib", split.sock_kib)
    .number("usage_kib", split.usage_kib)
    .number("percent", share);
    if let Some(slab) = top {
        draft = draft.text("largest_slab_cache", slab.name.as_str());
    }
    let kmem_line = scene
        .report
        .memcg
        .as_ref()
        .and_then(|memcg| memcg.kmem.line);
    found.push(draft.cite(scene, [split.line, kmem_line]));
}

fn locked(scene: &Scene<'_>, split: &UsageSplit, found: &mut Vec<Finding>) {
    let Some(locked) = split
        .unevictable_kib
        .filter(|locked| *locked >= WORTH_A_WORD_KIB)
    else {
        return;
    };
    let share = percent(locked, split.usage_kib);
    if share < 20 {
        return;
    }
    // The machine's report counts what mlock holds apart.
    let by_mlock = split
        .mlocked_kib
        .is_none_or(|mlocked| mlocked >= locked / 2);
    let (is, detail) = match by_mlock {
        true => (
            "is locked",
            "mlock, mlockall, or shared memory with SHM_LOCK: such pages stay until they are unlocked or their owner ends.",
        ),
        false => (
            "is unevictable, though no program locked it,",
            "Files of a ramfs (an initramfs that was never left), shared memory with SHM_LOCK, or pages that a driver holds (a GPU's): \
             they stay until their owner lets go of them.",
        ),
    };
    found.push(
        finding(
            "locked-memory",
            Severity::Notice,
            format!(
                "{} ({share} %) {is} and can be neither reclaimed nor swapped",
                human(locked)
            ),
            detail,
        )
        .number("mlocked_kib", split.mlocked_kib)
        .number("unevictable_kib", locked)
        .number("usage_kib", split.usage_kib)
        .number("percent", share)
        .cite(scene, [split.line]),
    );
}
