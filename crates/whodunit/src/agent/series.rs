//! Kills counted by killer, namespace, pod and container: pods come and go without end, the table does not grow
//! without end. Pure.

use std::collections::HashMap;
use std::num::NonZeroU32;

use whodunit_case::incident::{Container, Incident, Pod};

use crate::terminal::printable;

/// What stands for names that did not fit.
const OTHER: &str = "other";
/// Longest value: names of Kubernetes have at most 253 bytes, others may be anything.
const LONGEST: usize = 253;

/// A name as a label's value: without what a terminal would act on, and not longer than names are.
pub(super) fn value(name: &str) -> String {
    let mut value = printable(name);
    value.truncate(value.floor_char_boundary(LONGEST));
    value
}

/// Of one kill.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels {
    /// The killer's code.
    pub killer: String,
    /// Empty outside of Kubernetes, and where it is not known; so the others.
    pub namespace: String,
    /// Name, or where only that is known, uid.
    pub pod: String,
    /// Name.
    pub container: String,
}

impl Labels {
    /// Of each kill in an incident: one for each victim. An incident without any (the machine was lost) has none.
    pub fn of(incident: &Incident, killer: &str) -> Vec<Self> {
        let cut = |text: Option<&String>| value(text.map_or("", String::as_str));
        let labels = |pod: Option<&Pod>, container: Option<&Container>| Self {
            killer: killer.to_owned(),
            namespace: cut(pod.and_then(|pod| pod.namespace.as_ref())),
            pod: cut(pod.and_then(|pod| pod.name.as_ref().or(pod.uid.as_ref()))),
            container: cut(container.and_then(|container| container.name.as_ref())),
        };
        let victims = incident.victims.iter();
        victims
            .map(|victim| {
                let known = victim.pod.is_some() || victim.container.is_some();
                match known {
                    true => labels(victim.pod.as_ref(), victim.container.as_ref()),
                    false => labels(incident.pod.as_ref(), incident.container.as_ref()),
                }
            })
            .collect()
    }

    fn is_nameless(&self) -> bool {
        self.namespace.is_empty() && self.pod.is_empty() && self.container.is_empty()
    }
}

/// Kills by labels.
#[derive(Debug)]
pub struct Series {
    most: usize,
    named: usize,
    counts: HashMap<Labels, u64>,
    others: u64,
}

impl Series {
    /// At most so many with names; besides, two for each killer: without names, and for the other names.
    pub fn new(most: NonZeroU32) -> Self {
        Self {
            most: usize::try_from(most.get()).unwrap_or(usize::MAX),
            named: 0,
            counts: HashMap::new(),
            others: 0,
        }
    }

    /// Counts one kill.
    pub fn add(&mut self, labels: Labels) {
        if let Some(count) = self.counts.get_mut(&labels) {
            *count += 1;
            return;
        }
        if labels.is_nameless() {
            self.counts.insert(labels, 1);
            return;
        }
        if self.named < self.most {
            self.named += 1;
            self.counts.insert(labels, 1);
            return;
        }
        self.others += 1;
        let other = Labels {
            killer: labels.killer,
            namespace: OTHER.to_owned(),
            pod: OTHER.to_owned(),
            container: OTHER.to_owned(),
        };
        *self.counts.entry(other).or_default() += 1;
    }

    /// Each with its count, in no order.
    pub fn counts(&self) -> impl Iterator<Item = (&Labels, u64)> {
        self.counts.iter().map(|(labels, count)| (labels, *count))
    }

    /// Kills whose names did not fit.
    pub fn others(&self) -> u64 {
        self.others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kill(killer: &str, pod: &str) -> Labels {
        Labels {
            killer: killer.into(),
            namespace: if pod.is_empty() { "" } else { "shop" }.into(),
            pod: pod.into(),
            container: String::new(),
        }
    }

    #[test]
    fn series_are_bounded_and_no_kill_is_lost_from_the_sum() {
        let mut series = Series::new(NonZeroU32::new(100).unwrap());
        for number in 0..10_000 {
            let killer = if number % 2 == 0 { "person" } else { "runtime" };
            series.add(kill(killer, &format!("web-{number}")));
            series.add(kill(killer, ""));
        }
        // The first hundred go on to be counted by name.
        series.add(kill("person", "web-0"));
        let counts: HashMap<Labels, u64> = series
            .counts()
            .map(|(labels, count)| (labels.clone(), count))
            .collect();
        assert_eq!(counts.len(), 100 + 2 + 2);
        assert_eq!(counts.values().sum::<u64>(), 20_001);
        assert_eq!(counts[&kill("person", "web-0")], 2);
        assert_eq!(counts[&kill("runtime", "")], 5_000);
        let other = Labels {
            namespace: OTHER.into(),
            container: OTHER.into(),
            ..kill("runtime", OTHER)
        };
        assert_eq!(counts[&other], 4_950);
        assert_eq!(series.others(), 9_900);
    }

    #[test]
    fn each_victim_is_a_kill_under_its_own_name_and_values_are_cut() {
        use whodunit_case::incident::VictimInfo;
        use whodunit_case::live::{LostBoot, node_lost};
        let pod = |name: &str| Pod {
            uid: Some("uid".into()),
            name: (!name.is_empty()).then(|| name.into()),
            namespace: Some("é".repeat(200)),
            qos_class: None,
            owner: None,
        };
        let victim = |pod| VictimInfo {
            pod,
            ..VictimInfo::default()
        };
        let boot = LostBoot {
            boot_id: "one",
            last_seen: jiff::Timestamp::UNIX_EPOCH,
            clean_shutdown: true,
            next_boot_id: "two",
            next_booted: None,
        };
        let lost = node_lost(&boot, None);
        assert!(Labels::of(&lost, "node-lost").is_empty());
        let incident = Incident {
            pod: Some(pod("first")),
            victims: vec![
                victim(None),
                victim(Some(pod("second"))),
                victim(Some(pod(""))),
            ],
            ..lost
        };
        let labels = Labels::of(&incident, "person");
        let pods: Vec<&str> = labels.iter().map(|one| one.pod.as_str()).collect();
        assert_eq!(pods, ["first", "second", "uid"]);
        assert_eq!(labels[0].namespace, "é".repeat(126));
    }
}
