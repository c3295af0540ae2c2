//! The machine's memory as a report prints it: `Mem-Info`, nodes, zones, free lists, slabs.

use smol_str::SmolStr;

use super::{LineIndex, NamedValues};

#[cfg(feature = "serde")]
use {schemars::JsonSchema, serde::Deserialize, serde::Serialize};

/// `Mem-Info`: the machine's memory when the report was made.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize, JsonSchema))]
pub struct SystemMemory {
    /// Counters of the `Mem-Info` block, in pages, as printed; also `ram` (`N pages RAM`), `reserved`,
    /// `highmem_movable_only`, `pagecache`, `swap_cache`.
    pub mem_info: NamedValues,
    /// Per node counters (`Node 0 active_anon:..kB ...`), KiB.
    pub nodes: Vec<NodeMemory>,
    /// Per zone counters and free lists.
    pub zones: Vec<Zone>,
    /// `Free swap`.
    pub swap_free_kib: Option<u64>,
    /// `Total swap`.
    pub swap_total_kib: Option<u64>,
    /// Page size, found from numbers that the report prints in both units.
    pub page_size_bytes: Option<u64>,
    /// `Unreclaimable slab info` / `Memory allocations` rows: name, KiB used.
    pub slab: Vec<Slab>,
    /// Huge pages by size (`Node 0 hugepages_total=.. hugepages_size=..kB`).
    pub huge_pages: Vec<HugePages>,
    /// Where `Mem-Info:` stands.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub line: Option<LineIndex>,
    /// Where `Free swap`/`Total swap` stands.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub swap_line: Option<LineIndex>,
    /// Where `Free swap` stands, if it is below zero: swap that is being switched off is no part of the total any more, and
    /// what is used of it still counts (`try_to_unuse`, mm/swapfile.c).
    #[cfg_attr(feature = "serde", serde(skip))]
    pub swap_below_zero_line: Option<LineIndex>,
}

/// `Node N ...kB` line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize, JsonSchema))]
pub struct NodeMemory {
    /// NUMA node.
    pub node: u32,
    /// KiB, names as printed.
    pub fields_kib: NamedValues,
    /// `all_unreclaimable? yes`
    pub all_unreclaimable: Option<bool>,
    /// Where it stands.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub line: LineIndex,
}

/// `Node N ZONE free:..kB min:..kB ...` and the zone's free lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize, JsonSchema))]
pub struct Zone {
    /// NUMA node.
    pub node: u32,
    /// DMA, DMA32, Normal, HighMem, Movable.
    pub name: SmolStr,
    /// KiB, names as printed (`free`, `min`, `low`, `high`, `present`, `managed` ...).
    pub fields_kib: NamedValues,
    /// `lowmem_reserve[]:` in pages, by the zone that the allocation could have used.
    pub lowmem_reserve_pages: Vec<u64>,
    /// Free blocks by order.
    pub free_areas: Vec<FreeArea>,
    /// Where the counters stand.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub line: Option<LineIndex>,
    /// Where the free lists stand.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub free_areas_line: Option<LineIndex>,
}

/// `3*8kB (UME)`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize, JsonSchema))]
pub struct FreeArea {
    /// Log2 of the pages in a block.
    pub order: u32,
    /// Size of one block.
    pub block_kib: u64,
    /// Free blocks.
    pub blocks: u64,
    /// Migrate types that have any: U(nmovable) M(ovable) E (reclaimable) H(ighatomic) C(MA) I(solate).
    pub migrate_types: SmolStr,
}

/// A row of `Unreclaimable slab info:`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize, JsonSchema))]
pub struct Slab {
    /// Cache name.
    pub name: SmolStr,
    /// In use.
    pub used_kib: u64,
    /// Held.
    pub total_kib: u64,
}

/// `Node N hugepages_total=.. hugepages_free=.. hugepages_surp=.. hugepages_size=..kB`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(Serialize, Deserialize, JsonSchema))]
pub struct HugePages {
    /// NUMA node.
    pub node: u32,
    /// Pages in the pool.
    pub total: u64,
    /// Of these free.
    pub free: u64,
    /// Size of one.
    pub size_kib: u64,
}
