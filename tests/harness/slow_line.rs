use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{self, AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

/// A line to a server of this machine which delays what comes back, as a long way or a busy server
/// does. It is cut with this value.
pub struct SlowLine {
    port: u16,
    delay: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl SlowLine {
    /// A line without delay.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let delay = Arc::new(AtomicU64::new(0));
        let of_lines = Arc::clone(&delay);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, Arc::clone(&of_lines)));
            }
        });
        Self { port, delay, task }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// So much later everything arrives from now on.
    pub fn delay(&self, millis: u64) {
        self.delay.store(millis, Ordering::SeqCst);
    }
}

impl Drop for SlowLine {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(client: TcpStream, server: u16, delay: Arc<AtomicU64>) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", server)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { io::copy(&mut from_client, &mut to_server).await });
    let (on_its_way, mut arriving) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((arrives_at, part)) = arriving.recv().await {
            sleep_until(arrives_at).await;
            if to_client.write_all(&part).await.is_err() {
                return;
            }
        }
    });
    let mut part = vec![0; 64 * 1024];
    loop {
        let read = from_server.read(&mut part).await?;
        let delay = Duration::from_millis(delay.load(Ordering::SeqCst));
        let sent = on_its_way.send((Instant::now() + delay, part[..read].to_vec()));
        if read == 0 || sent.is_err() {
            return Ok(());
        }
    }
}
