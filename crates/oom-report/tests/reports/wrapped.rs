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

/// Written by hand, after mails of the kernel's lists.
#[test]
fn a_mail_program_breaks_where_it_likes() {
    let report = scan_one(
        b"[    0.697984] kworker/u2:0 invoked oom-killer:\n\
          gfp_mask=0x100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0\n\
          [    0.698278] CPU: 0 PID: 7 Comm: kworker/u2:0 Not tainted\n\
          5.18.0-rc1-00109-gee927ad51300-dirty #52\n\
          [    0.699063]  unwind_backtrace from show_stack+0x18/0x1c\n\
          [    0.699247]  shmem_getpage_gfp.constprop.0 from\n\
          generic_perform_write+0xd8/0x210\n\
          [    0.700000] Mem-Info:\n",
    );
    let trigger = report.trigger.unwrap();
    assert_eq!(
        (trigger.comm.as_str(), trigger.order),
        ("kworker/u2:0", Some(0))
    );
    assert_eq!(
        trigger.kernel_release.as_deref(),
        Some("5.18.0-rc1-00109-gee927ad51300-dirty")
    );
    assert_eq!(trigger.stack, ["show_stack", "generic_perform_write"]);
    // Without a stamp, and indented.
    let report = scan_one(
        b"rsyslogd invoked oom-killer: gfp_mask=0x6200ca(GFP_HIGHUSER_MOVABLE),\n\
          order=0, oom_score_adj=-5\n\
          Out of memory: Killed process 2841 (node)\n\
          \x20 total-vm:8421320kB, anon-rss:7903112kB, file-rss:0kB, shmem-rss:0kB,\n\
          \x20 UID:1001 pgtables:15640kB oom_score_adj:7\n",
    );
    assert_eq!(report.trigger.unwrap().oom_score_adj, Some(-5));
    let victim = &report.victims[0];
    assert_eq!(
        (
            victim.anon_rss_kib,
            victim.pgtables_kib,
            victim.oom_score_adj
        ),
        (Some(7_903_112), Some(15_640), Some(7))
    );
}

#[test]
fn a_kill_line_over_three_lines_is_whole() {
    let report = scan_one(
        b"[Sun Aug 16 03:04:22 2026] Out of memory: Killed process 2841 (node)\n\
          \x20 total-vm:8421320kB, anon-rss:7903112kB, file-rss:0kB, shmem-rss:0kB,\n\
          \x20 UID:1001 pgtables:15640kB oom_score_adj:7\n",
    );
    let victim = &report.victims[0];
    assert_eq!(
        (victim.uid, victim.pgtables_kib, victim.oom_score_adj),
        (Some(1001), Some(15_640), Some(7))
    );
    assert_eq!(report.doubts, []);
}

/// The needle stands in the second line, the stamp in the first: both ways of searching find both.
#[test]
fn a_stamp_alone_is_found_by_every_way_of_searching() {
    let noise = "[   99.000000] usb 1-1: new device\n".repeat(30);
    for priority in ["", "<6>"] {
        let log = format!(
            "{noise}{priority}[  100.500000] \noom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,\
         global_oom,task_memcg=/,task=app,pid=9,uid=0\n"
        );
        let time = |scanner: &mut oom_report::Scanner, chunk: usize| {
            let mut times = Vec::new();
            for part in log.as_bytes().chunks(chunk) {
                scanner.push(part, &mut |report| times.push(report.time.boot_us));
            }
            scanner.finish(&mut |report| times.push(report.time.boot_us));
            times
        };
        let assumptions = oom_report::Assumptions::default;
        for chunk in [1, 13, 500, 100_000] {
            let mut fast = oom_report::Scanner::new(assumptions());
            assert_eq!(time(&mut fast, chunk), [Some(100_500_000)], "{chunk}");
            let mut slow = oom_report::Scanner::line_by_line(assumptions());
            assert_eq!(time(&mut slow, chunk), [Some(100_500_000)], "{chunk}");
        }
    }
}

/// Kernel lists' mails break between words, anywhere.
#[test]
fn a_kill_line_broken_before_the_name_is_put_together() {
    for log in [
        "[  270.729527] Memory cgroup out of memory: Killed process 946\n(test) total-vm:104840kB, anon-rss:30596kB,\n\
         file-rss:1056kB, shmem-rss:0kB, UID:0 pgtables:104kB oom_score_adj:0\n",
        "Jan 25 14:59:30 h kernel: Memory cgroup out of memory: Killed\nprocess 946 (test) total-vm:104840kB, anon-rss:30596kB,\n\
         file-rss:1056kB, shmem-rss:0kB, UID:0 pgtables:104kB oom_score_adj:0\n",
    ] {
        let report = scan_one(log.as_bytes());
        let victim = &report.victims[0];
        assert_eq!((victim.pid, victim.comm.as_str()), (946, "test"), "{log}");
        assert_eq!(victim.anon_rss_kib, Some(30_596), "{log}");
        assert_eq!(victim.shmem_rss_kib, Some(0), "{log}");
    }
}

#[test]
fn a_header_broken_before_its_needle_is_put_together() {
    let report = scan_one(
        b"[   34.423940] mkfs.ext4 invoked\noom-killer: gfp_mask=0x101cc0(GFP_USER|__GFP_WRITE), order=0,\noom_score_adj=0\n",
    );
    let trigger = report.trigger.unwrap();
    assert_eq!(trigger.comm, "mkfs.ext4");
    assert_eq!((trigger.order, trigger.oom_score_adj), (Some(0), Some(0)));
}

#[test]
fn a_number_broken_in_a_line_of_statistics_is_whole() {
    let report = scan_one(
        b"[  270.729520] Memory cgroup stats for /docker/8fce: cache:507172KB rss:44\n8KB rss_huge:0KB mapped_file:0KB dirty:503316KB \
          writeback:0KB swap:0KB\n[  270.729527] Memory cgroup out of memory: Killed process 946 (test) total-vm:104840kB, \
          anon-rss:30596kB, file-rss:1056kB, shmem-rss:0kB\n",
    );
    let fields = &report.memcg.unwrap().stats[0].fields;
    assert_eq!(
        (fields.get("rss"), fields.get("dirty")),
        (Some(448), Some(503_316))
    );
}

#[test]
fn a_line_is_whole_wherever_its_needle_stands() {
    let log = "Mar  9 13:17:05 ip-172-20-45-17 kernel: [30320.358751] Memory cgroup out of memory: Kill process 11190 (app) score 9 \
               or sacrifice child";
    for columns in 41..100 {
        let pieces: Vec<&[u8]> = log.as_bytes().chunks(columns).collect();
        let broken = [pieces.join(&b"\n"[..]), b"\n".to_vec()].concat();
        // Inside the only needle of a line nothing finds it.
        if !pieces
            .iter()
            .any(|piece| piece.windows(4).any(|word| word == b"Kill"))
        {
            continue;
        }
        let report = scan_one(&broken);
        let victim = &report.victims[0];
        assert_eq!(
            (victim.pid, victim.comm.as_str()),
            (11_190, "app"),
            "{columns}"
        );
        assert_eq!(report.time.boot_us, Some(30_320_358_751), "{columns}");
        assert_eq!(
            report.scope,
            Some(oom_report::report::Scope::Memcg),
            "{columns}"
        );
    }
}
