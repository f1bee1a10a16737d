//! Serves the demo on loopback until ctrl-c.
//!
//! usage: `outbox-demo-server --page FOLDER --database FILE [--port N]`

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::{env, io, net::Ipv4Addr, process::ExitCode};

use outbox_demo_server::{Settings, serve};
use tokio::{net::TcpListener, signal};

/// Tried first: the browser keeps what is pending by address, so that the next start finds it.
const USUAL_PORT: u16 = 4747;

const USAGE: &str = "usage: outbox-demo-server --page FOLDER --database FILE [--port N]";

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("outbox-demo-server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (page, database, port) = match args[..] {
        ["--page", page, "--database", database] => (page, database, None),
        ["--page", page, "--database", database, "--port", port] => (page, database, Some(port)),
        _ => return Err(io::Error::other(USAGE)),
    };
    let port =
        port.map(str::parse).transpose().map_err(|_| io::Error::other("--port takes a number to 65535"))?;
    let listener = listen(port).await?;
    println!("http://{}", listener.local_addr()?);
    let settings = Settings { page: page.into(), database: database.into() };
    tokio::select! {
        ended = serve(listener, &settings) => ended,
        told = signal::ctrl_c() => told,
    }
}

/// On the port that was asked for; else the usual one, or any that is free.
async fn listen(port: Option<u16>) -> io::Result<TcpListener> {
    let on = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    match (port, on(port.unwrap_or(USUAL_PORT)).await) {
        (None, Err(_)) => on(0).await,
        (_, listener) => listener,
    }
}
