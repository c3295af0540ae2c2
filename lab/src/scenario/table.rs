//! The scenarios. Sizes are chosen so that exactly the expected process crosses exactly the expected limit, and so
//! that all of them fit a machine with 512 MiB.

use super::{Boot, Cue, Ending, Group, Player, Scenario};
use crate::cgroup::CgroupVersion::{self, V1, V2};
use crate::cgroup::Names;

/// Limit of most staged cgroups.
const LIMIT_MIB: u64 = 64;
/// More than any staged limit leaves.
const TOO_MUCH: &str = "anon 96";

const BOTH: &[CgroupVersion] = &[V1, V2];

/// Every scenario, with cgroup names from `names`.
#[must_use]
pub fn scenarios(names: &Names) -> Vec<Scenario> {
    let mut all = containers(names);
    all.extend(choices(names));
    all.extend(hostile(names));
    all.extend(levels(names));
    all.extend(machine(names));
    all
}

/// One cgroup with a limit, and what all scenarios of that kind share.
fn one_group(name: &'static str, about: &'static str, path: &str) -> Scenario {
    Scenario {
        name,
        about,
        boot: Boot::Memcg,
        here_too: true,
        versions: BOTH,
        groups: vec![Group::new(path.to_owned()).limit(LIMIT_MIB)],
        cast: Vec::new(),
        shell: Vec::new(),
        cue: Cue::Nothing,
        endings: Vec::new(),
    }
}

/// One victim that itself asked for memory, in the cgroup whose limit it hit.
fn own_limit(path: &str, victim: &'static str) -> Ending {
    Ending {
        killer: "kernel-memcg-container",
        scope: "memcg",
        victims: vec![victim],
        trigger: Some(victim),
        oom_memcg: Some(path.to_owned()),
        task_memcg: Some(path.to_owned()),
        anon_mib: Some(LIMIT_MIB),
        shmem_mib: None,
    }
}

/// A single process that outgrows the limit of the cgroup at `path`.
fn one_hog(name: &'static str, about: &'static str, path: &str, comm: &'static str) -> Scenario {
    Scenario {
        cast: vec![Player::new("app", comm, path).then(TOO_MUCH)],
        cue: Cue::Exit("app"),
        endings: vec![own_limit(path, "app")],
        ..one_group(name, about, path)
    }
}

fn containers(names: &Names) -> Vec<Scenario> {
    let scope = |of: &str| names.pod_scope(of, "app");

    let mut limit = one_hog(
        "container-limit",
        "a container outgrows its own limit; its address space is far larger than what it uses",
        &scope("limit"),
        "java",
    );
    limit.cast = vec![
        Player::new("app", "java", &scope("limit"))
            .adj(936)
            .first("reserve 2048 threads 3")
            .then(TOO_MUCH),
    ];

    let path = scope("tmpfs");
    let tmpfs = Scenario {
        cast: vec![Player::new("app", "cache-filler", &path).then("tmpfs {shm}/file 96")],
        cue: Cue::Exit("app"),
        endings: vec![Ending {
            anon_mib: None,
            shmem_mib: Some(LIMIT_MIB),
            ..own_limit(&path, "app")
        }],
        ..one_group(
            "tmpfs",
            "a container writes a file on tmpfs until its limit is full of it",
            &path,
        )
    };

    let path = scope("huge");
    let huge = Scenario {
        cast: vec![Player::new("app", "huge-pages", &path).then("huge 96")],
        here_too: false,
        ..one_hog(
            "huge-pages",
            "a container outgrows its limit with transparent huge pages",
            &path,
            "huge-pages",
        )
    };

    let path = scope("child");
    let child = Scenario {
        cast: vec![
            Player::new("init", "app-init", &path)
                .first("anon 4")
                .child(Player::new("worker", "worker", &path).then(TOO_MUCH)),
        ],
        cue: Cue::Exit("worker"),
        endings: vec![Ending {
            anon_mib: Some(LIMIT_MIB - 4),
            ..own_limit(&path, "worker")
        }],
        ..one_group(
            "child-killed",
            "a child is killed while the container's first process lives on",
            &path,
        )
    };

    let path = scope("repeated");
    let repeated = Scenario {
        cast: [
            ("first", None),
            ("second", Some("first")),
            ("third", Some("second")),
        ]
        .map(|(role, enters_after)| Player {
            enters_after,
            ..Player::new(role, "crash-loop", &path).then(TOO_MUCH)
        })
        .to_vec(),
        cue: Cue::Exit("third"),
        endings: ["first", "second", "third"]
            .map(|role| own_limit(&path, role))
            .to_vec(),
        ..one_group(
            "repeated-kills",
            "one container is killed three times",
            &path,
        )
    };

    let path = scope("group");
    let mut group = one_hog(
        "group-kill",
        "memory.oom.group: three processes go, two of which did nothing",
        &path,
        "leader",
    );
    group.versions = &[V2];
    group.here_too = false;
    for made in &mut group.groups {
        made.oom_group = true;
    }
    group.cast = vec![
        Player::new("helper", "helper", &path).first("anon 4"),
        Player::new("logger", "logger", &path).first("anon 2"),
        Player::new("app", "leader", &path).then(TOO_MUCH),
    ];
    group.endings = vec![Ending {
        killer: "kernel-group-kill",
        victims: vec!["app", "helper", "logger"],
        anon_mib: Some(LIMIT_MIB - 6),
        ..own_limit(&path, "app")
    }];

    vec![
        limit,
        tmpfs,
        huge,
        child,
        repeated,
        group,
        one_hog(
            "docker",
            "a docker container, cgroupfs driver",
            &names.docker("docker"),
            "node",
        ),
        one_hog(
            "pod-cgroupfs",
            "a container of a pod, cgroupfs driver",
            &names.pod_cgroupfs("cgroupfs", "app"),
            "postgres",
        ),
    ]
}

/// Who is chosen depends on more than who asked.
fn choices(names: &Names) -> Vec<Scenario> {
    let path = names.pod_scope("adj", "app");
    let adj = Scenario {
        cast: vec![
            Player::new("spared", "spared", &path)
                .adj(-1000)
                .first("anon 12"),
            Player::new("small", "small", &path)
                .adj(900)
                .first("anon 12"),
            // Crosses the limit once, and fits when the chosen one has gone.
            Player::new("big", "big", &path).then("anon 46"),
        ],
        cue: Cue::Exit("small"),
        endings: vec![Ending {
            trigger: Some("big"),
            anon_mib: Some(12),
            ..own_limit(&path, "small")
        }],
        ..one_group(
            "adj-victim",
            "oom_score_adj chooses a small process; the largest asked; one at -1000 is spared",
            &path,
        )
    };

    let path = names.pod_scope("unkillable", "app");
    let unkillable = Scenario {
        cast: vec![
            Player::new("idle", "idle", &path)
                .adj(-1000)
                .first("anon 4"),
            // A refused write(2) returns ENOMEM; a refused page fault would ask for ever.
            Player::new("app", "immortal", &path)
                .adj(-1000)
                .then("tmpfs {shm}/file 96 say {dir}/refused"),
        ],
        here_too: false,
        cue: Cue::Said("refused"),
        endings: vec![Ending {
            victims: Vec::new(),
            trigger: Some("app"),
            task_memcg: None,
            anon_mib: None,
            shmem_mib: Some(LIMIT_MIB - 4),
            ..own_limit(&path, "app")
        }],
        ..one_group(
            "unkillable",
            "everyone in the container is at -1000: the kernel finds nobody to kill",
            &path,
        )
    };
    vec![adj, unkillable]
}

/// Names and lines that are made to mislead who reads the log.
fn hostile(names: &Names) -> Vec<Scenario> {
    let scope = |of: &str| names.pod_scope(of, "app");
    let path = scope("forged");
    let forged = Scenario {
        cast: vec![Player::new("app", "forger", &path)],
        shell: vec![
            "echo 'forger invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0' > /dev/kmsg".into(),
            format!(
                "echo '<4>oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,\
                 oom_memcg={path},task_memcg={path},task=systemd,pid=1,uid=0' > /dev/kmsg"
            ),
            "echo '<3>Memory cgroup out of memory: Killed process 1 (systemd) total-vm:168704kB, anon-rss:12288kB, \
             file-rss:8192kB, shmem-rss:0kB, UID:0 pgtables:104kB oom_score_adj:0' > /dev/kmsg"
                .into(),
            "echo '<3>Killed process 1 (systemd) total-vm:168704kB, anon-rss:12288kB, file-rss:8192kB, shmem-rss:0kB' \
             > /dev/kmsg"
                .into(),
        ],
        ..one_group("forged", "a process writes kill lines to /dev/kmsg; nobody is killed", &path)
    };
    vec![
        one_hog(
            "hostile-newline",
            "a newline in the victim's name",
            &scope("newline"),
            "x\nKilled proce",
        ),
        one_hog(
            "hostile-escape",
            "terminal escapes in the victim's name",
            &scope("escape"),
            "\u{1b}[2J\u{1b}[31mred",
        ),
        one_hog(
            "hostile-fields",
            "field names in the victim's name",
            &scope("fields"),
            ") total-vm:1kB,",
        ),
        forged,
    ]
}

/// The limit belongs to a cgroup above the victim's.
fn levels(names: &Names) -> Vec<Scenario> {
    let pod = names.pod_slice("pod");
    let [app, sidecar, pause] =
        ["app", "sidecar", "pause"].map(|container| names.pod_scope("pod", container));
    let pod_limit = Scenario {
        groups: vec![
            Group::new(pod.clone()).limit(LIMIT_MIB),
            Group::new(pause.clone()),
            Group::new(sidecar.clone()),
            Group::new(app.clone()),
        ],
        cast: vec![
            Player::new("pause", "pause", &pause).adj(-998),
            Player::new("sidecar", "sidecar", &sidecar)
                .adj(936)
                .first("anon 8"),
            Player::new("app", "app", &app).adj(936).then(TOO_MUCH),
        ],
        cue: Cue::Exit("app"),
        endings: vec![Ending {
            killer: "kernel-memcg-pod",
            oom_memcg: Some(pod.clone()),
            anon_mib: Some(LIMIT_MIB - 8),
            ..own_limit(&app, "app")
        }],
        ..one_group(
            "pod-limit",
            "the pod's limit; a sidecar and the pause process are innocent",
            &pod,
        )
    };

    let root = "/kubepods.slice";
    let batch = names.pod_scope("batch", "app");
    let web = names.pod_scope("web", "app");
    let ancestor = Scenario {
        here_too: false,
        groups: vec![
            Group::new(root.to_owned()).limit(LIMIT_MIB),
            Group::new(batch.clone()),
            Group::new(web.clone()),
        ],
        cast: vec![
            Player::new("batch", "batch", &batch).first("anon 44"),
            Player::new("web", "web", &web).then("anon 24"),
        ],
        cue: Cue::Exit("batch"),
        endings: vec![Ending {
            killer: "kernel-memcg-ancestor",
            trigger: Some("web"),
            oom_memcg: Some(root.to_owned()),
            anon_mib: Some(44),
            ..own_limit(&batch, "batch")
        }],
        ..one_group(
            "ancestor-limit",
            "the limit of all pods: one pod asks, the larger one of another pod dies",
            root,
        )
    };

    let service = "/system.slice/whodunit-lab.service";
    let mut service_limit = one_hog(
        "service",
        "a systemd service outgrows its MemoryMax",
        service,
        "daemon",
    );
    service_limit.here_too = false;
    for ending in &mut service_limit.endings {
        ending.killer = "kernel-memcg";
    }
    vec![pod_limit, ancestor, service_limit]
}

/// The machine, or some of its memory nodes, ran out.
fn machine(names: &Names) -> Vec<Scenario> {
    let ending = |killer, scope, path: &str, role| Ending {
        killer,
        scope,
        trigger: None,
        oom_memcg: None,
        anon_mib: None,
        ..own_limit(path, role)
    };
    let staged = |name, about, boot, path: &str, steps: &str, killer, scope| Scenario {
        boot,
        here_too: false,
        versions: &[V2],
        groups: vec![Group::new(path.to_owned())],
        cast: vec![Player::new("app", "leaky", path).then(steps)],
        cue: Cue::Exit("app"),
        endings: vec![ending(killer, scope, path, "app")],
        ..one_group(name, about, path)
    };
    let scope = |of: &str| names.pod_scope(of, "app");

    let path = scope("global");
    let global = staged(
        "global",
        "no limit anywhere: the machine runs out",
        Boot::Machine,
        &path,
        "anon 1024",
        "kernel-global",
        "global",
    );

    let path = scope("sysrq");
    let mut sysrq = staged(
        "sysrq-f",
        "somebody asks for a kill with sysrq-f",
        Boot::Machine,
        &path,
        "",
        "kernel-sysrq",
        "sysrq",
    );
    sysrq.cast = vec![Player::new("app", "bystander", &path).first("anon 48")];
    sysrq.shell = vec!["echo f > /proc/sysrq-trigger".into()];
    for ending in &mut sysrq.endings {
        ending.anon_mib = Some(48);
    }

    let path = scope("cpuset");
    let mut cpuset = staged(
        "cpuset",
        "a cpuset of one NUMA node runs out; the other node has room",
        Boot::Numa,
        &path,
        "anon 1024",
        "kernel-cpuset",
        "cpuset",
    );
    for group in &mut cpuset.groups {
        group.mems = Some(1);
    }

    let path = scope("mempolicy");
    let mempolicy = staged(
        "mempolicy",
        "a process bound to one NUMA node fills it; the other node has room",
        Boot::Numa,
        &path,
        "bind-node 1 anon 1024",
        "kernel-mempolicy",
        "mempolicy",
    );

    let path = scope("panic");
    let mut panic = staged(
        "panic-on-oom",
        "vm.panic_on_oom: nobody is killed, the machine stops",
        Boot::Panic,
        &path,
        "anon 1024",
        "kernel-global",
        "global",
    );
    for ending in &mut panic.endings {
        ending.victims = Vec::new();
        ending.task_memcg = None;
    }
    vec![global, sysrq, cpuset, mempolicy, panic]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_role_and_cgroup_of_an_ending_is_on_the_stage() {
        let all = scenarios(&Names::new("test"));
        let names: BTreeSet<&str> = all.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all.len(), "names are unique");
        for scenario in &all {
            let players = scenario.players();
            let roles: BTreeSet<&str> = players.iter().map(|player| player.role).collect();
            let groups: BTreeSet<&str> = scenario
                .groups
                .iter()
                .map(|group| group.path.as_str())
                .collect();
            for player in &players {
                assert!(
                    groups.contains(player.group.as_str()),
                    "{}: {}",
                    scenario.name,
                    player.group
                );
                assert!(
                    player.comm.len() <= 15,
                    "{}: a name has 15 bytes at most",
                    scenario.name
                );
            }
            for ending in &scenario.endings {
                assert!(
                    ending
                        .victims
                        .iter()
                        .chain(&ending.trigger)
                        .all(|role| roles.contains(role))
                );
                if let Some(path) = &ending.oom_memcg {
                    assert!(
                        scenario.limit_mib(path).is_some(),
                        "{}: {path} has no limit",
                        scenario.name
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_staged_on_this_machine_touches_only_cgroups_of_its_own() {
        let names = Names::new("test");
        for scenario in scenarios(&names)
            .iter()
            .filter(|scenario| scenario.here_too)
        {
            assert_eq!(scenario.boot, Boot::Memcg);
            for group in &scenario.groups {
                let last = group.path.rsplit('/').next().unwrap();
                assert!(
                    last.len() >= 36,
                    "{}: {} could be somebody's",
                    scenario.name,
                    group.path
                );
            }
        }
    }
}
