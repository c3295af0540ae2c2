//! Reports that people published (tests/fixtures/reported), mangled as they were.

use oom_report::report::{OomReport, Outcome, Provenance, Scope};

use crate::scan;

fn reported(name: &str) -> Vec<OomReport> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/reported");
    scan(&std::fs::read(format!("{root}/{name}.log")).unwrap())
}

#[test]
fn masked_digits_make_no_number_and_host_is_no_cgroup() {
    let reports = reported("alibaba-4.19-masked");
    let trigger = reports[0].trigger.as_ref().unwrap();
    assert_eq!(trigger.gfp_mask, None);
    assert_eq!(trigger.gfp_flags, ["GFP_HIGHUSER_MOVABLE", "__GFP_ZERO"]);
    assert_eq!((trigger.order, trigger.oom_score_adj), (Some(0), None));
    let memcg = reports[0].memcg.as_ref().unwrap();
    assert_eq!(memcg.path, None);
    assert_eq!(memcg.victim_path.as_deref(), Some("/user.slice"));
    let zone = &reports[0].system.as_ref().unwrap().zones[0];
    assert_eq!(zone.fields_kib.get("min"), Some(152_412));
}

#[test]
fn nobody_to_kill_in_a_cgroup() {
    let reports = reported("arch-6.17-nobody");
    assert_eq!(reports[0].outcomes[0].0, Outcome::NoKillableProcesses);
    assert_eq!(reports[1].scope, Some(Scope::Memcg));
    let trigger = reports[1].trigger.as_ref().unwrap();
    assert_eq!(
        (trigger.pid, trigger.uid, trigger.cpu),
        (Some(20957), Some(1000), Some(10))
    );
    assert_eq!(trigger.stack[3], "mem_cgroup_out_of_memory");
    assert_eq!(reports[1].provenance, Provenance::KernelTag);
}

#[test]
fn a_call_trace_of_32_bit_arm() {
    let reports = reported("arm-3.14");
    let trigger = reports[0].trigger.as_ref().unwrap();
    assert_eq!(
        trigger.stack,
        [
            "show_stack",
            "dump_stack",
            "dump_header.isra.14",
            "oom_kill_process"
        ]
    );
    assert_eq!(trigger.comm, "systemd-journal");
    assert_eq!(trigger.gfp_flags, ["GFP_TEMPORARY"]);
}

#[test]
fn numbers_before_lines() {
    let pids: Vec<_> = reported("numbered-kills")
        .iter()
        .map(|report| (report.victims[0].pid, report.victims[0].anon_rss_kib))
        .collect();
    assert_eq!(
        pids,
        [
            (328_391, Some(163_272_252)),
            (1_597_132, Some(7_239_092)),
            (1_595_933, Some(8_908_940))
        ]
    );
}

#[test]
fn a_guests_console_in_its_hosts_log() {
    let reports = reported("photon-4.19-hypervisor-log");
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].tasks.len(), 4);
    assert_eq!(reports[0].tasks[1].comm, "npm start");
    let stats = &reports[0].memcg.as_ref().unwrap().stats[0];
    assert_eq!(stats.fields.get("rss_huge"), Some(256_000));
    assert_eq!(
        reports[0].time.wall.unwrap().timestamp.to_string(),
        "2023-12-04T10:49:30.127Z"
    );
}

#[test]
fn a_quotation_that_a_terminal_broke() {
    let reports = reported("raspberry-pi-4.14-quoted-broken");
    assert_eq!(reports.len(), 1);
    let trigger = reports[0].trigger.as_ref().unwrap();
    assert_eq!(trigger.gfp_flags, ["GFP_KERNEL_ACCOUNT", "__GFP_ZERO"]);
    assert_eq!((trigger.order, trigger.oom_score_adj), (Some(1), Some(0)));
    assert_eq!(trigger.kernel_release.as_deref(), Some("4.14.79-v7+"));
    assert_eq!(
        trigger.stack,
        [
            "show_stack",
            "dump_stack",
            "dump_header",
            "oom_kill_process"
        ]
    );
}

#[test]
fn nodes_of_the_cpuset_are_no_policy_in_4_9() {
    let reports = reported("qubes-4.9");
    let trigger = reports[0].trigger.as_ref().unwrap();
    assert_eq!(
        (trigger.nodemask.as_deref(), trigger.mems_allowed.as_deref()),
        (None, Some("0"))
    );
    let reports = reported("numa-4.10-snipped");
    assert_eq!(
        reports[0].trigger.as_ref().unwrap().nodemask.as_deref(),
        Some("1")
    );
    assert_eq!(reports[0].tasks[0].nr_pmds, Some(4));
}

#[test]
fn two_reports_of_which_one_lost_its_start_and_one_its_end() {
    let reports = reported("rhel7-two-reports");
    assert_eq!(reports.len(), 2);
    let dead: Vec<_> = reports[0]
        .victims
        .iter()
        .map(|victim| (victim.pid, victim.announced_only))
        .collect();
    assert_eq!(dead, [(24_572, true), (28_438, false)]);
    assert_eq!(reports[0].tasks[0].swapents_pages, Some(136_409));
    assert_eq!(reports[1].trigger.as_ref().unwrap().pid, Some(14_881));
    assert_eq!(reports[1].victims, []);
}

#[test]
fn statistics_through_talosctl() {
    let log = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fixtures/reported/talos-6.12.log"
    ))
    .unwrap();
    // The kill line is not in what was published: one in the same form stands for it.
    let log = format!(
        "{log}10.200.70.91: kern:     err: [2025-06-04T04:51:57.600293906Z]: oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/kubepods/burstable/pod84c5437e-9503-4b52-8470-984c54f7e9f3,task_memcg=/kubepods/burstable/pod84c5437e-9503-4b52-8470-984c54f7e9f3,task=java,pid=7,uid=0\n"
    );
    let reports = scan(log.as_bytes());
    assert_eq!(reports.len(), 1);
    let memcg = reports[0].memcg.as_ref().unwrap();
    assert_eq!(
        (memcg.memory.usage_kib, memcg.memory.failcnt),
        (Some(4_194_304), Some(2_084_326))
    );
    assert_eq!(memcg.stats[0].fields.get("pagetables"), Some(9_564_160));
    assert_eq!(memcg.stats[0].fields.0.len(), 5);
}

#[test]
fn counters_over_several_lines() {
    let reports = reported("ubuntu-5.4-counters");
    let system = reports[0].system.as_ref().unwrap();
    assert_eq!(system.mem_info.get("active_file"), Some(578_569));
    assert_eq!(system.mem_info.get("bounce"), Some(0));
    assert_eq!(system.mem_info.0.len(), 16);
    assert_eq!(reports[0].trigger.as_ref().unwrap().gfp_flags, [""; 0]);
    // The same as journalctl and rsyslog show the record.
    let tag = "May 14 23:17:24 host-1 kernel: ";
    let head = "a invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0";
    let journalctl = format!(
        "{tag}{head}\n{tag}Mem-Info:\n{tag}active_anon:57988 inactive_anon:147 isolated_anon:0\n                                active_file:578569 inactive_file:1353156 isolated_file:0\n"
    );
    let rsyslog = format!(
        "{tag}{head}\n{tag}Mem-Info:\n{tag}active_anon:57988 inactive_anon:147 isolated_anon:0#012 active_file:578569 inactive_file:1353156 isolated_file:0\n"
    );
    for log in [journalctl, rsyslog] {
        let report = &scan(log.as_bytes())[0];
        let mem_info = &report.system.as_ref().unwrap().mem_info;
        assert_eq!(mem_info.0.len(), 6, "{log}");
        assert_eq!(mem_info.get("isolated_anon"), Some(0), "{log}");
    }
}

#[test]
fn pages_of_64_kib_and_a_failed_allocation_between_two_reports() {
    let reports = reported("arm64-5.4-64k");
    assert_eq!(reports.len(), 2);
    for report in &reports {
        assert_eq!(report.doubts, []);
        let trigger = report.trigger.as_ref().unwrap();
        assert_eq!(trigger.pid, Some(1440));
        assert_eq!(trigger.hardware.as_deref(), Some("E2000Q DEMO DDR4 (DT)"));
        assert!(!trigger.stack.iter().any(|name| name == "warn_alloc"));
    }
    assert_eq!(reports[0].page_size_bytes, Some(65_536));
    assert_eq!(reports[0].missing, [oom_report::report::Missing::KillLine]);
    // Without the free lists the counters tell, which are printed in pages and in kB.
    let log = include_str!("../../../../tests/fixtures/reported/arm64-5.4-64k.log");
    let lines = log.lines().filter(|line| !line.contains("*64kB"));
    let without: Vec<&str> = lines.collect();
    let report = &scan(without.join("\n").as_bytes())[0];
    assert_eq!(report.page_size_bytes, Some(65_536));
    let system = reports[0].system.as_ref().unwrap();
    assert_eq!(system.mem_info.get("free"), Some(9580));
    assert_eq!(system.zones[0].free_areas[13].block_kib, 524_288);
    assert_eq!(reports[1].outcomes[0].0, Outcome::Panic);
    assert_eq!(reports[1].tasks[1].rss_pages, 998);
}

#[test]
fn a_host_whose_name_is_masked() {
    let trigger_of = |name: &str| {
        let reports = reported(name);
        assert_eq!(reports.len(), 1, "{name}");
        let report = &reports[0];
        (
            report.node.clone().unwrap(),
            report.trigger.as_ref().unwrap().kernel_release.clone(),
        )
    };
    assert_eq!(
        trigger_of("debian-4.9-masked-host"),
        ("<host>".into(), Some("4.9.0-4-amd64".into()))
    );
    assert_eq!(
        trigger_of("sle15-sp4-snipped"),
        ("**".into(), Some("5.14.21-150400.24.60-default".into()))
    );
    let report = &reported("sle15-sp4-snipped")[0];
    let memcg = report.memcg.as_ref().unwrap();
    assert_eq!(memcg.memory.limit_kib, Some(17_024_340));
    assert_eq!(report.tasks[1].rss_pages, 4_201_766);
    assert!(
        report
            .missing
            .contains(&oom_report::report::Missing::MemcgStats)
    );
}

#[test]
fn a_stamp_that_a_mail_program_left_alone() {
    let reports = reported("el9-mail-broken");
    assert_eq!(reports.len(), 2);
    assert_eq!(reports[0].time.boot_us, Some(29_924_805_968));
    let victim = &reports[0].victims[0];
    assert_eq!(
        (
            victim.pid,
            victim.comm.as_str(),
            victim.pgtables_kib,
            victim.oom_score_adj
        ),
        (4503, "(sd-pam)", Some(96), Some(100))
    );
    let trigger = reports[1].trigger.as_ref().unwrap();
    assert_eq!(
        trigger.kernel_release.as_deref(),
        Some("6.1.119-1.el9.elrepo.x86_64")
    );
    assert_eq!(
        trigger.hardware.as_deref(),
        Some("Dell Inc. PowerEdge R740/0923K0, BIOS 2.22.2 09/12/2024")
    );
}

#[test]
fn a_trace_of_guesses_and_statistics_over_several_lines() {
    let report = &reported("lxc-3.10-mail-broken")[0];
    let trigger = report.trigger.as_ref().unwrap();
    assert_eq!(
        trigger.stack,
        [
            "dump_stack",
            "dump_header",
            "mem_cgroup_oom_synchronize",
            "pagefault_out_of_memory",
            "page_fault"
        ]
    );
    assert!(trigger.page_fault);
    assert_eq!(report.missing, [oom_report::report::Missing::KillLine]);
    let stats = &report.memcg.as_ref().unwrap().stats[0];
    assert_eq!(stats.path.as_deref(), Some("/lxc/VM_A"));
    assert_eq!(
        (stats.fields.0.len(), stats.fields.get("active_anon")),
        (10, Some(48_720))
    );
}

#[test]
fn call_traces_of_64_bit_powerpc() {
    let big = &reported("ppc64-3.x")[0];
    let trigger = big.trigger.as_ref().unwrap();
    assert_eq!(trigger.comm, "224");
    assert_eq!(
        trigger.stack,
        [
            "dump_header",
            "oom_kill_process",
            "out_of_memory",
            "__alloc_pages_nodemask",
            "handle_page_fault"
        ]
    );
    assert_eq!(big.scope, Some(Scope::Global));
    let little = &reported("ppc64le-el8-quoted")[0];
    let trigger = little.trigger.as_ref().unwrap();
    assert_eq!(trigger.stack, ["dump_header"]);
    assert_eq!(
        trigger.kernel_release.as_deref(),
        Some("4.18.0-139.el8.ppc64le+debug")
    );
}

/// `grep 'killed as a result'`.
#[test]
fn each_picked_out_line_of_a_limit_is_an_incident() {
    let reports = crate::scan(
        b"kernel: Task in /docker/aaaa killed as a result of limit of /docker/aaaa\n\
          kernel: Task in /docker/bbbb killed as a result of limit of /docker/bbbb\n\
          kernel: Task in /docker/aaaa killed as a result of limit of /docker/aaaa\n",
    );
    let paths: Vec<Option<String>> = reports
        .into_iter()
        .map(|report| Some(report.memcg?.path?.to_string()))
        .collect();
    let of = |name: &str| Some(format!("/docker/{name}"));
    assert_eq!(paths, [of("aaaa"), of("bbbb"), of("aaaa")]);
}

#[test]
fn a_sources_format_string_is_no_header() {
    let log = b"-\tpr_warn(\"%s invoked oom-killer: gfp_mask=%#x(%pGg), order=%d, oom_score_adj=%hd\\n\",\n";
    assert_eq!(crate::scan(log), []);
}
