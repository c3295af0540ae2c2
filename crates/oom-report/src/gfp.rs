//! The flags of an allocation (`gfp_mask`) by name, and what they mean.
//!
//! Kernels from 4.6 on print the names themselves; older ones, and cut lines, have the number only, and the bits moved
//! several times. Source of the bits: include/linux/gfp.h (gfp_types.h from 6.0 on); of the composites and their order:
//! include/trace/events/mmflags.h.

mod tables;

use crate::kernel_version::KernelVersion;
use tables::{Bits, TABLES};

/// A decoded mask.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GfpDecoded {
    /// Composite first (`GFP_KERNEL`), then single flags, as the kernel prints them.
    pub flags: Vec<&'static str>,
    /// Bits that this version gives no name.
    pub unknown_bits: u64,
}

/// Combinations that have a name of their own, largest first, as lists of single flags.
/// `WAIT` is `__GFP_WAIT` before 4.4 and both kinds of reclaim since.
const COMPOSITES: &[(&str, &[&str])] = &[
    (
        "GFP_TRANSHUGE",
        &[
            "__GFP_DIRECT_RECLAIM",
            "__GFP_IO",
            "__GFP_FS",
            "__GFP_HARDWALL",
            "__GFP_HIGHMEM",
            "__GFP_MOVABLE",
            "__GFP_COMP",
            "__GFP_NOMEMALLOC",
            "__GFP_NOWARN",
        ],
    ),
    // 5.14 to 5.17 give it a bit that later kernels have with hardware tags only.
    (
        "GFP_HIGHUSER_MOVABLE",
        &[
            "WAIT",
            "__GFP_IO",
            "__GFP_FS",
            "__GFP_HARDWALL",
            "__GFP_HIGHMEM",
            "__GFP_MOVABLE",
            "__GFP_SKIP_KASAN_POISON",
        ],
    ),
    (
        "GFP_HIGHUSER_MOVABLE",
        &[
            "WAIT",
            "__GFP_IO",
            "__GFP_FS",
            "__GFP_HARDWALL",
            "__GFP_HIGHMEM",
            "__GFP_MOVABLE",
        ],
    ),
    (
        "GFP_HIGHUSER",
        &[
            "WAIT",
            "__GFP_IO",
            "__GFP_FS",
            "__GFP_HARDWALL",
            "__GFP_HIGHMEM",
        ],
    ),
    (
        "GFP_USER",
        &["WAIT", "__GFP_IO", "__GFP_FS", "__GFP_HARDWALL"],
    ),
    (
        "GFP_TEMPORARY",
        &["WAIT", "__GFP_IO", "__GFP_FS", "__GFP_RECLAIMABLE"],
    ),
    (
        "GFP_KERNEL_ACCOUNT",
        &["WAIT", "__GFP_IO", "__GFP_FS", "__GFP_ACCOUNT"],
    ),
    ("GFP_KERNEL", &["WAIT", "__GFP_IO", "__GFP_FS"]),
    ("GFP_NOFS", &["WAIT", "__GFP_IO"]),
    ("GFP_NOIO", &["WAIT"]),
];

/// The names of the flags set in `mask` on a kernel of that version.
///
/// ```
/// use oom_report::{gfp, kernel_version::KernelVersion};
///
/// let rhel7 = KernelVersion::parse("3.10.0-1160.el7.x86_64").unwrap();
/// assert_eq!(gfp::decode(0x201da, rhel7).flags, ["GFP_HIGHUSER_MOVABLE", "__GFP_COLD"]);
/// ```
pub fn decode(mask: u64, kernel: KernelVersion) -> GfpDecoded {
    let bits = bits_of(kernel);
    let mut decoded = GfpDecoded {
        flags: Vec::new(),
        unknown_bits: mask,
    };
    for (name, parts) in COMPOSITES {
        if *name == "GFP_TEMPORARY" && kernel.at_least(4, 14) {
            continue;
        }
        let whole = parts
            .iter()
            .map(|part| bit(bits, part))
            .try_fold(0, |whole, bit| Some(whole | bit?));
        if let Some(whole) = whole.filter(|whole| mask & whole == *whole) {
            decoded.flags.push(name);
            decoded.unknown_bits &= !whole;
            break;
        }
    }
    for (name, bit) in bits.iter() {
        if decoded.unknown_bits & bit == *bit {
            decoded.flags.push(name);
            decoded.unknown_bits &= !bit;
        }
    }
    decoded
}

fn bits_of(kernel: KernelVersion) -> Bits {
    let version = (kernel.major, kernel.minor);
    TABLES
        .iter()
        .rev()
        .find(|(since, _)| *since <= version)
        .or(TABLES.first())
        .map_or(&[], |(_, bits)| bits)
}

fn bit(bits: Bits, name: &str) -> Option<u64> {
    let find = |name: &str| {
        bits.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, bit)| *bit)
    };
    if name != "WAIT" {
        return find(name);
    }
    find("__GFP_WAIT")
        .or_else(|| Some(find("__GFP_DIRECT_RECLAIM")? | find("__GFP_KSWAPD_RECLAIM")?))
}

/// What a flag, single or composite, tells of the allocation.
pub fn meaning(flag: &str) -> Option<&'static str> {
    Some(match flag {
        "GFP_HIGHUSER_MOVABLE" => {
            "memory of a user process that can be moved: page faults, page cache"
        }
        "GFP_TEMPORARY" => "kernel memory that is given back soon",
        "GFP_HIGHUSER" | "GFP_USER" => "memory for user space that cannot be moved",
        "GFP_KERNEL" => {
            "ordinary memory, in full context: the kernel may reclaim, write and wait for it"
        }
        "GFP_KERNEL_ACCOUNT" => "kernel memory charged to the process's memory cgroup",
        "GFP_NOFS" => "asked for inside a filesystem: reclaim may not call filesystems",
        "GFP_NOIO" => "asked for inside the block layer: reclaim may not start IO",
        "GFP_ATOMIC" => "asked for where waiting is forbidden",
        "GFP_NOWAIT" | "GFP_NOWAIT|__GFP_NOWARN" => "may not wait for reclaim",
        "GFP_TRANSHUGE" | "GFP_TRANSHUGE_LIGHT" => "a transparent huge page",
        "GFP_DMA" | "__GFP_DMA" => "must lie in the DMA zone (first 16 MiB on x86)",
        "GFP_DMA32" | "__GFP_DMA32" => "must lie below 4 GiB",
        "__GFP_HIGHMEM" => "may lie in high memory",
        "__GFP_MOVABLE" => "may be moved by compaction",
        "__GFP_ZERO" => "zeroed before use",
        "__GFP_COMP" => "several pages as one compound page",
        "__GFP_COLD" => "need not be in the processor's cache",
        "__GFP_ACCOUNT" => "charged to the process's memory cgroup",
        "__GFP_NOFAIL" => "may not fail: the kernel tries for ever",
        "__GFP_NORETRY" => "may fail after one try",
        "__GFP_RETRY_MAYFAIL" | "__GFP_REPEAT" => "tries hard, then may fail",
        "__GFP_NOWARN" => "failure is not logged",
        "__GFP_HARDWALL" => "only from the memory nodes of the process's cpuset",
        "__GFP_THISNODE" => "only from one NUMA node",
        "__GFP_WRITE" => "page cache that will be written",
        "__GFP_RECLAIMABLE" => "slab memory that can be reclaimed",
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn masks_that_kernels_printed_with_their_names() {
        for (release, mask, flags) in [
            ("3.10.0-1160.el7.x86_64", 0xd0, "GFP_KERNEL"),
            (
                "3.10.0-1160.el7.x86_64",
                0x280da,
                "GFP_HIGHUSER_MOVABLE|__GFP_ZERO",
            ),
            (
                "4.4.0-1-amd64",
                0x24201ca,
                "GFP_HIGHUSER_MOVABLE|__GFP_COLD",
            ),
            ("4.9.0-14-amd64", 0x240_00c0, "GFP_KERNEL"),
            (
                "4.9.0-14-amd64",
                0x24201ca,
                "GFP_HIGHUSER_MOVABLE|__GFP_COLD",
            ),
            ("4.15.0-108-generic", 0x15000c0, "GFP_KERNEL_ACCOUNT"),
            ("4.15.0-108-generic", 0x14200ca, "GFP_HIGHUSER_MOVABLE"),
            ("4.18.0-553.el8.x86_64", 0x6000c0, "GFP_KERNEL"),
            (
                "4.19.0-6-amd64",
                0x6280ca,
                "GFP_HIGHUSER_MOVABLE|__GFP_ZERO",
            ),
            (
                "5.4.17-2136.el8uek.x86_64",
                0x100cca,
                "GFP_HIGHUSER_MOVABLE",
            ),
            (
                "4.9.56-21.pvops.qubes.x86_64",
                0x240_c0d0,
                "GFP_TEMPORARY|__GFP_COMP|__GFP_ZERO",
            ),
            ("4.14.79-v7+", 0x150_80c0, "GFP_KERNEL_ACCOUNT|__GFP_ZERO"),
            ("4.20.0+", 0x62_02c2, "GFP_HIGHUSER|__GFP_NOWARN"),
            ("5.15.158-2-pve", 0x110_0cca, "GFP_HIGHUSER_MOVABLE"),
            (
                "5.15.0-100-generic",
                0x110_0dca,
                "GFP_HIGHUSER_MOVABLE|__GFP_ZERO",
            ),
            ("6.1.0-18-cloud-amd64", 0xcc0, "GFP_KERNEL"),
            ("6.1.1-arch1-1", 0x140cca, "GFP_HIGHUSER_MOVABLE|__GFP_COMP"),
            ("6.18.44", 0x400cc0, "GFP_KERNEL_ACCOUNT"),
        ] {
            let decoded = decode(mask, KernelVersion::parse(release).unwrap());
            assert_eq!(decoded.flags.join("|"), flags, "{release} {mask:#x}");
            assert_eq!(decoded.unknown_bits, 0, "{release} {mask:#x}");
        }
    }

    #[test]
    fn no_bit_is_named_twice_and_none_is_lost() {
        for ((major, minor), bits) in TABLES {
            let kernel = KernelVersion {
                major: *major,
                minor: *minor,
                patch: 0,
                distribution: None,
            };
            for (name, bit) in bits.iter() {
                assert_eq!(
                    bits.iter().filter(|(_, other)| other & bit != 0).count(),
                    1,
                    "{major}.{minor} {name}"
                );
                assert_eq!(decode(*bit, kernel).unknown_bits, 0, "{name}");
            }
            assert_eq!(decode(1 << 40, kernel).unknown_bits, 1 << 40);
        }
    }
}
