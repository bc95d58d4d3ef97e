"""The kernel as a process: its start, its end, other kernels, and what it does when parts of it die."""

import fcntl
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import nbformat
from nbformat.sign import NotebookNotary
from notebook import DEP, FOLDERS, LIMIT, PLOTS, PLOTTERS, ROOT, KernelTest, Notebook, copy_of_template, display, line

KERNEL = ROOT / ".venv/share/d2l/d2l-kernel"


def children(pid):
    """The processes that this one has started, by their ids."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def is_free(lock):
    """Whether the build folder that this file locks is free."""
    with open(lock) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


class PassedOn(KernelTest):
    """What the relay does not change."""

    def test_input(self):
        ask = 'println!("EVCXR_INPUT_REQUEST:your name?"); let mut name = String::new(); std::io::stdin().read_line(&mut name)?; println!("hello {}", name.trim());'
        prompts = []
        run = self.run_cell(ask, answer=lambda prompt: prompts.append(prompt) or "ホットドッグ")
        self.assertEqual((prompts, run.text()), (["your name?"], "hello ホットドッグ\n"))

    def test_cells_see_the_path_of_the_user(self):
        run = self.assert_ok(self.run_cell('println!("{}", std::env::var("PATH")?);\n'))
        self.assertNotIn("d2l-kernel-", run.text())
        run = self.assert_ok(self.run_cell('!command -v cargo; echo $PATH'))
        self.assertNotIn("d2l-kernel-", str(run.result))
        # rust-analyzer finds the shim for cargo through it; cells see the reader's own.
        run = self.assert_ok(self.run_cell('println!("{:?}", std::env::var_os("CARGO_HOME"));'))
        self.assertNotIn("d2l-kernel-", run.text())
        run = self.assert_ok(self.run_cell("!echo $CARGO_HOME"))
        self.assertNotIn("d2l-kernel-", str(run.result))

    def test_completion_and_inspection(self):
        self.assert_ok(self.run_cell("let completed = vec![1u8];"))
        client = self.notebook.client
        reply = client.complete("completed.le", reply=True, timeout=60)["content"]
        self.assertEqual(reply["status"], "ok")
        self.assertTrue(any(match.startswith("len") for match in reply["matches"]), reply["matches"])
        reply = client.inspect("completed.len", reply=True, timeout=60)["content"]
        self.assertEqual(reply["status"], "ok")

    def test_comms(self):
        client = self.notebook.client
        content = {"comm_id": "c1", "target_name": "evcxr-cargo-check", "data": {"code": "let x: i32 = \"\";"}}
        client.shell_channel.send(client.session.msg("comm_open", content))
        while True:
            message = client.get_iopub_msg(timeout=60)
            if message["msg_type"] == "comm_msg":
                break
        self.assertEqual(message["content"]["data"]["problems"][0]["severity"], "error")

    def test_heartbeat_and_info_while_busy(self):
        client = self.notebook.client
        id = client.execute('println!("begun"); std::thread::sleep(std::time::Duration::from_secs(5));')
        while client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
            pass
        self.assertTrue(client.is_alive())
        client.control_channel.send(client.session.msg("kernel_info_request", {}))
        reply = client.get_control_msg(timeout=60)
        self.assertEqual(reply["content"]["language_info"]["name"], "Rust")
        # The cell is still running.
        with self.assertRaises(queue.Empty):
            client.get_shell_msg(timeout=0.1)
        self.assertEqual(client.get_shell_msg(timeout=60)["parent_header"]["msg_id"], id)


class Start(unittest.TestCase):
    def test_the_start_is_announced(self):
        notebook = Notebook()
        self.addCleanup(notebook.stop)
        run = notebook.run("1 + 1")
        self.assertEqual(run.result, [{"text/plain": "2"}])
        notices = run.with_progress("display_data", "update_display_data")
        if run.seconds > 2:
            self.assertIn("Starting", notices[0]["content"]["data"]["text/plain"])
            # It is gone when the cell's own output comes.
            kinds = [m["msg_type"] for m in run.messages]
            self.assertGreater(kinds.index("execute_result"), kinds.index("clear_output"))
        states = [m["content"]["execution_state"] for m in run.of("status")]
        self.assertEqual(states, ["busy", "idle"])

    def test_two_kernels_at_once(self):
        notebooks = [Notebook() for _ in range(2)]
        for notebook in notebooks:
            self.addCleanup(notebook.stop)
        runs = [None, None]

        def work(i):
            runs[i] = [
                notebooks[i].run(DEP),
                notebooks[i].run(f"let x = Tensor::from_slice(&[{i}i64, 20]); x.sum(Kind::Int64).int64_value(&[])"),
                notebooks[i].run(display(f"figure {i}")),
            ]

        threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        folders = {folder_of(children(notebook.pid)[0]) for notebook in notebooks}
        self.assertEqual(len(folders), 2)
        for folder in folders:
            # The set-up's own file: nothing was compiled again.
            ours, warm = (
                {file.name: file.stat().st_ino for file in f.glob("target/*/debug/deps/libtch-*.rlib")}
                for f in (folder, FOLDERS / "template")
            )
            self.assertEqual(ours, warm)
        for i, (dep, value, figure) in enumerate(runs):
            self.assertEqual(dep.reply["status"], "ok", dep.error)
            self.assertEqual(value.result, [{"text/plain": str(20 + i)}])
            self.assertEqual(figure.of("display_data")[0]["content"]["data"]["text/plain"], f"figure {i}")

    def test_bad_connection_files(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "kernel.json"
        good = {name: port for name, port in zip(
            ["shell_port", "iopub_port", "stdin_port", "control_port", "hb_port"], free_ports(5))}
        good |= {"ip": "127.0.0.1", "transport": "tcp", "key": "k", "signature_scheme": "hmac-sha256"}
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        cases = [
            (None, "cannot read the connection file"),
            ("{", "not a connection file"),
            (json.dumps({**good, "shell_port": "x"}), "not a connection file"),
            (json.dumps({k: v for k, v in good.items() if k != "signature_scheme"}), "signature_scheme"),
            (json.dumps({**good, "transport": "ipc"}), "found transport ipc"),
            (json.dumps({**good, "iopub_port": taken.getsockname()[1]}), "another program has the port"),
        ]
        for content, expected in cases:
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_text(content)
            run = subprocess.run([KERNEL, "--control_file", path], capture_output=True, text=True, timeout=60,
                                 env={**os.environ, "D2L_KERNEL_DIR": folder.name})
            self.assertEqual(run.returncode, 1, content)
            self.assertIn(expected, run.stderr)
            self.assertIn("what to do", run.stderr)

    def test_figures_on_the_stock_kernel(self):
        folder = copy_of_template()
        self.addCleanup(folder.cleanup)
        notebook = Notebook(stock=folder.name)
        self.addCleanup(notebook.stop)
        # Our kernel puts the pinned versions there; this one would fetch and compile others.
        self.assertEqual(notebook.run("1").reply["status"], "ok")
        shutil.copy(FOLDERS / "pinned.lock", Path(folder.name) / "Cargo.lock")
        self.assertEqual(notebook.run(DEP).reply["status"], "ok")
        run = notebook.run(
            'let mut animator = Animator::new("epoch", &["loss"]); let mut progress = Progress::new("reading", 3);'
            ' for i in 0..3 { animator.add(i as f64, &[Some(0.5)]); progress.advance(1); println!("epoch {i}"); }'
            " check_interrupt()?; clear_output(false); drop(progress); animator.show()?;"
        )
        self.assertEqual(run.text(), "epoch 0\nepoch 1\nepoch 2\n")
        self.assertEqual(len(run.result), 1)
        self.assertIn("image/svg+xml", run.result[0])
        # plotters by its own means, figures and types of the crate as last expressions
        for name, (mark, count, code) in PLOTS.items():
            [data] = notebook.run(PLOTTERS + code).result
            self.assertEqual(data["text/html"].count(mark), count, name)
        for code, kind in {
            "Figure::draw(300, 200, |root| Ok(root.fill(&RED)?))?": "image/svg+xml",
            "Accumulator::new(2)": "text/plain", "DATA_HUB": "text/plain",
            "Tensor::from_slice(&[1i64, 2])": "text/html",
        }.items():
            [data] = notebook.run(code).result
            self.assertIn(kind, data, code)


class Runners(unittest.TestCase):
    """Programs that execute notebooks see a failure, and stop there."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def notebook(self, *cells):
        path = self.folder / "cells.ipynb"
        kernel = {"kernelspec": {"name": "rust-d2l", "display_name": "Rust (d2l)", "language": "rust"}}
        nb = nbformat.v4.new_notebook(metadata=kernel, cells=[nbformat.v4.new_code_cell(c) for c in cells])
        nbformat.write(nb, path)
        return path

    def execute(self, *command):
        return subprocess.run([sys.executable, *command], cwd=self.folder, capture_output=True, text=True, timeout=LIMIT)

    def test_nbconvert(self):
        path = self.notebook('println!("one")', 'panic!("on purpose")', 'println!("three")')
        run = self.execute("-m", "nbconvert", "--to", "notebook", "--execute", "--output", "out", str(path))
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("on purpose", run.stderr)

    def test_cargo_d2l_lab_trusts_what_is_committed(self):
        if shutil.which("git") is None:
            self.skipTest("trusted notebooks: no git")
        clone = self.folder / "clone"
        git = subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, clone], capture_output=True, text=True)
        if git.returncode != 0:
            self.skipTest(f"trusted notebooks: no history here: {git.stderr}")
        shutil.copy(ROOT / "cli/python/trust.py", clone / "cli/python")
        notebooks = sorted(clone.glob("notebooks/**/*.ipynb"))
        notebook = nbformat.read(notebooks[0], as_version=4)
        for path in (notebooks[0], clone / "notebooks" / "beside.ipynb"):
            notebook.cells[0].source += " Changed."
            nbformat.write(notebook, path)
        # Added, but not committed.
        subprocess.run(["git", "-C", clone, "add", "notebooks/beside.ipynb"], check=True)
        data = self.folder / "data"
        subprocess.run([sys.executable, clone / "cli/python/trust.py"], check=True, timeout=LIMIT,
                       env={**os.environ, "JUPYTER_DATA_DIR": str(data)})
        with NotebookNotary(data_dir=str(data)) as notary:
            trusted = [path for path in sorted(clone.glob("notebooks/**/*.ipynb"))
                       if notary.check_signature(nbformat.read(path, as_version=4))]
        self.assertEqual(trusted, notebooks[1:])

    def test_cargo_d2l_run(self):
        script, out = ROOT / "cli/python/run_notebook.py", self.folder / "out"
        out.mkdir()
        path = self.notebook('println!("one")', 'Err("no luck")?;', 'println!("three")')
        run = self.execute(str(script), str(path), str(out))
        self.assertEqual(run.returncode, 1)
        self.assertIn("cell 2 of cells.ipynb failed", run.stderr)
        self.assertIn("no luck", run.stderr)
        self.assertNotIn("three", run.stdout.split("[2/3]")[1])
        executed = nbformat.read(out / "cells.ipynb", as_version=4)
        self.assertEqual(executed.cells[1].outputs[0].ename, "Error")

        bar, done = display_bar("at work", 50), display("done", "bar", "update_display_data")
        path = self.notebook(bar + "std::thread::sleep(std::time::Duration::from_millis(100));" + done)
        run = self.execute(str(script), str(path), str(out))
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("    at work\n", run.stdout)
        executed = nbformat.read(out / "cells.ipynb", as_version=4)
        self.assertEqual([o.data for o in executed.cells[0].outputs], [{"text/plain": "done"}])


def display_bar(text, value):
    html = f"<progress value='{value}' max='100'></progress>"
    return line("display_data", data={"text/plain": text, "text/html": html}, transient={"display_id": "bar"})


class End(unittest.TestCase):
    def start(self):
        notebook = Notebook()
        self.addCleanup(notebook.stop)
        self.assertEqual(notebook.run("let a = 1;").reply["status"], "ok")
        return notebook

    def test_nothing_is_left(self):
        notebook = self.start()
        [evcxr] = children(notebook.pid)
        processes = [notebook.pid, evcxr, *children(evcxr)]
        self.assertGreaterEqual(len(processes), 3)
        folder = folder_of(evcxr)
        notebook.client.execute("loop {}")
        time.sleep(2)
        notebook.manager.shutdown_kernel()
        self.assertTrue(wait_until(lambda: not any(map(is_running, processes))))
        self.assertFalse(folder.with_suffix(".in-use").exists())

    def test_restart(self):
        notebook = self.start()
        notebook.manager.restart_kernel()
        notebook.client.wait_for_ready(timeout=60)
        self.assertIn("cannot find value", notebook.run("a").error["evalue"])
        self.assertEqual(notebook.run("2").result, [{"text/plain": "2"}])

    def test_a_killed_kernel_leaves_nothing_running_and_its_folder_is_cleaned(self):
        # So that both kernels take the first folder.
        self.assertTrue(wait_until(lambda: all(map(is_free, FOLDERS.glob("kernel-*.lock"))), LIMIT))
        notebook = self.start()
        [evcxr] = children(notebook.pid)
        processes = [evcxr, *children(evcxr)]
        folder = folder_of(evcxr)
        scratch = Path(folder.with_suffix(".in-use").read_text())
        self.assertTrue((scratch / "socket").exists())
        (folder / "src/lib.rs").write_text("half written")
        os.kill(notebook.pid, signal.SIGKILL)
        self.assertTrue(wait_until(lambda: not any(map(is_running, processes))))
        self.assertTrue(wait_until(lambda: is_free(folder.with_suffix(".lock"))))
        self.assertTrue(folder.with_suffix(".in-use").exists())
        again = self.start()
        [evcxr] = children(again.pid)
        self.assertEqual(folder_of(evcxr), folder)
        self.assertNotEqual((folder / "src/lib.rs").read_text(), "half written")
        self.assertFalse(scratch.exists())

    def test_a_kernel_ends_with_its_parent(self):
        # A program that is killed while its cell runs
        script = """if True:
            from notebook import Notebook
            notebook = Notebook()
            notebook.run('println!("{}", 1);')
            notebook.client.execute('loop {}')
            print(notebook.pid, flush=True)
            input()"""
        arguments = [sys.executable, "-c", script]
        client = subprocess.Popen(
            arguments, cwd=Path(__file__).parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        kernel = int(client.stdout.readline())
        [evcxr] = children(kernel)
        processes = [kernel, evcxr, *children(evcxr)]
        client.kill()
        client.communicate()
        self.assertTrue(wait_until(lambda: not any(map(is_running, processes))))

    def test_evcxr_dies(self):
        notebook = self.start()
        [evcxr] = children(notebook.pid)
        [program] = children(evcxr)

        def on_message(message):
            if message["msg_type"] == "stream":
                os.kill(evcxr, signal.SIGKILL)

        run = notebook.run('println!("begun"); loop {}', on_message=on_message)
        self.assertEqual(run.error["ename"], "KernelError")
        self.assertIn("evcxr ended with signal: 9", run.error["evalue"])
        self.assertEqual(run.messages[-1]["content"], {"execution_state": "idle"})
        self.assertEqual(notebook.run("3").result, [{"text/plain": "3"}])
        self.assertEqual(len(children(notebook.pid)), 1)
        self.assertFalse(is_running(program))


def folder_of(evcxr):
    environment = Path(f"/proc/{evcxr}/environ").read_bytes().split(b"\0")
    [folder] = [e for e in environment if e.startswith(b"EVCXR_TMPDIR=")]
    return Path(folder.split(b"=", 1)[1].decode())


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


if __name__ == "__main__":
    unittest.main()
