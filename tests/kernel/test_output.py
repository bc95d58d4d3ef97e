"""Output of every kind, and clients that do not read: all is shown soon, memory is bounded, and no client waits
for another."""

import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import zmq
from notebook import KernelTest, Notebook, display

STOPPED = float(os.environ.get("D2L_TEST_STOPPED_SECONDS", 10))  # how long a client is suspended
MEMORY = 60  # MB

# Something that listens, as a console does, until it is suspended.
LISTENER = """if True:
    import sys, zmq
    socket = zmq.Context().socket(zmq.SUB)
    socket.subscribe(b"")
    socket.connect(sys.argv[1])
    socket.recv_multipart()
    print("listens", flush=True)
    while True:
        frames = socket.recv_multipart()
        print(b"missing here" in frames[-1], flush=True)
"""


def memory(pid):
    """The peak memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def forget_memory(pid):
    """Resets the peak."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


# At its end a cell flushes what it printed only if there is a newline.
FLUSH = "std::io::Write::flush(&mut std::io::stdout()).unwrap();"


class WithoutNewlines(KernelTest):
    """C8: all that is printed is shown, whatever it is."""

    def stopped(self, code, seconds=3):
        """Runs an endless cell, and presses the stop button after this many seconds."""
        pressed = []
        forget_memory(self.notebook.pid)

        def on_message(message):
            if not pressed and message["msg_type"] == "stream" and message["seconds"] > seconds:
                pressed.append(message)
                self.notebook.interrupt()

        run = self.run_cell(code, on_message=on_message)
        self.assertEqual(run.error["ename"], "Interrupted")
        self.assertLess(memory(self.notebook.pid), MEMORY)
        return run

    def test_text_without_an_end(self):
        for stream, macro in [("stdout", "print"), ("stderr", "eprint")]:
            start = time.monotonic()
            run = self.stopped(f'loop {{ {macro}!("x") }}')
            compiled = next(m["seconds"] for m in run.of("execute_input"))
            first = run.of("stream")[0]
            self.assertEqual(first["content"]["name"], stream)
            self.assertLess(first["seconds"] - compiled, 10)
            sizes = [len(m["content"]["text"]) for m in run.of("stream") if m["content"]["name"] == stream]
            self.assertLess(max(sizes), 1 << 20)
            self.assertGreater(run.text(stream).count("x"), 10_000)
            self.assertEqual(run.text(stream).strip("x"), "")
            self.assertLess(time.monotonic() - start, 60)
            self.assert_ok(self.run_cell("1"))

    def test_slow_output(self):
        # Never a pause of 10 ms, never much at once.
        wait = "std::thread::sleep(std::time::Duration::from_millis(4));"
        for stream, macro in [("stdout", "print"), ("stderr", "eprint")]:
            flush = f"std::io::Write::flush(&mut std::io::{stream}()).unwrap();"
            run = self.assert_ok(self.run_cell(f'for _ in 0..500 {{ {macro}!("ホ"); {flush} {wait} }}'))
            self.assertEqual(run.text(stream), "ホ" * 500)
            times = [m["seconds"] for m in run.of("stream")]
            self.assertGreater(times[-1] - times[0], 1.5)
            self.assertGreater(len(times), 8)
            self.assertLess(max(b - a for a, b in zip(times, times[1:])), 1)

    def test_a_bar_of_the_program_s_own(self):
        run = self.assert_ok(self.run_cell(
            f'for i in 0..=100 {{ print!("\\r{{i}} %"); {FLUSH} std::thread::sleep(std::time::Duration::from_millis(15)); }}'
        ))
        self.assertEqual(run.text(), "".join(f"\r{i} %" for i in range(101)))
        self.assertGreater(len(run.of("stream")), 10)

    def test_letters_are_whole_and_nothing_is_lost(self):
        forget_memory(self.notebook.pid)
        letters = "aéホ𝄞"
        run = self.assert_ok(self.run_cell(
            f'for _ in 0..200_000 {{ print!("{letters}"); }} {FLUSH} eprint!("{{}}", "{letters}".repeat(200_000));'
        ))
        self.assertEqual(run.text(), letters * 200_000)
        self.assertEqual(run.text("stderr"), letters * 200_000)
        self.assertLess(memory(self.notebook.pid), MEMORY)

    def test_figures_after_text_without_an_end(self):
        figure = display("figure")
        run = self.assert_ok(self.run_cell(f'print!("{{}}", "x".repeat(300_000)); {figure} print!("after"); {FLUSH} 5'))
        self.assertEqual(run.text(), "x" * 300_000 + "after")
        self.assertEqual([m["content"]["data"] for m in run.of("display_data")], [{"text/plain": "figure"}])
        # A result needs no newline before it.
        self.assertEqual(run.result, [{"text/plain": "5"}])
        run = self.assert_ok(self.run_cell('print!("before"); 6'))
        self.assertEqual((run.text(), run.result), ("before", [{"text/plain": "6"}]))

    def test_bytes_that_are_not_text(self):
        write = "std::io::Write::write_all(&mut std::io::{stream}(), {bytes}).unwrap();"
        for bytes, shown in [
            (rb"ung\xfcltig\n", "ung\ufffdltig\n"),
            (rb"\xa5\xc6\xa5\xb9\n", "\ufffd\u01a5\ufffd\n"),
            (rb"\xff\xfea\0\n", "\ufffd\ufffda\0\n"),
            (rb"\xe3\x83", "\ufffd"),
            (rb"\x1e\x1e\x80", "\x1e\x1e\ufffd"),
            (rb"EVCXR_\xff\n", "EVCXR_\ufffd\n"),
        ]:
            for stream in ("stdout", "stderr"):
                code = write.format(stream=stream, bytes='b"' + bytes.decode("latin-1") + '"') + FLUSH
                run = self.assert_ok(self.run_cell(code))
                self.assertEqual(run.text(stream), shown, code)
        self.assert_ok(self.run_cell('println!("{}", 1);'))

    def test_binary_output_without_an_end(self):
        self.stopped(
            "let mut state = 1u32; let mut out = std::io::stdout().lock(); loop {"
            " let noise: Vec<u8> = (0..4096).map(|_| { state = state.wrapping_mul(1664525).wrapping_add(1013904223);"
            " (state >> 24) as u8 }).collect(); std::io::Write::write_all(&mut out, &noise)?; }"
        )
        self.assert_ok(self.run_cell("1"))

    def test_a_command_s_bytes_that_are_not_text(self):
        # C16
        run = self.assert_ok(self.run_cell(r"!printf 'ung\374ltig\n'; printf '\343\203' >&2"))
        self.assertEqual(run.result, [{"text/plain": "ung\ufffdltig\n\ufffd"}])
        run = self.run_cell(r"!printf 'ung\374ltig\n' >&2; false")
        self.assertIn("ung\ufffdltig", run.error["evalue"])
        self.assertEqual(self.run_cell("2").result, [{"text/plain": "2"}])

    def test_a_build_s_bytes_that_are_not_text(self):
        # C16: a build script in another encoding, which fails.
        folder = self.folder("speaking")
        (folder / "Cargo.toml").write_text('[package]\nname = "speaking"\nversion = "1.0.0"\nedition = "2024"\n')
        (folder / "src").mkdir()
        (folder / "src/lib.rs").write_text("")
        (folder / "build.rs").write_text(
            "use std::io::Write; fn main() {"
            ' std::io::stdout().write_all(b"cargo::warning=ung\\xfcltig\\n").unwrap();'
            ' std::io::stderr().write_all(b"ung\\xfcltig\\n").unwrap(); std::process::exit(1); }'
        )
        run = self.run_cell(f':dep speaking = {{ path = "{folder}" }}')
        self.assertEqual(run.reply["status"], "error")
        self.assertIn("ung", str(run.error))
        self.assertEqual(self.run_cell("2").result, [{"text/plain": "2"}])

    def folder(self, name):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        (Path(folder.name) / name).mkdir()
        return Path(folder.name) / name

    def test_names_are_forgotten_with_the_variables(self):
        self.assert_ok(self.run_cell("let forgotten = 1;"))
        self.assert_ok(self.run_cell(":clear"))
        run = self.run_cell("forgotten")
        self.assertIn("cannot find value `forgotten`", run.error["evalue"])
        self.assertNotIn("given away", str(run.error))


class Clients(unittest.TestCase):
    """C7: a client that does not read blocks nobody."""

    def start(self):
        notebook = Notebook()
        self.addCleanup(notebook.stop)
        self.assertEqual(notebook.run("1").reply["status"], "ok")
        return notebook

    def address(self, notebook, channel="iopub"):
        info = notebook.manager.get_connection_info()
        return f"tcp://{info['ip']}:{info[channel + '_port']}"

    def suspended(self, notebook):
        """A client that listens, and is suspended as by Ctrl-Z."""
        listener = subprocess.Popen(
            [sys.executable, "-c", LISTENER, self.address(notebook)], stdout=subprocess.PIPE, text=True
        )
        self.addCleanup(listener.stdout.close)
        self.addCleanup(listener.wait)
        self.addCleanup(listener.kill)
        self.assertEqual(listener.stdout.readline(), "listens\n")
        listener.send_signal(signal.SIGSTOP)
        return listener

    def asked(self, notebook, kind, seconds):
        """Asks on control, and returns the reply that comes within this many seconds."""
        client = notebook.client
        message = client.session.msg(kind, {})
        client.control_channel.send(message)
        while True:
            reply = client.get_control_msg(timeout=seconds)
            if reply["parent_header"]["msg_id"] == message["header"]["msg_id"]:
                return reply["content"]

    def test_a_suspended_client_stops_nobody(self):
        notebook = self.start()
        listener = self.suspended(notebook)
        end = time.monotonic() + STOPPED
        lines, round = 100_000, 0
        expected = "".join(f"line {i} of many, so that it is much\n" for i in range(lines))
        code = f'for i in 0..{lines} {{ println!("line {{i}} of many, so that it is much"); }}'
        while round < 3 or time.monotonic() < end:
            run = notebook.run(code, limit=60)
            self.assertEqual(run.reply["status"], "ok")
            self.assertEqual(run.text(), expected)
            self.assertEqual([m["content"]["execution_state"] for m in run.of("status")], ["busy", "idle"])
            self.assertEqual(self.asked(notebook, "kernel_info_request", 2)["status"], "ok")
            self.assertTrue(notebook.client.is_alive())
            round += 1
        pressed = []

        def on_message(message):
            if not pressed and message["msg_type"] == "stream":
                notebook.interrupt()
                notebook.interrupt()
                pressed.append(time.monotonic())

        run = notebook.run('loop { println!("more and more"); }', on_message=on_message, limit=60)
        self.assertEqual(run.error["ename"], "Interrupted")
        self.assertLess(time.monotonic() - pressed[0], 15)
        self.assertLess(memory(notebook.pid), MEMORY)

        # It learns that it has missed something, and receives what comes now.
        listener.send_signal(signal.SIGCONT)
        notices, end = 0, time.monotonic() + 30
        while not notices and time.monotonic() < end:
            notices += listener.stdout.readline() == "True\n"
        self.assertEqual(notices, 1)
        listener.send_signal(signal.SIGSTOP)

        notebook.client.execute('loop { println!("more and more"); }')
        time.sleep(2)
        start = time.monotonic()
        self.assertEqual(self.asked(notebook, "shutdown_request", 5)["status"], "ok")
        notebook.manager.provisioner.process.wait(5)
        self.assertLess(time.monotonic() - start, 5)

    def test_answers_that_nobody_reads_stop_nobody(self):
        # A client that keeps asking and never reads the replies.
        notebook = self.start()
        dealer = zmq.Context.instance().socket(zmq.DEALER)
        self.addCleanup(dealer.close, 0)
        dealer.rcvhwm, dealer.rcvbuf = 1, 4096
        dealer.connect(self.address(notebook, "shell"))
        session = notebook.client.session
        for _ in range(30_000):
            session.send(dealer, session.msg("kernel_info_request", {}))
        self.assertEqual(self.asked(notebook, "kernel_info_request", 30)["status"], "ok")
        run = notebook.run("1 + 1", limit=60)
        self.assertEqual(run.result, [{"text/plain": "2"}])
        self.assertLess(memory(notebook.pid), MEMORY + 40)

    def test_late_subscribers_are_told_the_state(self):
        notebook = self.start()

        def told():
            listener = zmq.Context.instance().socket(zmq.SUB)
            self.addCleanup(listener.close, 0)
            listener.subscribe(b"")
            listener.connect(self.address(notebook))
            found = {}
            while len(found) < 2:
                self.assertTrue(listener.poll(5000))
                _, frames = notebook.client.session.feed_identities(listener.recv_multipart())
                message = notebook.client.session.deserialize(frames)
                found.setdefault(message["msg_type"], message["content"])
            return found

        self.assertEqual(told(), {"iopub_welcome": {"subscription": ""}, "status": {"execution_state": "idle"}})
        id = notebook.client.execute("std::thread::sleep(std::time::Duration::from_secs(4));")
        time.sleep(1.5)
        self.assertEqual(told()["status"], {"execution_state": "busy"})
        self.assertEqual(notebook.client.get_shell_msg(timeout=60)["parent_header"]["msg_id"], id)

    def test_clients_that_speak_something_else(self):
        notebook = self.start()
        info = notebook.manager.get_connection_info()
        for channel in ("shell", "iopub", "control", "stdin"):
            for words in (b"GET / HTTP/1.1\r\n\r\n" * 9, b"\xff" * 4096, b""):
                with socket.create_connection((info["ip"], info[channel + "_port"])) as other:
                    other.sendall(words)
        run = notebook.run("1 + 1")
        self.assertEqual(run.result, [{"text/plain": "2"}])
        with self.assertRaises(queue.Empty):
            notebook.client.get_shell_msg(timeout=0.1)


if __name__ == "__main__":
    unittest.main()
