//! Which remedies a kill gets, and that their commands are fit to copy.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use oom_report::report::{OomReport, Outcome, Scope};

use crate::sample::*;

fn codes(report: &OomReport) -> Vec<&'static str> {
    judged(report)
        .remedies
        .into_iter()
        .map(|remedy| match remedy.code {
            std::borrow::Cow::Borrowed(code) => code,
            std::borrow::Cow::Owned(code) => panic!("{code} is not one of the fixed codes"),
        })
        .collect()
}

#[test]
fn huge_pages_at_the_limit_lead_to_madvise_first() {
    let codes = codes(&figure_13());
    assert_eq!(codes[0], "transparent-huge-pages-madvise");
    for code in ["raise-limit", "requests-equal-limits", "strict-overcommit"] {
        assert!(codes.contains(&code), "{code}");
    }
    assert!(!codes.contains(&"add-swap"));
}

#[test]
fn the_limit_is_raised_where_it_was_hit() {
    let command = |report: &OomReport| {
        judged(report)
            .remedies
            .into_iter()
            .find(|remedy| remedy.code == "raise-limit")
            .map(|remedy| remedy.commands[0].clone())
    };
    assert!(
        command(&figure_13())
            .unwrap()
            .contains("--limits=memory=38400Mi")
    );
    let mut report = figure_13();
    let of_user = "/user.slice/user-7.slice/user@7.service/app.slice/run-u1.service";
    for path in [
        format!("/docker/{ID}"),
        of_user.to_owned(),
        "/system.slice/a'b.service".to_owned(),
    ] {
        let memcg = report.memcg.as_mut().unwrap();
        (memcg.path, memcg.victim_path) = (Some(path.as_str().into()), Some(path.as_str().into()));
        let command = command(&report).unwrap();
        let wanted = if path.contains("docker") {
            format!("docker update --memory 38400m --memory-swap 38400m {ID}")
        } else if path == of_user {
            "sudo systemctl --user --machine=7@ set-property 'run-u1.service' MemoryMax=38400M"
                .to_owned()
        } else {
            r"sudo systemctl set-property 'a'\''b.service' MemoryMax=38400M".to_owned()
        };
        assert_eq!(command, wanted);
    }
    assert_eq!(command(&machine()), None);
    assert_eq!(command(&one_line()), None);
}

#[test]
fn a_machine_that_ran_out_needs_room_and_no_higher_limit() {
    let codes_of_machine = codes(&machine());
    for code in ["reserve-for-the-system", "add-swap"] {
        assert!(codes_of_machine.contains(&code), "{code}");
    }
    assert!(!codes_of_machine.contains(&"raise-limit"));
    let mut report = machine();
    report.memcg = None;
    assert!(codes(&report).contains(&"bound-the-large-ones"));
}

#[test]
fn special_kills_get_their_own_remedies() {
    let mut report = machine();
    report.scope = Some(Scope::Sysrq);
    assert!(codes(&report).contains(&"bound-sysrq"));
    let mut report = machine();
    let line = add_line(&mut report, "Kernel panic");
    report.outcomes.push((Outcome::Panic, line));
    assert!(codes(&report).contains(&"panic-on-oom-off"));
    // The setting is not to blame where nothing was left to kill.
    let line = add_line(&mut report, "System is deadlocked on memory");
    report.outcomes.push((Outcome::Deadlocked, line));
    let left_nothing = codes(&report);
    assert!(left_nothing.contains(&"leave-something-to-kill"));
    assert!(!left_nothing.contains(&"panic-on-oom-off"));
    // Whose limit it was, and how much, is in the lines that are lost.
    assert!(codes(&one_line()).contains(&"find-limit"));
    assert!(!codes(&figure_13()).contains(&"find-limit"));
    let mut report = container_v2(&[("anon", 10 << 20), ("file", 50 << 20), ("shmem", 50 << 20)]);
    assert!(codes(&report).contains(&"limit-tmpfs"));
    report.victims[0].group_kill = true;
    assert!(codes(&report).contains(&"single-process-kill"));
    let mut report = figure_13();
    report.victims[0].comm = "java".into();
    assert!(codes(&report).contains(&"bound-the-heap"));
    assert!(!codes(&figure_13()).contains(&"bound-the-heap"));
}

#[test]
fn commands_hold_no_text_of_the_log_but_ids() {
    let mut report = figure_13();
    report.victims[0].comm = "$(reboot)".into();
    let trigger = report.trigger.as_mut().unwrap();
    trigger.comm = "`reboot`".into();
    let incident = judged(&report);
    let commands = incident.remedies.iter().flat_map(|remedy| &remedy.commands);
    let looks = incident
        .verdict
        .not_looked_at
        .iter()
        .map(|item| &item.how_to);
    for command in commands.chain(looks) {
        assert!(!command.contains("reboot"), "{command}");
        assert!(!command.contains('\n'));
    }
    for remedy in &incident.remedies {
        assert!(
            !remedy.risk.is_empty() && !remedy.commands.is_empty(),
            "{}",
            remedy.code
        );
    }
}

/// Commands name the cgroup that the report names, in the hierarchy that it is in.
#[test]
fn commands_point_at_the_cgroup() {
    let all = |report: &OomReport| -> Vec<String> {
        judged(report)
            .remedies
            .into_iter()
            .flat_map(|remedy| remedy.commands)
            .collect()
    };
    let stats = [
        ("anon", 10 << 20),
        ("file", 50 << 20),
        ("slab_unreclaimable", 0),
    ];
    let mut report = container_v2(&stats);
    let path = report.memcg.as_ref().unwrap().path.clone().unwrap();
    report.memcg.as_mut().unwrap().swap.usage_kib = Some(0);
    let wanted = format!("sudo tee '/sys/fs/cgroup{path}/memory.high'");
    let commands = all(&report);
    assert!(
        commands.iter().any(|command| command.contains(&wanted)),
        "{commands:?}"
    );
    // v1 has neither memory.high nor memory.oom.group.
    let memcg = report.memcg.as_mut().unwrap();
    (memcg.swap.usage_kib, memcg.memsw.usage_kib) = (None, Some(65_000));
    assert!(
        all(&report)
            .iter()
            .all(|command| !command.contains("memory.high"))
    );
    assert!(codes(&report).contains(&"write-less-at-once"));
    // A path that no quoting makes fit to copy is left to the reader.
    let hostile = "/limits/\x1b[2J";
    let memcg = report.memcg.as_mut().unwrap();
    (memcg.path, memcg.victim_path) = (Some(hostile.into()), Some(hostile.into()));
    let commands = all(&report);
    assert!(
        commands
            .iter()
            .any(|command| command.ends_with("/memory/PATH/memory.limit_in_bytes")),
        "{commands:?}"
    );
}

/// Nothing of Kubernetes is advised where the victim is none of its.
#[test]
fn words_are_those_of_the_owner() {
    let told = |report: &OomReport| -> String {
        let text = |remedy: crate::incident::Remedy| {
            format!(
                "{} {} {} {}\n",
                remedy.title,
                remedy.detail,
                remedy.commands.join(" "),
                remedy.risk
            )
        };
        judged(report).remedies.into_iter().map(text).collect()
    };
    let stats = [("anon", 10 << 20), ("file", 50 << 20), ("shmem", 50 << 20)];
    let mut report = container_v2(&stats);
    report.victims[0].oom_score_adj = Some(900);
    assert!(told(&report).contains("emptyDir"));
    for path in [
        format!("/docker/{ID}"),
        "/system.slice/app.service".into(),
        "/lxc/101".into(),
    ] {
        let memcg = report.memcg.as_mut().unwrap();
        (memcg.path, memcg.victim_path) = (Some(path.as_str().into()), Some(path.as_str().into()));
        memcg.stats[0].path = Some(path.as_str().into());
        let told = told(&report);
        let foreign = ["kube", "Kube", "emptyDir", "QoS", "requests"];
        let found = foreign.iter().find(|word| told.contains(**word));
        assert_eq!(found, None, "{path}: {told}");
        assert!(told.contains("df -h -t tmpfs"), "{path}: {told}");
    }
}

/// Memory stands just below its limit there: what does not fit goes to swap, until that is used up, too.
#[test]
fn of_memory_and_swap_the_limit_that_was_hit_is_raised_and_not_the_other_lowered() {
    let mut report = figure_13();
    let memcg = report.memcg.as_mut().unwrap();
    let path: smol_str::SmolStr = format!("/docker/{ID}").into();
    (memcg.path, memcg.victim_path) = (Some(path.clone()), Some(path));
    (memcg.memory.usage_kib, memcg.memory.limit_kib) = (Some(307_112), Some(307_200));
    (memcg.memsw.usage_kib, memcg.memsw.limit_kib) = (Some(614_400), Some(614_400));
    let incident = judged(&report);
    let raise = incident
        .remedies
        .iter()
        .find(|remedy| remedy.code == "raise-limit")
        .unwrap();
    assert_eq!(
        raise.commands,
        [format!("docker update --memory-swap 750m {ID}")]
    );
    let summary = &incident.verdict.summary;
    assert!(
        summary.contains("its own memory+swap limit of 600 MiB"),
        "{summary}"
    );
}

/// docker wants memory and swap together: what was allowed of swap is not taken away.
#[test]
fn a_raised_limit_of_docker_keeps_the_swap() {
    let command = |swap_kib: Option<u64>, memsw_kib: Option<u64>| {
        let mut report = container_v2(&[("anon", 60 << 20)]);
        let memcg = report.memcg.as_mut().unwrap();
        let path: smol_str::SmolStr = format!("/system.slice/docker-{ID}.scope").into();
        (memcg.path, memcg.victim_path) = (Some(path.clone()), Some(path));
        (memcg.swap.limit_kib, memcg.memsw.limit_kib) = (swap_kib, memsw_kib);
        let remedies = judged(&report).remedies;
        let raise = remedies
            .into_iter()
            .find(|remedy| remedy.code == "raise-limit");
        raise.unwrap().commands[0].clone()
    };
    let told =
        |memory_swap: &str| format!("docker update --memory 80m --memory-swap {memory_swap} {ID}");
    assert_eq!(command(Some(0), None), told("80m"));
    assert_eq!(command(Some(524_288), None), told("592m"));
    assert_eq!(command(Some(9_007_199_254_740_988), None), told("-1"));
    assert_eq!(command(None, Some(131_072)), told("144m"));
}

/// A charge that finds nobody to kill tries again for ever.
#[test]
fn who_may_not_be_killed_is_ended_by_hand() {
    let mut report = container_v2(&[("anon", 60 << 20)]);
    assert!(!codes(&report).contains(&"end-it-by-hand"));
    report.victims.clear();
    let line = add_line(
        &mut report,
        "Memory cgroup out of memory and no killable processes...",
    );
    report.outcomes.push((Outcome::NoKillableProcesses, line));
    assert_eq!(codes(&report)[0], "end-it-by-hand");
}

/// The kernel names the binding itself: more limits for others are no cure, whatever else the report lost.
#[test]
fn a_bound_task_is_given_more_nodes() {
    let mut report = machine();
    report.system = None;
    report.memcg = None;
    for scope in [Scope::Cpuset, Scope::Mempolicy] {
        report.scope = Some(scope);
        let codes = codes(&report);
        assert!(
            codes.contains(&"widen-nodes") && !codes.contains(&"bound-the-large-ones"),
            "{codes:?}"
        );
    }
}

/// Where huge pages are not most of it, the limit comes first.
#[test]
fn some_huge_pages_are_not_the_first_thing_to_change() {
    let codes = codes(&container_v2(&[("anon", 60 << 20), ("anon_thp", 14 << 20)]));
    let place = |wanted: &str| codes.iter().position(|code| *code == wanted);
    assert!(
        place("raise-limit") < place("transparent-huge-pages-madvise"),
        "{codes:?}"
    );
}
