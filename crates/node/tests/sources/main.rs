//! Sources against real trees: order, compression, what is skipped, what fails and with which words, the ring
//! buffer's protocol, a real binary journal, truncation under a mapping.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs
)]

mod content;
mod finding;
mod machine;
mod trees;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use whodunit_case::incident::SourceKind;
use whodunit_node::rotation::{Age, generation};
use whodunit_node::sniff::sniff;
use whodunit_node::{
    Content, Found, Machine, OpenError, Root, Source, find, kmsg, own_kernel_log, sniff,
};

const LINE: &[u8] = b"Jan  2 03:04:05 host kernel: [  123.456789] app invoked oom-killer: gfp_mask=0xcc0, order=0\n";

fn tree(files: &[(&str, &[u8])]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    directory
}

fn names(found: &Found, below: &Path) -> Vec<String> {
    let name = |source: &Source| {
        let path = source.path.as_ref().unwrap();
        path.strip_prefix(below).unwrap().display().to_string()
    };
    found.sources.iter().map(name).collect()
}

fn only(found: Found) -> Source {
    assert_eq!(found.sources.len(), 1, "{found:?}");
    found.sources.into_iter().next().unwrap()
}

fn open_one(path: &Path) -> Result<whodunit_node::Opened, OpenError> {
    only(find(&[path.to_owned()])).open()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Pipes bytes through a program of the system, which is not our decoder's own code.
fn through(program: &str, arguments: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    let spawned = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = spawned.ok()?;
    let mut stdin = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{program} failed");
    Some(output.stdout)
}

/// Lines that compress neither to nothing nor badly.
fn log(bytes: usize) -> Vec<u8> {
    let mut log = Vec::with_capacity(bytes + 128);
    let mut state = 1_u64;
    while log.len() < bytes {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        writeln!(
            log,
            "Jan  2 03:04:05 host kernel: [{:12.6}] eth0: {state:016x}",
            (state >> 40) as f64
        )
        .unwrap();
    }
    log
}
