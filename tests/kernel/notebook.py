"""What the kernel's tests share: a kernel, and cells whose messages are recorded as they come."""

import json
import os
import re
import subprocess
import sys
import time
import unittest
from pathlib import Path

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "cli" / "python"))
from stock import FOLDERS, copy_of_template  # noqa: E402, F401 (for the tests)
from stock import environment as stock_environment  # noqa: E402

COLOR = re.compile(r"\x1b\[[0-9;]*m")

LIMIT = 180  # seconds for one cell: the machine may be busy

DEP = ':dep d2l = { path = ".." }\nuse d2l::prelude::*;'
# What evcxr's users draw with: plotters as it is, by its own `evcxr_figure`.
PLOTTERS = "use d2l::plotters::prelude::*;"
CHART = (
    "evcxr_figure((420, 300), |root| { root.fill(&WHITE)?;"
    " let mut chart = ChartBuilder::on(&root).set_all_label_area_size(36).build_cartesian_2d(AXES)?;"
    " chart.configure_mesh().draw()?; chart.draw_series(SERIES)?; Ok(()) })"
)
PLOTS = {
    "histogram": ("<rect", 1 + 3, CHART.replace("AXES", "(0..5).into_segmented(), 0..4").replace(
        "SERIES", "Histogram::vertical(&chart).style(BLUE.filled()).data([1, 2, 2, 3, 3, 3].map(|value| (value, 1)))")),
    "scatter": ("<circle", 20, CHART.replace("AXES", "0.0..1.0, 0.0..1.0").replace(
        "SERIES", "PointSeries::of_element((0..20).map(|i| (i as f64 / 20., (i * 7 % 20) as f64 / 20.)), 4, &RED,"
        " &|at, size, style| Circle::new(at, size, style.filled()))")),
    "bars": ("<rect", 1 + 3, CHART.replace("AXES", "0..8, (0..2).into_segmented()").replace(
        "SERIES", "(0..).zip([3, 7, 5]).map(|(i, value)| Rectangle::new([(0, SegmentValue::Exact(i)),"
        " (value, SegmentValue::Exact(i + 1))], BLUE.filled()))")),
}
# The display lines as a program would print them without the crate.
LINE = r'println!("\u{{1e}}jupyter/1 {kind} {{}}", r###"{json}"###);'


def line(kind, **content):
    return LINE.format(kind=kind, json=json.dumps(content))


def display(text, id=None, kind="display_data"):
    transient = {"display_id": id} if id else {}
    return line(kind, data={"text/plain": text}, transient=transient)


class Run:
    """The results of a cell: all messages, each with its time in seconds, and the reply."""

    def __init__(self, messages, reply, seconds):
        self.messages, self.reply, self.seconds = messages, reply, seconds

    def with_progress(self, *kinds):
        return [message for message in self.messages if message["msg_type"] in kinds]

    def of(self, *kinds):
        """Without the kernel's own lines about a long wait, which a busy machine may show in any cell."""
        found, is_shown = [], False
        for message in self.messages:
            if message["content"].get("transient", {}).get("display_id", "").startswith(("progress-", "start-")):
                is_shown = True
            elif is_shown and message["msg_type"] == "clear_output":
                is_shown = False  # the kernel removes its line
            elif message["msg_type"] in kinds:
                found.append(message)
        return found

    def text(self, name="stdout"):
        return "".join(m["content"]["text"] for m in self.of("stream") if m["content"]["name"] == name)

    @property
    def warnings(self):
        """Standard error, without the note on what a failed cell did not create."""
        lines = self.text("stderr").splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith("note: cell ["))

    @property
    def result(self):
        return [message["content"]["data"] for message in self.of("execute_result")]

    @property
    def error(self):
        errors = self.of("error")
        return errors[0]["content"] if errors else None


class Notebook:
    """A running kernel "Rust (d2l)"; `stock` is evcxr_jupyter as it is, in a folder of its own."""

    def __init__(self, stock=None, environment=None):
        self.manager = KernelManager(kernel_name="rust-d2l", kernel_spec_manager=KernelSpecManager())
        env = {**os.environ, **(environment or {})}
        for name in ("D2L_DATA_DIR", "D2L_MAX_EPOCHS", "D2L_DATASET_LIMIT"):
            env.pop(name, None)
        if stock:
            env |= stock_environment(stock)
        self.manager.start_kernel(cwd=str(ROOT / "notebooks"), env=env)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=LIMIT)

    @property
    def pid(self):
        return self.manager.provisioner.process.pid

    def run(self, code, on_message=None, answer=None, limit=LIMIT):
        """Executes a cell. `on_message` may act when a message comes, with the seconds so far."""
        messages, start = [], time.monotonic()

        def hook(message):
            message["seconds"] = time.monotonic() - start
            messages.append(message)
            if on_message:
                on_message(message)

        def stdin_hook(message):
            self.client.input(answer(message["content"]["prompt"]))

        try:
            reply = self.client.execute_interactive(
                code, output_hook=hook, stdin_hook=stdin_hook if answer else None,
                allow_stdin=answer is not None, timeout=limit,
            )
        except TimeoutError as error:
            # The kernel leads its own session: all processes in it, thread by thread.
            columns = "pid,ppid,lwp,etimes,cputimes,stat,wchan:20,comm"
            ps = subprocess.run(["ps", "-s", str(self.pid), "-L", "-o", columns], capture_output=True, text=True)
            said = [message["content"] for message in messages]
            raise TimeoutError(f"no end within {limit} s of\n{code}\n{said}\n{ps.stdout}") from error
        return Run(messages, reply["content"], time.monotonic() - start)

    def interrupt(self):
        """The stop button."""
        self.client.control_channel.send(self.client.session.msg("interrupt_request", {}))

    def stop(self):
        if self.manager.has_kernel:
            self.client.stop_channels()
            self.manager.shutdown_kernel()


class KernelTest(unittest.TestCase):
    """Tests that share a kernel. Each leaves it in a state that the others expect."""

    notebook: Notebook
    setup = "1"
    environment = None

    @classmethod
    def setUpClass(cls):
        cls.notebook = Notebook(environment=cls.environment)
        cls.addClassCleanup(cls.notebook.stop)
        # The first cell also announces that the kernel is starting.
        run = cls.notebook.run(cls.setup)
        assert run.reply["status"] == "ok", run.error

    def run_cell(self, code, **arguments):
        return self.notebook.run(code, **arguments)

    def assert_ok(self, run):
        self.assertEqual(run.reply["status"], "ok", run.reply.get("evalue"))
        return run

    def errors(self, code):
        """The errors that a cell shows, each as its message and its text below."""
        run = self.run_cell(code)
        self.assertEqual(run.reply["status"], "error", code)
        shown = [message["content"] for message in run.of("error")]
        return [(e["evalue"], COLOR.sub("", "\n".join(e["traceback"]))) for e in shown]

    def interrupt_at(self, text):
        """Presses the stop button when a cell shows this text for the first time."""
        pressed = []

        def on_message(message):
            shown = message["msg_type"] in ("stream", "display_data", "update_display_data")
            if not pressed and shown and text in json.dumps(message["content"], ensure_ascii=False):
                pressed.append(message)
                self.notebook.interrupt()

        return on_message
