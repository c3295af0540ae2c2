//! gRPC over a Unix socket: one channel a socket, which connects when it is used and again when it broke.

use std::path::Path;
use std::time::Duration;

use hyper::http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::net::UnixStream;
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::service_fn;

/// Largest answer: a list of containers with their specs, some 20 KiB each (containerd itself stops at 16 MiB).
const ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// A question is given up after this: a runtime that hangs must not hold up a verdict.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Services on one socket.
#[derive(Debug, Clone)]
pub(super) struct Services {
    channel: Channel,
}

impl Services {
    /// Connects at the first question. To be called within the async runtime.
    pub(super) fn at(socket: &Path) -> Self {
        let socket = socket.to_owned();
        let connect = service_fn(move |_| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        // The name goes into the `:authority` header, and nowhere else.
        let channel =
            Endpoint::from_static("http://localhost").connect_with_connector_lazy(connect);
        Self { channel }
    }

    /// One question, one answer. `namespace`: containerd's, which goes into a header.
    pub(super) async fn ask<Q, A>(
        &self,
        method: &'static str,
        namespace: Option<&str>,
        question: Q,
    ) -> Result<A, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let answer = async {
            let mut grpc = self.ready().await?;
            let codec = ProstCodec::<Q, A>::default();
            let path = PathAndQuery::from_static(method);
            grpc.unary(request(namespace, question)?, path, codec).await
        };
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(answer) => answer.map(tonic::Response::into_inner),
            Err(_) => Err(Status::deadline_exceeded("no answer within 2 s")),
        }
    }

    /// One question, a stream of answers.
    pub(super) async fn subscribe<Q, A>(
        &self,
        method: &'static str,
        question: Q,
    ) -> Result<Streaming<A>, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let mut grpc = self.ready().await?;
        let codec = ProstCodec::<Q, A>::default();
        let path = PathAndQuery::from_static(method);
        let answer = grpc
            .server_streaming(request(None, question)?, path, codec)
            .await?;
        Ok(answer.into_inner())
    }

    async fn ready(&self) -> Result<Grpc<Channel>, Status> {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES);
        grpc.ready()
            .await
            .map_err(|error| Status::unavailable(reason(&error)))?;
        Ok(grpc)
    }
}

fn request<Q>(namespace: Option<&str>, question: Q) -> Result<Request<Q>, Status> {
    let mut request = Request::new(question);
    if let Some(namespace) = namespace {
        let value = MetadataValue::try_from(namespace)
            .map_err(|_| Status::invalid_argument("the namespace is no header value"))?;
        request.metadata_mut().insert("containerd-namespace", value);
    }
    Ok(request)
}

/// The innermost error: the outer ones say "transport error".
fn reason(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// What went wrong, in words.
pub(super) fn in_words(status: &Status) -> String {
    let source = std::error::Error::source(status).map(reason);
    match (status.code(), source) {
        (_, Some(source)) => source,
        (Code::Unavailable | Code::Unknown, None) => status.message().to_owned(),
        (code, None) => format!("{code:?}: {}", status.message()),
    }
}
