//! A fixed pool of threads and the barrier by which the threads of one branch keep step.
//!
//! [`Pool::run`] calls one closure on every thread, the caller's own included, and returns when all
//! have. Nothing is allocated after `new`. A thread that panics ends the process: its memory may be
//! half written, and the others would wait for it for ever.
#![allow(unsafe_code)]

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

type Job = *const (dyn Fn(usize) + Sync);

struct Slot {
    job: Option<Job>,
    /// Raised for each job, so that a worker runs each once.
    round: u64,
    running: usize,
    stop: bool,
}

// SAFETY: the pointer is used only between `Pool::run`'s publication of it and its wait for all
// workers, while the closure, which is `Sync`, lives.
unsafe impl Send for Slot {}

struct Board {
    slot: Mutex<Slot>,
    start: Condvar,
    done: Condvar,
}

impl Board {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        // No code that can panic runs under the lock.
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Threads that wait for work.
pub(crate) struct Pool {
    board: Arc<Board>,
    workers: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts `threads - 1` workers; the caller of [`Pool::run`] is the other thread.
    pub(crate) fn new(threads: usize) -> io::Result<Pool> {
        let slot = Slot { job: None, round: 0, running: 0, stop: false };
        let board =
            Arc::new(Board { slot: Mutex::new(slot), start: Condvar::new(), done: Condvar::new() });
        let mut pool = Pool { board, workers: Vec::new() };
        for index in 1..threads.max(1) {
            let board = Arc::clone(&pool.board);
            let worker = std::thread::Builder::new()
                .name(format!("cpu-{index}"))
                .spawn(move || work(&board, index))?;
            pool.workers.push(worker);
        }
        Ok(pool)
    }

    /// Returns the number of threads, the caller's included.
    pub(crate) fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `job` with each thread's index, 0 on the caller's own thread, and waits for all.
    pub(crate) fn run(&mut self, job: &(dyn Fn(usize) + Sync)) {
        if self.workers.is_empty() {
            return job(0);
        }
        // SAFETY: only the lifetime is erased. The pointer is used by workers that this call waits
        // for below, and no way out of this function skips that wait (a panic aborts).
        let erased: Job = unsafe {
            std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(job)
        };
        {
            let mut slot = self.board.lock();
            slot.job = Some(erased);
            slot.round += 1;
            slot.running = self.workers.len();
        }
        self.board.start.notify_all();
        or_abort(|| job(0));
        let mut slot = self.board.lock();
        while slot.running > 0 {
            slot = self.board.done.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
        slot.job = None;
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.board.lock().stop = true;
        self.board.start.notify_all();
        for worker in self.workers.drain(..) {
            // A worker cannot have panicked: `or_abort`.
            let _ = worker.join();
        }
    }
}

fn work(board: &Board, index: usize) {
    let mut seen = 0;
    loop {
        let job = {
            let mut slot = board.lock();
            loop {
                if slot.stop {
                    return;
                }
                if slot.round != seen
                    && let Some(job) = slot.job
                {
                    seen = slot.round;
                    break job;
                }
                slot = board.start.wait(slot).unwrap_or_else(PoisonError::into_inner);
            }
        };
        // SAFETY: `run` keeps the closure alive until `running` is 0, which this thread lowers
        // only after the call.
        or_abort(|| unsafe { (*job)(index) });
        let mut slot = board.lock();
        slot.running -= 1;
        if slot.running == 0 {
            board.done.notify_one();
        }
    }
}

fn or_abort(job: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(job)).is_err() {
        // The panic's message is printed already.
        std::process::abort();
    }
}

/// Where the threads of a team meet.
pub(crate) struct Barrier {
    arrived: AtomicUsize,
    round: AtomicUsize,
}

impl Barrier {
    pub(crate) fn new() -> Barrier {
        Barrier { arrived: AtomicUsize::new(0), round: AtomicUsize::new(0) }
    }
}

/// One thread's place in a team that works on one branch.
#[derive(Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) rank: usize,
    pub(crate) size: usize,
    barrier: &'a Barrier,
}

impl<'a> Member<'a> {
    pub(crate) fn new(rank: usize, size: usize, barrier: &'a Barrier) -> Member<'a> {
        Member { rank, size, barrier }
    }

    /// Waits until every member has come here; what they wrote before is then seen by all.
    pub(crate) fn wait(self) {
        if self.size == 1 {
            return;
        }
        let round = self.barrier.round.load(Ordering::Acquire);
        if self.barrier.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.size {
            self.barrier.arrived.store(0, Ordering::Relaxed);
            self.barrier.round.store(round.wrapping_add(1), Ordering::Release);
            return;
        }
        // Layers last a millisecond or so: spin a little, then leave the core to whoever is late.
        let mut spins = 0_u32;
        while self.barrier.round.load(Ordering::Acquire) == round {
            if spins < 2_000 {
                spins += 1;
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }

    /// Returns this member's part of `0..count`, parts differing by one at most.
    pub(crate) fn share(self, count: usize) -> std::ops::Range<usize> {
        count * self.rank / self.size..count * (self.rank + 1) / self.size
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_runs_each_job_once() {
        let mut pool = Pool::new(3).unwrap();
        for _ in 0..50 {
            let counts = [const { AtomicUsize::new(0) }; 3];
            pool.run(&|index| {
                counts[index].fetch_add(1, Ordering::Relaxed);
            });
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn a_barrier_orders_what_was_written_before_it() {
        let mut pool = Pool::new(3).unwrap();
        let barrier = Barrier::new();
        let written = [const { AtomicUsize::new(0) }; 3];
        pool.run(&|index| {
            let member = Member::new(index, 3, &barrier);
            for round in 1..200 {
                written[index].store(round, Ordering::Relaxed);
                member.wait();
                assert!(written.iter().all(|at| at.load(Ordering::Relaxed) == round));
                member.wait();
            }
        });
    }

    #[test]
    fn the_parts_of_a_team_cover_all_once() {
        let barrier = Barrier::new();
        for size in 1..5 {
            let parts: Vec<usize> =
                (0..size).flat_map(|rank| Member::new(rank, size, &barrier).share(13)).collect();
            assert_eq!(parts, (0..13).collect::<Vec<_>>());
        }
    }
}
