"""Executes a notebook on the kernel "Rust (d2l)" and shows what its cells print as it comes.

Called by `cargo d2l run` with the notebook and the folder for the executed notebook and its page. The
executed notebook's metadata say how long that took, unless it was in quick mode. Ends with status 1 and the cell's source if a cell fails, and quietly if nobody reads what it prints.
"""

import os
import shutil
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter

# Without a terminal: minimum interval between two lines of progress, in seconds.
INTERVAL = 10
# Variables that shorten a notebook.
QUICK = "D2L_MAX_EPOCHS", "D2L_DATASET_LIMIT"


class Screen:
    """Lines, and below them one that moves: how far a training or a download is."""

    def __init__(self):
        self.moves = sys.stdout.isatty()
        self.line = ""
        self.last = 0.0

    def print(self, text):
        self.clear()
        print(text, flush=True)

    def progress(self, text):
        if self.moves:
            self.clear()
            self.line = "    " + text
            width = shutil.get_terminal_size().columns - 1
            print(self.line[:width], end="", flush=True)
        elif time.monotonic() - self.last > INTERVAL:
            self.last = time.monotonic()
            print("    " + text, flush=True)

    def clear(self):
        if self.line:
            print("\r\x1b[K", end="")
            self.line = ""


class Client(NotebookClient):
    """A client that shows outputs as they come."""

    screen = Screen()

    def process_message(self, msg, cell, cell_index):
        kind, content = msg["msg_type"], msg["content"]
        if kind == "stream":
            self.screen.print("    " + content["text"].rstrip("\n").replace("\n", "\n    "))
        elif kind in ("execute_result", "display_data", "update_display_data"):
            self.show(content["data"], new=kind != "update_display_data")
        return super().process_message(msg, cell, cell_index)

    def show(self, data, new):
        text = data.get("text/plain", "")
        richer = {kind: value for kind, value in data.items() if kind != "text/plain"}
        if "text/html" in richer and text:
            # A bar: its text says the same.
            self.screen.progress(text)
        elif not richer:
            self.screen.print("    " + text.replace("\n", "\n    "))
        elif new:
            for kind, value in richer.items():
                self.screen.print(f"    [{kind}, {len(str(value)) // 1000} KB]")


def join_streams(notebook):
    """What a cell prints comes in many messages; one output per stream reads better."""
    for cell in notebook.cells:
        joined = []
        for output in cell.get("outputs", []):
            last = joined[-1] if joined else None
            if last and output.output_type == "stream" == last.output_type and output.name == last.name:
                last.text += output.text
            else:
                joined.append(output)
        if "outputs" in cell:
            cell.outputs = joined


def read(source):
    """A notebook in Rust; anything else is refused."""
    try:
        notebook = nbformat.read(source, as_version=4)
        cells = [cell.cell_type for cell in notebook.cells]
        language = notebook.metadata.get("kernelspec", {}).get("language")
    except Exception as error:  # nbformat raises all kinds of them for what is no notebook
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        todo = "copy it again from where it was written, or open it in JupyterLab and save it"
        sys.exit(f"{source} is not a notebook that can be read: {reason}\n  what to do: {todo}")
    if "code" not in cells:
        sys.exit(f"{source} has no cell with code\n  what to do: name a notebook that has one")
    if language not in (None, "", "rust"):
        todo = "name a notebook in Rust, or choose the kernel \"Rust (d2l)\" for it in JupyterLab"
        sys.exit(f"{source} is a notebook in {language}, not in rust\n  what to do: {todo}")
    return notebook


def main():
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    notebook = read(source)
    code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    client = Client(
        notebook,
        kernel_name="rust-d2l",
        timeout=None,
        startup_timeout=120,
        record_timing=False,
        resources={"metadata": {"path": str(source.parent)}},
    )
    screen = client.screen
    screen.print(f"== {source.name}: {len(code)} cells")
    start = time.monotonic()
    failed = None
    try:
        with client.setup_kernel():
            screen.print(f"kernel ready after {time.monotonic() - start:.1f} s")
            for count, i in enumerate(code, 1):
                cell = notebook.cells[i]
                if not cell.source.strip():
                    continue
                screen.print(f"[{count}/{len(code)}] " + cell.source.replace("\n", "\n      "))
                began = time.monotonic()
                client.execute_cell(cell, i, execution_count=count)
                screen.print(f"    ({time.monotonic() - began:.2f} s)")
    except CellExecutionError as error:
        failed = f"cell {count} of {source.name} failed:\n{cell.source}\n\n{error.traceback}"
    except (DeadKernelError, RuntimeError) as error:
        failed = f"{source.name}: the kernel ended: {error}"
    screen.clear()
    join_streams(notebook)
    if not failed and not any(os.environ.get(name) for name in QUICK):
        notebook.metadata["d2l"] = {"seconds": round(time.monotonic() - start)}
    target = folder / source.name
    nbformat.write(notebook, target)
    page, _ = HTMLExporter(embed_images=True).from_notebook_node(
        notebook, {"metadata": {"path": str(source.parent)}}
    )
    target.with_suffix(".html").write_text(page, encoding="utf-8")
    print(f"== {source.name}: {time.monotonic() - start:.0f} s; {target} and its .html")
    if failed:
        sys.exit(failed)


try:
    main()
except BrokenPipeError:
    # The reader is gone, as in `cargo d2l run | head`; Python would complain when it exits.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(141)
