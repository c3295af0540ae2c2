//! The task table (`dump_tasks`, mm/oom_kill.c): its columns differ by version and are read from its header.

use crate::cursor::{Cursor, contains, text};
use crate::report::Task;

/// One column after the pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Uid,
    Tgid,
    TotalVm,
    Rss,
    RssAnon,
    RssFile,
    RssShmem,
    NrPtes,
    NrPmds,
    NrPuds,
    PgtablesBytes,
    Swapents,
    Cpu,
    OomAdj,
    OomScoreAdj,
    /// A number that no known kernel prints there.
    Unknown,
}

/// Room for the columns of any kernel.
const MOST: usize = 16;

/// The columns between pid and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Columns {
    columns: [Column; MOST],
    count: usize,
}

/// Names as printed. 3.10: `uid tgid total_vm rss nr_ptes swapents oom_score_adj name`; 4.1: + nr_pmds;
/// 4.15: pgtables_bytes for nr_ptes nr_pmds; 6.8: + rss_anon rss_file rss_shmem.
const NAMES: &[(&[u8], Column)] = &[
    (b"uid", Column::Uid),
    (b"tgid", Column::Tgid),
    (b"total_vm", Column::TotalVm),
    (b"rss", Column::Rss),
    (b"rss_anon", Column::RssAnon),
    (b"rss_file", Column::RssFile),
    (b"rss_shmem", Column::RssShmem),
    (b"nr_ptes", Column::NrPtes),
    (b"nr_pmds", Column::NrPmds),
    (b"nr_puds", Column::NrPuds),
    (b"pgtables_bytes", Column::PgtablesBytes),
    (b"swapents", Column::Swapents),
    (b"cpu", Column::Cpu),
    (b"oom_adj", Column::OomAdj),
    (b"oom_score_adj", Column::OomScoreAdj),
];

/// Whether the text is `[ digits ] ...`.
pub(crate) fn is_row(text: &[u8]) -> bool {
    let mut cursor = Cursor(text);
    cursor.eat(b"[") && {
        cursor.spaces();
        cursor.number().is_some() && {
            cursor.spaces();
            cursor.eat(b"] ")
        }
    }
}

/// Reads `[ pid ]   uid  tgid total_vm ... name`.
pub(crate) fn read_header(line: &[u8]) -> Option<Columns> {
    if !contains(line, b"total_vm") {
        return None;
    }
    let mut cursor = Cursor(line);
    cursor.need(b"[")?;
    cursor.spaces();
    cursor.need(b"pid")?;
    cursor.spaces();
    cursor.need(b"] ")?;
    let mut columns = Columns {
        columns: [Column::Unknown; MOST],
        count: 0,
    };
    loop {
        cursor.spaces();
        let word = cursor.word();
        if word == b"name" || word.is_empty() {
            // Without `name` the header is cut and the columns after the cut are not known; without those that every
            // kernel prints, it is damaged.
            let all = [Column::Tgid, Column::TotalVm, Column::Rss]
                .iter()
                .all(|column| columns.columns.contains(column));
            let adjusted = contains(line, b"oom_score_adj") || contains(line, b" oom_adj ");
            return (word == b"name" && all && adjusted).then_some(columns);
        }
        let column = NAMES
            .iter()
            .find(|(name, _)| *name == word)
            .map_or(Column::Unknown, |(_, column)| *column);
        *columns.columns.get_mut(columns.count)? = column;
        columns.count += 1;
    }
}

/// Whether what was taken for a name is a column of numbers and the name behind it.
fn begins_with_number(comm: &str) -> bool {
    let number = comm.trim_start();
    comm.starts_with(' ')
        && number
            .trim_start_matches(|digit: char| digit.is_ascii_digit() || digit == '-')
            .starts_with(' ')
}

impl Columns {
    fn of(list: &[Column]) -> Self {
        let mut columns = Self {
            columns: [Column::Unknown; MOST],
            count: 0,
        };
        for (slot, column) in columns.columns.iter_mut().zip(list) {
            *slot = *column;
            columns.count += 1;
        }
        columns
    }

    /// Reads the numbers of a row by these columns into an empty task, which is then where it stays; gives the name back.
    /// `None` when the row does not fit them.
    #[inline]
    pub(crate) fn read<'a>(&self, row: &'a [u8], task: &mut Task) -> Option<&'a [u8]> {
        let mut cursor = Cursor(row);
        cursor.need(b"[")?;
        cursor.spaces();
        task.pid = cursor.number_u32()?;
        cursor.spaces();
        cursor.need(b"] ")?;
        for column in self.columns.iter().take(self.count) {
            cursor.spaces();
            let value = cursor.signed()?;
            let size = || u64::try_from(value).ok();
            match column {
                Column::Uid => task.uid = u32::try_from(value).ok(),
                Column::Tgid => task.tgid = u32::try_from(value).ok()?,
                Column::TotalVm => task.total_vm_pages = size()?,
                Column::Rss => task.rss_pages = size()?,
                Column::RssAnon => task.rss_anon_pages = size(),
                Column::RssFile => task.rss_file_pages = size(),
                Column::RssShmem => task.rss_shmem_pages = size(),
                Column::NrPtes => task.nr_ptes = size(),
                Column::NrPmds => task.nr_pmds = size(),
                Column::PgtablesBytes => task.pgtables_bytes = size(),
                Column::Swapents => task.swapents_pages = size(),
                Column::Cpu => task.cpu = u32::try_from(value).ok(),
                Column::OomScoreAdj => task.oom_score_adj = i32::try_from(value).ok()?,
                Column::OomAdj | Column::NrPuds | Column::Unknown => {}
            }
        }
        // Exactly one space before the name, which may begin with spaces of its own.
        cursor.need(b" ")?;
        // Padding of a screen or a web page: no name ends with two spaces.
        Some(match cursor.0.ends_with(b"  ") {
            true => cursor.0.trim_ascii_end(),
            false => cursor.0,
        })
    }

    /// Columns told from a row in whose name these leave a number, and what they make of it.
    #[cold]
    #[inline(never)]
    pub(crate) fn guess_better(&self, row: &[u8], task: &Task) -> Option<(Self, Task)> {
        if !begins_with_number(&task.comm) {
            return None;
        }
        let guess = Self::guess(row)?;
        let mut better = Task {
            line: task.line,
            ..Task::default()
        };
        better.comm = text(guess.read(row, &mut better)?);
        (!begins_with_number(&better.comm)).then_some((guess, better))
    }

    /// Columns told from a row, for a table whose header is lost. `None` when the number of columns fits no kernel
    /// or fits two that the numbers do not tell apart.
    pub(crate) fn guess(row: &[u8]) -> Option<Self> {
        use Column::{
            NrPmds, NrPtes, OomScoreAdj, PgtablesBytes, Rss, RssAnon, RssFile, RssShmem, Swapents,
            Tgid, TotalVm, Uid,
        };
        let mut cursor = Cursor(row);
        cursor.until(b"]")?;
        let mut values = [0i64; MOST];
        let mut count = 0;
        loop {
            cursor.spaces();
            let mut ahead = cursor;
            match ahead.signed() {
                Some(value) if matches!(ahead.peek(), Some(b' ')) => {
                    *values.get_mut(count)? = value;
                    count += 1;
                    cursor = ahead;
                }
                _ => break,
            }
        }
        let value = |at: usize| values.get(at).copied().unwrap_or(-1);
        match count {
            10 => {
                // 6.8+: rss is the sum of its three parts.
                (value(3) == value(4) + value(5) + value(6)).then(|| {
                    Self::of(&[
                        Uid,
                        Tgid,
                        TotalVm,
                        Rss,
                        RssAnon,
                        RssFile,
                        RssShmem,
                        PgtablesBytes,
                        Swapents,
                        OomScoreAdj,
                    ])
                })
            }
            8 => Some(Self::of(&[
                Uid,
                Tgid,
                TotalVm,
                Rss,
                NrPtes,
                NrPmds,
                Swapents,
                OomScoreAdj,
            ])),
            7 => {
                // Bytes of page tables are whole pages; a process with 4096 page-table pages or more has over 8 GiB mapped.
                let tables = value(4);
                let bytes = tables >= 4096 && tables % 4096 == 0;
                Some(Self::of(&[
                    Uid,
                    Tgid,
                    TotalVm,
                    Rss,
                    if bytes { PgtablesBytes } else { NrPtes },
                    Swapents,
                    OomScoreAdj,
                ]))
            }
            _ => None,
        }
    }
}
