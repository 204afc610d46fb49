//! A fixed pool of threads and the barrier by which the threads of one branch keep step.
//!
//! [`Pool::run`] calls one closure on every thread, the caller's own included, and returns when all
//! have. Nothing is allocated after `new`. Where a thread panics, the others of its team leave at
//! their next barrier, and the panic goes on in the caller of `run` when all have ended: nobody
//! touches the memory of the run any more, but what it holds is half written.
#![allow(unsafe_code)]

use std::{
    any::Any,
    cell::Cell,
    io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

thread_local! {
    static WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Tells whether the calling thread is a worker of a network's pool, whose panics end in the thread
/// that called [`Network::run`](crate::Network::run): for a panic hook that ends the process.
pub fn on_worker() -> bool {
    WORKER.get()
}

/// What a panic carries.
type Words = Box<dyn Any + Send>;

/// What a member leaves with where another one panicked.
struct Left;

type Job = *const (dyn Fn(usize) + Sync);

struct Slot {
    job: Option<Job>,
    /// Raised for each job, so that a worker runs each once.
    round: u64,
    running: usize,
    stop: bool,
    /// Of the first thread that panicked in this round.
    panic: Option<Words>,
}

impl Slot {
    /// Keeps the panic that was the cause: a member that only left says nothing.
    fn keep(&mut self, words: Words) {
        if self.panic.as_ref().is_none_or(|kept| kept.is::<Left>()) {
            self.panic = Some(words);
        }
    }
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
        let slot = Slot { job: None, round: 0, running: 0, stop: false, panic: None };
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
    ///
    /// # Panics
    /// Where `job` does on any thread, with that panic's words, after all threads have ended.
    pub(crate) fn run(&mut self, job: &(dyn Fn(usize) + Sync)) {
        if self.workers.is_empty() {
            return job(0);
        }
        // SAFETY: only the lifetime is erased. The pointer is used by workers that this call waits
        // for below, and no way out of this function skips that wait (a panic is held until then).
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
        let own = catch_unwind(AssertUnwindSafe(|| job(0)));
        let mut slot = self.board.lock();
        while slot.running > 0 {
            slot = self.board.done.wait(slot).unwrap_or_else(PoisonError::into_inner);
        }
        slot.job = None;
        if let Err(words) = own {
            slot.keep(words);
        }
        let panic = slot.panic.take();
        drop(slot);
        if let Some(words) = panic {
            resume_unwind(words);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.board.lock().stop = true;
        self.board.start.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches its panics.
            let _ = worker.join();
        }
    }
}

fn work(board: &Board, index: usize) {
    WORKER.set(true);
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
        let ended = catch_unwind(AssertUnwindSafe(|| unsafe { (*job)(index) }));
        let mut slot = board.lock();
        if let Err(words) = ended {
            slot.keep(words);
        }
        slot.running -= 1;
        if slot.running == 0 {
            board.done.notify_one();
        }
    }
}

/// Where the threads of a team meet.
pub(crate) struct Barrier {
    arrived: AtomicUsize,
    round: AtomicUsize,
    /// A member panicked: nobody may wait for it.
    broken: AtomicBool,
}

impl Barrier {
    pub(crate) fn new() -> Barrier {
        Barrier {
            arrived: AtomicUsize::new(0),
            round: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }
}

/// Breaks a team's barrier where its thread unwinds.
struct Breaker<'a>(&'a Barrier);

impl Drop for Breaker<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::Release);
        }
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

    /// Does this member's part of the work. Where it panics, the others leave at their next barrier
    /// instead of waiting for it for ever.
    pub(crate) fn work<T>(self, part: impl FnOnce(Member<'a>) -> T) -> T {
        let _breaker = Breaker(self.barrier);
        part(self)
    }

    /// Waits until every member has come here; what they wrote before is then seen by all.
    ///
    /// # Panics
    /// Where another member panicked, without a word of its own.
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
            if self.barrier.broken.load(Ordering::Acquire) {
                // Not a second panic: the hook has told of the first.
                resume_unwind(Box::new(Left));
            }
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

    /// Runs a team of three for two rounds, of whom `who` panics between them; returns the panic.
    fn one_panics(pool: &mut Pool, who: usize) -> Words {
        let barrier = Barrier::new();
        let after = AtomicUsize::new(0);
        let run = catch_unwind(AssertUnwindSafe(|| {
            pool.run(&|index| {
                Member::new(index, 3, &barrier).work(|member| {
                    member.wait();
                    assert!(index != who, "member {index} fell");
                    member.wait();
                    after.fetch_add(1, Ordering::Relaxed);
                });
            });
        }));
        assert_eq!(after.into_inner(), 0, "nobody passes a barrier that is one member short");
        run.unwrap_err()
    }

    #[test]
    fn a_panic_of_any_member_ends_the_run_with_its_words_and_the_pool_works_on() {
        let mut pool = Pool::new(3).unwrap();
        for round in 0..30 {
            let who = round % 3;
            let words = one_panics(&mut pool, who);
            assert_eq!(words.downcast_ref::<String>(), Some(&format!("member {who} fell")));
            let count = AtomicUsize::new(0);
            pool.run(&|_| {
                count.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(count.into_inner(), 3);
        }
    }

    #[test]
    fn two_panics_at_once_are_one() {
        let mut pool = Pool::new(3).unwrap();
        let run = catch_unwind(AssertUnwindSafe(|| pool.run(&|index| panic!("member {index}"))));
        let words = run.unwrap_err();
        assert!(words.downcast_ref::<String>().is_some_and(|words| words.starts_with("member")));
        assert!(!on_worker());
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
