//! What is answered to whom: a request's method, path and Accept header in, a page out. No network here.

use std::sync::Arc;
use std::time::Instant;

use hyper::{Method, StatusCode};
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;
use serde_json::Value;

use super::figures::Figures;
use super::health::Health;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// The pages of the agent.
#[derive(Debug)]
pub(super) struct Pages {
    registry: Registry,
    health: Arc<Health>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Page {
    fn text(status: StatusCode, text: &str) -> Self {
        Self {
            status,
            content_type: TEXT,
            body: format!("{text}\n"),
        }
    }

    fn of((well, page): (bool, Value)) -> Self {
        Self {
            status: match well {
                true => StatusCode::OK,
                false => StatusCode::SERVICE_UNAVAILABLE,
            },
            content_type: JSON,
            body: format!("{page}\n"),
        }
    }
}

impl Pages {
    pub(super) fn new(figures: Arc<Figures>, health: Arc<Health>) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(figures));
        Self { registry, health }
    }

    pub(super) fn answer(&self, method: &Method, path: &str, accept: Option<&str>) -> Page {
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Page::text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only");
        }
        match path {
            "/metrics" => self.metrics(accept),
            "/healthz" => Page::of(self.health.liveness(Instant::now())),
            "/readyz" => Page::of(self.health.readiness(Instant::now())),
            "/" => Page::text(StatusCode::OK, "whodunit agent: /metrics /healthz /readyz"),
            _ => Page::text(
                StatusCode::NOT_FOUND,
                "/metrics, /healthz and /readyz are here",
            ),
        }
    }

    fn metrics(&self, accept: Option<&str>) -> Page {
        let mut body = String::new();
        let (written, content_type) = match wants_open_metrics(accept.unwrap_or_default()) {
            true => (text::encode(&mut body, &self.registry), OPEN_METRICS),
            false => (
                prometheus_text::encode(&mut body, &self.registry),
                prometheus_text::CONTENT_TYPE,
            ),
        };
        match written {
            Ok(()) => Page {
                status: StatusCode::OK,
                content_type,
                body,
            },
            Err(_) => Page::text(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the metrics could not be written",
            ),
        }
    }
}

/// Whether OpenMetrics 1.0 is taken, and nothing that the other format satisfies is liked better: by q-values (RFC 9110,
/// 12.5.1); of equals, OpenMetrics.
fn wants_open_metrics(accept: &str) -> bool {
    let (mut open, mut plain) = (0, 0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let mut quality = 1000;
        let mut version = None;
        for parameter in parts {
            match parameter.split_once('=') {
                Some((name, value)) if name.trim().eq_ignore_ascii_case("q") => {
                    quality = thousandths(value.trim());
                }
                Some((name, value)) if name.trim().eq_ignore_ascii_case("version") => {
                    version = Some(value.trim().trim_matches('"').to_owned());
                }
                _ => {}
            }
        }
        match kind.as_str() {
            "application/openmetrics-text" => {
                let known =
                    version.is_none_or(|version| matches!(version.as_str(), "1.0.0" | "1.0"));
                open = open.max(if known { quality } else { 0 });
            }
            "text/plain" if version.as_deref().is_none_or(|version| version == "0.0.4") => {
                plain = plain.max(quality);
            }
            _ => {}
        }
    }
    open > 0 && open >= plain
}

/// A q-value; one that is none counts as not wanted.
fn thousandths(text: &str) -> u32 {
    match text.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => (value * 1000.0) as u32,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_is_the_one_that_is_asked_for() {
        let cases = [
            ("", false),
            ("*/*", false),
            ("text/plain", false),
            ("text/plain;version=0.0.4", false),
            ("application/openmetrics-text", true),
            (
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
                true,
            ),
            ("application/openmetrics-text;version=0.0.1", false),
            ("Application/OpenMetrics-Text; Version=\"1.0.0\"", true),
            // As Prometheus 2.42 and 3.0 send it.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                true,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                true,
            ),
            (
                "application/openmetrics-text;q=0.1, text/plain;q=0.9",
                false,
            ),
            ("application/openmetrics-text;q=0", false),
            ("application/openmetrics-text;q=x", false),
            (",;=,;q=;", false),
        ];
        for (accept, expected) in cases {
            assert_eq!(wants_open_metrics(accept), expected, "{accept}");
        }
    }
}
