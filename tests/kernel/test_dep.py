"""`:dep` in a session: progress is shown, costs are announced first, and nothing is lost."""

import json
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from notebook import FOLDERS, ROOT, KernelTest
from test_process import children, folder_of

CLEARED = ("display_data", "update_display_data", "clear_output")


def package(folder, name, dependencies="", code="", lib="", features="", build=""):
    """A package on the disk that compiles fast."""
    path = Path(folder) / name
    (path / "src").mkdir(parents=True, exist_ok=True)
    manifest = f'[package]\nname = "{name}"\nversion = "1.0.0"\nedition = "2024"\n[lib]\n{lib}\n'
    (path / "Cargo.toml").write_text(f"{manifest}[features]\n{features}\n[dependencies]\n{dependencies}\n")
    (path / "src/lib.rs").write_text(code)
    if build:
        (path / "build.rs").write_text(build)
    return f':dep {name} = {{ path = "{path}" }}'


class Dependencies(KernelTest):
    """`shared` is to these cells what the crate d2l is to a notebook's: a shared object, of which the
    process can load one version. It is built from `low`."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        code = '#[cfg(feature = "broken")] compile_error!("on purpose");'
        package(folder.name, "low", code=code, features="extra = []\nother = []\nbroken = []")
        cls.shared = package(
            folder.name, "shared", 'low = { path = "../low" }', lib='crate-type = ["dylib", "rlib"]',
            code="pub struct Thing(pub i32); pub fn thing(x: i32) -> Thing { Thing(x) }",
        )
        super().setUpClass()

    def with_low(self, name, feature=None):
        features = f', features = ["{feature}"]' if feature else ""
        return package(self.folder, name, f'low = {{ path = "../low"{features} }}')

    def value(self, code):
        return self.assert_ok(self.run_cell(code)).result

    def begin(self, *variables):
        """Restarts the program, with these variables and a Thing of `shared`."""
        self.assert_ok(self.run_cell(":restart"))
        self.assert_ok(self.run_cell(self.shared + "\nlet thing = shared::thing(7);"))
        for variable in variables:
            self.assert_ok(self.run_cell(f"let {variable} = 5;"))

    def test_variables_stay_where_nothing_is_compiled_anew(self):
        self.begin("a")
        # Compiles, but is not run: a library of the cell's own is left in the build folder.
        self.assertIn("is a closure", self.run_cell("let double = |x: i32| x * 2;").error["evalue"])
        run = self.assert_ok(self.run_cell(self.with_low("plain")))
        self.assertEqual(run.text() + run.text("stderr"), "")
        self.assertEqual(self.value("(thing.0, a)"), [{"text/plain": "(7, 5)"}])

    def test_what_would_be_lost_is_said_first_and_lost_when_run_again(self):
        self.begin("a")
        cell = self.with_low("beside", "extra")
        said = self.run_cell(cell).error["evalue"]
        self.assertIn("`beside` would have `shared` compiled anew, 2 packages in all", said)
        self.assertIn("as it needs `low` with extra", said)
        self.assertIn("lose its variables: `a`, `thing`", said)
        self.assertIn("run this cell again", said)
        # Nothing has changed, and other cells run.
        self.assertEqual(self.value("thing.0 + a"), [{"text/plain": "12"}])
        self.assertNotIn("beside", str(self.value(":show_deps")))
        # The program has the new one, not the old one.
        again = self.assert_ok(self.run_cell(cell))
        self.assertIn("`shared` was compiled anew", again.text("stdout") + again.text("stderr"))
        self.assertIn("`a`, `thing`", again.text("stdout") + again.text("stderr"))
        missing = self.run_cell("a").error
        self.assertIn("cannot find value `a`", missing["evalue"])
        self.assertIn("`a` was lost when the program started anew", "\n".join(missing["traceback"]))
        self.assertEqual(self.value("shared::thing(8).0"), [{"text/plain": "8"}])
        # Without variables there is nothing to ask.
        self.assert_ok(self.run_cell(self.with_low("third", "other")))
        self.assertEqual(self.value("shared::thing(9).0"), [{"text/plain": "9"}])

    def test_what_cannot_be_compiled_costs_nothing(self):
        self.begin("a")
        cell = self.with_low("cannot", "broken")
        self.assertIn("`low` with broken", self.run_cell(cell).error["evalue"])
        self.assertIn("on purpose", self.run_cell(cell).error["evalue"])
        self.assertEqual(self.value("thing.0 + a"), [{"text/plain": "12"}])

    def test_mistakes_are_plain_and_change_nothing(self):
        self.begin("a")
        (self.folder / "none").mkdir(exist_ok=True)
        for cell, expected in [
            (":dep no_such_crate_d2l = \"1\"", "no matching package named `no_such_crate_d2l` found"),
            (f':dep low = {{ path = "{self.folder}/low", features = ["nosuch"] }}', "does not have that feature"),
            (f':dep low = {{ path = "{self.folder}/low", version = "7" }}', "low"),
            (f':dep low = {{ path = "{self.folder}/nowhere" }}', "nowhere"),
            (f':dep none = {{ path = "{self.folder}/none" }}', "Cargo.toml"),
            (":dep low = 1.2.3", "1.2.3"),
        ]:
            said = self.run_cell(cell).error["evalue"]
            self.assertIn(expected, said)
            for word in ("Updating", "evcxr", "Caused by", "error:", '{"'):
                self.assertNotIn(word, said)
            self.assertEqual(self.value("thing.0 + a"), [{"text/plain": "12"}])

    def test_progress_is_shown_and_taken_away(self):
        self.begin("a")
        build = "fn main() { std::thread::sleep(std::time::Duration::from_secs(4)); }"
        run = self.assert_ok(self.run_cell(package(self.folder, "slow", build=build)))
        shown = [m["content"]["data"]["text/plain"] for m in run.with_progress("display_data", "update_display_data")]
        self.assertIn("Compiling slow, package 1", "\n".join(shown))
        # One line, updated about once a second and removed at the end.
        self.assertEqual(len(run.with_progress("display_data")), 1)
        self.assertLess(len(shown), run.seconds)
        self.assertEqual(run.with_progress(*CLEARED)[-1]["msg_type"], "clear_output")
        self.assertEqual(self.value("thing.0 + a"), [{"text/plain": "12"}])

    def test_progress_takes_nothing_else_away(self):
        cell = "!echo one; sleep 3\n" + 'println!("two");'
        run = self.assert_ok(self.run_cell(cell))
        self.assertEqual(run.text(), "two\n")
        kinds = [m["msg_type"] for m in run.messages]
        if "clear_output" in kinds:
            self.assertLess(kinds.index("clear_output"), kinds.index("stream"))

    def test_what_cannot_be_loaded_names_itself_and_costs_nothing(self):
        self.begin("a")
        source = self.folder / "shared/src/lib.rs"
        before = source.read_text()
        self.addCleanup(source.write_text, before)
        source.write_text(before + "pub fn more() -> i32 { 3 }")
        run = self.run_cell("shared::more()")
        self.assertIn("could not be loaded, so none of it has run: undefined symbol", run.error["evalue"])
        self.assertIn("`:restart`", run.error["evalue"])
        self.assertEqual(run.text() + run.text("stderr"), "")
        self.assertEqual(self.value("thing.0 + a"), [{"text/plain": "12"}])
        self.assert_ok(self.run_cell(":restart"))
        self.assertEqual(self.value("shared::more()"), [{"text/plain": "3"}])

    def test_restart_forgets_the_variables(self):
        self.begin("a")
        self.assert_ok(self.run_cell(":restart"))
        missing = self.run_cell("a").error
        self.assertIn("cannot find value `a`", missing["evalue"])
        self.assertIn("`a` was lost when the process", "\n".join(missing["traceback"]))
        self.assertEqual(self.value("2"), [{"text/plain": "2"}])

    def test_nothing_is_compiled_for_an_error_alone(self):
        """F9: a misspelt name in a closure caused all packages to be compiled again."""
        self.begin()
        [evcxr] = children(self.notebook.pid)
        # The output of `cargo check`. Another kernel may have used the folder before.
        checked = lambda: {(f.name, f.stat().st_mtime) for f in folder_of(evcxr).glob("target/*/debug/deps/libctx*.rmeta")}
        before = checked()
        for code, expected in [
            ("let v = (0..3).map(|x| x + missing).collect::<Vec<_>>();", "cannot find value `missing`"),
            ("let double = |x: i32| x * 2;", "closure"),
            ("let w = shared::thing(1).nosuch;", "no field `nosuch`"),
            ("let y = shared::nosuch(1);", "cannot find function `nosuch`"),
            ("let z = missing.iter().map(|x| x + 1).sum::<i32>();", "cannot find value `missing`"),
            ("let m = (0..3).map(nosuch).collect::<Vec<_>>();", "cannot find value `nosuch`"),
        ]:
            self.assertIn(expected, self.run_cell(code).error["evalue"])
        self.assertEqual(checked(), before)


class Offline(KernelTest):
    environment = {"D2L_OFFLINE": "1"}
    setup = "let a = 1;"

    def test_what_is_missing_is_named_and_what_to_do(self):
        for name in ("no_such_crate_d2l", "no-such-crate-d2l-either"):
            run = self.run_cell(f':dep {name} = "1"')
            self.assertIn(f"no matching package named `{name}` found", run.error["evalue"])
            self.assertIn("offline mode is on", run.error["evalue"])
            self.assertIn("D2L_OFFLINE is set", run.error["evalue"])
            self.assertEqual(run.reply["status"], "error")
        self.assertEqual(self.run_cell("a").result, [{"text/plain": "1"}])


class CommonPackages(unittest.TestCase):
    """The most common dependencies leave this crate as it is, so that a session never compiles it again."""

    PACKAGES = {
        "anyhow": "1", "chrono": "0.4", "csv": "1", "indicatif": "0.18", "itertools": "*", "nalgebra": "*",
        "ndarray": "*", "num": "0.4", "num-traits": "0.2", "once_cell": "1", "rand": "*", "rand_distr": "*",
        "rayon": "1", "regex": "1", "serde": {"version": "1", "features": ["derive"]}, "serde_json": "1",
        "statrs": "*", "tempfile": "3", "toml": "*", "walkdir": "2",
    }

    def below(self, dependencies):
        """The packages that the crate is built from, each with its version and its features."""
        lines = [f"{name} = {json.dumps(what)}" for name, what in dependencies.items()]
        lines = [re.sub(r'"(\w+)": ', r"\1 = ", line) for line in lines]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            package(folder, "cells", "\n".join([f'd2l = {{ path = "{ROOT}" }}', *lines]))
            shutil.copy(FOLDERS / "pinned.lock", path / "cells/Cargo.lock")
            tree = subprocess.run(
                ["cargo", "tree", "--package", "d2l", "--edges", "normal,build", "--prefix", "none",
                 "--target", "x86_64-unknown-linux-gnu", "--format", "{p} [{f}]"],
                cwd=path / "cells", capture_output=True, text=True,
            )
        if "download" in tree.stderr and tree.returncode != 0:
            self.skipTest(f"common packages: no network: {tree.stderr}")
        self.assertEqual(tree.returncode, 0, tree.stderr)
        return sorted({line.removesuffix(" (*)") for line in tree.stdout.splitlines()})

    def test_the_crate_is_built_as_without_them(self):
        self.assertEqual(self.below(self.PACKAGES), self.below({}))


if __name__ == "__main__":
    unittest.main()
