//! A mailbox with one place, in which the newest wins: the hand-over from the streaming thread,
//! which must never wait, to the infer thread, which is always slower than some source.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What waiting for the next item came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<T> {
    /// The newest item.
    Item(T),
    /// Nothing came in time.
    Timeout,
    /// The mailbox was closed and is empty.
    Closed,
}

/// One place; [`Mailbox::put`] replaces what nobody took, and counts it.
#[derive(Debug)]
pub struct Mailbox<T> {
    inner: Mutex<Inner<T>>,
    arrived: Condvar,
}

#[derive(Debug)]
struct Inner<T> {
    item: Option<T>,
    replaced: u64,
    closed: bool,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self {
            inner: Mutex::new(Inner { item: None, replaced: 0, closed: false }),
            arrived: Condvar::new(),
        }
    }
}

impl<T> Mailbox<T> {
    /// A panic elsewhere cannot leave the one place half written, so a poisoned lock is usable.
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves `item`; what was there and nobody took is dropped after the lock is released (it may
    /// be a mapped buffer whose release costs time). An item for a closed mailbox is dropped.
    pub fn put(&self, item: T) {
        let old = {
            let mut inner = self.lock();
            if inner.closed {
                return;
            }
            let old = inner.item.replace(item);
            inner.replaced += u64::from(old.is_some());
            old
        };
        self.arrived.notify_one();
        drop(old);
    }

    /// Waits at most `timeout` for an item.
    pub fn take(&self, timeout: Duration) -> Taken<T> {
        let deadline = Instant::now() + timeout;
        let mut inner = self.lock();
        loop {
            if let Some(item) = inner.item.take() {
                return Taken::Item(item);
            }
            if inner.closed {
                return Taken::Closed;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::Timeout;
            }
            inner =
                self.arrived.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Number of items that a newer one replaced before anybody took them.
    pub fn replaced(&self) -> u64 {
        self.lock().replaced
    }

    /// Lets the reader finish what is there, and takes nothing more.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_newest_wins_and_the_replaced_are_counted() {
        let mailbox = Mailbox::default();
        for n in 0..5 {
            mailbox.put(n);
        }
        assert_eq!(mailbox.take(Duration::ZERO), Taken::Item(4));
        assert_eq!(mailbox.take(Duration::ZERO), Taken::Timeout);
        assert_eq!(mailbox.replaced(), 4);
    }

    #[test]
    fn closing_wakes_the_reader_after_the_last_item() {
        let mailbox = Arc::new(Mailbox::default());
        mailbox.put(1);
        mailbox.close();
        mailbox.put(2);
        assert_eq!(mailbox.take(Duration::from_secs(5)), Taken::Item(1));
        assert_eq!(mailbox.take(Duration::from_secs(5)), Taken::Closed);
    }

    #[test]
    fn a_waiting_reader_gets_an_item_put_by_another_thread() {
        let mailbox = Arc::new(Mailbox::default());
        let writer = {
            let mailbox = Arc::clone(&mailbox);
            std::thread::spawn(move || mailbox.put(7))
        };
        assert_eq!(mailbox.take(Duration::from_secs(5)), Taken::Item(7));
        assert!(writer.join().is_ok());
    }
}
