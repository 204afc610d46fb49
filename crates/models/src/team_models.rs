//! The pool of the processor's engine and the barrier of a team: each job runs once on each thread and
//! is over when `run` returns; what was written before a barrier is seen after it by all.

use std::sync::atomic::Ordering::Relaxed;

use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::{cell::UnsafeCell, thread};

use crate::team::{Barrier, Member, Pool};

/// Orders with so many forced switches: all orders of three threads that spin are too many.
fn bounded() -> Builder {
    let mut model = Builder::new();
    model.preemption_bound = Some(2);
    model
}

#[test]
fn each_job_runs_once_on_each_thread_and_is_over_when_run_returns() {
    bounded().check(|| {
        let mut pool = Pool::new(2).unwrap();
        for _ in 0..2 {
            // Checked by loom: a write that is not ordered before the reads below is told.
            let written = [UnsafeCell::new(0), UnsafeCell::new(0)];
            let written_by = SharedCells(&written);
            pool.run(&|index| written_by.add(index));
            assert!(written.iter().all(|cell| cell.with(|p| written_by.read(p)) == 1));
        }
    });
}

/// Cells of which each thread writes its own.
struct SharedCells<'a>(&'a [UnsafeCell<usize>; 2]);

// SAFETY: each index is used by one thread, and the caller reads after `run`; loom tells if not.
unsafe impl Sync for SharedCells<'_> {}

impl SharedCells<'_> {
    fn add(&self, index: usize) {
        // SAFETY: see above.
        self.0[index].with_mut(|p| unsafe { *p += 1 });
    }

    #[allow(clippy::unused_self)]
    fn read(&self, cell: *const usize) -> usize {
        // SAFETY: see above.
        unsafe { *cell }
    }
}

#[test]
fn the_pools_end_wakes_and_joins_a_worker_that_never_had_work() {
    bounded().check(|| drop(Pool::new(2).unwrap()));
}

#[test]
fn a_barrier_orders_what_was_written_before_it_round_after_round() {
    bounded().check(|| {
        let barrier = Arc::new(Barrier::new());
        let written = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let part = |rank: usize, barrier: &Barrier, written: &[AtomicUsize; 2]| {
            let member = Member::new(rank, 2, barrier);
            for round in 1..=2 {
                // Relaxed: only the barrier orders them.
                written[rank].store(round, Relaxed);
                member.wait();
                assert!(written.iter().all(|at| at.load(Relaxed) == round));
                member.wait();
            }
        };
        let other = {
            let (barrier, written) = (Arc::clone(&barrier), Arc::clone(&written));
            thread::spawn(move || part(1, &barrier, &written))
        };
        part(0, &barrier, &written);
        other.join().unwrap();
    });
}
