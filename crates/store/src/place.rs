//! Where the store lies when nobody says otherwise. Pure: the user, the flag and the environment are handed in.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment variable that names the file.
pub const ENVIRONMENT: &str = "WHODUNIT_STORE";

/// Root's file, which the agent writes.
pub const SYSTEM_PATH: &str = "/var/lib/whodunit/incidents.db";

/// The file to use: the flag, else `WHODUNIT_STORE`, else for root (uid 0) [`SYSTEM_PATH`], else
/// `$XDG_STATE_HOME/whodunit/incidents.db`, else `~/.local/state/whodunit/incidents.db`. None when no home is known.
/// Empty variables count as not set, and so does a relative `XDG_STATE_HOME` or `HOME` (XDG Base Directory
/// Specification).
///
/// ```
/// use std::path::{Path, PathBuf};
/// use whodunit_store::default_path;
///
/// let env = |name: &str| (name == "HOME").then(|| "/home/ada".into());
/// assert_eq!(default_path(None, 1000, env), Some("/home/ada/.local/state/whodunit/incidents.db".into()));
/// assert_eq!(default_path(None, 0, env), Some("/var/lib/whodunit/incidents.db".into()));
/// assert_eq!(default_path(Some(Path::new("here.db")), 0, env), Some("here.db".into()));
/// ```
pub fn default_path(
    flag: Option<&Path>,
    uid: u32,
    environment: impl Fn(&str) -> Option<OsString>,
) -> Option<PathBuf> {
    let set = |name: &str| {
        let value = environment(name).filter(|value| !value.is_empty());
        value.map(PathBuf::from)
    };
    if let Some(path) = flag.map(Path::to_owned).or_else(|| set(ENVIRONMENT)) {
        return Some(path);
    }
    if uid == 0 {
        return Some(SYSTEM_PATH.into());
    }
    let absolute = |name: &str| set(name).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("whodunit/incidents.db"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_set_wins() {
        const ALL: &[(&str, &str)] = &[
            ("WHODUNIT_STORE", "/e/s.db"),
            ("XDG_STATE_HOME", "/x"),
            ("HOME", "/h"),
        ];
        type Case = (
            Option<&'static str>,
            u32,
            &'static [(&'static str, &'static str)],
            Option<&'static str>,
        );
        let cases: &[Case] = &[
            (Some("f.db"), 1000, ALL, Some("f.db")),
            (None, 0, ALL, Some("/e/s.db")),
            (None, 1000, ALL, Some("/e/s.db")),
            (None, 0, &[("XDG_STATE_HOME", "/x")], Some(SYSTEM_PATH)),
            (None, 0, &[("WHODUNIT_STORE", "")], Some(SYSTEM_PATH)),
            (
                None,
                1000,
                &[("XDG_STATE_HOME", "/x"), ("HOME", "/h")],
                Some("/x/whodunit/incidents.db"),
            ),
            (
                None,
                1000,
                &[("XDG_STATE_HOME", "x"), ("HOME", "/h")],
                Some("/h/.local/state/whodunit/incidents.db"),
            ),
            (
                None,
                1000,
                &[("HOME", "/h")],
                Some("/h/.local/state/whodunit/incidents.db"),
            ),
            (None, 1000, &[("HOME", "")], None),
            (None, 1000, &[("HOME", "h")], None),
            (None, 1000, &[], None),
        ];
        for (flag, uid, environment, expected) in cases {
            let get = |name: &str| {
                let found = environment.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| OsString::from(value))
            };
            let path = default_path(flag.map(Path::new), *uid, get);
            assert_eq!(
                path.as_deref(),
                expected.map(Path::new),
                "{flag:?} {uid} {environment:?}"
            );
        }
    }
}
