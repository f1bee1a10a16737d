//! `Reserve`: room kept beside the file, so that a full disk drains (R5).
//!
//! Deleting needs room first: SQLite appends to its log, and can start the log over only when all of it
//! is in the file, which may have to grow for that. On a disk that inserts have filled there is no room
//! for either. So a file of zeros holds as much as the log may make the file grow. When the disk is full
//! it is given up, the log is moved into the file, and from then on the log's own blocks, written over
//! and over, are room enough for deletes. Until the reserve can be had again, inserts are refused, unless
//! the file has so much free room inside that they do not make it grow.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// After how many pages of 4 KiB the log is moved into the file: 2 MiB.
pub(super) const CHECKPOINT_PAGES: u32 = 512;
/// The log at its longest, with one transaction of the longest kind (R4) on top.
const RESERVE_BYTES: u64 = 4 << 20;
/// With so many free pages in the file, 2 MiB, a transaction (R4) does not make it grow.
pub(super) const FREE_PAGES_MIN: u32 = 512;

/// The file of zeros. It has no state in memory: several processes may share it.
#[derive(Debug)]
pub(super) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    pub(super) fn beside(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-reserve");
        Self { path: path.into() }
    }

    /// Whether it is there.
    pub(super) fn is_whole(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|file| file.len() >= RESERVE_BYTES)
    }

    /// Makes it if it is not there; `false` if the disk has no room for it. What else may be wrong with
    /// it is no reason to refuse work.
    pub(super) fn make(&self) -> bool {
        if self.is_whole() {
            return true;
        }
        match self.fill() {
            Err(error)
                if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
            {
                self.release();
                false
            }
            _ => true,
        }
    }

    /// Gives the room up. Best effort.
    pub(super) fn release(&self) {
        let _ = OpenOptions::new().write(true).truncate(true).open(&self.path);
    }

    /// Writes zeros rather than setting a length: only what was written is sure to have its blocks.
    fn fill(&self) -> io::Result<()> {
        let mut file = File::create(&self.path)?;
        let zeros = [0; 64 << 10];
        for _ in 0..RESERVE_BYTES / zeros.len() as u64 {
            file.write_all(&zeros)?;
        }
        Ok(())
    }
}
