use std::{
    net::TcpListener,
    process,
    sync::atomic::{AtomicU16, Ordering},
};

/// A port for a program that has to be told one.
///
/// It lies below those that the system gives away by itself, so that nobody takes it meanwhile.
pub fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let start = 16_000 + (process::id() % 100) as u16 * 100;
    (0..1_000)
        .map(|_| start + TAKEN.fetch_add(1, Ordering::Relaxed))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("one of a thousand ports is free")
}
