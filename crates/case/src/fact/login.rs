//! A person, as far as the machine knows one.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whose login a process belongs to. All text is hostile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Login {
    /// User id that logged in (loginuid), whatever it became by sudo or su since.
    pub uid: u32,
    /// Name of that user in /etc/passwd; null when it is not there (LDAP, a user removed since).
    pub name: Option<String>,
    /// Audit session.
    pub session: Option<u32>,
    /// Terminal of the session: `pts/3`, `tty1`.
    pub tty: Option<String>,
    /// Where the person came from: host name or address as the login program was told.
    pub remote_host: Option<String>,
    /// The same where it is an address.
    pub remote_address: Option<IpAddr>,
    /// What let them in: `sshd`, `login`, `su`, `cron` (logind's Service).
    pub service: Option<String>,
    /// Process that leads the session.
    pub leader_pid: Option<u32>,
}
