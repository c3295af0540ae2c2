#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
//! Records made by hand after `bpf/record.h`, field by field: what the reader makes of each field, and of records that
//! are cut or wrong. That real records have this layout is held by the live tests.

use proptest::prelude::*;
use whodunit_case::fact::{Fact, KillSignal, SenderCall, SignalOrigin};

use super::{RecordError, read};

const PAGE: u64 = 4096;

/// Writes a record; texts are collected and follow it.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    texts: Vec<u8>,
}

impl Writer {
    fn head(kind: u32) -> Self {
        let mut writer = Self::default();
        writer.u32(kind).u32(0).u64(77);
        writer
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes.extend(value.to_ne_bytes());
        self
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes.extend(value.to_ne_bytes());
        self
    }

    fn i64(&mut self, value: i64) -> &mut Self {
        self.bytes.extend(value.to_ne_bytes());
        self
    }

    fn comm(&mut self, comm: &str) -> &mut Self {
        let mut bytes = [0; 16];
        bytes[..comm.len()].copy_from_slice(comm.as_bytes());
        self.bytes.extend(bytes);
        self
    }

    fn reference(&mut self, at: u16, length: u16) -> &mut Self {
        self.bytes.extend(at.to_ne_bytes());
        self.bytes.extend(length.to_ne_bytes());
        self
    }

    fn none(&mut self) -> &mut Self {
        self.reference(0xffff, 0)
    }

    /// A text whose length counts a closing zero or not, as its kind wants.
    fn text(&mut self, text: &[u8], flags: u16) -> &mut Self {
        let at = u16::try_from(self.texts.len()).unwrap();
        self.texts.extend(text);
        let length = u16::try_from(text.len()).unwrap();
        self.reference(at, length | flags)
    }

    fn process(&mut self, pid: u32, comm: &str, flags: u32) -> &mut Self {
        self.u64(1_234_567_890).u64(99);
        self.u32(pid).u32(pid - 1).u32(1000).u32(u32::MAX).u32(7);
        self.u32(4026531836).u32(1).u32(flags).comm(comm);
        self.text(b"exe-file", 0).none();
        self.text(b"a\0\0b c\0cut", 0);
        self.text(b"leaf\0middle\0top\0", 0).none();
        self.u32(0)
    }

    fn ancestors(&mut self, room: u32, count: u32) -> &mut Self {
        self.ancestors_and(room, count, 0)
    }

    /// With the number that stands behind the count.
    fn ancestors_and(&mut self, room: u32, count: u32, number: u32) -> &mut Self {
        self.u32(count).u32(number);
        for at in 0..room {
            self.u64(u64::from(at))
                .u32(100 + at)
                .u32(0)
                .u32(u32::MAX)
                .u32(0)
                .u32(1)
                .u32(0);
            self.comm("parent").none().text(b"pts3", 0);
            self.text(b"unified\0", 0).text(b"", 0);
        }
        self
    }

    fn memory(&mut self, values: [i64; 10]) -> &mut Self {
        for value in values {
            self.i64(value);
        }
        self
    }

    fn finish(mut self) -> Vec<u8> {
        let size = u32::try_from(self.bytes.len()).unwrap();
        self.bytes[4..8].copy_from_slice(&size.to_ne_bytes());
        let used = u32::try_from(self.texts.len()).unwrap();
        self.u32(used).u32(0);
        self.bytes.append(&mut self.texts);
        self.bytes
    }
}

const MEMORY: [i64; 10] = [1000, 10, 200, 3, 0, 150, 8192, 500, i64::MAX / 4096, -999];

struct Sent {
    origin: u32,
    in_call: u32,
    call: i64,
    sender_flags: u32,
    count: u32,
}

const PLAIN: Sent = Sent {
    origin: 2,
    in_call: 1,
    call: 39,
    sender_flags: 0,
    count: 2,
};

/// 1 + the level of each, in two fields of 16 bits.
const FULL_AND_GROUP_LEVEL: u32 = if cfg!(target_endian = "little") {
    3 | 1 << 16
} else {
    3 << 16 | 1
};

fn signal(sent: &Sent) -> Vec<u8> {
    let mut writer = Writer::head(1);
    writer
        .process(43, "victim", 0)
        .ancestors_and(4, 1, FULL_AND_GROUP_LEVEL)
        .memory(MEMORY);
    writer.u32(9).u32(0x80).u32(sent.origin).u32(1).u32(0);
    writer.u32(sent.in_call).i64(sent.call);
    writer.text(b"cgroup2", 0);
    writer.text(b"cgroup.kill\0pod\0", 0x8000);
    writer.u32(0).u32(0).u64(u64::MAX).u64(0);
    writer.process(51, "killer", sent.sender_flags);
    writer.ancestors_and(8, sent.count, (-40_i32).cast_unsigned());
    writer.finish()
}

fn told(bytes: &[u8]) -> KillSignal {
    match read(bytes, PAGE).unwrap() {
        Fact::Signal(signal) => *signal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_field_of_a_signal() {
    let fact = told(&signal(&PLAIN));
    assert_eq!(
        (fact.boot_ns, fact.signal, fact.code, fact.result),
        (77, 9, 128, 0)
    );
    assert!(fact.group);
    let target = &fact.target;
    assert_eq!(
        (target.pid, target.tgid, target.start_boot_ns),
        (43, 42, 1_234_567_890)
    );
    assert_eq!(
        (target.comm.as_str(), target.exe.as_deref()),
        ("victim", Some("exe-file"))
    );
    assert_eq!(target.arguments, ["a", "", "b c", "cut"]);
    assert_eq!(
        (target.uid, target.login_uid, target.login_session),
        (1000, None, Some(7))
    );
    assert_eq!(
        (target.pid_namespace, target.namespaced_tgid),
        (Some(4026531836), Some(1))
    );
    assert_eq!(target.cgroups.unified.as_deref(), Some("/top/middle/leaf"));
    assert_eq!(
        (target.cgroups.memory.as_deref(), target.cgroups.unified_id),
        (None, Some(99))
    );
    assert_eq!(target.tty, None);
    assert_eq!(fact.sender.comm, "killer");
    assert_eq!(
        (fact.sender_ancestors.len(), fact.target_ancestors.len()),
        (2, 1)
    );
    let parent = &fact.sender_ancestors[1];
    assert_eq!((parent.tgid, parent.tty.as_deref()), (101, Some("pts3")));
    assert_eq!(parent.namespaced_tgid, Some(1));
    // The memory hierarchy's root says less than a place in the unified one.
    assert_eq!(parent.cgroup.as_deref(), Some("/unified"));
    assert_eq!((fact.cpu_limit, fact.tracer_tgid), (None, None));
    let memory = fact.memory;
    assert_eq!(memory.total_vm_kib, Some(4000));
    assert_eq!(
        (
            memory.file_rss_kib,
            memory.anon_rss_kib,
            memory.shmem_rss_kib
        ),
        (Some(40), Some(800), Some(12))
    );
    // More is resident now than at the kernel's last mark.
    assert_eq!(memory.max_rss_kib, Some(852));
    assert_eq!(
        (memory.pgtables_kib, memory.memcg_usage_kib),
        (Some(8), Some(2000))
    );
    assert_eq!(
        (memory.memcg_limit_kib, memory.oom_score_adj),
        (None, Some(-999))
    );
    assert_eq!(
        (memory.memcg_full_level, memory.memcg_group_level),
        (Some(2), Some(0))
    );
}

#[test]
#[cfg(target_arch = "x86_64")]
fn what_the_sender_was_in() {
    for (origin, in_call, call, flags, expected, file) in [
        (2, 1, 62, 0, SenderCall::Kill, false),
        (2, 2, 62, 0, SenderCall::OtherCall, false),
        (2, 2, 37, 0, SenderCall::Kill, false),
        (0, 1, 1, 0, SenderCall::Write, true),
        (1, 1, 0, 0, SenderCall::OtherCall, false),
        (1, 0, -1, 0, SenderCall::NoCall, false),
        (1, 1, 34, super::PF_EXITING, SenderCall::Exit, false),
    ] {
        let fact = told(&signal(&Sent {
            origin,
            in_call,
            call,
            sender_flags: flags,
            count: 0,
        }));
        assert_eq!(fact.call, expected, "{in_call} {call}");
        assert_eq!(fact.system_call, (in_call != 0).then_some(call));
        let named = (expected == SenderCall::Kill).then_some(-40);
        assert_eq!(fact.kill_pid, named, "{in_call} {call}");
        assert_eq!(fact.written_file.is_some(), file, "{in_call} {call}");
        let origins = [
            SignalOrigin::NoInfo,
            SignalOrigin::Kernel,
            SignalOrigin::Siginfo,
        ];
        assert_eq!(fact.origin, origins[usize::try_from(origin).unwrap()]);
        if let Some(file) = fact.written_file {
            // Cut at its root's end.
            assert_eq!(
                (file.filesystem.as_str(), file.path.as_str()),
                ("cgroup2", "…/pod/cgroup.kill")
            );
        }
    }
}

#[test]
fn counts_that_exceed_the_room_are_the_room() {
    let fact = told(&signal(&Sent {
        count: u32::MAX,
        ..PLAIN
    }));
    assert_eq!(fact.sender_ancestors.len(), 8);
}

#[test]
fn an_exit_without_memory() {
    let mut writer = Writer::head(2);
    writer
        .process(43, "ended", super::PF_EXITING)
        .ancestors(4, 0)
        .memory([-1; 10]);
    writer.u32(9).u32(0);
    let Fact::Exit(exit) = read(&writer.finish(), PAGE).unwrap() else {
        panic!();
    };
    assert_eq!((exit.signal(), exit.status()), (Some(9), None));
    assert!(exit.process.exiting);
    assert_eq!(exit.memory.total_vm_kib, None);
    assert_eq!(exit.memory.max_rss_kib, None);
    assert_eq!(exit.memory.memcg_limit_kib, None);
}

#[test]
fn records_of_another_layout_are_refused() {
    let mut bytes = signal(&PLAIN);
    bytes[4] ^= 8;
    assert!(matches!(
        read(&bytes, PAGE),
        Err(RecordError::Size { kind: 1, .. })
    ));
    assert_eq!(
        read(&Writer::head(9).finish(), PAGE),
        Err(RecordError::Kind(9))
    );
    assert!(matches!(read(&[], PAGE), Err(RecordError::Short { .. })));
}

proptest! {
    #[test]
    fn a_cut_or_broken_record_never_panics(cut in 0_usize..3000, at in 0_usize..3000, byte: u8, page in 0_u64..70_000) {
        let mut bytes = signal(&PLAIN);
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        bytes.truncate(cut);
        let _ = read(&bytes, page);
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000), kind in 1_u32..4) {
        let mut bytes = bytes;
        if let Some(place) = bytes.get_mut(..4) {
            place.copy_from_slice(&kind.to_ne_bytes());
        }
        let _ = read(&bytes, PAGE);
    }
}
