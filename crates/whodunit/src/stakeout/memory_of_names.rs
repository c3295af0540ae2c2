//! Who a sender works for: names of users and sessions, asked once and kept for a moment.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use whodunit_case::fact::{KillSignal, Login};
use whodunit_node::{Root, logins};

/// Users and sessions change; a storm of kills asks for the same one again and again.
const KEPT: Duration = Duration::from_secs(10);
/// Entries kept.
const MOST: usize = 256;

type Asked = (u32, Option<u32>, Option<String>);

pub(super) struct Names {
    known: HashMap<Asked, (Instant, Login)>,
}

impl Names {
    pub(super) fn new() -> Self {
        Self {
            known: HashMap::new(),
        }
    }

    /// The login that the sender is accounted to; without one, the user it runs as.
    pub(super) fn of_sender(&mut self, root: &Root, kill: &KillSignal) -> Option<Login> {
        let sender = &kill.sender;
        if sender.kernel_thread {
            return None;
        }
        let tty = sender
            .tty
            .as_deref()
            .or_else(|| {
                kill.sender_ancestors
                    .iter()
                    .find_map(|one| one.tty.as_deref())
            })
            .map(str::to_owned);
        let uid = sender.login_uid.unwrap_or(sender.uid);
        let asked = (uid, sender.login_session, tty);
        if let Some((when, login)) = self.known.get(&asked)
            && when.elapsed() < KEPT
        {
            return Some(login.clone());
        }
        let login = match sender.login_uid {
            Some(uid) => logins::login(root, uid, sender.login_session, asked.2.as_deref()),
            None => Login {
                uid,
                name: logins::user_name(root, uid),
                tty: asked.2.clone(),
                ..Login::default()
            },
        };
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(asked, (Instant::now(), login.clone()));
        Some(login)
    }
}
