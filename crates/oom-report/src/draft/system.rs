//! The machine's memory in a draft: `Mem-Info`, nodes, zones, free lists, slabs.

use super::{Draft, Stage, Taken};
use crate::cursor::text;
use crate::frame::Frame;
use crate::kernel::show_mem::{self, ShowMemLine};
use crate::report::{HugePages, NodeMemory, Slab, SystemMemory, Zone};

impl Draft {
    pub(super) fn take_show_mem(
        &mut self,
        line: &ShowMemLine<'_>,
        frame: &Frame<'_>,
        number: u64,
        cut: bool,
    ) -> Taken {
        if self.stage > Stage::Memory {
            return if *line == ShowMemLine::Start {
                Taken::Conflict
            } else {
                Taken::Foreign
            };
        }
        if *line == ShowMemLine::Start {
            if self.mem_info_seen {
                return Taken::Conflict;
            }
            self.mem_info_seen = true;
        }
        let index = self.enter(Stage::Memory, frame, number);
        let system = self.report.system.get_or_insert_with(SystemMemory::default);
        match line {
            ShowMemLine::Start => system.line = Some(index),
            ShowMemLine::Counters(fields) => {
                let fields = show_mem::fields(fields, b"", cut);
                system.mem_info.0.extend(fields.0);
                self.counters_open = true;
            }
            ShowMemLine::Node { node, fields } => system.nodes.push(NodeMemory {
                node: *node,
                fields_kib: show_mem::fields(fields, b"kB", cut),
                all_unreclaimable: show_mem::all_unreclaimable(fields),
                line: index,
            }),
            ShowMemLine::Zone { node, name, fields } => system.zones.push(Zone {
                node: *node,
                name: text(name),
                fields_kib: show_mem::fields(fields, b"kB", cut),
                line: Some(index),
                ..Zone::default()
            }),
            ShowMemLine::LowmemReserve(reserve) => {
                if let Some(zone) = system.zones.last_mut().filter(|_| !cut) {
                    zone.lowmem_reserve_pages = show_mem::reserve(reserve);
                }
            }
            ShowMemLine::FreeAreas { node, name, areas } => {
                let free_areas = show_mem::free_areas(areas);
                let known = system
                    .zones
                    .iter_mut()
                    .find(|zone| zone.node == *node && zone.name.as_bytes() == *name);
                match known {
                    Some(zone) => {
                        zone.free_areas = free_areas;
                        zone.free_areas_line = Some(index);
                    }
                    None => system.zones.push(Zone {
                        node: *node,
                        name: text(name),
                        free_areas,
                        free_areas_line: Some(index),
                        ..Zone::default()
                    }),
                }
            }
            ShowMemLine::HugePages {
                node,
                total,
                free,
                size_kib,
            } => {
                system.huge_pages.push(HugePages {
                    node: *node,
                    total: *total,
                    free: *free,
                    size_kib: *size_kib,
                });
            }
            ShowMemLine::Pages { pages, key } => system.mem_info.0.push(((*key).into(), *pages)),
            ShowMemLine::SwapFree(kib) => {
                system.swap_free_kib = Some(*kib);
                system.swap_line = Some(index);
            }
            ShowMemLine::SwapBelowZero => system.swap_below_zero_line = Some(index),
            ShowMemLine::SwapTotal(kib) => {
                system.swap_total_kib = Some(*kib);
                system.swap_line = Some(index);
            }
            ShowMemLine::SlabStart | ShowMemLine::SlabHeader => self.slab_open = true,
            ShowMemLine::SwapCacheStats | ShowMemLine::PerCpu => {}
        }
        Taken::Yes
    }

    /// A row of `Unreclaimable slab info`.
    pub(super) fn take_slab_row(&mut self, frame: &Frame<'_>, number: u64) -> Taken {
        let Some((name, used_kib, total_kib)) = show_mem::slab_row(frame.text) else {
            return Taken::Foreign;
        };
        self.keep(frame, number);
        if let Some(system) = self.report.system.as_mut() {
            system.slab.push(Slab {
                name,
                used_kib,
                total_kib,
            });
        }
        Taken::Yes
    }
}
