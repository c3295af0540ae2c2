//! The memory cgroup in a draft: counters, statistics and their rows.

use smol_str::SmolStr;

use super::{Draft, Stage, Taken};
use crate::cursor::text;
use crate::frame::{Frame, Origin};
use crate::kernel::memcg::{self, CounterKind, StatsLine, Usage, read_inline, read_stat};
use crate::report::{Counter, Memcg, MemcgStats, StatUnit};

impl Draft {
    pub(super) fn take_usage(&mut self, usage: &Usage, frame: &Frame<'_>, number: u64) -> Taken {
        // Sysrq-f is about the machine, never about a cgroup's limit, whose numbers never stand behind the machine's (dump_header).
        let sysrq = self
            .report
            .trigger
            .as_ref()
            .is_some_and(|known| known.order == Some(-1));
        if self.stage >= Stage::Table || sysrq || self.mem_info_seen {
            return Taken::Conflict;
        }
        let known = self
            .report
            .memcg
            .as_ref()
            .is_some_and(|memcg| counter(memcg, usage.kind).line.is_some());
        if known {
            return Taken::Conflict;
        }
        let index = self.enter(Stage::Memory, frame, number);
        *counter_mut(self.memcg(), usage.kind) = Counter {
            usage_kib: Some(usage.usage_kib),
            limit_kib: usage.limit_kib,
            failcnt: usage.failcnt,
            line: Some(index),
        };
        Taken::Yes
    }

    pub(super) fn take_stats(
        &mut self,
        stats: &StatsLine<'_>,
        frame: &Frame<'_>,
        number: u64,
        cut: bool,
    ) -> Taken {
        if self.stage >= Stage::Table {
            return Taken::Conflict;
        }
        // In a file that anybody may have cut, a name with spaces in it is more likely two lines run together than a
        // cgroup's.
        if frame.believed() != Origin::Kernel && stats.path.contains(&b' ') {
            self.stats_open = false;
            return Taken::Foreign;
        }
        let index = self.enter(Stage::Memory, frame, number);
        let inline = !stats.inline.trim_ascii().is_empty();
        let entry = MemcgStats {
            path: Some(stats.path).filter(|path| !path.is_empty()).map(text),
            fields: read_inline(stats.inline, cut),
            unit: if inline {
                StatUnit::KB
            } else {
                StatUnit::Bytes
            },
            line: Some(index),
        };
        self.memcg().stats.push(entry);
        self.stats_open = true;
        Taken::Yes
    }

    /// Whether all of that cgroup may have been killed with the victim, which is in it (`mem_cgroup_get_oom_group`). A path may be
    /// cut.
    pub(super) fn may_be_group(&self, path: &str) -> bool {
        let memcg = self.report.memcg.as_ref();
        let victims = memcg.and_then(|memcg| memcg.victim_path.as_deref());
        victims.is_none_or(|victims| victims.starts_with(path) || path.starts_with(victims))
    }

    /// Whether the line is a row of the open memory.stat.
    pub(super) fn is_next_stat(&self, frame: &Frame<'_>) -> bool {
        if !self.stats_open {
            return false;
        }
        let rows = stat_rows(frame.text, false);
        !rows.is_empty() && !self.has_stat_of(&rows)
    }

    /// Whether the last list of statistics has a row of one of those names.
    fn has_stat_of(&self, rows: &[((SmolStr, u64), StatUnit)]) -> bool {
        let memcg = self.report.memcg.as_ref();
        memcg
            .and_then(|memcg| memcg.stats.last())
            .is_some_and(|known| {
                rows.iter()
                    .any(|((name, _), _)| known.fields.get(name).is_some())
            })
    }

    /// Rows that mean something only behind the line that announces them.
    pub(super) fn take_row_of_open_list(
        &mut self,
        frame: &Frame<'_>,
        number: u64,
        cut: bool,
    ) -> Taken {
        if self.stats_open && self.stage == Stage::Memory && !self.is_paused(frame) {
            let mut rows = stat_rows(frame.text, cut);
            // What a mail program put on the next line is in the unit of the line before.
            let unit = self
                .memcg()
                .stats
                .last()
                .filter(|stats| !stats.fields.is_empty())
                .map(|stats| stats.unit);
            rows.retain(|(_, of_row)| unit.is_none_or(|unit| unit == *of_row));
            // Each name stands once in a list: this row is another's.
            if self.has_stat_of(&rows) {
                return Taken::Conflict;
            }
            if !rows.is_empty() {
                self.keep(frame, number);
                if let Some(stats) = self.memcg().stats.last_mut() {
                    for (row, unit) in rows {
                        if stats.fields.is_empty() {
                            stats.unit = unit;
                        }
                        stats.fields.0.push(row);
                    }
                }
                return Taken::Yes;
            }
        }
        if self.slab_open {
            return self.take_slab_row(frame, number);
        }
        Taken::Foreign
    }
}

/// The rows of memory.stat in one line of a log. 5.3 to 6.4 print the whole file as one record: its line ends come as
/// they are (raw records, the journal) or as `#012` (rsyslog).
fn stat_rows(text: &[u8], cut: bool) -> Vec<((SmolStr, u64), StatUnit)> {
    let mut rows = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let mut rest = line;
        while !rest.is_empty() {
            let end = crate::cursor::find(rest, b"#012");
            let row = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
            rest = end.and_then(|end| rest.get(end + 4..)).unwrap_or_default();
            // The last row of a cut line may have lost digits.
            let whole = !cut || !rest.is_empty();
            if let Some(found) = read_stat(row).filter(|_| whole) {
                rows.push((found, StatUnit::Bytes));
                continue;
            }
            // v1 builds between the two forms print `cache:1234KB` rows.
            let found = memcg::read_inline(row, cut).0;
            let words = row
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty());
            if found.len() == words.count() {
                rows.extend(found.into_iter().map(|row| (row, StatUnit::KB)));
            }
        }
    }
    rows
}

fn counter(memcg: &Memcg, kind: CounterKind) -> &Counter {
    match kind {
        CounterKind::Memory => &memcg.memory,
        CounterKind::MemorySwap => &memcg.memsw,
        CounterKind::Kmem => &memcg.kmem,
        CounterKind::Swap => &memcg.swap,
    }
}

fn counter_mut(memcg: &mut Memcg, kind: CounterKind) -> &mut Counter {
    match kind {
        CounterKind::Memory => &mut memcg.memory,
        CounterKind::MemorySwap => &mut memcg.memsw,
        CounterKind::Kmem => &mut memcg.kmem,
        CounterKind::Swap => &mut memcg.swap,
    }
}
