//! Which incidents the user asked for. Pure: an incident in, a yes or no out.

use jiff::Timestamp;
use whodunit_case::incident::{Container, Incident, Pod};

/// `comm` holds 15 bytes and a NUL (`TASK_COMM_LEN`, include/linux/sched.h): longer names were cut by the kernel.
const COMM_BYTES: usize = 15;

/// What to keep; everything where nothing is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Uid, or part of uid or name, whatever its case; `_` for `-` as systemd's cgroup names have it.
    pub pod: Option<String>,
    /// Beginning of the id, or the name.
    pub container: Option<String>,
    /// Name of a killed process, whole.
    pub comm: Option<String>,
}

/// What a filter says of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Asked for.
    Keep,
    /// Not asked for.
    Drop,
    /// A time was asked for, and the incident has no wall-clock time. It is left out, and that is said.
    TimeUnknown,
}

impl Filter {
    /// Judges one incident: of a victim or of its container and pod, one that fits is enough.
    pub fn answer(&self, incident: &Incident) -> Answer {
        let fits =
            self.fits_pod(incident) && self.fits_container(incident) && self.fits_comm(incident);
        if !fits {
            return Answer::Drop;
        }
        if self.since.is_none() && self.until.is_none() {
            return Answer::Keep;
        }
        let Some(time) = incident.time else {
            return Answer::TimeUnknown;
        };
        let in_time = self.since.is_none_or(|since| time >= since)
            && self.until.is_none_or(|until| time < until);
        if in_time { Answer::Keep } else { Answer::Drop }
    }

    fn fits_pod(&self, incident: &Incident) -> bool {
        let Some(asked) = &self.pod else { return true };
        let asked = asked.to_lowercase();
        let asked_uid = asked.replace('_', "-");
        let fits = |pod: &Pod| {
            let uid = pod
                .uid
                .as_ref()
                .is_some_and(|uid| uid.to_lowercase().contains(&asked_uid));
            let name = pod
                .name
                .as_ref()
                .is_some_and(|name| name.to_lowercase().contains(&asked));
            uid || name
        };
        let victims = incident
            .victims
            .iter()
            .filter_map(|victim| victim.pod.as_ref());
        incident.pod.iter().chain(victims).any(fits)
    }

    fn fits_container(&self, incident: &Incident) -> bool {
        let Some(asked) = &self.container else {
            return true;
        };
        let fits = |container: &Container| {
            let id = container
                .id
                .as_ref()
                .is_some_and(|id| id.starts_with(&asked.to_lowercase()));
            id || container.name.as_ref() == Some(asked)
        };
        let victims = incident
            .victims
            .iter()
            .filter_map(|victim| victim.container.as_ref());
        incident.container.iter().chain(victims).any(fits)
    }

    fn fits_comm(&self, incident: &Incident) -> bool {
        let Some(asked) = &self.comm else { return true };
        incident.victims.iter().any(|victim| {
            let comm = victim.comm.as_str();
            comm == asked || (comm.len() == COMM_BYTES && asked.starts_with(comm))
        })
    }
}
