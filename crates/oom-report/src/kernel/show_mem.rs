//! The machine's memory (`show_mem`, `show_free_areas`): lib/show_mem.c, mm/page_alloc.c, mm/show_mem.c.

use crate::cursor::{Cursor, contains, text};
use crate::report::{FreeArea, NamedValues};

/// What one line of the block says. Numbers are read only where they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShowMemLine<'a> {
    /// `Mem-Info:`
    Start,
    /// `active_anon:24 inactive_anon:1532 isolated_anon:0`, pages
    Counters(&'a [u8]),
    /// `Node 0 active_anon:96kB ...`, the numbers from `active_anon` on
    Node { node: u32, fields: &'a [u8] },
    /// `Node 0 DMA free:15360kB min:..` (without NUMA no `Node 0 `), the numbers from `free` on
    Zone {
        node: u32,
        name: &'a [u8],
        fields: &'a [u8],
    },
    /// `lowmem_reserve[]: 0 2759 3864`
    LowmemReserve(&'a [u8]),
    /// `Node 0 DMA: 1*4kB (U) 0*8kB ... = 15360kB`
    FreeAreas {
        node: u32,
        name: &'a [u8],
        areas: &'a [u8],
    },
    /// `Node 0 hugepages_total=0 hugepages_free=0 hugepages_surp=0 hugepages_size=2048kB`
    HugePages {
        node: u32,
        total: u64,
        free: u64,
        size_kib: u64,
    },
    /// `131056 pages RAM` and its like: the number and the key it is kept under.
    Pages { pages: u64, key: &'static str },
    /// `Free swap  = 0kB`
    SwapFree(u64),
    /// `Free swap  = -245804kB`: of swap that is being switched off
    SwapBelowZero,
    /// `Total swap = 0kB`
    SwapTotal(u64),
    /// `Swap cache stats: add .., delete .., find ..`
    SwapCacheStats,
    /// `Unreclaimable slab info:`
    SlabStart,
    /// `Name                      Used          Total`
    SlabHeader,
    /// `DMA per-cpu:`, `CPU 0: hi: 0, ...`: known, not kept
    PerCpu,
}

/// Rows that are `<number> <words>`; the key is the one in `mem_info`.
const PAGES: &[(&[u8], &str)] = &[
    (b"total pagecache pages", "pagecache"),
    (b"pages in swap cache", "swap_cache"),
    (b"pages RAM", "ram"),
    (b"pages HighMem/MovableOnly", "highmem_movable_only"),
    (b"pages HighMem", "highmem_movable_only"),
    (b"pages reserved", "reserved"),
    (b"pages cma reserved", "cma_reserved"),
    (b"pages hwpoisoned", "hwpoisoned"),
    (b"pages shared", "shared"),
    (b"pages non-shared", "non_shared"),
    (b"pages in pagetable cache", "pagetable_cache"),
];

/// Reads a line of the block.
pub(crate) fn read(line: &[u8]) -> Option<ShowMemLine<'_>> {
    let mut cursor = Cursor(line);
    match line.first()? {
        b'0'..=b'9' => {
            let pages = cursor.number()?;
            cursor.need(b" ")?;
            let words = cursor.0.trim_ascii_end();
            let (_, key) = PAGES.iter().find(|(name, _)| *name == words)?;
            Some(ShowMemLine::Pages { pages, key })
        }
        b'M' if line.starts_with(b"Mem-Info:") || line.starts_with(b"Mem-info:") => {
            Some(ShowMemLine::Start)
        }
        b'N' if cursor.eat(b"Node ") => {
            let node = cursor.number_u32()?;
            cursor.need(b" ")?;
            read_node(node, cursor.0)
        }
        b'N' if line.starts_with(b"Name ") && contains(line, b"Used") => {
            Some(ShowMemLine::SlabHeader)
        }
        b'C' if cursor.eat(b"CPU ") && contains(line, b"hi:") => Some(ShowMemLine::PerCpu),
        // `show_node` prints `Node N ` with CONFIG_NUMA only: without it there is one node.
        b'D' | b'N' | b'H' | b'M' if is_bare_zone(line) => read_node(0, line),
        b'F' if cursor.eat(b"Free swap  = -") => cursor.kib().map(|_| ShowMemLine::SwapBelowZero),
        b'F' if cursor.eat(b"Free swap") => swap(cursor).map(ShowMemLine::SwapFree),
        b'T' if cursor.eat(b"Total swap") => swap(cursor).map(ShowMemLine::SwapTotal),
        b'S' if line.starts_with(b"Swap cache stats:") => Some(ShowMemLine::SwapCacheStats),
        b'U' if line.starts_with(b"Unreclaimable slab info") => Some(ShowMemLine::SlabStart),
        b'l' if cursor.eat(b"lowmem_reserve[]:") => Some(ShowMemLine::LowmemReserve(cursor.0)),
        b'a'..=b'z' => {
            // `active_anon:24 inactive_anon:0 ...`: a name of small letters, a colon, a digit.
            const FIRST: [&[u8]; 11] = [
                b"active_anon:",
                b"active_file:",
                b"unevictable:",
                b"slab_reclaimable:",
                b"mapped:",
                b"kernel_misc_reclaimable:",
                b"free:",
                b"sec_pagetables:",
                b"pagetables:",
                b"inactive_file:",
                b"isolated_file:",
            ];
            let name = FIRST.iter().find(|name| line.starts_with(name))?;
            cursor.eat(name);
            cursor.number()?;
            // A cgroup's statistics that a mail program broke have the same names, and a unit.
            (!cursor.0.starts_with(b"KB")).then_some(ShowMemLine::Counters(line))
        }
        _ => None,
    }
}

/// Whether the line begins with a zone's name (`zone_names`, mm/page_alloc.c) and what is printed of zones.
fn is_bare_zone(line: &[u8]) -> bool {
    const ZONES: [&[u8]; 6] = [
        b"DMA", b"DMA32", b"Normal", b"HighMem", b"Movable", b"Device",
    ];
    let mut cursor = Cursor(line);
    let name = cursor.take_while(|byte| byte.is_ascii_alphanumeric());
    ZONES.contains(&name)
        && (cursor.eat(b" free:")
            || cursor.eat(b" per-cpu:")
            || cursor.eat(b": ") && cursor.number().is_some() && cursor.eat(b"*"))
}

fn swap(mut cursor: Cursor<'_>) -> Option<u64> {
    cursor.spaces();
    cursor.need(b"=")?;
    cursor.spaces();
    cursor.kib()
}

fn read_node(node: u32, rest: &[u8]) -> Option<ShowMemLine<'_>> {
    if rest.starts_with(b"active_anon:") {
        return Some(ShowMemLine::Node { node, fields: rest });
    }
    let mut cursor = Cursor(rest);
    if cursor.eat(b"hugepages_total=") {
        let total = cursor.number()?;
        cursor.need(b" hugepages_free=")?;
        let free = cursor.number()?;
        cursor.until(b"hugepages_size=")?;
        let size_kib = cursor.kib()?;
        return Some(ShowMemLine::HugePages {
            node,
            total,
            free,
            size_kib,
        });
    }
    let name = cursor.take_while(|byte| byte.is_ascii_alphanumeric());
    if name.is_empty() {
        return None;
    }
    if cursor.eat(b" free:") {
        let fields = rest.get(name.len() + 1..)?;
        return Some(ShowMemLine::Zone { node, name, fields });
    }
    if cursor.eat(b": ") {
        return contains(cursor.0, b"*").then_some(ShowMemLine::FreeAreas {
            node,
            name,
            areas: cursor.0,
        });
    }
    if cursor.eat(b" per-cpu:") {
        Some(ShowMemLine::PerCpu)
    } else {
        None
    }
}

/// `name:123kB other:45` -> names and numbers; what has another form is left out. Names may hold `(`, `)` and spaces
/// are separators.
pub(crate) fn fields(line: &[u8], unit: &[u8], cut: bool) -> NamedValues {
    let mut values = Vec::new();
    for word in line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
    {
        let Some(colon) = memchr::memchr(b':', word) else {
            continue;
        };
        let (Some(name), Some(number)) = (word.get(..colon), word.get(colon + 1..)) else {
            continue;
        };
        let mut cursor = Cursor(number);
        let Some(value) = cursor.number() else {
            continue;
        };
        // rsyslog writes the line ends inside a record as `#012`.
        let rest = cursor.0.strip_suffix(b"#012").unwrap_or(cursor.0);
        cursor.0 = rest;
        let whole = if unit.is_empty() {
            cursor.0.is_empty() && !cut
        } else {
            // `reserved_highatomic:%luKB` (show_free_areas) has its unit in capitals.
            cursor.0.eq_ignore_ascii_case(unit)
        };
        if whole {
            values.push((text(name), value));
        }
    }
    NamedValues(values)
}

/// `all_unreclaimable? yes`
pub(crate) fn all_unreclaimable(line: &[u8]) -> Option<bool> {
    let mut cursor = Cursor(line);
    cursor.until(b"all_unreclaimable? ")?;
    match cursor.word() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}

/// ` 0 2759 3864 3864` -> pages.
pub(crate) fn reserve(line: &[u8]) -> Vec<u64> {
    let mut cursor = Cursor(line);
    let mut values = Vec::new();
    loop {
        cursor.spaces();
        match cursor.number() {
            Some(value) => values.push(value),
            None => return values,
        }
    }
}

/// `1*4kB (U) 0*8kB 3*16kB (ME) = 15360kB` -> free blocks; `page_size_kib` is the first order's block size.
pub(crate) fn free_areas(line: &[u8]) -> Vec<FreeArea> {
    let mut cursor = Cursor(line);
    let mut areas: Vec<FreeArea> = Vec::new();
    loop {
        cursor.spaces();
        let Some(blocks) = cursor.number() else {
            return areas;
        };
        if !cursor.eat(b"*") {
            return areas;
        }
        let Some(block_kib) = cursor.kib() else {
            return areas;
        };
        cursor.spaces();
        let mut migrate_types = smol_str::SmolStr::default();
        if cursor.eat(b"(") {
            match cursor.until(b")") {
                Some(types) => migrate_types = text(types),
                None => return areas,
            }
        }
        let order = u32::try_from(areas.len()).unwrap_or(u32::MAX);
        areas.push(FreeArea {
            order,
            block_kib,
            blocks,
            migrate_types,
        });
    }
}

/// `kmalloc-8                 12KB         12KB`: name, used, total. Names hold no space.
pub(crate) fn slab_row(line: &[u8]) -> Option<(smol_str::SmolStr, u64, u64)> {
    let mut cursor = Cursor(line);
    let name = cursor.word();
    if name.is_empty() || cursor.spaces() == 0 {
        return None;
    }
    let used = cursor.kib()?;
    cursor.spaces();
    let total = cursor.kib()?;
    cursor
        .0
        .trim_ascii()
        .is_empty()
        .then(|| (text(name), used, total))
}
