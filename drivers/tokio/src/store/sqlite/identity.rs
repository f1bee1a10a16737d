//! `Identity`: whether the path still leads to the file that was opened. One that was deleted or replaced
//! stays open, and takes writes that nobody will ever find: they are refused instead (R1).

use std::{fs::Metadata, io, path::Path};

/// A file, told apart from any other that comes to its path.
#[derive(Debug)]
pub(super) struct Identity(Option<(u64, u64)>);

impl Identity {
    pub(super) fn of(path: &Path) -> Self {
        Self(path.metadata().ok().as_ref().and_then(numbers))
    }

    /// Whether the file is certainly not there any longer. What cannot be looked up may be.
    pub(super) fn is_gone_from(&self, path: &Path) -> bool {
        match path.metadata() {
            Ok(file) => self.0.is_some() && numbers(&file) != self.0,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

/// Device and inode.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have none")]
fn numbers(file: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((file.dev(), file.ino()))
}

/// Elsewhere a file that is open cannot be deleted or replaced.
#[cfg(not(unix))]
fn numbers(_: &Metadata) -> Option<(u64, u64)> {
    None
}
