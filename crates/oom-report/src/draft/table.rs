//! Rows of the task table.

use smol_str::SmolStr;

use super::{Draft, Stage, Taken};
use crate::cursor::text;
use crate::frame::{Frame, is_plain};
use crate::kernel::table::Columns;
use crate::report::{Doubt, Task};

/// A row that came before is looked for among the last ones: ascending pids are the usual order.
const LAST_ROWS: usize = 64;

impl Draft {
    /// Takes a row that leaves no question, as [`Draft::take`] would. Nothing happens, and `false` comes back, where there is
    /// one: the columns are not known, the row does not fit them, it came before, or its name has a character that may not be
    /// its own.
    pub(crate) fn take_plain_row(&mut self, frame: &Frame<'_>, number: u64) -> bool {
        let (Stage::Table, Some(columns)) = (self.stage, self.columns.as_ref()) else {
            return false;
        };
        let Ok(row) = std::str::from_utf8(frame.text) else {
            return false;
        };
        // A task is large: it is written where it stays.
        let tasks = &mut self.report.tasks;
        let count = tasks.len();
        tasks.push(Task::default());
        let task = tasks.get_mut(count);
        let pid = task.and_then(|task| {
            task.line = u32::try_from(self.report.text.len()).unwrap_or(u32::MAX);
            let name = columns.read(frame.text, task)?;
            let is_certain = is_plain(name)
                && !name.starts_with(b" ")
                && !name.ends_with(b">")
                && !frame.text.ends_with(b"  ");
            let name = row.get(row.len() - name.len()..).filter(|_| is_certain)?;
            task.comm = SmolStr::new(name);
            Some(task.pid)
        });
        let Some(pid) = pid.filter(|pid| !self.is_listed(*pid)) else {
            self.report.tasks.truncate(count);
            return false;
        };
        self.close_lists();
        self.go_on(frame);
        self.report.text.push(number, row);
        self.pids.push(pid);
        true
    }

    pub(super) fn take_task(&mut self, row: &[u8], frame: &Frame<'_>, number: u64) -> Taken {
        if self.stage > Stage::Table || (self.stage == Stage::Stack && self.columns.is_none()) {
            return Taken::Foreign;
        }
        let guessed = self.columns.is_none();
        let Some(mut columns) = self.columns.or_else(|| Columns::guess(row)) else {
            return Taken::Foreign;
        };
        let index = u32::try_from(self.report.text.len()).unwrap_or(u32::MAX);
        let mut task = Task {
            line: index,
            ..Task::default()
        };
        let Some(name) = columns.read(row, &mut task) else {
            return Taken::Foreign;
        };
        task.comm = text(name);
        // A number in the name: the header lost columns on its way here.
        if task.comm.starts_with(' ')
            && let Some((guess, better)) = columns.guess_better(row, &task)
        {
            (columns, task) = (guess, better);
            self.columns = self.columns.and(Some(guess));
        }
        // The same row again is another report's.
        if self.is_listed(task.pid) {
            return Taken::Conflict;
        }
        if guessed {
            self.report
                .doubts
                .push((Doubt::TableHeaderMissing, Some(index)));
            self.columns = Some(columns);
        }
        self.enter(Stage::Table, frame, number);
        self.pids.push(task.pid);
        self.report.tasks.push(task);
        Taken::Yes
    }

    fn is_listed(&self, pid: u32) -> bool {
        let first = self.pids.len().saturating_sub(LAST_ROWS);
        self.pids
            .get(first..)
            .is_some_and(|last| last.contains(&pid))
    }
}
