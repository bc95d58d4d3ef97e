"""How long a reader waits for cells: the part `notebook` of `cargo d2l bench`.

Ours beside Python's kernel; in full also beside evcxr as it is, which takes the newest version of each
package at every start and compiles it for minutes.
"""

import json
import os
import statistics
import sys
import time
from pathlib import Path

import nbformat
from bench_kernel import ROOT, Kernel, memory_of_all
from stock import copy_of_template

ROUNDS = 3
READING = 5  # seconds
TRIVIAL = 10
LEVER_ROUNDS = 2
LEVER_WHAT = ["from the start to the end of `:dep`", "to the first image", "a later cell", "a trivial one"]

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


BEGINS = "The cell runs.\n"


class Watch:
    """Records whether a cell showed an image, whether it trained, and when it began to run, if it says so."""

    image = trained = False
    began = None

    def __call__(self, message):
        content = message["content"]
        if message["msg_type"] in ("display_data", "execute_result"):
            self.image |= any(kind.startswith("image/") for kind in content["data"])
        elif message["msg_type"] == "stream":
            self.trained |= "training on" in content["text"] or "test accuracy" in content["text"]
            if BEGINS in content["text"]:
                self.began = time.monotonic()


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


def kernel_named(name, description, scratch):
    """Makes a kernel's description one that Jupyter finds by this name."""
    kernel = Path(scratch, "jupyter", "kernels", name)
    kernel.mkdir(parents=True, exist_ok=True)
    (kernel / "kernel.json").write_text(json.dumps(description))
    os.environ["JUPYTER_PATH"] = str(kernel.parents[1])
    return name


def python_kernel(python, scratch):
    """A kernel's description for the reference's Python, as ipykernel would write it."""
    argv = [str(python), "-m", "ipykernel_launcher", "--log-level=ERROR", "-f", "{connection_file}"]
    return kernel_named("bench-python", {"argv": argv, "display_name": "", "language": "python"}, scratch)


def run_all(kernel):
    """What a reader waits for who runs all cells at once."""
    found, others, data, slowest = {}, [], [], ("", 0)
    for source in cells():
        watch, start = Watch(), time.monotonic()
        has_data = "ImageFolder::" in source or "DataLoader::" in source
        seconds = kernel.run(f"print!({json.dumps(BEGINS)});\n{source}" if has_data else source, watch)
        if source.startswith(":dep"):
            found["dep"] = time.monotonic() - kernel.start
        elif not watch.trained:
            others.append(seconds)
            if has_data:
                data.append(watch.began - start)
            slowest = max(slowest, (source.splitlines()[0][:40], seconds), key=lambda cell: cell[1])
        if watch.image:
            found.setdefault("image", time.monotonic() - kernel.start)
    trivial = [kernel.run("println!(\"{}\", 1 + 1);") for _ in range(TRIVIAL)]
    kernel.stop()
    return found | {"others": others, "data": data, "slowest": slowest, "trivial": trivial}


def levers(add, scratch):
    """Kernels with more and more of our patches, alternating: the first has none of those that are about
    speed, the last one all."""
    spec = json.loads(next(Path(sys.prefix).glob("share/jupyter/kernels/rust-d2l/kernel.json")).read_text())
    patches = {path.name[:4]: path for path in sorted(ROOT.glob("kernel/patches/*.patch"))}
    names = {}
    for folder in sorted((Path(scratch) / "levers").glob("[0-9]*")):
        described = {**spec, "argv": [str(folder / "d2l-kernel"), *spec["argv"][1:]]}
        names[folder.name] = kernel_named(f"bench-{folder.name}", described, scratch)
    first, names[max(patches)] = min(names), "rust-d2l"
    runs = {number: [] for number in names}
    for _ in range(LEVER_ROUNDS):
        for number, name in names.items():
            runs[number].append(run_all(Kernel(name=name)))
    median = lambda runs, what: statistics.median(run[what] for run in runs)
    of_all = lambda runs, what: statistics.median(value for run in runs for value in run[what])
    before = None
    for number, run in runs.items():
        subject = patches[number].read_text().splitlines()[0].removeprefix("Subject: ")
        label = "before" if number == first else subject[0].lower() + subject[1:]
        now = [median(run, "dep"), median(run, "image"), of_all(run, "others"), of_all(run, "trivial")]
        for what, value, old in zip(LEVER_WHAT, now, before or [None] * len(now)):
            add("levers", f"{label}: {what}", "s", value, old)
        before = now


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
    until = lambda runs: statistics.median(total - sum(times[1:]) for total, times in runs)
    what = "from the kernel's start to the end of the `:dep` cell, against Python's imports"
    table.add("notebook", what, "s", until(ours), until(theirs), "3 s")
    if full:
        with copy_of_template() as folder:
            kernel = Kernel(stock=folder)
            stock = kernel.run(cells()[0], limit=3600)
            kernel.stop()
        table.add("notebook", "the `:dep` cell, against evcxr's", "s", cell(ours, 0), stock)
    table.add("notebook", "from the kernel's start to the first image, against Python's", "s", total(ours), total(theirs), "1.0")
    waits = lambda runs: statistics.median(sum(times) for _, times in runs)
    what = f"the wait for it, of a reader who reads {READING} s before each cell"
    table.add("notebook", what, "s", waits(our_reader), waits(their_reader), "1.0")
    kernel = Kernel()
    kernel.run(cells()[0])
    # rust-analyzer goes on reading.
    time.sleep(2 * READING)
    megabytes = memory_of_all(kernel)
    kernel.stop()
    run = run_all(Kernel())
    others, data, slowest = (run[what] for what in ("others", "data", "slowest"))
    table.add("notebook", "memory of the kernel's processes after the `:dep` cell", "MB", megabytes, None)
    table.add("notebook", f"a trivial cell, median of {TRIVIAL}", "s", statistics.median(run["trivial"]), None, "0.12 s")
    what = f"a cell with an `ImageFolder` or a `DataLoader`, until it runs, median of {len(data)}"
    table.add("notebook", what, "s", statistics.median(data), None, "0.4 s")
    table.add("notebook", f"later cells that do not train, median of {len(others)}", "s", statistics.median(others), None, "0.3 s")
    table.add("notebook", f"the slowest of them (`{slowest[0]} …`)", "s", slowest[1], None)
    levers(table.add, scratch)
