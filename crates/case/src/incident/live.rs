//! What only live sources tell of an incident: who generated the signal.

use oom_report::report::Provenance;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Confidence, Incident, IncidentSource, Killer, SourceKind, Verdict};
use crate::fact::{Ancestor, Login, Process, SenderCall};

/// The process that generated the signal; of an OOM kill the one that asked for memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sender {
    /// The process; hostile text.
    pub process: Process,
    /// Its parents, nearest first.
    pub ancestors: Vec<Ancestor>,
    /// What it was doing in the kernel.
    pub call: SenderCall,
    /// Whom it works for, as far as the machine knows.
    pub person: Option<Login>,
}

impl Incident {
    /// An incident of which nothing is known: what a live source cannot see stays so.
    pub fn empty() -> Self {
        Self {
            id: String::new(),
            time: None,
            time_assumed: false,
            boot_time_s: None,
            boot_id: None,
            node: None,
            source: IncidentSource {
                kind: SourceKind::Ebpf,
                path: None,
                first_line: None,
                last_line: None,
                boot: None,
                complete: false,
                provenance: Provenance::Kernel,
            },
            also_in: Vec::new(),
            verdict: Verdict {
                killer: Killer::Unknown,
                confidence: Confidence::Unknown,
                summary: String::new(),
                evidence: Vec::new(),
                ruled_out: Vec::new(),
                not_looked_at: Vec::new(),
            },
            scope: None,
            trigger: None,
            memcg: None,
            victims: Vec::new(),
            tasks: Vec::new(),
            ranking: Vec::new(),
            system: None,
            container: None,
            pod: None,
            owner: None,
            usage_split: Vec::new(),
            findings: Vec::new(),
            remedies: Vec::new(),
            outcomes: Vec::new(),
            missing: Vec::new(),
            doubts: Vec::new(),
            sender: None,
        }
    }
}
