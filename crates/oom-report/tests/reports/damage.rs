//! What happens to a log on its way to us: lines cut at a column, a beginning that is lost.

/// Behind the escape (`\n`, `\x1b`, `\u001b`, in JSON `\\x1b`) that `at` lies in: half of one looks like any other letters.
pub(crate) fn behind_escape(log: &[u8], at: usize) -> usize {
    let start = log[..at].iter().rposition(|byte| *byte == b'\n');
    let mut end = start.map_or(0, |start| start + 1);
    while end < at
        && let Some(next) = log[end..at].iter().position(|byte| *byte == b'\\')
    {
        let rest = &log[end + next..];
        let length = match (rest.get(1), rest.get(2)) {
            (Some(b'u'), _) => 6,
            (Some(b'\\'), Some(b'x')) => 5,
            (Some(b'x'), _) => 4,
            _ => 2,
        };
        end += next + length;
    }
    at.max(end).min(log.len())
}

/// Cuts a line at a column, as what shows lines on a screen does. Several lines are not shown so.
pub(crate) fn cut(line: &mut Vec<u8>, column: usize, mark: &str) {
    let text = String::from_utf8_lossy(line).into_owned();
    let text = text.trim_end_matches(['\n', '\r']);
    // A mark at the start of a line is that of no program.
    if text.contains('\n') || column < 40 {
        return;
    }
    if let Some((at, _)) = text.char_indices().nth(column) {
        *line = format!("{}{mark}", &text[..at]).into_bytes();
    }
}
