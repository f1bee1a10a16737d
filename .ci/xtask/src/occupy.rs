//! Keeps the threads of wasm-bindgen's test server busy, so that no connection of a browser waits for one.
//!
//! That server (`tiny_http` 0.12, `TaskPool::spawn`) starts with four threads, gives each connection
//! one until it is closed, and starts another where none is idle. A thread that was woken counts as
//! idle until it runs: of more connections than idle threads, opened at once, one can be left to
//! nobody. A browser opens up to six for the modules of a page, waits five minutes for such a one, and
//! gives up. While connections of ours hold the first threads, none is idle when a page is loaded.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// One for each of the server's four threads; four more, as a thread that has not started yet is not counted.
const CONNECTIONS: usize = 8;

/// How often to look whether a server is there, or gone. A browser takes some hundred milliseconds to start.
const LOOK: Duration = Duration::from_millis(5);

/// For how long to wait for an answer.
const REPLY: Duration = Duration::from_secs(1);

/// Runs `work` with an address for test servers; while one listens there, its first threads are kept busy.
///
/// # Errors
/// No port is free on loopback.
pub(crate) fn with_busy_server<T>(work: impl FnOnce(SocketAddr) -> T) -> io::Result<T> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let done = AtomicBool::new(false);
    Ok(thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if let Ok(held) = connections(address) {
                    wait_for_end(&held, &done);
                }
                thread::sleep(LOOK);
            }
        });
        let _done = SetAtEnd(&done);
        work(address)
    }))
}

/// Sets its flag when it goes, by a panic too: the scope waits for the thread that reads it.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Connections that each hold a thread: each has been answered before the next is opened.
fn connections(address: SocketAddr) -> io::Result<Vec<TcpStream>> {
    (0..CONNECTIONS)
        .map(|_| {
            let mut stream = TcpStream::connect(address)?;
            stream.write_all(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
            stream.set_read_timeout(Some(REPLY))?;
            stream.read_exact(&mut [0; 1])?;
            stream.set_read_timeout(Some(LOOK))?;
            Ok(stream)
        })
        .collect()
}

/// Waits until the server has gone, or there is nothing to wait for any more.
fn wait_for_end(held: &[TcpStream], done: &AtomicBool) {
    let Some(mut first) = held.first() else { return };
    while !done.load(Ordering::Relaxed) {
        match first.read(&mut [0; 1024]) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
}

#[test]
fn a_server_has_connections_of_ours_until_the_work_is_done() {
    let held = with_busy_server(|address| {
        let server = TcpListener::bind(address).expect("the port was free a moment ago");
        (0..CONNECTIONS).map(|_| answered(&server)).collect::<Vec<_>>()
    });
    for mut stream in held.expect("loopback has a free port") {
        assert!(matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_)), "closed once the work was done");
    }
}

/// The next connection, whose request has been read and answered.
#[cfg(test)]
fn answered(server: &TcpListener) -> TcpStream {
    let (mut stream, _) = server.accept().expect("a connection");
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a whole request");
        request.extend(byte);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("the other side reads");
    stream
}
