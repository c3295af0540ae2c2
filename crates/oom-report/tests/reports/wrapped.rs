//! Lines that a terminal or a mail program broke.

use oom_report::report::OomReport;

use crate::{CONTAINER_LIMIT, facts, records, scan_one};

fn lines() -> Vec<String> {
    records(CONTAINER_LIMIT)
        .iter()
        .map(|(us, text)| {
            format!(
                "Nov 24 05:00:00 node-1 kernel: [{:5}.{:06}] {text}",
                us / 1_000_000,
                us % 1_000_000
            )
        })
        .collect()
}

fn whole() -> OomReport {
    scan_one((lines().join("\n") + "\n").as_bytes())
}

/// As a terminal breaks a line: anywhere.
fn broken(prefix: &str, columns: usize) -> String {
    let mut log = String::new();
    for line in lines() {
        for piece in line.as_bytes().chunks(columns) {
            log += &format!("{prefix}{}\n", String::from_utf8_lossy(piece));
        }
    }
    log
}

#[test]
fn what_a_terminal_broke_is_put_together() {
    for columns in [72, 78, 80, 120, 132] {
        for prefix in ["", "> "] {
            let report = scan_one(broken(prefix, columns).as_bytes());
            assert_eq!(facts(&report), facts(&whole()), "{prefix:?} {columns}");
        }
    }
}

#[test]
fn what_a_mail_program_broke_between_words_is_put_together() {
    let mut log = String::new();
    for line in lines() {
        let mut column = 0;
        for (at, word) in line.split(' ').enumerate() {
            if at > 0 && column + word.len() > 74 {
                log += "\n";
                column = 0;
            } else if at > 0 {
                log += " ";
            }
            log += word;
            column += word.len() + 1;
        }
        log += "\n";
    }
    let report = scan_one(log.as_bytes());
    let whole = whole();
    assert_eq!(
        report.victims[0].anon_rss_kib,
        whole.victims[0].anon_rss_kib
    );
    assert_eq!(
        report.victims[0].oom_score_adj,
        whole.victims[0].oom_score_adj
    );
    assert_eq!(
        report.memcg.as_ref().unwrap().path,
        whole.memcg.as_ref().unwrap().path
    );
    // Runs of spaces between columns do not survive this: what cannot be told is left out.
    for task in &report.tasks {
        assert_eq!(task.total_vm_pages, whole.tasks[0].total_vm_pages);
        assert_eq!(task.comm, whole.tasks[0].comm);
    }
}
