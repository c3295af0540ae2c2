//! An HTTP POST for each incident, tried again a few times when the other side may yet take it. Redirects are not
//! followed: a POST would not arrive as one. Certificates are checked against the machine's own store.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ureq::http::Uri;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Error};

use super::queue::{Delivery, Queue};
use super::{Act, Failure, HookCounts};

/// Waits before each further try.
const BACKOFF: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(8),
];
/// To get a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Read of an answer, so that the connection can serve again.
const ANSWER: u64 = 64 << 10;
/// A token that is longer is none.
const TOKEN: usize = 64 << 10;

/// An address that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: String,
    /// Without path and user: those may be secrets.
    shown: String,
}

/// Reads an address from the command line.
pub fn target(text: &str) -> Result<Target, String> {
    let uri: Uri = text
        .parse()
        .map_err(|error| format!("{error}; http://HOST/PATH or https://HOST/PATH is expected"))?;
    let scheme = uri.scheme_str().unwrap_or_default().to_owned();
    if !matches!(scheme.as_str(), "http" | "https") {
        return Err("http://HOST/PATH or https://HOST/PATH is expected".to_owned());
    }
    let authority = uri.authority().map(|authority| authority.as_str());
    let host = authority.map(|text| text.rsplit('@').next().unwrap_or_default());
    let host = host
        .filter(|host| !host.is_empty())
        .ok_or("no host in it")?;
    Ok(Target {
        shown: format!("{scheme}://{host}/..."),
        url: text.to_owned(),
    })
}

pub(super) struct Webhook {
    target: Target,
    token_file: Option<PathBuf>,
    agent: Agent,
    queue: Option<Arc<Queue>>,
}

/// Whether another try makes sense.
struct Refusal {
    failure: Failure,
    final_word: bool,
}

impl Webhook {
    pub(super) fn new(target: Target, token_file: Option<PathBuf>, timeout: Duration) -> Self {
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .timeout_connect(Some(CONNECT.min(timeout)))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("whodunit/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        Self {
            target,
            token_file,
            agent: config.into(),
            queue: None,
        }
    }

    /// What it is called in notes.
    pub(super) fn title(&self) -> String {
        format!("--webhook {}", self.target.shown)
    }

    /// Read each time: tokens are replaced while a service runs.
    fn token(&self) -> Result<Option<String>, Refusal> {
        let Some(path) = &self.token_file else {
            return Ok(None);
        };
        let refuse = |why: String| Refusal {
            failure: Failure {
                kind: "token".into(),
                text: format!("{} (--webhook-token-file): {why}", path.display()),
            },
            final_word: false,
        };
        let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
        let token = text.trim();
        let fits = token.bytes().all(|byte| byte.is_ascii_graphic());
        match fits && !token.is_empty() && token.len() <= TOKEN {
            true => Ok(Some(token.to_owned())),
            false => Err(refuse(
                "one word of printable ASCII is expected in it".into(),
            )),
        }
    }

    fn post(&self, delivery: &Delivery) -> Result<(), Refusal> {
        let mut request = self
            .agent
            .post(&self.target.url)
            .header("content-type", "application/json")
            .header("x-whodunit-incident-id", &delivery.id);
        if let Some(token) = self.token()? {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response = request.send(&*delivery.json).map_err(|error| Refusal {
            failure: Failure {
                kind: kind(&error).into(),
                text: format!("POST {}: {error}", self.target.shown),
            },
            final_word: matches!(error, Error::BadUri(_) | Error::Http(_)),
        })?;
        let status = response.status();
        // What is left of an answer would be in the way of the next one.
        let body = response.body_mut().with_config().limit(ANSWER);
        let _ = body.read_to_vec();
        if status.is_success() {
            return Ok(());
        }
        let may_yet = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
        Err(Refusal {
            failure: Failure {
                kind: format!("status {}", status.as_u16()),
                text: format!(
                    "POST {}: it answered {}",
                    self.target.shown,
                    status.as_u16()
                ),
            },
            final_word: !may_yet,
        })
    }
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::Timeout(_) => "timeout",
        Error::HostNotFound => "name",
        Error::Tls(_) | Error::Rustls(_) => "tls",
        Error::Io(_) | Error::ConnectionFailed => "connection",
        _ => "http",
    }
}

impl Act for Webhook {
    fn begin(&mut self, queue: Arc<Queue>) {
        self.queue = Some(queue);
    }

    fn act(&mut self, delivery: &Delivery, counts: &HookCounts) -> Result<(), Failure> {
        let mut tries = 1;
        let mut waits = BACKOFF.iter();
        loop {
            let refusal = match self.post(delivery) {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            };
            let given_up = |queue: &Arc<Queue>, wait: Duration| queue.wait_abandoned(wait);
            let wait = waits.next().filter(|_| !refusal.final_word);
            let stopped = wait.is_none_or(|wait| {
                let queue = self.queue.as_ref();
                queue.is_none_or(|queue| given_up(queue, *wait))
            });
            if stopped {
                let text = refusal.failure.text;
                return Err(Failure {
                    kind: refusal.failure.kind,
                    text: format!("{text} (incident {}, {tries} tries)", delivery.id),
                });
            }
            tries += 1;
            counts.retries.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_looked_at_and_secrets_in_them_not_shown() {
        let cases = [
            (
                "https://hooks.example.org/services/T0/B0/secret",
                "https://hooks.example.org/...",
            ),
            (
                "http://user:secret@127.0.0.1:8080/x?key=secret",
                "http://127.0.0.1:8080/...",
            ),
            ("http://[::1]:80", "http://[::1]:80/..."),
        ];
        for (text, shown) in cases {
            let target = target(text).unwrap();
            assert_eq!(target.shown, shown);
            let webhook = Webhook::new(target, None, CONNECT);
            assert!(!webhook.title().contains("secret"), "{}", webhook.title());
        }
        for wrong in [
            "",
            "example.org",
            "/path",
            "ftp://example.org/",
            "http://",
            "file:///etc/passwd",
        ] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }
}
