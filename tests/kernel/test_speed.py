"""What makes cells fast must not be noticeable otherwise: rustc without Cargo, and compiling ahead."""

import json
import queue
import tempfile
import time
from pathlib import Path

from notebook import KernelTest, Notebook


class RustcWithoutCargo(KernelTest):
    @classmethod
    def setUpClass(cls):
        # Other kernels may be running.
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder, cls.environment = Path(folder.name), {"TMPDIR": folder.name}
        super().setUpClass()

    def calls(self):
        """The calls of rustc that this kernel has cached, the newest last."""
        return sorted(self.folder.glob("d2l-kernel-*/rustc-*"), key=lambda path: path.stat().st_mtime)

    def test_a_cached_call_is_reused(self):
        known = self.calls()
        self.assert_ok(self.run_cell("let first = 1;"))
        added = [path for path in self.calls() if path not in known]
        note = added[-1] if added else known[-1]
        call = json.loads(note.read_text())
        call["environment"].append(["D2L_TEST", "as written down"])
        note.write_text(json.dumps(call))
        run = self.assert_ok(self.run_cell('println!("{:?}", option_env!("D2L_TEST"));'))
        self.assertEqual(run.text(), 'Some("as written down")\n')

    def test_what_does_not_compile_is_reported_as_before(self):
        self.assert_ok(self.run_cell("let good = 1;"))
        run = self.run_cell("let bad: String = good;")
        self.assertEqual(run.reply["status"], "error")
        self.assertIn("mismatched types", str(run.error))
        self.assertEqual(self.assert_ok(self.run_cell('println!("{good}");')).text(), "1\n")

    def test_a_package_by_path_may_change(self):
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / "changing"
            source = package / "src" / "lib.rs"
            source.parent.mkdir(parents=True)
            manifest = '[package]\nname = "changing"\nversion = "1.0.0"\nedition = "2024"\n'
            (package / "Cargo.toml").write_text(manifest)
            source.write_text("pub fn word() -> &'static str { \"old\" }")
            notebook = Notebook()
            self.addCleanup(notebook.stop)
            word = 'println!("{}", changing::word());'
            self.assert_ok(notebook.run(f':dep changing = {{ path = "{package}" }}'))
            for _ in range(2):
                self.assertEqual(self.assert_ok(notebook.run(word)).text(), "old\n")
            source.write_text("pub fn word() -> &'static str { \"new\" }")
            self.assertEqual(self.assert_ok(notebook.run(word)).text(), "new\n")


class LookingAhead(KernelTest):
    def test_compiling_ahead_sends_no_message(self):
        self.assert_ok(self.run_cell("let looked_at = vec![1, 2, 3];"))
        end = time.monotonic() + 4
        heard = []
        while (left := end - time.monotonic()) > 0:
            for channel in (self.notebook.client.iopub_channel, self.notebook.client.shell_channel):
                try:
                    heard.append(channel.get_msg(timeout=min(left, 0.5)))
                except queue.Empty:
                    pass
        self.assertEqual(heard, [])
        self.assertEqual(self.assert_ok(self.run_cell("looked_at.len()")).result, [{"text/plain": "3"}])
