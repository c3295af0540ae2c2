//! The kernel's log as it grows: the device itself, and a pipe that gives one record a read as the device does.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use oom_report::report::OomReport;
use oom_report::{Assumptions, Scanner};
use rustix::pipe::{PipeFlags, pipe_with};
use whodunit_node::Root;
use whodunit_node::clock::boot_ns;
use whodunit_node::kmsg::{Begun, Follower, Gap, Position, Start};

use crate::stage::{Stage, readable};

const BOOT: &str = "11111111-2222-4333-8444-555555555555";

fn record(sequence: u64) -> String {
    format!(
        "6,{sequence},{},-;text of {sequence}\n SUBSYSTEM=test\n",
        sequence * 10
    )
}

/// Records with their sequence numbers as they come out.
fn sequences(bytes: &[u8]) -> Vec<u64> {
    String::from_utf8_lossy(bytes)
        .lines()
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split(',').nth(1).unwrap().parse().unwrap())
        .collect()
}

fn after(next_sequence: u64) -> Start {
    Start::After(Position {
        boot_id: BOOT.into(),
        next_sequence,
    })
}

/// What the kernel answers to read(2) on the device, call by call.
struct Device(VecDeque<Result<String, i32>>);

impl Device {
    fn with(answers: impl IntoIterator<Item = Result<u64, i32>>) -> Self {
        Self(
            answers
                .into_iter()
                .map(|answer| answer.map(record))
                .collect(),
        )
    }
}

impl Read for Device {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.pop_front().unwrap_or(Err(libc::EAGAIN)) {
            Ok(record) => {
                buffer[..record.len()].copy_from_slice(record.as_bytes());
                Ok(record.len())
            }
            Err(error) => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

#[test]
fn a_pipe_of_records_is_followed_and_gone_on_with() {
    // Packets: one write is one read.
    let (reading, writing) =
        pipe_with(PipeFlags::DIRECT | PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).unwrap();
    let mut writing = File::from(writing);
    let mut follower = Follower::on(File::from(reading), BOOT.into(), &Start::Oldest).unwrap();
    assert_eq!(follower.position().next_sequence, 0);
    assert!(!readable(&follower, Duration::ZERO));
    let batch = follower.read().unwrap();
    assert_eq!((batch.records, batch.ended), (0, false));

    for sequence in 0..3 {
        writing.write_all(record(sequence).as_bytes()).unwrap();
    }
    assert!(readable(&follower, Duration::from_secs(1)));
    let batch = follower.read().unwrap();
    assert_eq!(sequences(&batch.bytes), [0, 1, 2]);
    assert_eq!(batch.records, 3);
    assert!(batch.gaps.is_empty() && !batch.more);
    assert_eq!(
        follower.position(),
        Position {
            boot_id: BOOT.into(),
            next_sequence: 3
        }
    );

    // Numbers that are missing are counted, and between which.
    writing.write_all(record(7).as_bytes()).unwrap();
    let batch = follower.read().unwrap();
    assert_eq!(
        batch.gaps,
        [Gap {
            lost: 4,
            after_sequence: Some(2),
            before_sequence: 7,
            after_boot_us: Some(20),
            before_boot_us: Some(70)
        }]
    );
    drop(writing);
    assert!(follower.read().unwrap().ended);
}

#[test]
fn records_overwritten_unread_are_told_with_their_number() {
    let device = Device::with([
        Ok(5),
        Ok(6),
        Err(libc::EPIPE),
        Err(libc::EINTR),
        Ok(20),
        Ok(21),
    ]);
    let mut follower = Follower::on(device, BOOT.into(), &Start::Oldest).unwrap();
    let batch = follower.read().unwrap();
    assert_eq!(sequences(&batch.bytes), [5, 6, 20, 21]);
    let lost: Vec<_> = batch
        .gaps
        .iter()
        .map(|gap| (gap.lost, gap.after_sequence, gap.before_sequence))
        .collect();
    assert_eq!(lost, [(5, None, 5), (13, Some(6), 20)]);
}

#[test]
fn a_later_run_goes_on_with_the_next_record_or_says_what_is_gone() {
    let device = || Device::with((3..9).map(Ok));
    let mut follower = Follower::on(device(), BOOT.into(), &after(6)).unwrap();
    assert_eq!(follower.begun(), &Begun::AsAsked);
    let batch = follower.read().unwrap();
    assert_eq!(sequences(&batch.bytes), [6, 7, 8]);
    assert!(batch.gaps.is_empty());

    // All was read before: nothing twice.
    let mut follower = Follower::on(device(), BOOT.into(), &after(9)).unwrap();
    assert_eq!(follower.read().unwrap().records, 0);
    assert_eq!(follower.position().next_sequence, 9);

    // The kernel no longer has what was next.
    let mut follower = Follower::on(device(), BOOT.into(), &after(1)).unwrap();
    let batch = follower.read().unwrap();
    assert_eq!(sequences(&batch.bytes), [3, 4, 5, 6, 7, 8]);
    assert_eq!(
        (batch.gaps[0].lost, batch.gaps[0].after_sequence),
        (2, Some(0))
    );

    let other = Start::After(Position {
        boot_id: "another".into(),
        next_sequence: 6,
    });
    let mut follower = Follower::on(device(), BOOT.into(), &other).unwrap();
    assert_eq!(
        follower.begun(),
        &Begun::OtherBoot {
            saved: "another".into()
        }
    );
    assert_eq!(
        sequences(&follower.read().unwrap().bytes),
        [3, 4, 5, 6, 7, 8]
    );
}

#[test]
fn from_now_on_passes_over_what_is_there() {
    let mut device = Device::with([Ok(3), Ok(4), Err(libc::EAGAIN)]);
    device.0.push_back(Ok(record(5)));
    let mut follower = Follower::on(device, BOOT.into(), &Start::Now).unwrap();
    assert_eq!(follower.position().next_sequence, 5);
    let batch = follower.read().unwrap();
    assert_eq!(sequences(&batch.bytes), [5]);
    assert!(batch.gaps.is_empty());
}

/// Follows the device with the scanner until it has the wanted report; gives all of them with the time, in
/// microseconds since boot, at which they were told.
fn follow(follower: &mut Follower, wanted: impl Fn(&OomReport) -> bool) -> Vec<(OomReport, u64)> {
    let mut scanner = Scanner::new(Assumptions::default());
    let mut reports: Vec<(OomReport, u64)> = Vec::new();
    let mut last_record_us = 0;
    let end = Instant::now() + Duration::from_secs(10);
    while Instant::now() < end && !reports.iter().any(|(report, _)| wanted(report)) {
        let quiet = scanner.settles_after();
        let mut sink = |report| reports.push((report, boot_ns() / 1000));
        if readable(&*follower, quiet.unwrap_or(Duration::from_millis(500))) {
            let batch = follower.read().unwrap();
            scanner.push(&batch.bytes, &mut sink);
            last_record_us = time_of_last(&batch.bytes).unwrap_or(last_record_us);
        } else if let Some(quiet) = quiet {
            scanner.settle(quiet, &mut sink);
            let now_us = boot_ns() / 1000;
            eprintln!(
                "silent for {quiet:?}, told {} us after the last record",
                now_us - last_record_us
            );
        }
    }
    reports
}

fn time_of_last(bytes: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(bytes);
    let record = text.lines().rfind(|line| !line.starts_with(' '))?;
    record.split(',').nth(2)?.parse().ok()
}

#[test]
fn a_real_kill_is_reported_at_once_and_read_again_by_nobody() {
    let Some(mut stage) = Stage::set() else {
        return;
    };
    let mut follower = Follower::open(&Root::system(), &Start::Now).unwrap();
    let path = format!("{}/kill", stage.path);
    stage.make(&path).unwrap();
    let before = follower.position();
    // Followed while it happens, as a program would.
    let (pid, reports) = std::thread::scope(|scope| {
        let killing = scope.spawn(|| stage.kill_in(&path));
        let reports = follow(&mut follower, |report| {
            report
                .memcg
                .as_ref()
                .and_then(|memcg| memcg.path.as_deref())
                == Some(path.as_str())
        });
        (killing.join().unwrap(), reports)
    });
    let mine = |report: &OomReport| report.victims.iter().any(|victim| victim.pid == pid);
    let (report, told_us) = reports
        .iter()
        .find(|(report, _)| mine(report))
        .expect("the kill is reported");
    let (_, last_line) = report.text.iter().last().unwrap();
    let lasted_us = told_us - report.time.boot_us.unwrap();
    eprintln!("told {lasted_us} us after the report's first line; its last: {last_line}");
    assert!(lasted_us < 2_000_000, "{lasted_us} us");
    assert_eq!(
        report.memcg.as_ref().unwrap().path.as_deref(),
        Some(path.as_str())
    );
    assert!(!report.tasks.is_empty());

    // A later run that goes on behind it does not see it; one that goes on before it sees it once.
    let behind = follower.position();
    assert!(behind.next_sequence > before.next_sequence);
    let pids = |start: Position| -> Vec<u32> {
        let mut follower = Follower::open(&Root::system(), &Start::After(start)).unwrap();
        assert_eq!(follower.begun(), &Begun::AsAsked);
        let mut scanner = Scanner::new(Assumptions::default());
        let mut pids = Vec::new();
        let mut sink =
            |report: OomReport| pids.extend(report.victims.iter().map(|victim| victim.pid));
        loop {
            let batch = follower.read().unwrap();
            scanner.push(&batch.bytes, &mut sink);
            if !batch.more {
                break;
            }
        }
        scanner.finish(&mut sink);
        pids
    };
    assert!(!pids(behind.clone()).contains(&pid));
    assert_eq!(pids(before).iter().filter(|one| **one == pid).count(), 1);

    let ahead = Position {
        next_sequence: behind.next_sequence + 1_000_000,
        ..behind
    };
    let begun = Follower::open(&Root::system(), &Start::After(ahead.clone())).unwrap();
    assert_eq!(
        begun.begun(),
        &Begun::PositionAhead {
            saved: ahead.next_sequence
        }
    );
}
