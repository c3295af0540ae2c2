//! Lists of NUMA nodes as the kernel prints them (`%*pbl`): `0-2,5`.

/// Whether the list holds the node; none when it cannot be read.
pub(crate) fn holds(list: &str, node: u32) -> Option<bool> {
    for part in list.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (u32, u32) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        if (from..=to).contains(&node) {
            return Some(true);
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::holds;

    #[test]
    fn ranges_and_single_nodes_are_read() {
        assert_eq!(holds("0-2,5", 5), Some(true));
        assert_eq!(holds("0-2,5", 4), Some(false));
        assert_eq!(holds("0", 0), Some(true));
        assert_eq!(holds("(null)", 0), None);
        assert_eq!(holds("", 0), None);
    }
}
