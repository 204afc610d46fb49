//! The mailbox between streaming thread and infer thread: nothing is lost but what is counted, the last
//! item before the end is seen, and a reader that waits is woken.

use std::time::Duration;

use loom::sync::Arc;
use loom::thread;

use crate::mailbox::{Mailbox, Taken};

/// Never reached: loom's wait does not time out, so that a reader who is not woken is a deadlock, which
/// loom tells.
const LONG: Duration = Duration::from_hours(1);

#[test]
fn every_item_is_taken_or_counted_as_replaced_and_the_newest_is_never_lost() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::default());
        let writer = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || {
                for n in 1..=2_u64 {
                    mailbox.put(n);
                }
                mailbox.close();
            })
        };
        let mut taken = Vec::new();
        loop {
            match mailbox.take(LONG) {
                Taken::Item(n) => taken.push(n),
                Taken::Closed => break,
                Taken::Timeout => panic!("nobody waits an hour"),
            }
        }
        writer.join().unwrap();
        assert_eq!(taken.last(), Some(&2), "the newest: {taken:?}");
        assert!(taken.is_sorted(), "{taken:?}");
        assert_eq!(taken.len() as u64 + mailbox.replaced(), 2, "{taken:?}");
    });
}

#[test]
fn two_writers_and_a_reader_lose_nothing_uncounted() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let mailbox = Arc::new(Mailbox::default());
        let writers: Vec<_> = (0..2_u64)
            .map(|n| {
                let mailbox = Arc::clone(&mailbox);
                thread::spawn(move || mailbox.put(n))
            })
            .collect();
        // One at least comes, whichever is first.
        assert!(matches!(mailbox.take(LONG), Taken::Item(_)));
        for writer in writers {
            writer.join().unwrap();
        }
        mailbox.close();
        let mut rest = 0;
        while let Taken::Item(_) = mailbox.take(LONG) {
            rest += 1;
        }
        assert_eq!(1 + rest + mailbox.replaced(), 2);
    });
}

#[test]
fn closing_wakes_a_reader_who_waits_and_what_comes_after_it_is_dropped() {
    loom::model(|| {
        let mailbox = Arc::new(Mailbox::default());
        let closer = {
            let mailbox = Arc::clone(&mailbox);
            thread::spawn(move || {
                mailbox.close();
                mailbox.put(1_u64);
            })
        };
        assert_eq!(mailbox.take(LONG), Taken::Closed);
        closer.join().unwrap();
        assert_eq!(mailbox.take(LONG), Taken::Closed);
        assert_eq!(mailbox.replaced(), 0);
    });
}
