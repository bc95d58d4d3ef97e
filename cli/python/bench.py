"""Measures this project beside the Python original, alternating, in one run.

Called by `cargo d2l bench` with the parts to measure. Prints a table and writes it to
target/bench/results.md and .json. The reference has a virtual environment of its own,
target/bench/python, with the book's package; torch is that of .venv.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import bench_kernel
import bench_notebook

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "target" / "bench"
OURS = ROOT / "target" / "release" / "examples" / "measure"
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def reference():
    """The reference's Python; its environment is created if it is missing."""
    environment = FOLDER / "python"
    requirements, book = ROOT / "tests" / "bench.txt", ROOT / "tests" / "book.txt"
    python, stamp = environment / "bin" / "python", environment / "requirements"
    wanted = requirements.read_text() + book.read_text()
    if not stamp.exists() or stamp.read_text() != wanted:
        print("Making the reference's environment, target/bench/python ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        site = os.fsdecode(
            subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
        )
        # torch and Jupyter are those of .venv; the book's package would pin others.
        Path(site.strip(), "venv.pth").write_text(sysconfig.get_path("purelib") + "\n")
        subprocess.run([*pip, "-r", requirements], check=True)
        subprocess.run([*pip, "--no-deps", "-r", book], check=True)
        stamp.write_text(wanted)
    return python


class Side:
    """One of the two sides: a command, what it measured, and its largest memory."""

    def __init__(self, *command, **env):
        self.command, self.env, self.results, self.memory = command, env, [], []

    def run(self):
        process = subprocess.Popen(
            [str(part) for part in self.command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=ROOT,
            env={**os.environ, **self.env},
        )
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(map(str, self.command))} ended with {process.returncode}:\n{output}")
        line = next(line for line in reversed(output.splitlines()) if line.startswith("{"))
        self.results.append(json.loads(line))
        self.memory.append(usage.ru_maxrss / (1e6 if sys.platform == "linux" else 1e9))

    def median(self, what="images_per_second"):
        return statistics.median(result[what] for result in self.results)


def alternate(rounds, *sides):
    for _ in range(rounds):
        for side in sides:
            side.run()


class Table:
    def __init__(self):
        self.rows = []

    def add(self, part, what, unit, ours, theirs, goal="", higher=False):
        """`theirs`: None where there is nothing to compare with. The ratio is how much better ours is."""
        ratio = None
        if theirs:
            ratio = ours / theirs if higher else theirs / ours
        row = {"part": part, "what": what, "unit": unit, "ours": ours, "theirs": theirs, "ratio": ratio, "goal": goal}
        self.rows.append(row)
        print(markdown(row), flush=True)

    def write(self, seconds):
        head = f"{machine()}; {time.strftime('%Y-%m-%d')}; {seconds / 60:.0f} min"
        lines = [head, "", HEAD, *map(markdown, self.rows)]
        (FOLDER / "results.md").write_text("\n".join(lines) + "\n")
        (FOLDER / "results.json").write_text(json.dumps({"machine": head, "rows": self.rows}, indent=1))
        print(f"\n{head}\n{FOLDER / 'results.md'} and .json")


HEAD = "| part | what | ours | reference | ours is better by | goal |\n| --- | --- | --- | --- | --- | --- |"


def markdown(row):
    number = lambda value: "" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"
    theirs = f"{number(row['theirs'])} {row['unit']}" if row["theirs"] is not None else ""
    ratio = f"{row['ratio']:.2f} times" if row["ratio"] else ""
    return f"| {row['part']} | {row['what']} | {number(row['ours'])} {row['unit']} | {theirs} | {ratio} | {row['goal']} |"


def machine():
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        text = Path("/proc/cpuinfo").read_text()
        model = next((line.split(": ")[1] for line in text.splitlines() if line.startswith("model name")), model)
        model += "".join(f", {flag}" for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in text)
    gpu = ""
    if shutil.which("nvidia-smi"):
        gpu = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, errors="replace").stdout.strip()
    return f"{CORES} cores, {model}{gpu and '; ' + gpu}"


def loader(table, python, folder, **_):
    limit = {"D2L_DATASET_LIMIT": "600"}
    ours = lambda *arguments: Side(OURS, "loader", folder, *arguments, **limit)
    theirs = lambda *arguments: Side(python, REFERENCE, "loader", folder, *arguments, **limit)
    sides = one, one_kept, one_python, all_, all_python = (
        ours(1, 32), ours(1, 32, "keep"), theirs(1, 32), ours(CORES, 32), theirs(CORES, 32),
    )
    alternate(3, *sides)
    add = lambda what, ours, theirs, goal: table.add("loader", what, "images/s", ours, theirs, goal, True)
    add("one thread, one process", one.median(), one_python.median(), "2.5")
    add("the same, decoded images cached", one_kept.median(), one_python.median(), "")
    add(f"{CORES} threads, {CORES} workers", all_.median(), all_python.median(), "2.5")
    if CORES > 1:
        two, two_python = ours(2, 32), theirs(2, 32)
        alternate(3, one, two, two_python)
        linear = lambda two, one: 100 * two.median() / (2 * one.median())
        table.add("loader", "two threads, part of twice one thread", "%", linear(two, one), linear(two_python, one_python), "90 %", True)


def step(table, python, has_bf16, **_):
    theirs = lambda kind: Side(python, REFERENCE, "step", kind, 2, 32)
    ours, full, book, best = Side(OURS, "step", "auto", 2, 32), Side(OURS, "step", "full", 2, 32), theirs("book"), theirs("best-f32")
    bf16 = [theirs("best-bf16")] if has_bf16 else []
    alternate(3, book, ours, best, full, *bf16)
    add = lambda what, ours, theirs, goal: table.add("step", what, "images/s", ours.median(), theirs.median(), goal, True)
    add("`train_batch_ch13`, against the book's", ours, book, "2.5")
    add("the same, against the best Python", ours, max([best, *bf16], key=Side.median), "1.0")
    add("with `Precision::Full`, against the book's", full, book, "")


def optimizer(table, python, **_):
    for name, shown in {"sgd": "`SGD`", "momentum": "`SGD` with momentum", "adam": "`Adam`", "adamw": "`AdamW`"}.items():
        side = lambda *command: Side(*command[:-1], "optimizer", name, command[-1], 30)
        ours, own = side(OURS, "ours"), side(OURS, "libtorch")
        book, foreach = side(python, REFERENCE, "default"), side(python, REFERENCE, "foreach")
        alternate(3, ours, own, book, foreach)
        add = lambda what, theirs, goal="": table.add(
            "optimizer", what, "ms", ours.median("milliseconds"), theirs.median("milliseconds"), goal
        )
        add(f"a step of {shown}, ResNet-18, against libtorch's C++", own, "1.0")
        add("the same, against Python's", book)
        add("the same, against Python's with `foreach`", foreach)


def ssd(table, python, has_bf16, **_):
    for what, shown, times, goal in [
        ("step", "a training step of TinySSD, a batch of 32 (an epoch has 32 of them)", 3, "2" if has_bf16 else "1.3"),
        ("step-full", "the same with `Precision::Full`", 3, "1.3"),
        ("targets", "its `multibox_target` alone, 5444 anchors", 5, "10"),
        ("nms", "`nms` of 5444 boxes", 5, "10"),
        ("detection", "`multibox_detection` in one image, of an untrained network", 5, "10"),
    ]:
        ours, theirs = Side(OURS, "ssd", what, times), Side(python, REFERENCE, "ssd", what, times)
        alternate(3, ours, theirs)
        table.add("ssd", shown, "ms", ours.median("milliseconds"), theirs.median("milliseconds"), goal)


def lesson(table, python, folder, full, **_):
    # The book's loop divides by the fifth part of the number of batches: there must be five.
    limit = {} if full else {"D2L_DATASET_LIMIT": "640"}
    seeds, epochs = (3, 5) if full else (1, 1)
    pairs = [
        (
            Side(OURS, "lesson", folder, seed, epochs, 128, **limit),
            Side(python, REFERENCE, "lesson", folder, seed, epochs, 128, **limit),
        )
        for seed in range(seeds)
    ]
    for pair in pairs:
        alternate(1, *pair)
    values = lambda side, what: statistics.mean(pair[side].results[0][what] for pair in pairs)
    size = "all images" if full else "640 + 640 images"
    name = f"`train_ch13`, ResNet-18, {size}, {epochs} epoch{'s' if epochs > 1 else ''}"
    table.add("lesson", name, "s", values(0, "seconds"), values(1, "seconds"), "2.5")
    peaks = [max(pair[side].memory[0] for pair in pairs) for side in (0, 1)]
    table.add("lesson", "its memory at the peak", "GB", *peaks, "1.67")
    if full:
        table.add("lesson", f"its test accuracy, mean of {seeds} seeds", "", values(0, "test_acc"), values(1, "test_acc"), "within 0.01", True)


def notebook(table, python, folder, full, **_):
    bench_notebook.measure(table, python, folder, FOLDER, full)


def display(table, **_):
    bench_kernel.measure(table)


PARTS = {"loader": loader, "step": step, "optimizer": optimizer, "ssd": ssd, "lesson": lesson, "notebook": notebook, "display": display}
REFERENCE = Path(__file__).parent / "bench_reference.py"


def main():
    full = "--full" in sys.argv
    parts = [part for part in sys.argv[1:] if part != "--full"] or list(PARTS)
    start = time.monotonic()
    FOLDER.mkdir(parents=True, exist_ok=True)
    python = reference()
    facts = json.loads(subprocess.check_output([OURS, "facts"], text=True, errors="replace", cwd=ROOT).splitlines()[-1])
    table = Table()
    print(HEAD, flush=True)
    for part in parts:
        PARTS[part](table, python=python, full=full, **facts)
    table.write(time.monotonic() - start)


try:
    main()
except BrokenPipeError:
    # The reader is gone, as in `cargo d2l bench | head`; Python would complain when it exits.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(141)
