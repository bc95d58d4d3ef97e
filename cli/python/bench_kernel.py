"""The kernel "Rust (d2l)" beside evcxr_jupyter as it is: the part `display` of `cargo d2l bench`.

The goals are those of docs/kernel.md.
"""

import contextlib
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from jupyter_client.manager import KernelManager
from stock import copy_of_template, environment

ROOT = Path(__file__).parents[2]
STARTS = 3
CELLS = 30

STAMPS = """
for i in 0..200 {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    println!("{}", time.as_secs_f64());
    std::thread::sleep(std::time::Duration::from_millis(5));
}
"""

STEPS = """
manual_seed(0);
let mut net = resnet18(Weights::Random)?;
net.fc = linear(512, 2)?;
let (loss, mut trainer) = (CrossEntropyLoss::new(Reduction::None), SGD::new(net.parameters(), 1e-5, 0.)?);
let (x, y) = (Tensor::rand([32, 3, 224, 224], (Kind::Float, Device::Cpu)), Tensor::zeros([32], (Kind::Int64, Device::Cpu)));
let mut steps = Timer::new();
for _ in 0..8 {
    steps.start();
    train_batch_ch13(&net, &x, &y, &loss, &mut trainer, &try_all_gpus())?;
    steps.stop();
}
let mut animator = Animator::new("epoch", &["train loss", "train acc", "test acc"]).xlim(0., 5.).ylim(0., 1.);
let mut progress = Progress::new("training", 100);
let mut redraws = Timer::new();
for i in 0..25 {
    std::thread::sleep(std::time::Duration::from_millis(110));
    redraws.start();
    progress.advance(1);
    animator.add(i as f64 / 5., &[Some(0.5), Some(0.7), Some(0.9)]);
    redraws.stop();
}
println!("{} {}", steps.avg(), redraws.avg());
"""

# Loops of a million turns, which check the stop button in our kernel. The last three the compiler
# replaces by code without a loop if there is nothing to check.
ADDITIONS = {
    "additions": "let mut x = 0u64; for i in 0..n { x += i; } x",
    "additions that depend on each other": "let mut x = 1u64; for i in 0..n { x = (x ^ (x >> 7)).wrapping_add(i); } x",
    "additions of f64": "let mut x = 0f64; for i in 0..n { x += i as f64; } x",
}
LOOPS = ADDITIONS | {
    "additions that the compiler folds": "let mut x = 1u64; for i in 0..n { x = x.wrapping_mul(3).wrapping_add(i); } x",
    "values summed in vector instructions": "let mut x = 0u64; for v in &values { x = x.wrapping_add(*v); } x",
    "values mapped in vector instructions": "values.iter().map(|v| v.wrapping_mul(3)).collect::<Vec<_>>().len() as u64",
}
LOOP = """
{{
    let values: Vec<u64> = (0..1_000_000).collect();
    let mut shortest = f64::MAX;
    for _ in 0..100 {{
        let n = std::hint::black_box(1_000_000u64);
        let start = std::time::Instant::now();
        let x = {{ {code} }};
        std::hint::black_box(x);
        shortest = shortest.min(start.elapsed().as_secs_f64());
    }}
    println!("{{}}", shortest * 1000.);
}}
"""


class Kernel:
    def __init__(self, stock=None, name="rust-d2l"):
        self.manager = KernelManager(kernel_name=name)
        env = dict(os.environ)
        if stock:
            env |= environment(stock)
        self.start = time.monotonic()
        self.manager.start_kernel(cwd=str(ROOT / "notebooks"), env=env)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=300)
        self.ready = time.monotonic() - self.start

    def run(self, code, hook=lambda message: None, limit=600):
        start = time.monotonic()
        reply = self.client.execute_interactive(code, output_hook=hook, timeout=limit)["content"]
        if reply["status"] != "ok":
            sys.exit(f"a cell failed: {reply}\n{code}")
        return time.monotonic() - start

    def text(self, code):
        texts = []
        self.run(code, lambda m: texts.append(m["content"]["text"]) if m["msg_type"] == "stream" else None)
        return "".join(texts)

    def delays(self):
        """Milliseconds from a program's print to its arrival here."""
        found = []

        def hook(message):
            if message["msg_type"] == "stream":
                now = time.time()
                found.extend((now - float(line)) * 1000 for line in message["content"]["text"].split())

        self.run(STAMPS, hook)
        return found

    def round_trip(self):
        """Milliseconds of a request that the kernel replies to without evaluating anything."""
        times = []
        for _ in range(100):
            start = time.monotonic()
            self.client.is_complete("1")
            while self.client.get_shell_msg(timeout=60)["msg_type"] != "is_complete_reply":
                pass
            times.append((time.monotonic() - start) * 1000)
        return statistics.median(times)

    def loops(self):
        """Milliseconds of each loop."""
        return {what: float(self.text(LOOP.format(code=code))) for what, code in LOOPS.items()}

    def stop(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel()


def memory(pid):
    """Megabytes that the process has in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    return 0.0


def memory_of_all(kernel):
    """Megabytes that a kernel's processes have in memory; what several share counts once."""
    session = str(kernel.manager.provisioner.process.pid)
    pids = subprocess.run(["ps", "-s", session, "-o", "pid="], capture_output=True, text=True).stdout.split()
    lines = []
    for pid in pids:
        # rust-analyzer calls programs that end meanwhile.
        with contextlib.suppress(OSError):
            lines += Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1000


def measure(table):
    with copy_of_template() as stock:
        kinds = {"ours": None, "stock": stock}
        ready, results = {kind: [] for kind in kinds}, {kind: [] for kind in kinds}
        for _ in range(STARTS):
            for kind, folder in kinds.items():
                kernel = Kernel(folder)
                kernel.run("1 + 1")
                ready[kind].append(kernel.ready)
                results[kind].append(time.monotonic() - kernel.start)
                kernel.stop()
        add = lambda what, unit, ours, stock, goal="": table.add("display", what, unit, ours, stock, goal)
        median = {kind: statistics.median(times) for kind, times in ready.items()}
        add("start to the first reply, against evcxr", "s", median["ours"], median["stock"])
        median = {kind: statistics.median(times) for kind, times in results.items()}
        add("start to the first result", "s", median["ours"], median["stock"], "5 s")

        kernels = {kind: Kernel(folder) for kind, folder in kinds.items()}
        times = {kind: [] for kind in kinds}
        for kernel in kernels.values():
            for _ in range(3):
                kernel.run("1 + 1")
        for i in range(CELLS):
            for kind, kernel in kernels.items():
                times[kind].append(kernel.run(f"let x = {i};") * 1000)
        ours, other = (statistics.median(times[kind]) for kind in kinds)
        add(f"a trivial cell, median of {CELLS}", "ms", ours, other, "0.91")
        ours, other = (kernels[kind].round_trip() for kind in kinds)
        add("request and reply", "ms", ours, other, "2 ms more")
        ours, other = (statistics.median(kernels[kind].delays()) for kind in kinds)
        add("print to arrival", "ms", ours, other, "2 ms more")
        for level in (2, 0):
            for kernel in kernels.values():
                kernel.run(f":opt {level}")
            times = {kind: kernel.loops() for kind, kernel in kernels.items()}
            for what in LOOPS:
                goal = "0.98" if level == 2 and what in ADDITIONS else ""
                add(f"a million {what}, :opt {level}", "ms", times["ours"][what], times["stock"][what], goal)
        relay = memory(kernels["ours"].manager.provisioner.process.pid)
        add("memory of the relay", "MB", relay, None, "30 MB")
        kernels["stock"].stop()
        kernel = kernels["ours"]
        kernel.run(':dep d2l = { path = ".." }\nuse d2l::prelude::*;')
        step, redraw = map(float, kernel.text(STEPS).split()[-2:])
        kernel.stop()
    add("drawing bar and curves", "ms", redraw * 1000, None)
    add(f"the same, part of a step of {step:.1f} s", "%", redraw / step * 100, None, "1 %")
