//! One thread for everything that must outlive a request.

use std::{
    convert::Infallible,
    fmt,
    future::{Future, ready},
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use tokio::{runtime, sync::mpsc, sync::oneshot, time};

/// The thread that talks to WorkOS, with its own single-threaded runtime.
///
/// A pooled connection is driven by the runtime that opened it. On an Actix worker, a call would
/// wait while that worker computes and fail when it stops; for a refresh token that is spent by
/// its first use, a failed call is a lost session.
pub(crate) struct Background {
    runtime: runtime::Handle,
    life: Mutex<Option<Life>>,
}

struct Life {
    /// Every task holds a clone, so the thread knows when the last one has ended.
    running: mpsc::Sender<Infallible>,
    stop: oneshot::Sender<()>,
    thread: thread::JoinHandle<()>,
}

/// What a spawned task gave, or `None` if it panicked or the thread has stopped.
pub(crate) type Task<T> = BoxFuture<'static, Option<T>>;

impl Background {
    pub(crate) fn start(name: &str) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let (running, mut all_ended) = mpsc::channel::<Infallible>(1);
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            runtime.block_on(async {
                let _ = stopped.await;
                let _ = time::timeout(LAST_FLIGHTS, all_ended.recv()).await;
            });
            // A name resolution that hangs is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self {
            runtime: handle,
            life: Mutex::new(Some(Life {
                running,
                stop,
                thread,
            })),
        })
    }

    /// Runs a future to its end on the background thread, whether or not anybody waits for it.
    pub(crate) fn spawn<F>(&self, future: F) -> Task<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let Some(running) = self.life().as_ref().map(|life| life.running.clone()) else {
            return ready(None).boxed();
        };
        let task = self.runtime.spawn(async move {
            let output = future.await;
            drop(running);
            output
        });
        task.map(Result::ok).boxed()
    }

    /// Stops the thread after the flights under way, for which it waits five seconds at most.
    pub(crate) fn finish(&self) {
        let Some(life) = self.life().take() else {
            return;
        };
        drop(life.running);
        let _ = life.stop.send(());
        // A flight may hold the last handle: the thread cannot wait for itself.
        if life.thread.thread().id() != thread::current().id() {
            let _ = life.thread.join();
        }
    }

    fn life(&self) -> MutexGuard<'_, Option<Life>> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.finish();
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Background")
    }
}

const LAST_FLIGHTS: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        time::Instant,
    };

    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime")
            .block_on(future)
    }

    #[test]
    fn a_task_ends_though_nobody_waits_for_it_and_the_owner_is_dropped() {
        let ended = Arc::new(AtomicBool::new(false));
        let background = Background::start("authkit-background").expect("a thread");
        let flag = ended.clone();
        drop(background.spawn(async move {
            time::sleep(Duration::from_millis(50)).await;
            flag.store(true, Ordering::SeqCst);
        }));
        drop(background);
        assert!(ended.load(Ordering::SeqCst));
    }

    #[test]
    fn a_panic_in_a_task_is_none_and_harms_no_other() {
        let background = Background::start("authkit-background").expect("a thread");
        assert_eq!(
            block_on(background.spawn(async { panic!("on purpose") })),
            None::<()>
        );
        assert_eq!(block_on(background.spawn(async { 7 })), Some(7));
    }

    #[test]
    fn dropping_an_idle_one_takes_no_time() {
        let started = Instant::now();
        drop(Background::start("authkit-background").expect("a thread"));
        assert!(started.elapsed() < LAST_FLIGHTS);
    }
}
