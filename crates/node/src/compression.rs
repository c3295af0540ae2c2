//! Streaming decompression in constant memory: gzip with several members, zstd with several frames, xz and bzip2 with
//! several streams. What was readable before a corrupt place has been handed out when the error comes.

use std::io::{self, BufReader, Read};

use crate::sniff::Content;

/// Largest zstd window accepted, as a power of two: 128 MiB, what `zstd -d` accepts without a flag. A file can ask
/// for more to exhaust the reader's memory.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Largest xz dictionary accepted, KiB: 64 MiB is that of `xz -9`, the largest preset.
const XZ_MEMORY_LIMIT_KIB: u32 = 96 * 1024;

/// A reader of the decompressed bytes, or the reader itself where `content` is no compression.
pub fn decompressed(
    content: Content,
    compressed: impl Read + Send + 'static,
) -> io::Result<Box<dyn Read + Send>> {
    let inner = BufReader::with_capacity(64 * 1024, compressed);
    Ok(match content {
        Content::Gzip => Box::new(Named {
            format: "gzip",
            inner: flate2::bufread::MultiGzDecoder::new(inner),
        }),
        Content::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(inner)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
            Box::new(Named {
                format: "zstd",
                inner: decoder,
            })
        }
        Content::Xz => Box::new(Named {
            format: "xz",
            inner: lzma_rust2::XzReader::new_mem_limit(inner, true, XZ_MEMORY_LIMIT_KIB),
        }),
        Content::Bzip2 => Box::new(Named {
            format: "bzip2",
            inner: bzip2::bufread::MultiBzDecoder::new(inner),
        }),
        _ => Box::new(inner),
    })
}

/// Whether [`decompressed`] does anything for it.
pub fn is_compressed(content: Content) -> bool {
    matches!(
        content,
        Content::Gzip | Content::Zstd | Content::Xz | Content::Bzip2
    )
}

/// Says in the error which format broke, since the decoders' own words do not, and what kind of damage it is.
struct Named<R> {
    format: &'static str,
    inner: R,
}

impl<R: Read> Read for Named<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => error,
            io::ErrorKind::UnexpectedEof => io::Error::new(
                error.kind(),
                format!("the {} data is truncated", self.format),
            ),
            kind => io::Error::new(
                kind,
                format!("the {} data is corrupt: {error}", self.format),
            ),
        })
    }
}
