//! `Identity`: whether the path still leads to the file that was opened. One that was deleted or replaced
//! stays open, and takes writes that nobody will ever find: they are refused instead (R1).

use std::{
    fs::Metadata,
    io,
    path::{self, Path, PathBuf},
};

/// A file, told apart from any other that comes to its path.
#[derive(Debug)]
pub(super) struct Identity {
    /// Absolute: the process may change its folder.
    path: PathBuf,
    numbers: Option<(u64, u64)>,
}

impl Identity {
    pub(super) fn of(path: &Path) -> Self {
        let path = path::absolute(path).unwrap_or_else(|_| path.into());
        Self { numbers: path.metadata().ok().as_ref().and_then(numbers), path }
    }

    /// Whether the file is certainly not there any longer. What cannot be looked up may be.
    pub(super) fn is_gone(&self) -> bool {
        match self.path.metadata() {
            Ok(file) => self.numbers.is_some() && numbers(&file) != self.numbers,
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
