//! What Kubernetes sets as oom_score_adj, and what can be told from it backwards.
//!
//! Source: pkg/kubelet/qos/policy.go (GetContainerOOMScoreAdjust).

use crate::cgroup_path::Level;
use crate::incident::{Finding, QosClass, Severity};
use crate::scene::Scene;
use crate::size::human;
use crate::usage::ram_kib;

use super::finding;

/// What sets this oom_score_adj in Kubernetes, in words; `None` for the Burstable range, which others use too.
pub(super) fn set_by(adj: i32) -> Option<&'static str> {
    match adj {
        1000 => Some("what Kubernetes sets for BestEffort containers"),
        -997 => Some("what Kubernetes sets for Guaranteed and node-critical containers"),
        // Guaranteed was -998 before kubernetes/kubernetes#71269; the sandbox is to this day. Critical pods: #73758.
        -998 => Some(
            "what Kubernetes sets for the pod sandbox (and old versions for Guaranteed containers)",
        ),
        -999 => Some("what Kubernetes sets for the kubelet and the container runtime"),
        _ => None,
    }
}

pub(super) fn find(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    memory_request(scene, found);
}

/// Burstable: `1000 - 1000 * request / capacity`, kept within 2 or 3 (by version) and 999. Solved for the request, as
/// exactly as a thousandth of the machine allows. Since 1.33 a sidecar's value may be that of another container.
fn memory_request(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let owner = &scene.victim_owner;
    let burstable = owner.qos_class == Some(QosClass::Burstable) && owner.level == Level::Container;
    let Some(victim) = scene.victim.filter(|_| burstable) else {
        return;
    };
    let adj = victim
        .oom_score_adj
        .or(scene.victim_task.map(|task| task.oom_score_adj));
    // The ends of the range are clamped and tell nothing.
    let Some(adj) = adj.filter(|adj| (4..=998).contains(adj)) else {
        return;
    };
    let Some(capacity) = scene
        .report
        .system
        .as_ref()
        .and_then(|system| ram_kib(system, scene.page_kib?))
        .filter(|_| owner.outer_container_id.is_none())
    else {
        return;
    };
    // The quotient is cut to an integer: the request lies within one thousandth above.
    let thousandths = u64::try_from(1000 - adj).unwrap_or(0);
    let low = capacity / 1000 * thousandths;
    let high = capacity / 1000 * (thousandths + 1);
    found.push(
        finding(
            "memory-request-estimate",
            Severity::Info,
            format!("oom_score_adj {adj} stands for a memory request of {} to {}", human(low), human(high)),
            "Kubernetes sets 1000 - 1000 * request / machine memory for Burstable containers; this is that formula solved for the \
             request. A container that uses much more than it requests is the first to go when its machine runs short.",
        )
        .signed("oom_score_adj", i64::from(adj))
        .number("request_low_kib", low)
        .number("request_high_kib", high)
        .number("machine_kib", capacity)
        .cite(scene, [scene.victim_task.map(|task| task.line).or(scene.kill_line())]),
    );
}
