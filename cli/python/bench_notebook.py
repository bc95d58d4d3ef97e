"""How long a reader waits for cells: the part `notebook` of `cargo d2l bench`.

Ours beside Python's kernel; in full also beside evcxr as it is, which takes the newest version of each
package at every start and compiles it for minutes.
"""

import json
import os
import statistics
import time
from pathlib import Path

import nbformat
from bench_kernel import ROOT, Kernel, memory_of_all
from stock import copy_of_template

ROUNDS = 3
READING = 5  # seconds
TRIVIAL = 10

IMPORTS = """%matplotlib inline
import os
import torch
import torchvision
from torch import nn
from d2l import torch as d2l"""

IMAGES = """train_imgs = torchvision.datasets.ImageFolder({folder!r} + '/train')
hotdogs = [train_imgs[i][0] for i in range(8)]
not_hotdogs = [train_imgs[-i - 1][0] for i in range(8)]
d2l.show_images(hotdogs + not_hotdogs, 2, 8, scale=1.4);"""


def cells():
    notebook = nbformat.read(ROOT / "notebooks" / "fine_tuning.ipynb", as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


class Watch:
    """Records whether a cell showed an image, and whether it trained."""

    image = trained = False

    def __call__(self, message):
        content = message["content"]
        if message["msg_type"] in ("display_data", "execute_result"):
            self.image |= any(kind.startswith("image/") for kind in content["data"])
        elif message["msg_type"] == "stream":
            self.trained |= "training on" in content["text"] or "test accuracy" in content["text"]


def until_image(kernel, sources, reading=0):
    """Seconds from the kernel's start until the first image, and those of each cell; `reading` is how long
    the reader reads before each cell."""
    times, watch = [], Watch()
    for source in sources:
        time.sleep(reading)
        times.append(kernel.run(source, watch))
        if watch.image:
            break
    total = time.monotonic() - kernel.start
    kernel.stop()
    return total, times


def python_kernel(python, scratch):
    """A kernel's description for the reference's Python, as ipykernel would write it."""
    kernel = Path(scratch, "jupyter", "kernels", "bench-python")
    kernel.mkdir(parents=True, exist_ok=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "", "language": "python"}))
    os.environ["JUPYTER_PATH"] = str(kernel.parents[1])
    return kernel.name


def measure(table, python, folder, scratch, full):
    os.environ |= {"D2L_MAX_EPOCHS": "1", "D2L_DATASET_LIMIT": "16"}
    name = python_kernel(python, scratch)
    python_cells = [IMPORTS, IMAGES.format(folder=folder)]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(until_image(Kernel(), cells()))
        theirs.append(until_image(Kernel(name=name), python_cells))
    our_reader, their_reader = [], []
    for _ in range(ROUNDS):
        our_reader.append(until_image(Kernel(), cells(), READING))
        their_reader.append(until_image(Kernel(name=name), python_cells, READING))
    cell = lambda runs, i: statistics.median(times[i] for _, times in runs)
    total = lambda runs: statistics.median(total for total, _ in runs)
    table.add("notebook", "the `:dep` cell, against Python's imports", "s", cell(ours, 0), cell(theirs, 0), "3 s")
    if full:
        with copy_of_template() as folder:
            kernel = Kernel(stock=folder)
            stock = kernel.run(cells()[0], limit=3600)
            kernel.stop()
        table.add("notebook", "the same, against evcxr's", "s", cell(ours, 0), stock)
    table.add("notebook", "from the kernel's start to the first image, against Python's", "s", total(ours), total(theirs), "1.0")
    waits = lambda runs: statistics.median(sum(times) for _, times in runs)
    what = f"the wait for it, of a reader who reads {READING} s before each cell"
    table.add("notebook", what, "s", waits(our_reader), waits(their_reader), "1.0")
    kernel, others, data, slowest = Kernel(), [], [], ("", 0)
    for source in cells():
        watch = Watch()
        seconds = kernel.run(source, watch)
        if source.startswith(":dep"):
            megabytes = memory_of_all(kernel)
        elif not watch.trained:
            others.append(seconds)
            if "ImageFolder::" in source or "DataLoader::" in source:
                data.append(seconds)
            slowest = max(slowest, (source.splitlines()[0][:40], seconds), key=lambda cell: cell[1])
    trivial = statistics.median(kernel.run("println!(\"{}\", 1 + 1);") for _ in range(TRIVIAL))
    kernel.stop()
    table.add("notebook", "memory of the kernel's processes after the `:dep` cell", "MB", megabytes, None)
    table.add("notebook", f"a trivial cell, median of {TRIVIAL}", "s", trivial, None, "0.12 s")
    what = f"a cell with an `ImageFolder` or a `DataLoader`, median of {len(data)}"
    table.add("notebook", what, "s", statistics.median(data), None, "0.4 s")
    table.add("notebook", f"later cells that do not train, median of {len(others)}", "s", statistics.median(others), None, "0.3 s")
    table.add("notebook", f"the slowest of them (`{slowest[0]} …`)", "s", slowest[1], None)
