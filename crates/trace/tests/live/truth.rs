//! What /proc says of a process while it lives, and how a fact may differ from it: not at all.

use std::fs;
use std::os::unix::fs::MetadataExt;

use whodunit_case::fact::{Ancestor, Process};

use crate::cgroups;

/// A process, as /proc has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Truth {
    pub(crate) tgid: u32,
    pub(crate) parent: u32,
    /// In ticks of 10 ms since boot.
    pub(crate) start_ticks: u64,
    pub(crate) comm: String,
    /// File name; none for a kernel thread.
    pub(crate) exe: Option<String>,
    pub(crate) arguments: Vec<String>,
    pub(crate) uid: u32,
    /// 4294967295 for none, as /proc says; none without audit.
    pub(crate) login_uid: Option<u32>,
    pub(crate) session: Option<u32>,
    /// None where /proc keeps it to itself: then the program is not known either.
    pub(crate) pid_namespace: Option<u32>,
    pub(crate) namespaced_tgid: u32,
    pub(crate) unified: Option<String>,
    pub(crate) memory: Option<String>,
    pub(crate) tty: u32,
}

impl Truth {
    pub(crate) fn of(pid: u32) -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}"));
        let stat = read("stat").unwrap_or_else(|error| panic!("/proc/{pid}/stat: {error}"));
        let after: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let status = read("status").unwrap();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("/proc/{pid}/status has no {name}"))
                .trim()
        };
        let cmdline = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        let cgroup = read("cgroup").unwrap();
        let place = |of: &dyn Fn(&str) -> bool| {
            cgroup.lines().find_map(|line| {
                let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
                of(controllers).then(|| path.to_owned())
            })
        };
        let namespace = fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let comm = read("comm").unwrap();
        Self {
            tgid: pid,
            parent: after[1].parse().unwrap(),
            start_ticks: after[19].parse().unwrap(),
            comm: comm.strip_suffix('\n').unwrap_or(&comm).to_owned(),
            exe: fs::read_link(format!("/proc/{pid}/exe"))
                .ok()
                .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
                .map(|name| name.trim_end_matches(" (deleted)").to_owned()),
            arguments: String::from_utf8_lossy(&cmdline)
                .split_terminator('\0')
                .map(str::to_owned)
                .collect(),
            uid: field("Uid:").split('\t').nth(1).unwrap().parse().unwrap(),
            login_uid: read("loginuid").ok().map(|uid| uid.trim().parse().unwrap()),
            session: read("sessionid").ok().map(|id| id.trim().parse().unwrap()),
            pid_namespace: namespace.map(|name| {
                let name = name.to_string_lossy().into_owned();
                let number = name.trim_matches(|c: char| !c.is_ascii_digit());
                number.parse().unwrap()
            }),
            namespaced_tgid: field("NStgid:")
                .rsplit('\t')
                .next()
                .unwrap()
                .parse()
                .unwrap(),
            unified: place(&|controllers| controllers.is_empty()),
            memory: place(&|controllers| controllers.split(',').any(|one| one == "memory")),
            tty: after[4].parse().unwrap(),
        }
    }

    /// `pts3`; panics for a terminal of another kind.
    pub(crate) fn terminal(&self) -> Option<String> {
        // include/linux/kdev_t.h: new_encode_dev
        let (major, minor) = (
            self.tty >> 8 & 0xfff,
            self.tty & 0xff | self.tty >> 12 & 0xf_ff00,
        );
        match major {
            0 => None,
            136..=143 => Some(format!("pts{}", (major - 136) * 256 + minor)),
            _ => panic!("terminal {major}:{minor}"),
        }
    }

    /// It and those above it, nearest first, at most `most`, not with itself.
    pub(crate) fn ancestors(&self, most: usize) -> Vec<Truth> {
        let mut all = Vec::new();
        let mut parent = self.parent;
        while parent != 0 && all.len() < most {
            let truth = Truth::of(parent);
            parent = truth.parent;
            all.push(truth);
        }
        all
    }

    /// Panics unless the fact says the same.
    pub(crate) fn hold(&self, who: &str, fact: &Process) {
        assert_eq!(fact.tgid, self.tgid, "{who}: tgid");
        assert_eq!(ticks(fact.start_boot_ns), self.start_ticks, "{who}: start");
        assert_eq!(fact.comm, self.comm, "{who}: comm");
        assert_eq!(fact.exe.as_deref(), self.exe.as_deref(), "{who}: exe");
        assert_eq!(fact.uid, self.uid, "{who}: uid");
        assert_eq!(fact.login_uid, set(self.login_uid), "{who}: login uid");
        assert_eq!(fact.login_session, set(self.session), "{who}: session");
        assert_eq!(
            fact.pid_namespace, self.pid_namespace,
            "{who}: pid namespace"
        );
        assert_eq!(
            fact.namespaced_tgid,
            Some(self.namespaced_tgid),
            "{who}: namespaced tgid"
        );
        assert_eq!(
            fact.tty.as_deref(),
            self.terminal().as_deref(),
            "{who}: terminal"
        );
        assert_eq!(
            fact.cgroups.memory.as_deref(),
            self.memory.as_deref(),
            "{who}: memory cgroup"
        );
        assert_eq!(
            fact.cgroups.unified.as_deref(),
            self.unified.as_deref(),
            "{who}: unified cgroup"
        );
        if let (Some(root), Some(path)) = (cgroups::unified_root(), &self.unified) {
            let directory = root.join(path.trim_start_matches('/'));
            // Gone with its cgroup, in some tests.
            if let Ok(metadata) = fs::metadata(directory) {
                assert_eq!(
                    fact.cgroups.unified_id,
                    Some(metadata.ino()),
                    "{who}: cgroup id"
                );
            }
        }
        assert!(!fact.kernel_thread, "{who}: a kernel thread");
    }

    /// As [`Truth::hold`], and its arguments, of which 256 bytes are read.
    pub(crate) fn hold_with_arguments(&self, who: &str, fact: &Process) {
        self.hold(who, fact);
        let all: String = self.arguments.iter().flat_map(|one| [one, "\0"]).collect();
        let read: Vec<&str> = all
            .get(..256)
            .unwrap_or(&all)
            .split_terminator('\0')
            .collect();
        assert_eq!(fact.arguments, read, "{who}: arguments");
    }
}

/// Panics unless the facts say the same of each.
pub(crate) fn hold_ancestors(who: &str, truth: &[Truth], facts: &[Ancestor]) {
    let told: Vec<_> = facts.iter().map(|fact| fact.tgid).collect();
    let expected: Vec<_> = truth.iter().map(|truth| truth.tgid).collect();
    assert_eq!(told, expected, "{who}: ancestors");
    for (truth, fact) in truth.iter().zip(facts) {
        let who = format!("{who}, ancestor {}", truth.tgid);
        assert_eq!(ticks(fact.start_boot_ns), truth.start_ticks, "{who}: start");
        assert_eq!(fact.comm, truth.comm, "{who}: comm");
        if truth.pid_namespace.is_some() {
            assert_eq!(fact.exe.as_deref(), truth.exe.as_deref(), "{who}: exe");
            assert_eq!(
                fact.pid_namespace, truth.pid_namespace,
                "{who}: pid namespace"
            );
        }
        assert_eq!(fact.uid, truth.uid, "{who}: uid");
        assert_eq!(fact.login_uid, set(truth.login_uid), "{who}: login uid");
        let place = match (&truth.memory, &truth.unified) {
            (Some(memory), _) if memory != "/" => memory,
            (_, Some(unified)) if unified != "/" => unified,
            (memory, unified) => memory.as_ref().or(unified.as_ref()).unwrap(),
        };
        assert_eq!(
            fact.cgroup.as_deref(),
            Some(place.as_str()),
            "{who}: cgroup"
        );
    }
}

fn ticks(boot_ns: u64) -> u64 {
    boot_ns / 10_000_000
}

fn set(id: Option<u32>) -> Option<u32> {
    id.filter(|id| *id != u32::MAX)
}
