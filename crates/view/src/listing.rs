//! A plain table for a terminal: columns as wide as their widest cell, the last one cut at the terminal's width. Cells are
//! escaped here.

use crate::Looks;
use crate::escape::visible;
use crate::terminal::{columns, fit};

/// Least room for the last column, however narrow the terminal is.
const LAST_AT_LEAST: usize = 16;

/// The lines of a table under its headings, without line ends. A row that is longer than the headings loses its rest.
///
/// ```
/// use whodunit_view::{Looks, listing};
///
/// let looks = Looks { width: 24, colored: false, all: false, quiet: false, unicode: true };
/// let rows = [vec!["1".to_owned(), "a name that is too long for this".to_owned()]];
/// assert_eq!(listing(&["n", "name"], &rows, looks), ["n  name", "1  a name that is too l…"]);
/// ```
pub fn listing(headings: &[&str], rows: &[Vec<String>], looks: Looks) -> Vec<String> {
    let escaped = rows
        .iter()
        .map(|row| row.iter().map(|cell| visible(cell).into_owned()).collect());
    let headings: Vec<String> = headings
        .iter()
        .map(|heading| (*heading).to_owned())
        .collect();
    let table: Vec<Vec<String>> = std::iter::once(headings.clone()).chain(escaped).collect();
    let width_of = |column: usize| {
        table
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| columns(cell))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width_of).collect();
    let before_last: usize = widths.iter().rev().skip(1).map(|width| width + 2).sum();
    let room = looks.width.saturating_sub(before_last).max(LAST_AT_LEAST);
    table
        .iter()
        .map(|row| {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if column + 1 == widths.len() {
                    line.push_str(&if looks.all {
                        cell.clone()
                    } else {
                        fit(cell, room, looks.unicode)
                    });
                } else {
                    line.push_str(cell);
                    line.extend(std::iter::repeat_n(
                        ' ',
                        width.saturating_sub(columns(cell)) + 2,
                    ));
                }
            }
            line.trim_end().to_owned()
        })
        .collect()
}
