//! People, as far as the machine knows them: names of users, and where a login session came from. Facts: /etc/passwd,
//! logind's /run/systemd/sessions (sd-login's own source), utmp. Asks no name service.

use std::collections::HashMap;
use std::net::IpAddr;

use utmp_rs::{UtmpEntry, UtmpParser};
use whodunit_case::fact::Login;

use crate::Root;

/// Places of utmp: the newer first.
const UTMP: [&str; 2] = ["/run/utmp", "/var/run/utmp"];
/// Longest /etc/passwd that is read.
const PASSWD_BYTES: u64 = 16 * 1024 * 1024;

/// The name of a user; `None` when /etc/passwd has none.
pub fn user_name(root: &Root, uid: u32) -> Option<String> {
    use std::io::Read as _;
    let mut text = Vec::new();
    std::fs::File::open(root.join("/etc/passwd"))
        .ok()?
        .take(PASSWD_BYTES)
        .read_to_end(&mut text)
        .ok()?;
    String::from_utf8_lossy(&text).lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

/// Who logged in as `login_uid` (see `Process::login_uid`), in the audit session `session`, and from where.
/// `tty` is the terminal of the process, as `Process::tty` has it, for machines without logind.
pub fn login(root: &Root, login_uid: u32, session: Option<u32>, tty: Option<&str>) -> Login {
    let mut login = Login {
        uid: login_uid,
        name: user_name(root, login_uid),
        session,
        ..Login::default()
    };
    let found = session.is_some_and(|session| of_logind(root, session, &mut login))
        || of_utmp(root, session, tty, &mut login);
    if !found || login.tty.is_none() {
        login.tty = login.tty.take().or_else(|| tty.map(str::to_owned));
    }
    login.remote_address = login
        .remote_host
        .as_deref()
        .and_then(|host| host.parse::<IpAddr>().ok());
    login
}

/// logind names a session by its audit session where there is one. The file is `KEY=value`, one a line, values
/// escaped as in C; "This is private data. Do not parse." is its first line, and sd_session_get_tty(3) and its kin are
/// no more than readers of it.
fn of_logind(root: &Root, session: u32, login: &mut Login) -> bool {
    let path = root.join(&format!("/run/systemd/sessions/{session}"));
    let Ok(text) = std::fs::read_to_string(path) else {
        return false;
    };
    let fields: HashMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    // A session that took the number of another boot's is another person's.
    if fields
        .get("UID")
        .is_some_and(|uid| uid.parse() != Ok(login.uid))
    {
        return false;
    }
    let field = |name: &str| {
        let value = fields.get(name)?.trim_matches('"');
        (!value.is_empty()).then(|| value.to_owned())
    };
    login.tty = field("TTY").map(|tty| tty.trim_start_matches("/dev/").to_owned());
    login.remote_host = field("REMOTE_HOST");
    login.service = field("SERVICE");
    login.leader_pid = field("LEADER").and_then(|pid| pid.parse().ok());
    login.name = login.name.take().or_else(|| field("USER"));
    true
}

/// utmp knows terminals and pids. The pid's audit session tells the right one; a terminal alone is right as long as
/// the session lives.
fn of_utmp(root: &Root, session: Option<u32>, tty: Option<&str>, login: &mut Login) -> bool {
    let entries = UTMP
        .iter()
        .find_map(|path| UtmpParser::from_path(root.join(path)).ok());
    let Some(entries) = entries else { return false };
    let same_tty =
        |line: &str| tty.is_some_and(|tty| line.replace('/', "") == tty.replace('/', ""));
    let session_of = |pid: i32| -> Option<u32> {
        let text = std::fs::read_to_string(root.join(&format!("/proc/{pid}/sessionid"))).ok()?;
        text.trim().parse().ok()
    };
    let mut best: Option<(u8, i32, String, String, String)> = None;
    for entry in entries {
        // A record with a name that is no UTF-8 hides no other.
        let Ok(UtmpEntry::UserProcess {
            pid,
            line,
            user,
            host,
            ..
        }) = entry
        else {
            continue;
        };
        let rank = if session.is_some() && session_of(pid) == session {
            2
        } else if same_tty(&line) {
            1
        } else {
            continue;
        };
        if best.as_ref().is_none_or(|(known, ..)| rank > *known) {
            best = Some((rank, pid, line, user, host));
        }
    }
    let Some((_, pid, line, user, host)) = best else {
        return false;
    };
    login.tty = (!line.is_empty()).then_some(line);
    login.remote_host = (!host.is_empty() && !host.starts_with(':')).then_some(host);
    login.leader_pid = u32::try_from(pid).ok();
    login.name = login
        .name
        .take()
        .or(Some(user).filter(|user| !user.is_empty()));
    true
}
