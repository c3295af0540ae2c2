//! Any text as the path of a cgroup.

use whodunit_case::cgroup_path::{CgroupOwner, is_same_or_below, short_id};

/// What the path says, without the places in it.
fn said(owner: &CgroupOwner) -> impl PartialEq + std::fmt::Debug {
    (
        (
            owner.level,
            owner.qos_class,
            owner.pod_uid.clone(),
            owner.container_id.clone(),
            owner.container_name.clone(),
            owner.runtime,
        ),
        (
            owner.below_container,
            owner.outer_container_id.clone(),
            owner.task_name.clone(),
            owner.unit.clone(),
            owner.session_uid,
            owner.kubernetes,
        ),
    )
}

/// Reads a path.
///
/// # Panics
/// When what it says contradicts itself.
pub fn holds(path: &str) {
    let owner = CgroupOwner::of(path);
    let words = owner.level_in_words();
    assert!(!words.is_empty());
    // Names of units come unescaped: four bytes of path (`\x2d`) become one, and no byte more than one replacement.
    let most = 64 + 4 * path.len();
    assert!(words.len() <= most, "{words}");
    if let Some(words) = owner.owner_in_words() {
        assert!(!words.is_empty() && words.len() <= most, "{words}");
    }
    if let Some(id) = &owner.container_id {
        assert!(id.starts_with(short_id(id)));
        assert!(path.contains(id.as_str()), "{id} is not in the path");
    }
    let parts = [owner.container_path(path), owner.pod_path(path)];
    for part in parts.into_iter().flatten() {
        assert!(is_same_or_below(path, part), "{part}");
        assert!(path.starts_with(part));
    }
    // Neither says anything.
    for same in [
        format!("{path}/"),
        path.replace('/', "//"),
        path.replace('/', "/./"),
    ] {
        assert_eq!(said(&CgroupOwner::of(&same)), said(&owner), "{same}");
    }
}
