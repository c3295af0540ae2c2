//! Device numbers of terminals -> the names that the kernel has for them (Documentation/admin-guide/devices.txt).

use smol_str::{SmolStr, format_smolstr};

/// Drivers by major number: the first minor, the count, and the prefix of the name.
const DRIVERS: [(u32, u32, u32, &str); 9] = [
    (4, 0, 64, "tty"),
    (4, 64, 192, "ttyS"),
    (5, 1, 1, "console"),
    (188, 0, 256, "ttyUSB"),
    (166, 0, 256, "ttyACM"),
    (204, 64, 16, "ttyAMA"),
    (229, 0, 256, "hvc"),
    (227, 0, 256, "3270/tty"),
    (250, 0, 256, "ttysclp"),
];
/// Pseudo terminals of Unix 98: eight majors of 256 each.
const PTS: std::ops::RangeInclusive<u32> = 136..=143;

/// `tty_nr` of /proc/PID/stat -> `pts3`, as `tty->name` in the kernel; `None` without a terminal.
pub(super) fn name(tty_nr: i32) -> Option<SmolStr> {
    let device = tty_nr.cast_unsigned();
    // new_encode_dev, include/linux/kdev_t.h
    let major = (device >> 8) & 0xfff;
    let minor = (device & 0xff) | ((device >> 12) & 0xf_ff00);
    if device == 0 {
        return None;
    }
    if PTS.contains(&major) {
        return Some(format_smolstr!(
            "pts{}",
            (major - PTS.start()) * 256 + minor
        ));
    }
    let known = DRIVERS
        .iter()
        .find(|(of, first, count, ..)| *of == major && (*first..*first + *count).contains(&minor));
    Some(match known {
        Some((.., "console")) => SmolStr::new_static("console"),
        Some((_, first, _, prefix)) => {
            format_smolstr!("{prefix}{}", minor - first)
        }
        None => format_smolstr!("{major}:{minor}"),
    })
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn terminals_have_the_kernels_names() {
        let device = |major: u32, minor: u32| {
            ((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)).cast_signed()
        };
        for (major, minor, expected) in [
            (136, 3, "pts3"),
            (137, 1, "pts257"),
            (136, 300, "pts300"),
            (4, 1, "tty1"),
            (4, 64, "ttyS0"),
            (5, 1, "console"),
            (204, 64, "ttyAMA0"),
            (229, 0, "hvc0"),
            (99, 7, "99:7"),
        ] {
            assert_eq!(name(device(major, minor)).as_deref(), Some(expected));
        }
        assert_eq!(name(0), None);
    }
}
