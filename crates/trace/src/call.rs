//! System call numbers of the calls that send signals or end processes, by architecture. A table and its look-up.
//!
//! Numbers: arch/x86/entry/syscalls/syscall_{32,64}.tbl, include/uapi/asm-generic/unistd.h,
//! arch/arm/tools/syscall.tbl.

use whodunit_case::fact::SenderCall;

/// Set in the numbers of x32 (arch/x86/include/uapi/asm/unistd.h: __X32_SYSCALL_BIT).
const X32: i64 = 0x4000_0000;

/// One way into the kernel and its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Table(&'static [(SenderCall, &'static [i64])]);

impl Table {
    /// The table of this machine, or that of its 32 bit programs; none for an architecture that is not known here.
    pub(crate) fn of_machine(compat: bool) -> Option<Self> {
        if cfg!(target_arch = "x86_64") {
            Some(if compat { I386 } else { X86_64 })
        } else if cfg!(target_arch = "aarch64") {
            Some(if compat { ARM } else { AARCH64 })
        } else {
            None
        }
    }

    /// What the call with this number does.
    pub(crate) fn call(self, number: i64) -> SenderCall {
        let number = if self == X86_64 {
            number & !X32
        } else {
            number
        };
        self.0
            .iter()
            .find(|(_, numbers)| numbers.contains(&number))
            .map_or(SenderCall::OtherCall, |(call, _)| *call)
    }
}

/// Numbers from 512 on are x32's own.
const X86_64: Table = Table(&[
    (SenderCall::Kill, &[62]),
    (SenderCall::Tkill, &[200, 234]),
    (SenderCall::Sigqueue, &[129, 297, 524, 536]),
    (SenderCall::PidfdSendSignal, &[424]),
    (SenderCall::Write, &[1, 18, 20, 40, 296, 328, 516, 535, 547]),
    (SenderCall::Exit, &[60, 231]),
    (SenderCall::Exec, &[59, 322, 520, 545]),
]);

const I386: Table = Table(&[
    (SenderCall::Kill, &[37]),
    (SenderCall::Tkill, &[238, 270]),
    (SenderCall::Sigqueue, &[178, 335]),
    (SenderCall::PidfdSendSignal, &[424]),
    (SenderCall::Write, &[4, 146, 181, 187, 239, 334, 379]),
    (SenderCall::Exit, &[1, 252]),
    (SenderCall::Exec, &[11, 358]),
]);

const AARCH64: Table = Table(&[
    (SenderCall::Kill, &[129]),
    (SenderCall::Tkill, &[130, 131]),
    (SenderCall::Sigqueue, &[138, 240]),
    (SenderCall::PidfdSendSignal, &[424]),
    (SenderCall::Write, &[64, 66, 68, 70, 71, 287]),
    (SenderCall::Exit, &[93, 94]),
    (SenderCall::Exec, &[221, 281]),
]);

const ARM: Table = Table(&[
    (SenderCall::Kill, &[37]),
    (SenderCall::Tkill, &[238, 268]),
    (SenderCall::Sigqueue, &[178, 363]),
    (SenderCall::PidfdSendSignal, &[424]),
    (SenderCall::Write, &[4, 146, 181, 187, 239, 362, 393]),
    (SenderCall::Exit, &[1, 248]),
    (SenderCall::Exec, &[11, 387]),
]);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// libc has the numbers from the kernel's own headers.
    #[test]
    fn the_native_table_agrees_with_the_headers() {
        let table = Table::of_machine(false).unwrap();
        for (number, call) in [
            (libc::SYS_kill, SenderCall::Kill),
            (libc::SYS_tkill, SenderCall::Tkill),
            (libc::SYS_tgkill, SenderCall::Tkill),
            (libc::SYS_rt_sigqueueinfo, SenderCall::Sigqueue),
            (libc::SYS_rt_tgsigqueueinfo, SenderCall::Sigqueue),
            (libc::SYS_pidfd_send_signal, SenderCall::PidfdSendSignal),
            (libc::SYS_write, SenderCall::Write),
            (libc::SYS_writev, SenderCall::Write),
            (libc::SYS_pwrite64, SenderCall::Write),
            (libc::SYS_pwritev, SenderCall::Write),
            (libc::SYS_pwritev2, SenderCall::Write),
            (libc::SYS_sendfile, SenderCall::Write),
            (libc::SYS_exit, SenderCall::Exit),
            (libc::SYS_exit_group, SenderCall::Exit),
            (libc::SYS_execve, SenderCall::Exec),
            (libc::SYS_execveat, SenderCall::Exec),
            (libc::SYS_read, SenderCall::OtherCall),
            (libc::SYS_mmap, SenderCall::OtherCall),
        ] {
            assert_eq!(table.call(number), call, "{number}");
        }
    }

    #[test]
    fn no_table_names_a_number_twice() {
        for table in [X86_64, I386, AARCH64, ARM] {
            let mut numbers: Vec<i64> = table
                .0
                .iter()
                .flat_map(|(_, numbers)| *numbers)
                .copied()
                .collect();
            let count = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), count);
        }
    }

    #[test]
    fn x32_calls_are_known_by_their_bit_and_their_own_numbers() {
        assert_eq!(X86_64.call(X32 | 62), SenderCall::Kill);
        assert_eq!(X86_64.call(X32 | 520), SenderCall::Exec);
        assert_eq!(I386.call(62), SenderCall::OtherCall);
    }
}
