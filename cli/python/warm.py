"""Compiles ahead what the notebooks' cells need.

Called by `cargo d2l setup`. Starts the kernel in its template folder and executes the first cells
that every notebook has, so that the support crate and all below it are compiled there.
"""

import os
import sys
from pathlib import Path

from jupyter_client.manager import start_new_kernel

CELLS = [
    ':dep d2l = { path = ".." }',
    "use d2l::prelude::*;",
    "let x = Tensor::rand([2, 3], (Kind::Float, Device::Cpu)); let y = x.f_matmul(&x.f_tr()?)?; y.size()",
]


def main():
    notebooks = Path(__file__).parents[2] / "notebooks"
    manager, client = start_new_kernel(
        kernel_name="rust-d2l",
        startup_timeout=600,
        cwd=str(notebooks),
        env={**os.environ, "D2L_KERNEL_TEMPLATE": "1"},
    )
    try:
        for cell in CELLS:
            print(cell, flush=True)
            reply = client.execute_interactive(cell, timeout=None)["content"]
            if reply["status"] != "ok":
                sys.exit(f"the cell `{cell}` failed:\n" + "\n".join(reply["traceback"]))
    finally:
        client.stop_channels()
        manager.shutdown_kernel()


main()
