//! Connection files, and the sockets of both sides.

use std::net;
use std::path::Path;

use anyhow::{Context, Result, bail};
use jupyter_protocol::connection_info::{ConnectionInfo, Transport};
use tokio::net::TcpListener;
use zeromq::Socket;

/// Reads the file with which Jupyter starts a kernel.
pub fn read(path: &Path) -> Result<ConnectionInfo> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!(
            "{}: cannot read the connection file\n  what to do: start the kernel from JupyterLab, \
             which writes one",
            path.display()
        )
    })?;
    let info: ConnectionInfo = serde_json::from_str(&text).with_context(|| {
        format!(
            "{}: not a connection file of Jupyter's protocol 5 (five ports, ip, transport, key, \
             signature_scheme)\n  what to do: let JupyterLab, or jupyter_client 5 or newer, start \
             the kernel",
            path.display()
        )
    })?;
    if info.transport != Transport::TCP || info.signature_scheme != "hmac-sha256" {
        bail!(
            "{}: found transport {} and signatures of {}, expected tcp and hmac-sha256\n  what to \
             do: remove `transport` and `signature_scheme` from Jupyter's configuration",
            path.display(),
            info.transport,
            info.signature_scheme
        );
    }
    Ok(info)
}

/// A connection of our own on loopback, with free ports and another key.
///
/// The listeners hold the ports until evcxr is to bind them.
pub fn on_loopback() -> Result<(ConnectionInfo, Vec<net::TcpListener>)> {
    let mut listeners = vec![];
    let mut port = || -> Result<u16> {
        let listener =
            net::TcpListener::bind(("127.0.0.1", 0)).context("no free port on 127.0.0.1")?;
        let port = listener.local_addr()?.port();
        listeners.push(listener);
        Ok(port)
    };
    let info = ConnectionInfo {
        ip: "127.0.0.1".into(),
        transport: Transport::TCP,
        shell_port: port()?,
        iopub_port: port()?,
        stdin_port: port()?,
        control_port: port()?,
        hb_port: port()?,
        key: uuid::Uuid::new_v4().to_string(),
        signature_scheme: "hmac-sha256".into(),
        kernel_name: None,
    };
    Ok((info, listeners))
}

/// A port that Jupyter connects to.
pub async fn listen(info: &ConnectionInfo, port: u16) -> Result<TcpListener> {
    // ZeroMQ's name for all addresses.
    let ip = if info.ip == "*" { "0.0.0.0" } else { info.ip.as_str() };
    TcpListener::bind((ip, port)).await.with_context(|| cannot_listen(info, port))
}

/// A socket of zeromq's that Jupyter connects to.
pub async fn bind<S: Socket>(info: &ConnectionInfo, port: u16) -> Result<S> {
    let mut socket = S::new();
    let address = format!("tcp://{}:{port}", info.ip);
    socket.bind(&address).await.with_context(|| cannot_listen(info, port))?;
    Ok(socket)
}

fn cannot_listen(info: &ConnectionInfo, port: u16) -> String {
    format!(
        "cannot listen on tcp://{}:{port}: another program has the port, or the address is not this \
         machine's\n  what to do: start the kernel again; Jupyter will take other ports",
        info.ip
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(content: Option<&str>) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kernel.json");
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        format!("{:#}", read(&file).unwrap_err())
    }

    #[test]
    fn bad_connection_files_are_named() {
        let (good, _listeners) = on_loopback().unwrap();
        let good = serde_json::to_string(&good).unwrap();
        assert!(error_of(None).contains("kernel.json: cannot read the connection file"));
        assert!(error_of(Some("{")).contains("not a connection file"));
        let old = good.replace("signature_scheme", "scheme");
        assert!(error_of(Some(&old)).contains("missing field `signature_scheme`"));
        let other = good.replace("hmac-sha256", "hmac-md5");
        assert!(error_of(Some(&other)).contains("found transport tcp and signatures of hmac-md5"));
        let ipc = good.replace("\"tcp\"", "\"ipc\"");
        assert!(error_of(Some(&ipc)).contains("found transport ipc"));
    }

    #[test]
    fn our_own_connections_have_ports_and_keys_of_their_own() {
        let (one, _held) = on_loopback().unwrap();
        let (other, _held) = on_loopback().unwrap();
        assert!(one.key.len() >= 32 && one.key != other.key);
        let ports = |info: &ConnectionInfo| [info.shell_port, info.iopub_port, info.hb_port];
        assert!(ports(&one).iter().all(|port| !ports(&other).contains(port)));
    }
}
