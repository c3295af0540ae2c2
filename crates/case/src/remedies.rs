//! What to change, from the findings: each remedy with its commands and its risk.
//!
//! Order: what fits the kill best first. Words in capitals in a command are for the reader to fill in; nothing from
//! the log gets into a command but ids and paths that are quoted or made of harmless characters.

mod limits;
mod machine;
mod program;

#[cfg(test)]
mod tests;

use crate::cgroup_path::CgroupOwner;
use crate::incident::{Finding, Remedy, Value};
use crate::scene::Scene;
use crate::shell;

/// All remedies for a kill.
pub(crate) fn remedies(scene: &Scene<'_>, findings: &[Finding]) -> Vec<Remedy> {
    let case = Case { scene, findings };
    let mut list = Vec::new();
    for family in [
        limits::by_hand,
        machine::pool,
        program::remedies,
        limits::remedies,
        machine::remedies,
        program::in_any_case,
        limits::against_overcommit,
    ] {
        family(&case, &mut list);
    }
    list
}

/// What the families choose by.
struct Case<'a, 'b> {
    scene: &'a Scene<'b>,
    findings: &'a [Finding],
}

impl Case<'_, '_> {
    fn finding(&self, code: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.code == code)
    }

    fn has(&self, code: &str) -> bool {
        self.finding(code).is_some()
    }

    /// A number of that finding.
    fn number(&self, code: &str, name: &str) -> Option<u64> {
        match self.finding(code)?.values.get(name)? {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::Number(_) | Value::Text(_) => None,
        }
    }

    fn has_any(&self, codes: &[&str]) -> bool {
        codes.iter().any(|code| self.has(code))
    }

    /// A file of the limit's cgroup, quoted for a command; `PATH` stands in it for what the report does not say, or for
    /// a path that is another machine's (a node in a container).
    fn cgroup_file(&self, file: &str) -> String {
        let scene = self.scene;
        let tree = match scene.is_cgroup_v1() {
            Some(true) => "/sys/fs/cgroup/memory",
            _ => "/sys/fs/cgroup",
        };
        scene
            .limit_path
            .filter(|_| scene.limit_owner.outer_container_id.is_none())
            .and_then(|path| shell::quoted(&format!("{tree}{path}/{file}")))
            .unwrap_or_else(|| format!("{tree}/PATH/{file}"))
    }

    /// Whose the victim was; where the report does not say, whose the limit was.
    fn owner(&self) -> &CgroupOwner {
        match self.scene.victim_path {
            Some(_) => &self.scene.victim_owner,
            None => &self.scene.limit_owner,
        }
    }

    /// The victim's (else the limit's) cgroup lies below kubepods.
    fn in_kubernetes(&self) -> bool {
        self.scene.victim_owner.kubernetes || self.scene.limit_owner.kubernetes
    }
}

fn remedy(
    code: &'static str,
    title: impl Into<String>,
    detail: &str,
    commands: &[&str],
    risk: &str,
) -> Remedy {
    Remedy {
        code: code.into(),
        title: title.into(),
        detail: detail.into(),
        commands: commands
            .iter()
            .map(|command| (*command).to_owned())
            .collect(),
        risk: risk.into(),
    }
}
