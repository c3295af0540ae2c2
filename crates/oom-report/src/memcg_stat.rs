//! The fields of a memory cgroup's statistics: what each means, for someone who has to know now.
//!
//! Names as printed by `mem_cgroup_print_oom_meminfo` (mm/memcontrol.c, mm/memcontrol-v1.c), 3.10 to 7.x; meanings after
//! Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst. v1 repeats most with `total_` in front: the same,
//! with all cgroups below.

/// A field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatField {
    /// As printed, without `total_`.
    pub name: &'static str,
    /// A size (KB in the one-line form, bytes since 5.3); else a count of events.
    pub is_size: bool,
    /// What kind of memory it counts.
    pub kind: StatKind,
    /// One line.
    pub meaning: &'static str,
}

/// What a field counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatKind {
    /// Anonymous memory.
    Anon,
    /// Page cache, tmpfs included.
    Cache,
    /// tmpfs and shared memory, a part of the cache.
    Shmem,
    /// Kernel memory, or a part of it.
    Kernel,
    /// Huge pages, a part of another field.
    HugePages,
    /// Swap.
    Swap,
    /// A part of the cache.
    Part,
    /// The same memory again, by the list it is on.
    Lru,
    /// A limit.
    Limit,
    /// A count of events.
    Event,
}

/// The field of that name, with or without `total_`.
pub fn lookup(name: &str) -> Option<&'static StatField> {
    let plain = name.strip_prefix("total_").unwrap_or(name);
    FIELDS
        .binary_search_by(|field| field.name.cmp(plain))
        .ok()
        .and_then(|at| FIELDS.get(at))
}

/// One line on what the field means.
pub fn meaning(name: &str) -> Option<&'static str> {
    lookup(name).map(|field| field.meaning)
}

const fn size(name: &'static str, kind: StatKind, meaning: &'static str) -> StatField {
    StatField {
        name,
        is_size: true,
        kind,
        meaning,
    }
}

const fn events(name: &'static str, meaning: &'static str) -> StatField {
    StatField {
        name,
        is_size: false,
        kind: StatKind::Event,
        meaning,
    }
}

/// Sorted by name.
#[rustfmt::skip]
const FIELDS: &[StatField] = &[
    size("active_anon", StatKind::Lru, "anonymous and tmpfs memory used lately"),
    size("active_file", StatKind::Lru, "page cache used lately"),
    size("anon", StatKind::Anon, "anonymous memory: heaps, stacks, private mappings; cannot be dropped, only swapped"),
    size("anon_thp", StatKind::HugePages, "anonymous transparent huge pages, a part of anon"),
    size("cache", StatKind::Cache, "page cache, tmpfs and shared memory included (v1)"),
    size("dirty", StatKind::Part, "file pages changed and not yet written to disk (v1)"),
    size("file", StatKind::Cache, "page cache, tmpfs and shared memory included"),
    size("file_dirty", StatKind::Part, "file pages changed and not yet written to disk"),
    size("file_mapped", StatKind::Part, "file pages mapped by processes, tmpfs included; a part of file"),
    size("file_thp", StatKind::HugePages, "page cache in transparent huge pages, a part of file"),
    size("file_writeback", StatKind::Part, "file pages being written to disk right now"),
    size("hierarchical_memory_limit", StatKind::Limit, "the tightest memory limit from here up (v1)"),
    size("hierarchical_memsw_limit", StatKind::Limit, "the tightest memory+swap limit from here up (v1)"),
    size("hugetlb", StatKind::HugePages, "hugetlb pages, where they are charged as memory"),
    size("inactive_anon", StatKind::Lru, "anonymous and tmpfs memory not used lately; without swap it cannot be reclaimed"),
    size("inactive_file", StatKind::Lru, "page cache not used lately: the first to be dropped"),
    size("kernel", StatKind::Kernel, "all kernel memory charged here"),
    size("kernel_stack", StatKind::Kernel, "stacks of threads in the kernel (16 KiB each on x86)"),
    size("mapped_file", StatKind::Part, "file pages mapped by processes, tmpfs included; a part of cache (v1)"),
    events("numa_hint_faults", "faults taken to sample NUMA use"),
    events("numa_pages_migrated", "pages moved between NUMA nodes for balance"),
    events("numa_pte_updates", "page table entries marked to sample NUMA use"),
    events("numa_task_migrated", "tasks moved between NUMA nodes for balance"),
    events("numa_task_swapped", "tasks swapped between NUMA nodes for balance"),
    size("page_tables", StatKind::Kernel, "page tables: grows with mapped memory and with the number of processes"),
    size("pagetables", StatKind::Kernel, "page tables: grows with mapped memory and with the number of processes"),
    size("percpu", StatKind::Kernel, "per-processor kernel data: grows with cgroups and network objects"),
    events("pgactivate", "pages moved to the active list"),
    events("pgdeactivate", "pages moved to the inactive list"),
    events("pgdemote_direct", "pages moved to slower memory by processes in need"),
    events("pgdemote_khugepaged", "pages moved to slower memory to make room for huge pages"),
    events("pgdemote_kswapd", "pages moved to slower memory in the background"),
    events("pgdemote_proactive", "pages moved to slower memory since user space asked"),
    events("pgfault", "page faults"),
    events("pglazyfree", "pages put off for freeing (MADV_FREE)"),
    events("pglazyfreed", "of these reclaimed"),
    events("pgmajfault", "page faults that had to read from disk"),
    events("pgpgin", "pages charged since the cgroup was made"),
    events("pgpgout", "pages uncharged since the cgroup was made"),
    events("pgpromote_success", "pages moved to faster memory"),
    events("pgrefill", "active pages looked at for demotion"),
    events("pgscan", "pages looked at by reclaim"),
    events("pgscan_direct", "pages looked at by processes that had to reclaim for themselves"),
    events("pgscan_khugepaged", "pages looked at to make room for huge pages"),
    events("pgscan_kswapd", "pages looked at by background reclaim"),
    events("pgscan_proactive", "pages looked at since user space asked (memory.reclaim)"),
    events("pgsteal", "pages reclaimed"),
    events("pgsteal_direct", "pages reclaimed by processes for themselves"),
    events("pgsteal_khugepaged", "pages reclaimed to make room for huge pages"),
    events("pgsteal_kswapd", "pages reclaimed in the background"),
    events("pgsteal_proactive", "pages reclaimed since user space asked (memory.reclaim)"),
    events("pswpin", "pages swapped in"),
    events("pswpout", "pages swapped out"),
    size("rss", StatKind::Anon, "anonymous memory and swap cache, transparent huge pages included (v1; not the rss of ps)"),
    size("rss_huge", StatKind::HugePages, "anonymous transparent huge pages, a part of rss (v1)"),
    size("sec_pagetables", StatKind::Kernel, "second-level page tables of virtual machines"),
    size("shmem", StatKind::Shmem, "tmpfs files, shared anonymous memory, System V shared memory: cannot be dropped, only swapped"),
    size("shmem_thp", StatKind::HugePages, "tmpfs and shared memory in transparent huge pages, a part of shmem"),
    size("slab", StatKind::Kernel, "all kernel objects, both kinds"),
    size("slab_reclaimable", StatKind::Kernel, "kernel objects that can be dropped: cached names and inodes"),
    size("slab_unreclaimable", StatKind::Kernel, "kernel objects that cannot be dropped"),
    size("sock", StatKind::Kernel, "network socket buffers"),
    size("swap", StatKind::Swap, "swapped out"),
    size("swapcached", StatKind::Part, "in swap and in memory both"),
    events("swpin_zero", "pages of zeros brought back without IO"),
    events("swpout_zero", "pages of zeros swapped out without IO"),
    events("thp_collapse_alloc", "huge pages made of small ones by khugepaged"),
    events("thp_fault_alloc", "huge pages given at a page fault"),
    events("thp_swpout", "huge pages swapped out whole"),
    events("thp_swpout_fallback", "huge pages split to be swapped out"),
    size("unevictable", StatKind::Lru, "locked in memory (mlock, ramfs): cannot be reclaimed"),
    size("vmalloc", StatKind::Kernel, "kernel memory mapped piecewise"),
    events("workingset_activate", "refaulted pages found hot at once (before 5.9)"),
    events("workingset_activate_anon", "refaulted anonymous pages found hot at once"),
    events("workingset_activate_file", "refaulted file pages found hot at once"),
    events("workingset_nodereclaim", "times the record of reclaimed pages was itself reclaimed"),
    events("workingset_refault", "file pages read back soon after they were dropped (before 5.9)"),
    events("workingset_refault_anon", "anonymous pages read back soon after they were swapped out: a sign of thrashing"),
    events("workingset_refault_file", "file pages read back soon after they were dropped: a sign of thrashing"),
    events("workingset_restore", "pages that had been hot before they were reclaimed (before 5.9)"),
    events("workingset_restore_anon", "anonymous pages that had been hot before they were swapped out"),
    events("workingset_restore_file", "file pages that had been hot before they were dropped"),
    size("writeback", StatKind::Part, "pages being written to disk right now (v1)"),
    size("zswap", StatKind::Kernel, "memory that holds compressed swap"),
    size("zswap_incomp", StatKind::Kernel, "pages that would not compress, kept whole in zswap; a part of zswap"),
    size("zswapped", StatKind::Swap, "application memory swapped to zswap, before compression"),
    events("zswpin", "pages brought back from zswap"),
    events("zswpout", "pages moved to zswap"),
    events("zswpwb", "pages written from zswap to the swap device"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_found_by_its_name() {
        assert!(FIELDS.is_sorted_by(|one, other| one.name < other.name));
        for field in FIELDS {
            assert_eq!(lookup(field.name), Some(field));
            assert_eq!(lookup(&format!("total_{}", field.name)), Some(field));
            assert_eq!(field.is_size, field.kind != StatKind::Event);
        }
        assert_eq!(lookup("no_such_field"), None);
    }
}
