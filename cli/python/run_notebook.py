"""Executes a notebook on the kernel "Rust (d2l)" and shows what its cells print as it comes.

Called by `cargo d2l run` with the notebook and the folder for the executed notebook and its page.
Ends with status 1 and the cell's source if a cell fails. evcxr reports a panic and an error value
as success and writes them to stderr, so a cell that writes there has failed, but for warnings.
"""

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter


class Client(NotebookClient):
    """A client that prints outputs as they come."""

    def output(self, outs, msg, display_id, cell_index):
        content = msg["content"]
        if msg["msg_type"] == "stream":
            print("    " + content["text"].rstrip("\n").replace("\n", "\n    "), flush=True)
        elif msg["msg_type"] in ("execute_result", "display_data"):
            for mime_type, data in content["data"].items():
                if mime_type == "text/plain":
                    print("    " + data.replace("\n", "\n    "), flush=True)
                else:
                    print(f"    [{mime_type}, {len(str(data)) // 1000} KB]", flush=True)
        return super().output(outs, msg, display_id, cell_index)


def failure(cell):
    """What a cell's outputs say went wrong, or None."""
    for output in cell.outputs:
        if output.output_type == "error":
            return "\n".join(output.traceback) or f"{output.ename}: {output.evalue}"
        if output.output_type == "stream" and output.name == "stderr":
            lines = [line for line in output.text.splitlines() if line.strip()]
            if any(not line.lower().startswith(("warning", "[w")) for line in lines):
                return output.text
    return None


def join_streams(notebook):
    """evcxr sends a message a line; one output per stream reads better."""
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


def main():
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    notebook = nbformat.read(source, as_version=4)
    code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    client = Client(
        notebook,
        kernel_name="rust-d2l",
        timeout=None,
        startup_timeout=120,
        allow_errors=True,
        record_timing=False,
        resources={"metadata": {"path": str(source.parent)}},
    )
    print(f"== {source.name}: {len(code)} cells", flush=True)
    start = time.monotonic()
    failed = None
    try:
        with client.setup_kernel():
            print(f"kernel ready after {time.monotonic() - start:.1f} s", flush=True)
            for count, i in enumerate(code, 1):
                cell = notebook.cells[i]
                if not cell.source.strip():
                    continue
                print(f"[{count}/{len(code)}] " + cell.source.replace("\n", "\n      "), flush=True)
                began = time.monotonic()
                client.execute_cell(cell, i, execution_count=count)
                print(f"    ({time.monotonic() - began:.2f} s)", flush=True)
                reason = failure(cell)
                if reason:
                    failed = f"cell {count} of {source.name} failed:\n{cell.source}\n\n{reason}"
                    break
    except (DeadKernelError, CellExecutionError, RuntimeError) as error:
        failed = f"{source.name}: the kernel ended: {error}"
    join_streams(notebook)
    target = folder / source.name
    nbformat.write(notebook, target)
    page, _ = HTMLExporter(embed_images=True).from_notebook_node(
        notebook, {"metadata": {"path": str(source.parent)}}
    )
    target.with_suffix(".html").write_text(page, encoding="utf-8")
    print(f"== {source.name}: {time.monotonic() - start:.0f} s; {target} and its .html")
    if failed:
        sys.exit(failed)


main()
