//! Where the memory was: the usage of a cgroup (or of the machine) in parts that do not overlap.
//!
//! cgroup v1 counts tmpfs in `cache` and huge pages in `rss`; cgroup v2 counts tmpfs and the swap cache in `file` and
//! huge pages in `anon`. The parts here are taken apart so that they add up. Facts in, sizes out; no judgement.

use oom_report::report::{LineIndex, Memcg, MemcgStats, OomReport, Scope, StatUnit, SystemMemory};

use crate::cgroup_path::is_same_or_below;
use crate::incident::UsagePart;

/// `PAGE_COUNTER_MAX` and `RES_COUNTER_MAX` are near 2^53 KiB; nothing that has a limit comes near 1 EiB.
const NO_LIMIT_KIB: u64 = 1 << 50;

/// Name of the part that is left when all counters are taken off.
pub const OTHER: &str = "other";

/// The limit, unless it is the number that the kernel prints for "no limit".
pub fn real_limit(limit_kib: Option<u64>) -> Option<u64> {
    limit_kib.filter(|limit| *limit < NO_LIMIT_KIB)
}

/// Whose memory is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// The cgroup whose limit was hit, with all below it.
    Cgroup,
    /// The machine.
    Machine,
}

/// Usage in parts. Sizes are KiB; `None` is what the report does not tell.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageSplit {
    /// Whose.
    pub whole: Whole,
    /// The whole: what was charged, or the machine's RAM.
    pub usage_kib: u64,
    /// Anonymous memory, huge pages included.
    pub anon_kib: Option<u64>,
    /// Anonymous transparent huge pages.
    pub anon_huge_kib: Option<u64>,
    /// Page cache of files: without tmpfs, shared memory and swap cache.
    pub file_kib: Option<u64>,
    /// tmpfs and shared memory.
    pub shmem_kib: Option<u64>,
    /// `shmem_kib` is worked out from the LRU lists, since the report has no such field.
    pub shmem_estimated: bool,
    /// Kernel memory, reclaimable slab included, socket buffers not.
    pub kernel_kib: Option<u64>,
    /// Reclaimable slab.
    pub slab_reclaimable_kib: Option<u64>,
    /// Unreclaimable slab.
    pub slab_unreclaimable_kib: Option<u64>,
    /// Socket buffers (v2).
    pub sock_kib: Option<u64>,
    /// Page cache that is yet to be written.
    pub dirty_kib: Option<u64>,
    /// Page cache that is being written.
    pub writeback_kib: Option<u64>,
    /// Memory that reclaim leaves alone: locked, ramfs, shared memory with SHM_LOCK, pinned by a driver.
    pub unevictable_kib: Option<u64>,
    /// Locked by mlock (machine only).
    pub mlocked_kib: Option<u64>,
    /// Pages of files and shared memory that processes have mapped.
    pub mapped_kib: Option<u64>,
    /// Set aside for hugetlbfs, in use or not (machine only).
    pub hugetlb_pool_kib: Option<u64>,
    /// Free memory (machine only).
    pub free_kib: Option<u64>,
    /// Where the statistics stand.
    pub line: Option<LineIndex>,
}

impl UsageSplit {
    /// The split that fits the report: the cgroup's for a memcg kill, else the machine's.
    pub fn of(report: &OomReport, page_kib: Option<u64>) -> Option<Self> {
        match report.scope {
            // The machine's memory says nothing about a cgroup's limit.
            Some(Scope::Memcg) => of_memcg(report.memcg.as_ref()?),
            Some(Scope::Global | Scope::Cpuset | Scope::Mempolicy | Scope::Sysrq) | None => {
                of_machine(report.system.as_ref()?, page_kib?)
            }
        }
    }

    /// Of a machine, pages that reclaim leaves alone are on a list of their own, in no other part. A cgroup counts them by
    /// kind as any others.
    fn unevictable_part_kib(&self) -> Option<u64> {
        self.unevictable_kib
            .filter(|_| self.whole == Whole::Machine)
    }

    /// What the kernel could still have taken back, had it tried longer: page cache and reclaimable slab.
    pub fn reclaimable_kib(&self) -> u64 {
        let kib = [self.file_kib, self.slab_reclaimable_kib];
        kib.into_iter().flatten().fold(0, u64::saturating_add)
    }

    /// Anonymous memory in small pages.
    pub fn anon_small_kib(&self) -> Option<u64> {
        Some(
            self.anon_kib?
                .saturating_sub(self.anon_huge_kib.unwrap_or(0)),
        )
    }

    /// The parts, largest first; empty ones left out.
    pub fn parts(&self) -> Vec<UsagePart> {
        let kernel = self
            .kernel_kib
            .map(|all| all.saturating_sub(self.slab_reclaimable_kib.unwrap_or(0)));
        let named = [
            ("anonymous", self.anon_small_kib(), true),
            ("huge pages (anonymous)", self.anon_huge_kib, true),
            ("tmpfs/shmem", self.shmem_kib, true),
            ("page cache", self.file_kib, false),
            ("kernel", kernel, true),
            (
                "kernel (reclaimable slab)",
                self.slab_reclaimable_kib,
                false,
            ),
            ("unevictable", self.unevictable_part_kib(), true),
            ("socket buffers", self.sock_kib, true),
            ("huge page pool", self.hugetlb_pool_kib, true),
            ("free", self.free_kib, false),
        ];
        let mut parts: Vec<UsagePart> = named
            .into_iter()
            .filter_map(|(name, kib, unreclaimable)| {
                let kib = kib.filter(|kib| *kib > 0)?;
                Some(UsagePart {
                    name: name.into(),
                    kib,
                    unreclaimable,
                })
            })
            .collect();
        let sum: u64 = parts
            .iter()
            .map(|part| part.kib)
            .fold(0, u64::saturating_add);
        let other = self.usage_kib.saturating_sub(sum);
        if other > 0 && !parts.is_empty() {
            parts.push(UsagePart {
                name: OTHER.into(),
                kib: other,
                unreclaimable: false,
            });
        }
        parts.sort_by_key(|part| std::cmp::Reverse(part.kib));
        parts
    }
}

/// Adds up one field over the cgroups that were listed.
struct Fields<'a> {
    listed: Vec<&'a MemcgStats>,
    /// The hierarchical `total_` fields of v1 are there (6.5+).
    totals: bool,
}

impl<'a> Fields<'a> {
    /// Which of the listed cgroups to count. The one-line KB form (before 5.3) lists every cgroup below the limit with
    /// its own pages only: they are added up. The `memory.stat` form lists the cgroup itself, children included.
    fn of(memcg: &'a Memcg) -> Self {
        let below = |stats: &&MemcgStats| match (&stats.path, &memcg.path) {
            (Some(path), Some(limit)) => is_same_or_below(path, limit),
            _ => true,
        };
        let own_pages_only = memcg.stats.iter().any(|stats| stats.unit == StatUnit::KB);
        let mut listed: Vec<&MemcgStats> = memcg.stats.iter().filter(below).collect();
        if !own_pages_only {
            let itself = listed
                .iter()
                .position(|stats| stats.path == memcg.path)
                .unwrap_or(0);
            listed = listed.get(itself).copied().into_iter().collect();
        }
        let totals = listed
            .iter()
            .any(|stats| stats.fields.get("total_rss").is_some());
        Self { listed, totals }
    }

    fn kib(&self, name: &str) -> Option<u64> {
        let sum = |name: &str| {
            self.listed
                .iter()
                .filter_map(|stats| stats.kib(name))
                .fold(None, |sum: Option<u64>, kib| {
                    Some(sum.unwrap_or(0).saturating_add(kib))
                })
        };
        match self.totals {
            true => sum(&format!("total_{name}")),
            false => sum(name),
        }
    }
}

fn of_memcg(memcg: &Memcg) -> Option<UsageSplit> {
    let fields = Fields::of(memcg);
    let get = |name: &str| fields.kib(name);
    // v2 names (also printed for v1 by 5.3 to 6.4) or v1 names.
    let v2 = get("anon").is_some();
    let anon = if v2 { get("anon") } else { get("rss") };
    let huge = if v2 { get("anon_thp") } else { get("rss_huge") };
    let cache = if v2 { get("file") } else { get("cache") };
    let mut shmem = get("shmem");
    let mut shmem_estimated = false;
    if let (None, Some(cache), Some(anon)) = (shmem, cache, anon) {
        // tmpfs pages are page cache that lives on the anonymous LRU lists; without an own field they are what the
        // file lists lack of the cache, and not more than what the anonymous lists hold beyond rss.
        let file_lru = get("inactive_file")
            .zip(get("active_file"))
            .map(|(a, b)| a.saturating_add(b));
        let anon_lru = get("inactive_anon")
            .zip(get("active_anon"))
            .map(|(a, b)| a.saturating_add(b));
        if let (Some(file_lru), Some(anon_lru)) = (file_lru, anon_lru) {
            shmem = Some(
                cache
                    .saturating_sub(file_lru)
                    .min(anon_lru.saturating_sub(anon)),
            );
            shmem_estimated = true;
        }
    }
    // NR_FILE_PAGES counts the swap cache, whose mapped pages `anon` counts too.
    let swap_cache = get("swapcached").unwrap_or(0);
    let file = cache.map(|cache| {
        cache
            .saturating_sub(shmem.unwrap_or(0))
            .saturating_sub(swap_cache)
    });
    let slab_reclaimable = get("slab_reclaimable");
    let slab_unreclaimable = get("slab_unreclaimable");
    let slab = get("slab").or(slab_reclaimable
        .zip(slab_unreclaimable)
        .map(|(a, b)| a.saturating_add(b)));
    // `kernel` (5.18+) is the sum; before, its known members. v1 has a counter of its own.
    let members = [
        slab,
        get("kernel_stack"),
        get("pagetables"),
        get("sec_pagetables"),
        get("percpu"),
    ];
    let sum_of_members = members.into_iter().flatten().reduce(u64::saturating_add);
    let kernel = get("kernel").or(memcg.kmem.usage_kib).or(sum_of_members);
    let sock = get("sock");
    let known = [anon, file, shmem, kernel, sock]
        .into_iter()
        .flatten()
        .reduce(u64::saturating_add);
    if anon.is_none() && cache.is_none() {
        return None;
    }
    Some(UsageSplit {
        whole: Whole::Cgroup,
        usage_kib: real_limit(memcg.memory.usage_kib).or(known)?,
        anon_kib: anon,
        anon_huge_kib: huge,
        file_kib: file,
        shmem_kib: shmem,
        shmem_estimated,
        kernel_kib: kernel,
        slab_reclaimable_kib: slab_reclaimable,
        slab_unreclaimable_kib: slab_unreclaimable,
        sock_kib: sock,
        dirty_kib: get("dirty").or_else(|| get("file_dirty")),
        writeback_kib: get("writeback").or_else(|| get("file_writeback")),
        unevictable_kib: get("unevictable"),
        mlocked_kib: None,
        mapped_kib: get("mapped_file").or_else(|| get("file_mapped")),
        hugetlb_pool_kib: None,
        free_kib: None,
        line: fields.listed.first().and_then(|stats| stats.line),
    })
}

fn of_machine(system: &SystemMemory, page_kib: u64) -> Option<UsageSplit> {
    let info = &system.mem_info;
    let pages = |name: &str| info.get(name).map(|pages| pages.saturating_mul(page_kib));
    let ram = ram_kib(system, page_kib)?;
    let lists = ["active_anon", "inactive_anon", "isolated_anon"];
    let anon_lists = lists
        .into_iter()
        .filter_map(pages)
        .reduce(u64::saturating_add)?;
    let shmem = pages("shmem");
    let file_lists = ["active_file", "inactive_file", "isolated_file"];
    let file = file_lists
        .into_iter()
        .filter_map(pages)
        .reduce(u64::saturating_add);
    let of_nodes = |name: &str| {
        let nodes = system
            .nodes
            .iter()
            .filter_map(|node| node.fields_kib.get(name));
        nodes.reduce(u64::saturating_add)
    };
    let of_zones = |name: &str| of_zones_kib(system, name);
    let slab_reclaimable = pages("slab_reclaimable");
    let slab_unreclaimable = pages("slab_unreclaimable");
    let members = [
        slab_reclaimable,
        slab_unreclaimable,
        pages("pagetables"),
        // Counted by zone until 5.9.
        of_nodes("kernel_stack").or_else(|| of_zones("kernel_stack")),
    ];
    Some(UsageSplit {
        whole: Whole::Machine,
        usage_kib: ram,
        // tmpfs lives on the anonymous lists.
        anon_kib: Some(anon_lists.saturating_sub(shmem.unwrap_or(0))),
        anon_huge_kib: of_nodes("anon_thp").or_else(|| of_nodes("anonthp")),
        file_kib: file,
        shmem_kib: shmem,
        shmem_estimated: false,
        kernel_kib: members.into_iter().flatten().reduce(u64::saturating_add),
        slab_reclaimable_kib: slab_reclaimable,
        slab_unreclaimable_kib: slab_unreclaimable,
        sock_kib: None,
        dirty_kib: pages("dirty"),
        writeback_kib: pages("writeback"),
        unevictable_kib: pages("unevictable"),
        mlocked_kib: of_zones("mlocked").or_else(|| of_nodes("mlocked")),
        mapped_kib: pages("mapped"),
        hugetlb_pool_kib: system
            .huge_pages
            .iter()
            .map(|pages| pages.total.saturating_mul(pages.size_kib))
            .reduce(u64::saturating_add),
        free_kib: pages("free"),
        line: system.line,
    })
}

/// One field of the zones, added up; none where no zone has it.
pub(crate) fn of_zones_kib(system: &SystemMemory, name: &str) -> Option<u64> {
    let zones = system
        .zones
        .iter()
        .filter_map(|zone| zone.fields_kib.get(name));
    zones.reduce(u64::saturating_add)
}

/// RAM that the kernel could give out: `N pages RAM` less `N pages reserved`. Where the log lost the latter, what the
/// zones manage, unless most of them are lost, too.
pub fn ram_kib(system: &SystemMemory, page_kib: u64) -> Option<u64> {
    let ram_kib = system.mem_info.get("ram")?.saturating_mul(page_kib);
    let usable_kib = match system.mem_info.get("reserved") {
        Some(reserved) => ram_kib.saturating_sub(reserved.saturating_mul(page_kib)),
        None => {
            let managed_kib = of_zones_kib(system, "managed").unwrap_or(0);
            match managed_kib > ram_kib / 2 {
                true => managed_kib.min(ram_kib),
                false => ram_kib,
            }
        }
    };
    (usable_kib > 0).then_some(usable_kib)
}

#[cfg(test)]
mod tests;
