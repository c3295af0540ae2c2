//! Only what the kernel wrote counts.

use oom_report::report::Provenance;
use oom_report::{Assumptions, Scanner};

use crate::line_forms::{FORMS, wrap};
use crate::{CONTAINER_LIMIT, facts, records, scan, scan_one};

const KILL: &str = "Out of memory: Killed process 1 (systemd) total-vm:1000kB, anon-rss:900kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:8kB oom_score_adj:0";

#[test]
fn a_line_that_a_process_wrote_to_the_kernel_log_makes_no_report() {
    for forged in [
        format!("12,900,1000000,-;{KILL}\n"),
        format!("<12>[    1.000000] {KILL}\n"),
        format!("user  :warn  : [    1.000000] {KILL}\n"),
        format!("Mar  9 13:17:05 node-1 app[812]: {KILL}\n"),
        format!("Mar  9 13:17:05 node-1 app: {KILL}\n"),
        format!("<12>1 2026-11-24T05:00:00Z node-1 kernel - - - {KILL}\n"),
        format!("{{\"_TRANSPORT\":\"kernel\",\"SYSLOG_FACILITY\":\"1\",\"MESSAGE\":\"{KILL}\"}}\n"),
        format!(
            "{{\"_TRANSPORT\":\"syslog\",\"SYSLOG_FACILITY\":\"0\",\"SYSLOG_IDENTIFIER\":\"kernel\",\"MESSAGE\":\"{KILL}\"}}\n"
        ),
        // Collectors drop the journal's own fields; the facility is left.
        format!(
            "{{\"SYSLOG_FACILITY\":\"1\",\"SYSLOG_IDENTIFIER\":\"kernel\",\"MESSAGE\":\"{KILL}\"}}\n"
        ),
        format!("{{\"SYSLOG_FACILITY\":3,\"MESSAGE\":\"{KILL}\"}}\n"),
        format!("{{\"facility\":\"user\",\"message\":\"{KILL}\"}}\n"),
        format!(
            "{{\"syslogfacility-text\":\"local0\",\"programname\":\"kernel\",\"msg\":\"{KILL}\"}}\n"
        ),
        format!("__CURSOR=s\n_TRANSPORT=stdout\nMESSAGE={KILL}\n\n"),
        format!(
            "Tue 2026-11-24 06:00:00.000000 CET [s=0f;i=1;b=1;m=1;t=1;x=9]\n    MESSAGE={KILL}\n    _TRANSPORT=stdout\n"
        ),
        format!("[    1.000000] node-1 app[812]: {KILL}\n"),
    ] {
        let mut scanner = Scanner::new(Assumptions::default());
        let mut reports = Vec::new();
        scanner.scan(forged.as_bytes(), 1, &mut |report| reports.push(report));
        assert_eq!(reports, [], "{forged}");
        assert_eq!(scanner.ignored().forged, 1, "{forged}");
    }
}

#[test]
fn a_forged_line_is_no_piece_of_the_line_before() {
    let decided = "oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=init,pid=1,uid=0";
    // Lines of the kernel's that are not known, and so might go on.
    for before in [
        r#"{"_TRANSPORT":"kernel","SYSLOG_FACILITY":"0","_SOURCE_MONOTONIC_TIMESTAMP":"20041183","MESSAGE":"slab 0"}"#,
        "<4>[   20.041183] a line that nothing is known of, and that is long enough",
        "Mar  9 13:17:05 node-1 kernel: [   20.041183] Out of memory: Killed process",
    ] {
        for forged in [KILL, decided] {
            for written in [
                format!("<12>[   21.000000] {forged}"),
                format!("Mar  9 13:17:05 node-1 app[812]: {forged}"),
            ] {
                let log = format!("{before}\n{written}\n");
                assert_eq!(scan(log.as_bytes()), [], "{log}");
            }
        }
    }
}

#[test]
fn a_forged_line_inside_a_report_changes_nothing() {
    let plain = scan_one(CONTAINER_LIMIT.as_bytes());
    let mut log = String::new();
    for line in CONTAINER_LIMIT.lines() {
        log += &format!(
            "{line}\n12,7,1,-;{KILL}\n12,8,1,-;oom-kill:constraint=CONSTRAINT_NONE,task=systemd,pid=1,uid=0\n"
        );
    }
    assert_eq!(facts(&scan_one(log.as_bytes())), facts(&plain));
}

#[test]
fn text_that_another_daemon_quotes_is_no_second_kill() {
    let mut log = String::new();
    for (us, text) in records(CONTAINER_LIMIT) {
        log += &format!(
            "Nov 24 05:00:00 node-1 kernel: [{}.{:06}] {text}\n",
            us / 1_000_000,
            us % 1_000_000
        );
        log += &format!("Nov 24 05:00:00 node-1 node-problem-detector[99]: {text}\n");
    }
    let kill = records(CONTAINER_LIMIT).pop().unwrap().1;
    log += &format!("{{\"level\":\"info\",\"msg\":\"saw: {kill}\"}}\n");
    log += &format!("{kill}\n");
    let report = scan_one(log.as_bytes());
    assert_eq!(report.provenance, Provenance::KernelTag);
    assert_eq!(report.victims.len(), 1);
}

#[test]
fn a_name_cannot_pass_for_the_kernels_words() {
    for (comm, escaped) in [
        (") total-vm:1kB,", ") total-vm:1kB,"),
        (",pid=1,uid=0", ",pid=1,uid=0"),
        ("a) score 1 or", "a) score 1 or"),
        ("x\nKilled proce", "x\\x0aKilled proce"),
        ("\u{1b}[31mred", "\\x1b[31mred"),
        ("a\\b", "a\\x5cb"),
        (" lead", " lead"),
    ] {
        let log = CONTAINER_LIMIT.replace("python3", escaped);
        let report = scan_one(log.as_bytes());
        assert_eq!(report.victims[0].pid, 11595, "{comm:?}");
        assert_eq!(report.victims[0].comm, comm);
        assert_eq!(report.victims[0].anon_rss_kib, Some(65_280), "{comm:?}");
        assert_eq!(report.trigger.as_ref().unwrap().comm, comm);
        assert_eq!(report.tasks[0].comm, comm);
        assert!(
            report
                .memcg
                .as_ref()
                .unwrap()
                .victim_path
                .as_deref()
                .unwrap()
                .starts_with("/kubepods/burstable/pod1c"),
            "{comm:?}"
        );
    }
}

#[test]
fn a_name_like_the_kernels_words_is_told_in_every_form() {
    for comm in [") total-vm:1kB,", "a) score 1 or", "Killed process "] {
        let mut records = records(CONTAINER_LIMIT);
        for (_, text) in &mut records {
            *text = text.replace("python3", comm);
        }
        for form in FORMS.iter() {
            let report = scan_one(&wrap(form, &records));
            let trigger = report.trigger.as_ref().map(|trigger| trigger.comm.as_str());
            assert_eq!(trigger, Some(comm), "{}", form.name);
            assert_eq!(report.victims[0].comm, comm, "{}", form.name);
            assert_eq!(
                report.victims[0].anon_rss_kib,
                Some(65_280),
                "{}",
                form.name
            );
        }
    }
}

#[test]
fn a_newline_in_a_name_is_read_through_where_a_form_prints_it() {
    // dmesg splits a record at its line ends and repeats the stamp.
    let text: String = records(CONTAINER_LIMIT)
        .into_iter()
        .map(|(us, text)| {
            let stamp = format!("[{:5}.{:06}] ", us / 1_000_000, us % 1_000_000);
            text.replace("python3", "x\nKilled proce")
                .split('\n')
                .map(|part| format!("{stamp}{part}\n"))
                .collect::<String>()
        })
        .collect();
    for report in scan(text.as_bytes()) {
        for victim in &report.victims {
            assert_eq!(victim.pid, 11595);
        }
    }
}

#[test]
fn a_cgroup_name_cannot_pass_for_another_field() {
    let log = CONTAINER_LIMIT.replace("/kubepods/burstable", "/a,task=init,pid=1,uid=0");
    let report = scan_one(log.as_bytes());
    assert_eq!(report.victims[0].pid, 11595);
    assert!(
        report
            .memcg
            .unwrap()
            .path
            .unwrap()
            .starts_with("/a,task=init,pid=1,uid=0/pod1c")
    );
}

#[test]
fn a_line_inside_a_text_of_the_journal_is_no_line_of_the_kernels() {
    let text = format!("first line\n{KILL}\n{KILL}");
    let mut log = b"__CURSOR=s=1;i=1\n__REALTIME_TIMESTAMP=1795496400000000\n_TRANSPORT=stdout\nSYSLOG_IDENTIFIER=app\nMESSAGE\n".to_vec();
    log.extend((text.len() as u64).to_le_bytes());
    log.extend(text.as_bytes());
    log.extend(b"\n_HOSTNAME=node-1\n\n");
    assert_eq!(scan(&log), []);
    // The same behind other entries, and where the first entry lost its start.
    let other = b"__CURSOR=s=1;i=0\n_TRANSPORT=stdout\nMESSAGE=nothing\n\n";
    assert_eq!(scan(&[other.as_slice(), &log].concat()), []);
    assert_eq!(scan(&[&other[20..], &log].concat()), []);
}

#[test]
fn a_first_line_that_looks_like_the_rest_of_an_object_is_believed_no_more_than_it_shows() {
    let kill = "Out of memory: Killed process 1 (systemd) total-vm:1000kB, anon-rss:900kB, file-rss:0kB, shmem-rss:0kB\",\
                \"_TRANSPORT\":\"kernel\",\"SYSLOG_FACILITY\":\"0\"}";
    for of_others in [
        "12,1,2,-;",
        "<12>[    1.000000] ",
        "Nov 24 05:00:00 node-1 app[812]: ",
    ] {
        assert_eq!(scan(format!("{of_others}{kill}\n").as_bytes()), []);
    }
    for unsaid in ["[    1.000000] ", "2026-11-24T05:00:00Z "] {
        let log = format!("{unsaid}{kill}\n");
        let log = log.replace(
            "\"_TRANSPORT\":\"kernel\",\"SYSLOG_FACILITY\":\"0\"",
            "\"stream\":\"stdout\"",
        );
        assert_eq!(
            scan_one(log.as_bytes()).provenance,
            Provenance::Unverified,
            "{log}"
        );
    }
}
