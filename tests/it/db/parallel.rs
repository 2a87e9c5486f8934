//! Parallel work on several threads, each with its own runtime.

use std::sync::Barrier;

use actix_web::rt::System;

/// Runs `work(0)` to `work(count - 1)`, each on its own thread, and collects the results.
pub fn in_parallel<T, F>(count: usize, work: impl Fn(usize) -> F + Sync) -> Vec<T>
where
    T: Send,
    F: Future<Output = T>,
{
    let start = Barrier::new(count);
    std::thread::scope(|scope| {
        let (start, work) = (&start, &work);
        let run = |number| {
            scope.spawn(move || {
                let system = System::new();
                start.wait();
                system.block_on(work(number))
            })
        };
        let threads: Vec<_> = (0..count).map(run).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}
