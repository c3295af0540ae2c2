//! The words in which a scenario is told: cgroups, a cast of processes, a cue that ends it, and the expected ends.
//! The scenarios themselves are the table in [`table`]. Nothing here runs anything.

pub mod table;

use crate::cgroup::CgroupVersion;

/// Which start of a virtual machine a scenario shares with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Boot {
    /// Kills inside memory cgroups: they leave the machine as it was, so all share one start.
    Memcg,
    /// Kills for the whole machine.
    Machine,
    /// Two NUMA nodes.
    Numa,
    /// Ends in a kernel panic, so what is left is the console's text.
    Panic,
}

impl Boot {
    /// All of them, in the order in which they are started.
    pub const ALL: [Self; 4] = [Self::Memcg, Self::Machine, Self::Numa, Self::Panic];
}

/// A cgroup that the scenario makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// From the root of the hierarchy, with a leading `/`.
    pub path: String,
    /// Memory limit; none when it only holds processes.
    pub limit_mib: Option<u64>,
    /// `memory.oom.group`.
    pub oom_group: bool,
    /// `cpuset.mems`.
    pub mems: Option<u32>,
}

impl Group {
    /// A cgroup without a limit.
    #[must_use]
    pub fn new(path: String) -> Self {
        Self {
            path,
            limit_mib: None,
            oom_group: false,
            mems: None,
        }
    }

    /// The same with a memory limit.
    #[must_use]
    pub fn limit(mut self, mib: u64) -> Self {
        self.limit_mib = Some(mib);
        self
    }
}

/// A process that a scenario starts, or that one of its processes spawns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Player {
    /// How the scenario calls it; also the name of the file that it says its pid to.
    pub role: &'static str,
    /// Its name, at most 15 bytes.
    pub comm: &'static str,
    /// -1000 to 1000.
    pub oom_score_adj: i32,
    /// Path of its cgroup.
    pub group: String,
    /// Steps of `hog` before it tells that it is ready.
    pub before: Vec<String>,
    /// Steps of `hog` after that. `{dir}` stands for the scenario's scratch directory, `{shm}` for its tmpfs.
    pub after: Vec<String>,
    /// Processes that it spawns between the two.
    pub children: Vec<Player>,
    /// Role of another player that has to be gone before this one enters.
    pub enters_after: Option<&'static str>,
}

impl Player {
    /// A process that does nothing, for an hour.
    #[must_use]
    pub fn new(role: &'static str, comm: &'static str, group: &str) -> Self {
        Self {
            role,
            comm,
            oom_score_adj: 0,
            group: group.to_owned(),
            before: Vec::new(),
            after: Vec::new(),
            children: Vec::new(),
            enters_after: None,
        }
    }

    /// With this `oom_score_adj`.
    #[must_use]
    pub fn adj(mut self, oom_score_adj: i32) -> Self {
        self.oom_score_adj = oom_score_adj;
        self
    }

    /// Performs these steps before the next player enters.
    #[must_use]
    pub fn first(mut self, steps: &str) -> Self {
        self.before
            .extend(steps.split_whitespace().map(str::to_owned));
        self
    }

    /// Performs these steps while the scenario waits for its cue.
    #[must_use]
    pub fn then(mut self, steps: &str) -> Self {
        self.after
            .extend(steps.split_whitespace().map(str::to_owned));
        self
    }

    /// Spawns this one too.
    #[must_use]
    pub fn child(mut self, child: Player) -> Self {
        self.children.push(child);
        self
    }

    /// This player and all that it spawns.
    pub fn with_children(&self) -> Vec<&Player> {
        let mut all = vec![self];
        all.extend(self.children.iter().flat_map(Player::with_children));
        all
    }
}

/// What the scenario waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cue {
    /// The player with this role has ended.
    Exit(&'static str),
    /// The file of this name is in the scratch directory.
    Said(&'static str),
    /// Nothing: the shell lines are all there is.
    Nothing,
}

/// How one decision of the kernel must come out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Code of the killer, as in the output contract.
    pub killer: &'static str,
    /// Scope, as in the output contract.
    pub scope: &'static str,
    /// Roles of those who die.
    pub victims: Vec<&'static str>,
    /// Role of the one that asks for memory.
    pub trigger: Option<&'static str>,
    /// Cgroup whose limit is hit.
    pub oom_memcg: Option<String>,
    /// Cgroup of the victim.
    pub task_memcg: Option<String>,
    /// About how much anonymous memory the victim holds then.
    pub anon_mib: Option<u64>,
    /// About how much shared memory is charged then.
    pub shmem_mib: Option<u64>,
}

/// One staged kill, or the staged absence of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// kebab-case; also the name of its fixture.
    pub name: &'static str,
    /// One line: what it shows.
    pub about: &'static str,
    /// Which start of a machine it belongs to.
    pub boot: Boot,
    /// It harms nothing outside its own cgroups, so that it may be staged on the machine that runs the lab.
    pub here_too: bool,
    /// Cgroup versions that have what it needs.
    pub versions: &'static [CgroupVersion],
    /// Made in this order, parents first.
    pub groups: Vec<Group>,
    /// Started in this order.
    pub cast: Vec<Player>,
    /// Shell lines that run once the cast is ready.
    pub shell: Vec<String>,
    /// What it waits for.
    pub cue: Cue,
    /// What must come of it.
    pub endings: Vec<Ending>,
}

impl Scenario {
    /// Limit of the cgroup at `path`.
    #[must_use]
    pub fn limit_mib(&self, path: &str) -> Option<u64> {
        self.groups
            .iter()
            .find(|group| group.path == path)?
            .limit_mib
    }

    /// Everyone on the stage.
    #[must_use]
    pub fn players(&self) -> Vec<&Player> {
        self.cast.iter().flat_map(Player::with_children).collect()
    }
}
