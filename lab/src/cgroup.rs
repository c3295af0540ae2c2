//! The names of cgroups as kubelet, docker and systemd make them, from a seed, so that two runs never share one.
//! It touches no file system.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which cgroup interface holds the memory controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CgroupVersion {
    /// `memory.limit_in_bytes` and friends.
    V1,
    /// `memory.max` and friends.
    V2,
}

impl fmt::Display for CgroupVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        })
    }
}

/// Makes names that look random and are the same for the same seed.
#[derive(Debug, Clone)]
pub struct Names {
    seed: String,
}

impl Names {
    /// Names that differ from those of every other seed.
    #[must_use]
    pub fn new(seed: impl Into<String>) -> Self {
        Self { seed: seed.into() }
    }

    /// 64 hexadecimal digits, as a container runtime makes them.
    #[must_use]
    pub fn container_id(&self, of: &str) -> String {
        self.hex_digits(of, 64)
    }

    /// A version 4 UUID with hyphens, as the API server makes them.
    #[must_use]
    pub fn pod_uid(&self, of: &str) -> String {
        let digits = self.hex_digits(of, 32);
        let mut uid = String::with_capacity(36);
        for (at, digit) in digits.chars().enumerate() {
            if matches!(at, 8 | 12 | 16 | 20) {
                uid.push('-');
            }
            uid.push(match at {
                12 => '4',
                16 => 'a',
                _ => digit,
            });
        }
        uid
    }

    /// The pod's cgroup with the systemd driver, Burstable.
    #[must_use]
    pub fn pod_slice(&self, pod: &str) -> String {
        let uid = self.pod_uid(pod).replace('-', "_");
        format!("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice")
    }

    /// A container in such a pod, run by containerd's CRI plugin.
    #[must_use]
    pub fn pod_scope(&self, pod: &str, container: &str) -> String {
        let id = self.container_id(&format!("{pod}/{container}"));
        format!("{}/cri-containerd-{id}.scope", self.pod_slice(pod))
    }

    /// A container in a pod with the cgroupfs driver, Burstable.
    #[must_use]
    pub fn pod_cgroupfs(&self, pod: &str, container: &str) -> String {
        let id = self.container_id(&format!("{pod}/{container}"));
        format!("/kubepods/burstable/pod{}/{id}", self.pod_uid(pod))
    }

    /// A container of docker with the cgroupfs driver.
    #[must_use]
    pub fn docker(&self, container: &str) -> String {
        format!("/docker/{}", self.container_id(container))
    }

    fn hex_digits(&self, of: &str, count: usize) -> String {
        // FNV-1a, then xorshift64*: no secret hangs on these.
        let mut state = 0xcbf2_9ce4_8422_2325_u64;
        for byte in self.seed.bytes().chain([0]).chain(of.bytes()) {
            state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let mut digits = String::with_capacity(count + 16);
        while digits.len() < count {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            digits.push_str(&format!(
                "{:016x}",
                state.wrapping_mul(0x2545_f491_4f6c_dd1d)
            ));
        }
        digits.truncate(count);
        digits
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn names_have_the_forms_of_their_makers_and_follow_the_seed() {
        let names = Names::new("a");
        let uid = names.pod_uid("web");
        assert_eq!(
            uid.split('-').map(str::len).collect::<Vec<_>>(),
            [8, 4, 4, 4, 12]
        );
        assert_eq!(names.container_id("web").len(), 64);
        assert!(names.pod_scope("web", "app").ends_with(".scope"));
        assert!(
            !names
                .pod_slice("web")
                .trim_start_matches(
                    "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"
                )
                .contains('-')
        );
        assert_eq!(names.docker("x"), Names::new("a").docker("x"));
        assert_ne!(names.docker("x"), Names::new("b").docker("x"));
        assert_ne!(names.docker("x"), names.docker("y"));
    }
}
