//! Work that is found while it is done, on several threads.

use std::sync::{Condvar, Mutex, MutexGuard};

/// Tasks that wait, the next one last, and how many are being done.
struct Pool<T> {
    state: Mutex<(Vec<T>, usize)>,
    changed: Condvar,
}

impl<T> Pool<T> {
    fn lock(&self) -> MutexGuard<'_, (Vec<T>, usize)> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// A task that is being done; also one that panics ends.
struct Doing<'a, T>(&'a Pool<T>);

impl<T> Drop for Doing<'_, T> {
    fn drop(&mut self) {
        self.0.lock().1 -= 1;
        self.0.changed.notify_all();
    }
}

/// Does all tasks, the first ones first. What a task gives back is done before what waited already.
pub(crate) fn run<T: Send>(threads: usize, tasks: Vec<T>, step: impl Fn(T) -> Vec<T> + Sync) {
    let waiting = tasks.into_iter().rev().collect();
    let pool = Pool { state: Mutex::new((waiting, 0)), changed: Condvar::new() };
    let serve = || {
        loop {
            let mut state = pool.lock();
            let task = loop {
                match state.0.pop() {
                    Some(task) => break task,
                    None if state.1 == 0 => return,
                    None => state = pool.changed.wait(state).unwrap_or_else(|e| e.into_inner()),
                }
            };
            state.1 += 1;
            drop(state);
            let doing = Doing(&pool);
            let more = step(task);
            pool.lock().0.extend(more.into_iter().rev());
            drop(doing);
        }
    };
    if threads <= 1 {
        serve();
    } else {
        std::thread::scope(|s| {
            for _ in 0..threads {
                s.spawn(serve);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn tasks_of_tasks_are_all_done() {
        for threads in 1..4 {
            let sum = AtomicU64::new(0);
            super::run(threads, vec![5u64, 3], |n| {
                sum.fetch_add(n, Ordering::Relaxed);
                vec![n / 2; usize::from(n > 1) * 2]
            });
            assert_eq!(sum.into_inner(), 5 + 2 * 2 + 4 + 3 + 2);
        }
    }
}
