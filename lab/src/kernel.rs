//! Debian's cloud kernels of several releases: fetched by apt from the mirror that this machine is set up with, into
//! a cache of the lab. apt keeps a state of its own for each suite there, so the machine's own is left alone.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::Result;

/// A Debian suite whose kernel the lab starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suite {
    /// Debian's name for it.
    pub name: &'static str,
    /// Version of its kernel, first two numbers; for the newest: whatever it is.
    pub kernel: &'static str,
    /// Its kernel changes often: a source of fixtures, not of tests.
    pub fixtures_only: bool,
    /// Scenarios that can't be staged on it.
    pub without: &'static [&'static str],
}

/// Every suite of the lab.
pub const SUITES: [Suite; 4] = [
    Suite {
        name: "bullseye",
        kernel: "5.10",
        fixtures_only: false,
        without: &[],
    },
    Suite {
        name: "bookworm",
        kernel: "6.1",
        fixtures_only: false,
        without: &[],
    },
    Suite {
        name: "trixie",
        kernel: "6.12",
        fixtures_only: false,
        without: &[],
    },
    Suite {
        name: "sid",
        kernel: "newest",
        fixtures_only: true,
        // On 7.2, emulated, the memory of the first victim comes back too late: the kernel kills the survivor as well.
        without: &["adj-victim"],
    },
];

impl Suite {
    /// By the version of its kernel or by Debian's name for it.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        SUITES
            .into_iter()
            .find(|suite| suite.kernel == name || suite.name == name)
    }
}

/// Set to use another Debian mirror than the machine's apt sources name.
pub const MIRROR_VARIABLE: &str = "WHODUNIT_LAB_DEBIAN_MIRROR";
/// Set to keep kernels elsewhere than in `~/.cache/whodunit-lab`.
pub const CACHE_VARIABLE: &str = "WHODUNIT_LAB_CACHE";

/// Where kernels are kept.
pub fn cache() -> Result<PathBuf> {
    if let Some(set) = std::env::var_os(CACHE_VARIABLE) {
        return Ok(set.into());
    }
    let home = std::env::var_os("HOME")
        .with_context(|| format!("neither {CACHE_VARIABLE} nor HOME is set"))?;
    Ok(Path::new(&home).join(".cache/whodunit-lab"))
}

/// The kernel image of a suite, fetched if it is not in the cache.
pub fn vmlinuz(suite: Suite) -> Result<PathBuf> {
    let directory = cache()?.join(suite.name);
    fs::create_dir_all(&directory).with_context(|| directory.display().to_string())?;
    let lock = File::create(directory.join("lock"))?;
    lock.lock()
        .with_context(|| format!("lock {}", directory.display()))?;
    let image = directory.join("vmlinuz");
    if !image.is_file() {
        fetch(suite, &directory, &image).with_context(|| format!("kernel of {}", suite.name))?;
    }
    Ok(image)
}

fn fetch(suite: Suite, directory: &Path, image: &Path) -> Result<()> {
    let source = debian_source()?;
    let apt = Apt::new(directory, suite, &source)?;
    eprintln!("lab: fetching the kernel of {}", suite.name);
    apt.run("apt-get", &["-qq", "update"])?;
    let meta = apt.run("apt-cache", &["show", "linux-image-cloud-amd64"])?;
    let package = image_package(&meta).context("the suite has no cloud kernel")?;
    // Newer suites keep the image itself in a package of its own.
    let binary = package.replacen("linux-image-", "linux-binary-", 1);
    let package = if apt
        .run("apt-cache", &["show", &binary])
        .is_ok_and(|shown| !shown.is_empty())
    {
        binary
    } else {
        package
    };
    let unpacked = tempfile::Builder::new()
        .prefix("unpacked-")
        .tempdir_in(directory)?;
    apt.run_in(unpacked.path(), "apt-get", &["-qq", "download", &package])?;
    let deb = only_file(unpacked.path(), ".deb")?;
    let files = unpacked.path().join("files");
    let done = Command::new("dpkg-deb")
        .arg("-x")
        .arg(&deb)
        .arg(&files)
        .status()
        .context("dpkg-deb")?;
    if !done.success() {
        bail!("dpkg-deb could not unpack {package}");
    }
    let found = only_file(&files.join("boot"), "vmlinuz-")
        .or_else(|_| find_image(&files))
        .with_context(|| format!("no kernel image in {package}"))?;
    let draft = directory.join("vmlinuz.draft");
    fs::copy(found, &draft)?;
    fs::rename(draft, image)?;
    Ok(())
}

/// Some packages keep it as `usr/lib/modules/<release>/vmlinuz` or `usr/lib/linux/...`.
fn find_image(directory: &Path) -> Result<PathBuf> {
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            } else if entry.file_name().to_string_lossy().starts_with("vmlinuz") {
                return Ok(entry.path());
            }
        }
    }
    bail!("none")
}

fn only_file(directory: &Path, part: &str) -> Result<PathBuf> {
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        if path.is_file()
            && path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().contains(part))
        {
            return Ok(path);
        }
    }
    bail!("{}: no file like {part}", directory.display())
}

/// `Depends: linux-image-6.1.0-50-cloud-amd64 (= 6.1.176-1)` in the meta package; the first stanza is the newest.
fn image_package(meta: &str) -> Option<String> {
    meta.lines()
        .find_map(|line| line.strip_prefix("Depends: "))?
        .split([',', '|'])
        .map(|one| one.split_whitespace().next().unwrap_or_default())
        .find(|name| name.starts_with("linux-image-"))
        .map(str::to_owned)
}

struct Apt {
    options: Vec<String>,
}

impl Apt {
    fn new(directory: &Path, suite: Suite, source: &DebianSource) -> Result<Self> {
        for made in ["lists/partial", "archives/partial"] {
            fs::create_dir_all(directory.join(made))?;
        }
        let list = directory.join("sources.list");
        let signed = source
            .signed_by
            .as_ref()
            .map(|key| format!("[signed-by={key}] "))
            .unwrap_or_default();
        fs::write(
            &list,
            format!("deb {signed}{} {} main\n", source.uri, suite.name),
        )?;
        let options = [
            format!("Dir::Etc::sourcelist={}", list.display()),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State::lists={}", directory.join("lists").display()),
            format!("Dir::Cache={}", directory.display()),
            "APT::Sandbox::User=root".to_owned(),
            "APT::Architecture=amd64".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
        ];
        Ok(Self {
            options: options
                .into_iter()
                .flat_map(|option| ["-o".to_owned(), option])
                .collect(),
        })
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<String> {
        self.run_in(Path::new("/"), program, arguments)
    }

    fn run_in(&self, directory: &Path, program: &str, arguments: &[&str]) -> Result<String> {
        let done = Command::new(program)
            .current_dir(directory)
            .args(&self.options)
            .args(arguments)
            .output()
            .with_context(|| program.to_owned())?;
        if !done.status.success() {
            bail!(
                "{program} {}: {}",
                arguments.join(" "),
                String::from_utf8_lossy(&done.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct DebianSource {
    uri: String,
    signed_by: Option<String>,
}

/// The first Debian archive among the machine's apt sources.
fn debian_source() -> Result<DebianSource> {
    if let Ok(uri) = std::env::var(MIRROR_VARIABLE) {
        return Ok(DebianSource {
            uri,
            signed_by: None,
        });
    }
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        let mut parts: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        parts.sort();
        files.extend(parts);
    }
    files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .find_map(|text| debian_source_in(&text))
        .with_context(|| {
            format!(
                "no Debian archive among this machine's apt sources; {MIRROR_VARIABLE} may name one"
            )
        })
}

/// Reads both forms of apt sources: one line, and stanzas with `URIs:` and `Signed-By:`.
fn debian_source_in(text: &str) -> Option<DebianSource> {
    let is_archive = |uri: &str| uri.trim_end_matches('/').ends_with("/debian");
    text.split("\n\n").find_map(|stanza| {
        let value = |key: &str| {
            stanza
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .map(|value| value.trim().to_owned())
        };
        if let Some(uris) = value("URIs:") {
            let uri = uris
                .split_whitespace()
                .find(|uri| is_archive(uri))?
                .to_owned();
            return Some(DebianSource {
                uri,
                signed_by: value("Signed-By:"),
            });
        }
        stanza
            .lines()
            .filter(|line| line.starts_with("deb "))
            .find_map(|line| {
                let uri = line
                    .split_whitespace()
                    .find(|word| is_archive(word))?
                    .to_owned();
                let signed_by = line
                    .split(['[', ']', ' '])
                    .find_map(|word| word.strip_prefix("signed-by="));
                Some(DebianSource {
                    uri,
                    signed_by: signed_by.map(str::to_owned),
                })
            })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn finds_the_debian_archive_in_both_forms_of_sources() {
        let stanzas = "Types: deb\nURIs: http://mirror.example/debian-security\nSuites: s\n\nTypes: deb\n\
                       # a comment\nURIs: http://mirror.example/debian\nSigned-By: /k.gpg\n";
        let found = debian_source_in(stanzas).unwrap();
        assert_eq!(found.uri, "http://mirror.example/debian");
        assert_eq!(found.signed_by.as_deref(), Some("/k.gpg"));
        let line = "# deb http://no.example/debian x main\ndeb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian/ x main\n";
        let found = debian_source_in(line).unwrap();
        assert_eq!(found.uri, "http://mirror.example/debian/");
        assert_eq!(found.signed_by.as_deref(), Some("/k.gpg"));
        assert_eq!(
            debian_source_in("deb http://mirror.example/ubuntu x main\n"),
            None
        );
    }

    #[test]
    fn the_meta_package_names_the_image() {
        let meta = "Package: linux-image-cloud-amd64\nDepends: linux-base-cloud-amd64 (= 7), linux-image-7-cloud-amd64 (= 7)\n";
        assert_eq!(
            image_package(meta).as_deref(),
            Some("linux-image-7-cloud-amd64")
        );
        assert_eq!(image_package("Package: x\n"), None);
    }
}
