//! Incidents kept in one SQLite file and asked for again: each with its evidence, indexed by time, killer, pod,
//! container and process; removed when too old or too many.
//!
//! What is stored comes in as [`whodunit_case`] types, and goes out as them. Nothing is judged or formatted here, and no
//! clock is read: the present is handed in.
//!
//! # What survives what
//!
//! The file is in WAL mode. Once [`Store::insert`] has given `Ok`, the incident lies in the kernel's page cache as part
//! of a whole transaction: the end of the process, by SIGKILL at any point too, does not lose it. A power cut or a
//! panic of the kernel can lose what was committed since the last [`Store::sync`] (or since the kernel last wrote the
//! file back by itself, 30 seconds as a rule), and never damages the file; [`Durability::PowerCut`] closes that gap for
//! the price of a wait for the disk with every commit.
//!
//! When the file cannot be written, a [`Backlog`] holds the incidents and tries again.
//!
//! One program may write while others read; two that write wait for each other.
//!
//! ```
//! use oom_report::{Assumptions, Scanner};
//! use whodunit_case::assemble::{Context, incident};
//! use whodunit_case::incident::{SourceInfo, SourceKind};
//! use whodunit_store::{BucketSize, Filter, Options, Record, Store};
//!
//! let log = b"Mar  9 13:17:05 ip-172 kernel: [30320.358563] Memory cgroup out of memory: \
//!             Kill process 11190 (app) score 9 or sacrifice child\n";
//! let context = Context { source: 0, kind: SourceKind::File, path: Some("kern.log"), place: None };
//! let mut found = Vec::new();
//! Scanner::new(Assumptions::default()).scan(log, 1, &mut |report| found.push(incident(&report, &context, &[])));
//!
//! let directory = tempfile::tempdir()?;
//! let path = directory.path().join("incidents.db");
//! let now = "2026-03-09T13:17:06Z".parse()?;
//! let mut store = Store::open(&path, &Options::default(), now)?;
//! let source = SourceInfo {
//!     kind: SourceKind::File, path: Some("kern.log".into()), bytes: None, lines: None, time_assumption: None, error: None,
//! };
//! store.insert(&Record::new(found.remove(0), vec![source]), now)?;
//!
//! // Another program asks.
//! let reader = Store::open(&path, &Options::read_only(), now)?;
//! let filter = Filter { comm: Some("app".into()), ..Filter::default() };
//! let list = reader.incidents(&filter)?;
//! assert_eq!(list[0].killer_code, "kernel-memcg");
//! let kept = reader.incident(&list[0].id[..6])?.expect("it was stored");
//! assert_eq!(kept.incident.victims[0].pid, 11190);
//! let suspects = reader.suspects(&filter, BucketSize::Day, &jiff::tz::TimeZone::UTC)?;
//! assert_eq!(suspects.by_killer[0].tally.incidents, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod backlog;
mod error;
mod filter;
mod migrations;
mod open;
mod options;
mod place;
mod positions;
mod query;
mod record;
mod retention;
mod store;
mod suspects;

pub use backlog::{BACKLOG_MAX, Backlog, BacklogCounts};
pub use error::StoreError;
pub use filter::{Filter, Order};
pub use migrations::SCHEMA_VERSION;
pub use open::{APPLICATION_ID, Opening};
pub use options::{Access, Check, Durability, OnBroken, Options, Retention, Upkeep};
pub use place::{ENVIRONMENT, SYSTEM_PATH, default_path};
pub use positions::Boot;
pub use query::{Entry, Kept, document};
pub use record::{Inserted, Position, Record, WhenKnown};
pub use retention::Removed;
pub use store::Store;
pub use suspects::{Bucket, BucketSize, ContainerCount, KillerCount, PodCount, Suspects, Tally};
