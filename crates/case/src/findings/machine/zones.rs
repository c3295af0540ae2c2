//! Each zone of the machine against one allocation: may it serve it, is it above its watermark, has it a block.

use oom_report::kernel_version::KernelVersion;
use oom_report::report::{SystemMemory, Trigger, Zone};

use crate::node_list;
use crate::size::human;

/// Zone types in the kernel's order. Source: `enum zone_type`, include/linux/mmzone.h.
const TYPES: [&str; 6] = ["DMA", "DMA32", "Normal", "HighMem", "Movable", "Device"];

/// A zone, checked.
pub(super) struct Checked<'a> {
    pub(super) zone: &'a Zone,
    /// The allocation's flags allow the zone.
    pub(super) allowed_class: bool,
    /// Cpuset and policy allow its node.
    pub(super) allowed_node: bool,
    /// Free memory that the allocation could take, KiB.
    pub(super) free_kib: u64,
    /// Free memory set aside for devices (CMA), KiB: not counted in `free_kib`.
    pub(super) cma_kib: u64,
    /// The `high` watermark (`min` when that is not printed), KiB. The last try before the killer goes against `high`:
    /// `__alloc_pages_may_oom`, mm/page_alloc.c.
    pub(super) watermark_kib: u64,
    /// Kept back from allocations that could use a higher zone, KiB.
    pub(super) reserve_kib: u64,
    /// A free block of the wanted order is there.
    pub(super) has_block: bool,
    /// Size of the largest free block that it could take; none when the report lists no blocks.
    pub(super) largest_block_kib: Option<u64>,
}

impl Checked<'_> {
    /// The allocation could have been served from here.
    pub(super) fn in_reach(&self) -> bool {
        self.allowed_class && self.allowed_node
    }

    /// Memory is free here, and the allocation's flags do not allow it.
    pub(super) fn is_of_no_use(&self) -> bool {
        self.allowed_node && !self.allowed_class && !self.is_short()
    }

    /// At or below what has to stay free.
    pub(super) fn is_short(&self) -> bool {
        self.free_kib <= self.watermark_kib.saturating_add(self.reserve_kib)
    }

    pub(super) fn in_words(&self) -> String {
        let reserve = match self.reserve_kib {
            0 => String::new(),
            kib => format!(" + reserve {}", human(kib)),
        };
        let cma = match self.cma_kib {
            0 => String::new(),
            kib => format!(" (besides {} of CMA)", human(kib)),
        };
        format!(
            "node {} {}: free {}{cma}, must stay free {}{reserve}",
            self.zone.node,
            self.zone.name,
            human(self.free_kib),
            human(self.watermark_kib)
        )
    }
}

/// Checks every zone that has any memory.
pub(super) fn check<'a>(
    system: &'a SystemMemory,
    trigger: Option<&Trigger>,
    kernel: Option<KernelVersion>,
    page_kib: u64,
) -> Vec<Checked<'a>> {
    let by_order = kernel.is_some_and(|kernel| !kernel.at_least(4, 4));
    let flags = trigger
        .map(|trigger| trigger.gfp_flags.as_slice())
        .unwrap_or_default();
    let has = |name: &str| flags.iter().any(|flag| flag == name);
    let movable = flags.is_empty()
        || flags
            .iter()
            .any(|flag| flag.contains("MOVABLE") || flag.starts_with("GFP_TRANSHUGE"));
    let highmem = movable
        || flags
            .iter()
            .any(|flag| flag.starts_with("GFP_HIGHUSER") || flag == "__GFP_HIGHMEM");
    let class = if has("GFP_DMA") || has("__GFP_DMA") {
        0
    } else if has("GFP_DMA32") || has("__GFP_DMA32") {
        1
    } else if movable {
        4
    } else if highmem {
        3
    } else {
        2
    };
    let order = trigger
        .and_then(|trigger| trigger.order)
        .unwrap_or(0)
        .max(0)
        .unsigned_abs();
    let mems = trigger.and_then(|trigger| trigger.mems_allowed.as_deref());
    let nodemask = trigger.and_then(|trigger| trigger.nodemask.as_deref());
    let allowed = |list: Option<&str>, node: u32| {
        list.is_none_or(|list| node_list::holds(list, node).unwrap_or(true))
    };
    let types = configured_types(system);
    system
        .zones
        .iter()
        .filter(|zone| {
            zone.fields_kib
                .get("managed")
                .or(zone.fields_kib.get("present"))
                .is_none_or(|kib| kib > 0)
        })
        .filter_map(|zone| {
            let own = TYPES.iter().position(|name| *name == zone.name)?;
            let get = |name: &str| zone.fields_kib.get(name).unwrap_or(0);
            // The last try does without it, whatever is asked for: `__alloc_pages_may_oom` gives no ALLOC_CMA.
            let cma_kib = get("free_cma");
            let free_kib = zone
                .fields_kib
                .get("free")?
                .saturating_sub(cma_kib)
                .saturating_sub(get("reserved_highatomic"));
            let usable = |types: &str| {
                types.is_empty()
                    || types.contains(['U', 'M', 'E', 'R'])
                    || (movable && types.contains('C'))
            };
            let blocks = || {
                zone.free_areas
                    .iter()
                    .filter(|area| area.blocks > 0 && usable(&area.migrate_types))
            };
            // What stays free can't be more than there is: a line that lost its end, or a kernel that miscounts, shows nothing.
            let watermark_kib = zone.fields_kib.get("high").or(zone.fields_kib.get("min"))?;
            let present_kib = zone.fields_kib.get("present")?;
            if watermark_kib > present_kib {
                return None;
            }
            let reserve_kib = reserve_pages(zone, own, class, &types).saturating_mul(page_kib);
            let has_block = match by_order {
                true => has_room_in_order(zone, order, free_kib, watermark_kib, reserve_kib),
                false => blocks().any(|area| area.order >= order),
            };
            Some(Checked {
                zone,
                allowed_class: own <= class,
                allowed_node: allowed(mems, zone.node) && allowed(nodemask, zone.node),
                free_kib,
                cma_kib,
                watermark_kib,
                reserve_kib,
                has_block: zone.free_areas.is_empty() || has_block,
                largest_block_kib: blocks().map(|area| area.block_kib).max(),
            })
        })
        .collect()
}

/// Before 4.4 (97a16fc82a7c) a block was not enough: without all smaller ones, a part of the watermark had to be free,
/// half of it for each order (`zone_watermark_ok`, mm/page_alloc.c).
fn has_room_in_order(
    zone: &Zone,
    order: u32,
    free_kib: u64,
    watermark_kib: u64,
    reserve_kib: u64,
) -> bool {
    let mut free_kib = free_kib;
    let mut least_kib = watermark_kib;
    if free_kib <= least_kib.saturating_add(reserve_kib) {
        return false;
    }
    for below in 0..order {
        let areas = zone.free_areas.iter().filter(|area| area.order == below);
        let smaller_kib = areas
            .map(|area| area.blocks.saturating_mul(area.block_kib))
            .fold(0, u64::saturating_add);
        free_kib = free_kib.saturating_sub(smaller_kib);
        least_kib /= 2;
        if free_kib <= least_kib {
            return false;
        }
    }
    true
}

/// What a zone keeps back from an allocation of this class. The list is by zone type as configured; user memory's
/// class is at or near its end, where the reserve is the largest.
fn reserve_pages(zone: &Zone, own: usize, class: usize, types: &[usize]) -> u64 {
    if class <= own {
        return 0;
    }
    let list = &zone.lowmem_reserve_pages;
    let largest = list.iter().copied().max().unwrap_or(0);
    match class {
        4.. => largest,
        // Without CONFIG_HIGHMEM what could go there goes to Normal (`gfp_zone`, include/linux/gfp.h).
        _ => types
            .iter()
            .rposition(|known| *known <= class)
            .and_then(|at| list.get(at).copied())
            .unwrap_or(0),
    }
}

/// The zone types that this kernel has, as far as the zones with memory show. `Normal` is always there.
fn configured_types(system: &SystemMemory) -> Vec<usize> {
    (0..4)
        .filter(|at| {
            *at == 2
                || system
                    .zones
                    .iter()
                    .any(|zone| TYPES.get(*at).is_some_and(|name| *name == zone.name))
        })
        .collect()
}
