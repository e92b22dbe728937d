//! A load generator that costs the worker nothing, on keep-alive connections.
//!
//! It never sleeps: waking it up would count as the worker's time, and more often so with slow
//! applications than with fast ones, for which it is late anyway.

use std::{
    hint,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

/// Connections to one server, each of which has one request under way at a time.
pub(crate) struct Load {
    /// While one half is answered, the requests of the other wait: the worker never sleeps.
    halves: [Vec<TcpStream>; 2],
    buffer: Vec<u8>,
}

impl Load {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let connect = |_| {
            let connection = TcpStream::connect(address).expect("the server listens");
            connection.set_nodelay(true).expect("a TCP socket");
            connection.set_nonblocking(true).expect("a TCP socket");
            connection
        };
        let half = || (0..CONNECTIONS / 2).map(connect).collect();
        Self {
            halves: [half(), half()],
            buffer: vec![0; 64 * 1024],
        }
    }

    /// Sends requests in turn, one on each connection, until so many are answered with `200`.
    pub(crate) fn run(&mut self, requests: &[String], count: usize) {
        let mut next = requests.iter().cycle().take(count);
        let Self { halves, buffer } = self;
        let mut send = |half: &mut [TcpStream]| {
            let pairs = half.iter_mut().zip(next.by_ref());
            pairs
                .map(|(connection, request)| {
                    connection.write_all(request.as_bytes()).expect("sent")
                })
                .count()
        };
        let [mut one, mut other] = halves.each_mut();
        let mut sent = send(one);
        while sent > 0 {
            let sent_on_other = send(other);
            for connection in &mut one[..sent] {
                let answer = receive(connection, buffer);
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            }
            (one, other, sent) = (other, one, sent_on_other);
        }
    }

    /// One request's answer, head and body.
    pub(crate) fn ask(&mut self, request: &str) -> String {
        let connection = &mut self.halves[0][0];
        connection.write_all(request.as_bytes()).expect("sent");
        receive(connection, &mut self.buffer).to_owned()
    }
}

/// A `GET` with these cookies, and nothing that a load generator does not send.
pub(crate) fn get(path: &str, cookies: &str) -> String {
    let cookies = if cookies.is_empty() {
        String::new()
    } else {
        format!("Cookie: {cookies}\r\n")
    };
    format!("GET {path} HTTP/1.1\r\nHost: localhost:3000\r\nAccept: */*\r\n{cookies}\r\n")
}

fn receive<'a>(connection: &mut TcpStream, buffer: &'a mut [u8]) -> &'a str {
    let mut length = 0;
    loop {
        match connection.read(&mut buffer[length..]) {
            Ok(0) => panic!("the server closed the connection"),
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                (0..SPINS).for_each(|_| hint::spin_loop());
                continue;
            }
            Err(error) => panic!("no answer: {error}"),
        }
        if is_whole(&buffer[..length]) {
            return str::from_utf8(&buffer[..length]).expect("text");
        }
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let Some((head, body)) = str::from_utf8(answer)
        .ok()
        .and_then(|answer| answer.split_once("\r\n\r\n"))
    else {
        return false;
    };
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .expect("every answer here announces its length");
    body.len() >= length
}

pub(crate) const CONNECTIONS: usize = 32;
/// Before it looks again: a moment, in which the connection is all the worker's.
const SPINS: usize = 50;
