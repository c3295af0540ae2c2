//! Live processes as /proc shows them: who a pid is, what it holds, who its parents are. Facts: proc(5) and the cgroup
//! files. A process may end while it is read: what was read till then stands, the rest is `None`.

mod tty;

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use procfs_core::process::{LimitValue, Limits, SmapsRollup, Stat, Status};
use procfs_core::{FromBufRead, FromRead};
use smol_str::SmolStr;
use whodunit_case::fact::{Ancestor, CgroupPaths, CpuLimit, MemoryCounters, Process};

use crate::Root;
use crate::cgroup::{Hierarchies, directory};

/// Bytes of arguments that are kept, as the tracepoints do.
const ARGUMENT_BYTES: usize = 256;
/// The kernel's thread of `flags` (include/linux/sched.h).
const PF_KTHREAD: u32 = 0x0020_0000;
/// On its way out.
const PF_EXITING: u32 = 0x0000_0004;
/// `USER_HZ`: the unit of times in /proc/PID/stat on every architecture that Rust runs on but alpha.
const TICKS_PER_S: u64 = 100;
/// What stands for "nobody" in loginuid and sessionid.
const UNSET: u32 = u32::MAX;

/// A process at the time it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveProcess {
    /// Who. `start_boot_ns` has the precision of /proc: hundredths of a second, rounded down; compare with
    /// [`Process::is_same`].
    pub process: Process,
    /// Parent.
    pub parent_tgid: u32,
    /// `R`, `S`, `D`, `Z` ...
    pub state: char,
    /// What it holds.
    pub memory: MemoryCounters,
    /// `oom_score`: badness as user space sees it, 0 to 2000.
    pub oom_score: Option<u32>,
    /// RLIMIT_CPU, when it has a hard one, and what it used.
    pub cpu_limit: Option<CpuLimit>,
    /// RLIMIT_AS, when it has a soft one.
    pub address_space_limit_kib: Option<u64>,
    /// Its tracer.
    pub tracer_tgid: Option<u32>,
    /// Threads.
    pub threads: Option<u64>,
    /// Id of its session (setsid): the pid of a login shell, mostly.
    pub session_id: u32,
}

/// Reads processes of one machine.
#[derive(Debug, Clone)]
pub struct ProcessReader {
    root: Root,
    hierarchies: Hierarchies,
}

impl ProcessReader {
    /// Of the machine under `root`.
    pub fn new(root: &Root) -> Self {
        Self {
            root: root.clone(),
            hierarchies: Hierarchies::find(root),
        }
    }

    /// The cgroup hierarchies of that machine.
    pub fn hierarchies(&self) -> &Hierarchies {
        &self.hierarchies
    }

    /// Reads one process. `NotFound`: it is gone.
    pub fn read(&self, pid: u32) -> io::Result<LiveProcess> {
        let stat = self.stat(pid)?;
        let status = self.status(pid);
        let cgroups = self.cgroups(pid);
        let flags = stat.flags;
        let limits: Option<Limits> = self
            .bytes(pid, "limits")
            .ok()
            .and_then(|text| Limits::from_buf_read(text.as_slice()).ok());
        let cpu_used_ms = (stat.utime + stat.stime).saturating_mul(1000) / TICKS_PER_S;
        let cpu_limit = limits
            .as_ref()
            .and_then(|limits| match limits.max_cpu_time.hard_limit {
                LimitValue::Value(hard_s) => Some(CpuLimit {
                    hard_s,
                    used_ms: cpu_used_ms,
                }),
                LimitValue::Unlimited => None,
            });
        let address_space_limit_kib =
            limits
                .as_ref()
                .and_then(|limits| match limits.max_address_space.soft_limit {
                    LimitValue::Value(bytes) => Some(bytes >> 10),
                    LimitValue::Unlimited => None,
                });
        let kernel_thread = flags & PF_KTHREAD != 0;
        let process = Process {
            pid,
            tgid: status
                .as_ref()
                .and_then(|status| status.tgid.try_into().ok())
                .unwrap_or(pid),
            start_boot_ns: stat.starttime.saturating_mul(1_000_000_000 / TICKS_PER_S),
            comm: SmolStr::new(&stat.comm),
            exe: self.exe(pid),
            arguments: if kernel_thread {
                Vec::new()
            } else {
                self.arguments(pid)
            },
            uid: status.as_ref().map_or(UNSET, |status| status.euid),
            login_uid: self.audit_id(pid, "loginuid"),
            login_session: self.audit_id(pid, "sessionid"),
            pid_namespace: self.pid_namespace(pid),
            namespaced_tgid: status
                .as_ref()
                .and_then(|status| namespaced(&status.nstgid)),
            cgroups,
            tty: tty::name(stat.tty_nr),
            kernel_thread,
            exiting: flags & PF_EXITING != 0,
        };
        let memory = self.memory(pid, status.as_ref(), &process.cgroups);
        Ok(LiveProcess {
            process,
            parent_tgid: stat.ppid.try_into().unwrap_or(0),
            state: stat.state,
            memory,
            oom_score: self.number(pid, "oom_score"),
            cpu_limit,
            address_space_limit_kib,
            tracer_tgid: status
                .as_ref()
                .and_then(|status| u32::try_from(status.tracerpid).ok())
                .filter(|tracer| *tracer != 0),
            threads: status.as_ref().map(|status| status.threads),
            session_id: stat.session.try_into().unwrap_or(0),
        })
    }

    /// Its parents, nearest first, `most` at most. The list ends early where one is gone.
    pub fn ancestors(&self, pid: u32, most: usize) -> Vec<Ancestor> {
        let mut ancestors = Vec::new();
        let mut next = self.stat(pid).map(|stat| stat.ppid);
        while ancestors.len() < most
            && let Ok(parent) = next
            && let Ok(parent @ 1..) = u32::try_from(parent)
            && let Ok(stat) = self.stat(parent)
        {
            let status = self.status(parent);
            ancestors.push(Ancestor {
                tgid: parent,
                start_boot_ns: stat.starttime.saturating_mul(1_000_000_000 / TICKS_PER_S),
                comm: SmolStr::new(&stat.comm),
                exe: self.exe(parent),
                uid: status.as_ref().map_or(UNSET, |status| status.euid),
                login_uid: self.audit_id(parent, "loginuid"),
                tty: tty::name(stat.tty_nr),
                pid_namespace: self.pid_namespace(parent),
                namespaced_tgid: status
                    .as_ref()
                    .and_then(|status| namespaced(&status.nstgid)),
                cgroup: self.cgroups(parent).path().map(SmolStr::new),
            });
            next = Ok(stat.ppid);
        }
        ancestors
    }

    /// What it holds now, cheaper than [`ProcessReader::read`]: three files.
    pub fn memory_of(&self, pid: u32) -> io::Result<MemoryCounters> {
        let status = self.status(pid).ok_or(ErrorKind::NotFound)?;
        Ok(self.memory(pid, Some(&status), &self.cgroups(pid)))
    }

    /// Proportional set size, KiB: shared pages divided among those that share them. Walks the page tables, which
    /// takes milliseconds for gigabytes: not for the moment of a kill.
    pub fn proportional_kib(&self, pid: u32) -> Option<u64> {
        let text = self.bytes(pid, "smaps_rollup").ok()?;
        let rollup = SmapsRollup::from_buf_read(text.as_slice()).ok()?;
        let map = rollup.memory_map_rollup.0.first()?;
        map.extension.map.get("Pss").map(|bytes| bytes >> 10)
    }

    /// Every pid there is: grows with their number, so never while nothing happens.
    pub fn pids(&self) -> Vec<u32> {
        let entries = std::fs::read_dir(self.root.join("/proc"));
        entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    }

    /// Where it is in the cgroup hierarchies, as the machine's own cgroup namespace shows it.
    pub fn cgroups(&self, pid: u32) -> CgroupPaths {
        let mut paths = CgroupPaths::default();
        let text = self.bytes(pid, "cgroup").unwrap_or_default();
        // hierarchy-ID:controller-list:path; a path may hold colons, and lines never a newline (it is escaped).
        for line in String::from_utf8_lossy(&text).lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
                continue;
            };
            if controllers.is_empty() {
                paths.unified = Some(SmolStr::new(path));
            } else if controllers.split(',').any(|name| name == "memory") {
                paths.memory = Some(SmolStr::new(path));
            }
        }
        paths.unified_id = paths
            .unified
            .as_deref()
            .and_then(|path| directory(self.hierarchies.unified.as_deref()?, path))
            .and_then(|directory| std::fs::metadata(directory).ok())
            .map(|metadata| std::os::unix::fs::MetadataExt::ino(&metadata));
        paths
    }

    fn memory(&self, pid: u32, status: Option<&Status>, cgroups: &CgroupPaths) -> MemoryCounters {
        let (memcg_usage_kib, memcg_limit_kib) = self
            .hierarchies
            .memory_path(cgroups)
            .map_or((None, None), |path| {
                self.hierarchies.usage_and_limit_kib(path)
            });
        MemoryCounters {
            total_vm_kib: status.and_then(|status| status.vmsize),
            anon_rss_kib: status.and_then(|status| status.rssanon),
            file_rss_kib: status.and_then(|status| status.rssfile),
            shmem_rss_kib: status.and_then(|status| status.rssshmem),
            swap_kib: status.and_then(|status| status.vmswap),
            pgtables_kib: status.and_then(|status| status.vmpte),
            max_rss_kib: status.and_then(|status| status.vmhwm),
            oom_score_adj: self.number(pid, "oom_score_adj"),
            memcg_usage_kib,
            memcg_limit_kib,
            memcg_full_level: None,
            memcg_group_level: None,
        }
    }

    fn stat(&self, pid: u32) -> io::Result<Stat> {
        let text = self.bytes(pid, "stat")?;
        // The reader takes the form `pid (comm) ...` for granted.
        let opens = text.iter().position(|byte| *byte == b'(');
        let closes = text.iter().rposition(|byte| *byte == b')');
        let whole = opens
            .zip(closes)
            .is_some_and(|(opens, closes)| opens > 0 && opens < closes && closes + 2 < text.len());
        if !whole {
            return Err(ErrorKind::InvalidData.into());
        }
        Stat::from_read(text.as_slice())
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))
    }

    fn status(&self, pid: u32) -> Option<Status> {
        let text = self.bytes(pid, "status").ok()?;
        // A name that is no UTF-8 must not hide the rest.
        let text = String::from_utf8_lossy(&text);
        Status::from_buf_read(text.as_bytes()).ok()
    }

    fn exe(&self, pid: u32) -> Option<SmolStr> {
        let target = std::fs::read_link(self.path(pid, "exe")).ok()?;
        let target = target.to_string_lossy();
        let target = target.strip_suffix(" (deleted)").unwrap_or(&target);
        let name = target.rsplit('/').next()?;
        (!name.is_empty()).then(|| SmolStr::new(name))
    }

    fn arguments(&self, pid: u32) -> Vec<SmolStr> {
        use io::Read as _;
        let mut text = Vec::new();
        let read = std::fs::File::open(self.path(pid, "cmdline"))
            .and_then(|file| file.take(ARGUMENT_BYTES as u64).read_to_end(&mut text));
        if read.is_err() || text.is_empty() {
            return Vec::new();
        }
        let whole = text.strip_suffix(b"\0").unwrap_or(&text);
        whole
            .split(|byte| *byte == 0)
            .map(|argument| SmolStr::from(String::from_utf8_lossy(argument)))
            .collect()
    }

    fn pid_namespace(&self, pid: u32) -> Option<u32> {
        let target = std::fs::read_link(self.path(pid, "ns/pid")).ok()?;
        let target = target.to_str()?;
        target
            .strip_prefix("pid:[")?
            .strip_suffix(']')?
            .parse()
            .ok()
    }

    fn audit_id(&self, pid: u32, file: &str) -> Option<u32> {
        self.number(pid, file).filter(|id| *id != UNSET)
    }

    fn number<T: std::str::FromStr>(&self, pid: u32, file: &str) -> Option<T> {
        let text = std::fs::read_to_string(self.path(pid, file)).ok()?;
        text.trim().parse().ok()
    }

    /// A process that ended after its directory was found gives ESRCH: it is gone as well.
    fn bytes(&self, pid: u32, file: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.path(pid, file)).map_err(|error| match error.raw_os_error() {
            Some(libc::ESRCH) => ErrorKind::NotFound.into(),
            _ => error,
        })
    }

    fn path(&self, pid: u32, file: &str) -> PathBuf {
        self.root.join(&format!("/proc/{pid}/{file}"))
    }
}
/// The id in the innermost namespace: the last of `NStgid`.
fn namespaced(ids: &Option<Vec<i32>>) -> Option<u32> {
    u32::try_from(*ids.as_ref()?.last()?).ok()
}
