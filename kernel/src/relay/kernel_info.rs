//! What Jupyter asks first. The relay replies by itself, as evcxr may still be starting.

use serde_json::{Value, json};

pub const KERNEL_INFO: &str = "kernel_info_request";

/// See <https://jupyter-client.readthedocs.io/en/stable/messaging.html#kernel-info>.
pub fn kernel_info() -> Value {
    json!({
        "status": "ok",
        "protocol_version": "5.3",
        "implementation": env!("CARGO_PKG_NAME"),
        "implementation_version": env!("CARGO_PKG_VERSION"),
        "language_info": {
            "name": "Rust",
            "version": "",
            "mimetype": "text/rust",
            "file_extension": ".rs",
            "pygments_lexer": "rust",
            "codemirror_mode": "rust",
        },
        "banner": "Rust (d2l): evcxr with live display and a stop button that asks first",
        "help_links": [
            {"text": "Dive into Deep Learning", "url": "https://d2l.ai"},
            {"text": "Rust's standard library", "url": "https://doc.rust-lang.org/stable/std/"},
        ],
    })
}
