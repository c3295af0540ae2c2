//! The store against real files: what is put in comes out, and it stays whole whatever happens to the program, the
//! disk and the file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod asking;
mod backlog;
mod broken;
mod crash;
mod full_disk;
mod keeping;
mod retention;
mod sample;
mod schema;
mod sharing;
