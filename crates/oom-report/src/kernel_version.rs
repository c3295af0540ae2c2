//! A kernel release string, read: what version's formats and tables apply.

/// Version of a kernel, comparable by its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelVersion {
    /// `5` of 5.10.176
    pub major: u16,
    /// `10` of 5.10.176
    pub minor: u16,
    /// `176` of 5.10.176; 0 where the release has none
    pub patch: u16,
    /// Who built it, where the release tells.
    pub distribution: Option<Distribution>,
}

/// Builders whose kernels carry changes of newer versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Distribution {
    /// RHEL and its rebuilds, with the major release (7 of `.el7`).
    RedHat(u8),
    /// Amazon Linux.
    Amazon,
    /// Ubuntu.
    Ubuntu,
    /// Debian.
    Debian,
    /// Container-Optimized OS.
    ContainerOptimized,
}

impl KernelVersion {
    /// Reads `uname -r`: `3.10.0-1160.el7.x86_64`, `5.10.176+`, `6.1.0-18-cloud-amd64`, `7.0-rc3`.
    ///
    /// ```
    /// use oom_report::kernel_version::{Distribution, KernelVersion};
    ///
    /// let kernel = KernelVersion::parse("4.18.0-553.el8_10.x86_64").unwrap();
    /// assert_eq!((kernel.major, kernel.minor), (4, 18));
    /// assert_eq!(kernel.distribution, Some(Distribution::RedHat(8)));
    /// ```
    pub fn parse(release: &str) -> Option<Self> {
        let numbers_end = release
            .find(|character: char| !character.is_ascii_digit() && character != '.')
            .unwrap_or(release.len());
        let (numbers, rest) = release.split_at_checked(numbers_end)?;
        let mut numbers = numbers.split('.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        let patch = numbers
            .next()
            .and_then(|patch| patch.parse().ok())
            .unwrap_or(0);
        Some(Self {
            major,
            minor,
            patch,
            distribution: distribution(rest),
        })
    }

    /// Whether the version is `major.minor` or later, whoever built it.
    pub fn at_least(self, major: u16, minor: u16) -> bool {
        (self.major, self.minor) >= (major, minor)
    }
}

/// The builder by what follows the numbers.
fn distribution(rest: &str) -> Option<Distribution> {
    if let Some((_, after)) = rest.split_once(".el") {
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        return digits.parse().ok().map(Distribution::RedHat);
    }
    if rest.contains("amzn") {
        return Some(Distribution::Amazon);
    }
    if rest == "+" {
        return Some(Distribution::ContainerOptimized);
    }
    const UBUNTU: [&str; 9] = [
        "-generic",
        "-aws",
        "-azure",
        "-gcp",
        "-gke",
        "-lowlatency",
        "-oracle",
        "-kvm",
        "-raspi",
    ];
    if UBUNTU.iter().any(|flavour| rest.ends_with(flavour)) {
        return Some(Distribution::Ubuntu);
    }
    const DEBIAN: [&str; 5] = ["-amd64", "-arm64", "-686-pae", "-ppc64el", "-s390x"];
    DEBIAN
        .iter()
        .any(|flavour| rest.ends_with(flavour))
        .then_some(Distribution::Debian)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn releases() {
        for (release, numbers, distribution) in [
            (
                "3.10.0-1160.el7.x86_64",
                (3, 10, 0),
                Some(Distribution::RedHat(7)),
            ),
            (
                "4.18.0-553.el8_10.x86_64",
                (4, 18, 0),
                Some(Distribution::RedHat(8)),
            ),
            (
                "4.14.355-275.570.amzn2.x86_64",
                (4, 14, 355),
                Some(Distribution::Amazon),
            ),
            ("5.15.0-1051-aws", (5, 15, 0), Some(Distribution::Ubuntu)),
            (
                "5.10.176+",
                (5, 10, 176),
                Some(Distribution::ContainerOptimized),
            ),
            (
                "6.1.0-18-cloud-amd64",
                (6, 1, 0),
                Some(Distribution::Debian),
            ),
            ("6.18.44-fc-v669", (6, 18, 44), None),
            ("7.0-rc3", (7, 0, 0), None),
        ] {
            let kernel = KernelVersion::parse(release).unwrap();
            assert_eq!(
                (kernel.major, kernel.minor, kernel.patch),
                numbers,
                "{release}"
            );
            assert_eq!(kernel.distribution, distribution, "{release}");
        }
        assert_eq!(KernelVersion::parse("linux"), None);
        assert!(KernelVersion::parse("4.20.1").unwrap().at_least(4, 20));
        assert!(!KernelVersion::parse("4.19.99").unwrap().at_least(4, 20));
    }
}
