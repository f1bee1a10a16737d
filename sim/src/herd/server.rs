//! The herd's server: so many requests a second, one after another, and a queue of given length.

/// One server. It does what it has taken, also when nobody waits for the reply any more.
pub(super) struct Server {
    per_request_ns: u64,
    queue: u64,
    /// When it has done all that it holds.
    free_at_ns: u64,
}

impl Server {
    pub(super) fn new(capacity_per_s: u32, queue: u32) -> Self {
        let per_request_ns = 1_000_000_000 / u64::from(capacity_per_s);
        Self { per_request_ns, queue: queue.into(), free_at_ns: 0 }
    }

    /// A request arrives: in which millisecond is it done? `None`: it holds too many.
    pub(super) fn take(&mut self, now_ms: u64) -> Option<u64> {
        let now_ns = now_ms * 1_000_000;
        let held = self.free_at_ns.saturating_sub(now_ns).div_ceil(self.per_request_ns);
        if held >= self.queue {
            return None;
        }
        self.free_at_ns = self.free_at_ns.max(now_ns) + self.per_request_ns;
        Some(self.free_at_ns.div_ceil(1_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_one_after_another_and_holds_so_many() {
        let mut server = Server::new(10, 3);
        assert_eq!([0; 4].map(|now_ms| server.take(now_ms)), [Some(100), Some(200), Some(300), None]);
        // The first is done: there is room for one.
        assert_eq!([100; 2].map(|now_ms| server.take(now_ms)), [Some(400), None]);
        // It was idle: it owes nothing.
        assert_eq!(server.take(5_000), Some(5_100));
    }
}
