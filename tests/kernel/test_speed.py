"""What makes cells fast must not be noticeable otherwise: rustc without Cargo, and compiling ahead."""

import json
import queue
import tempfile
import time
from pathlib import Path

from notebook import KernelTest, Notebook


class OwnFolderTest(KernelTest):
    """Tests of a kernel whose private folder is known: other kernels may be running."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder, cls.environment = Path(folder.name), {"TMPDIR": folder.name}
        super().setUpClass()

    def calls(self):
        """The calls of rustc that this kernel has cached, the newest last."""
        return sorted(self.folder.glob("d2l-kernel-*/rustc-*"), key=lambda path: path.stat().st_mtime)


class RustcWithoutCargo(OwnFolderTest):
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


class Optimisation(OwnFolderTest):
    def options(self):
        """What rustc was told the last time that it was told something new."""
        arguments = json.loads(self.calls()[-1].read_text())["arguments"]
        pairs = (argument.partition("=") for argument in arguments)
        return {name: value for name, _, value in pairs if name in ("opt-level", "codegen-units", "incremental")}

    def command(self, code):
        run = self.assert_ok(self.run_cell(code))
        return json.dumps([message["content"] for message in run.of("execute_result", "stream")])

    def test_cells_are_optimised_if_the_reader_says_so(self):
        self.assert_ok(self.run_cell("#[derive(Debug)]\nstruct Level(u8);\nlet level = Level(0);"))
        # Cargo does not name a level of 0.
        self.assertEqual(self.options(), {"codegen-units": "1"})
        for command, level in [(":opt", "2"), (":opt 1", "1"), (":opt 3", "3")]:
            self.assertIn(f"Optimization: {level}", self.command(command))
            self.assertEqual(self.assert_ok(self.run_cell("level")).result, [{"text/plain": "Level(0)"}])
            options = self.options()
            self.assertTrue(options.pop("incremental"))
            self.assertEqual(options, {"opt-level": level, "codegen-units": "16"})
        self.assertIn("Optimization: 2", self.command(":opt 2"))
        self.assertIn("Optimization: 0", self.command(":opt"))


class NamedVariables(KernelTest):
    def prints(self, code, text):
        self.assertEqual(self.assert_ok(self.run_cell(code)).text(), text, code)

    def test_a_variable_that_no_cell_names_stays_where_it_is(self):
        self.assert_ok(self.run_cell("let counted = std::rc::Rc::new(1); let held = counted.clone();"))
        # The cell looks into itself, without a word that is the variable's name.
        own = 'include_str!("lib.rs").contains(concat!("{}", "{}"))'
        self.prints(f'println!("{{}}", {own.format("coun", "ted")});', "false\n")
        self.prints(f'println!("{{}}", {own.format("evcxr_internal", "_runtime")});', "false\n")
        self.prints(f'println!("{{}}", {own.format("printl", "n!")});', "true\n")
        self.assert_ok(self.run_cell("let in_between = 1;"))
        self.prints('println!("{}", std::rc::Rc::strong_count(&held));', "2\n")
        self.prints('println!("{counted} {in_between}");', "1 1\n")

    def test_a_variable_is_found_however_it_is_named(self):
        with tempfile.NamedTemporaryFile("w", suffix=".rs") as file:
            file.write("named + 1")
            file.flush()
            self.assert_ok(self.run_cell("let mut named = 20; let r#type = 5;"))
            self.prints('println!("{named}");', "20\n")
            # No word of the cell: only the compiler tells.
            self.prints('println!("{nam\\u{65}d}");', "20\n")
            self.prints(f'println!("{{}}", include!("{file.name}"));', "21\n")
            self.prints('println!("{}", r#type);', "5\n")
        macro = "macro_rules! twice { ($name:ident) => { $name * 2 } }"
        self.prints(macro + '\nprintln!("{}", twice!(named));', "40\n")
        self.assert_ok(self.run_cell("{ let mut add = |n: i32| named += n; add(1); }"))
        self.prints('println!("{named}");', "21\n")

    def test_a_name_like_a_variable_s_is_suggested(self):
        self.assert_ok(self.run_cell("let pictures = 3;"))
        for code in ["picturse + 1", "let sum = picturse + 1;"]:
            self.assertIn("pictures", str(self.errors(code)).replace("picturse", ""))

    def test_values_are_dropped_once(self):
        self.assert_ok(self.run_cell(
            "struct Loud(u8);\n"
            'impl Drop for Loud { fn drop(&mut self) { println!("dropped {}", self.0); } }\n'
            "let loud = Loud(1); let other = Loud(2);"
        ))
        self.prints("let unrelated = 1;", "")
        self.prints("let loud = Loud(3);", "dropped 1\n")
        self.prints("drop(loud);", "dropped 3\n")
        self.prints("other.0;", "")

    def test_a_cell_that_fails_leaves_what_it_does_not_name(self):
        self.assert_ok(self.run_cell('let safe = vec![1, 2]; let moved = String::from("text");'))
        run = self.run_cell("let gone = moved; panic!(\"for a reason\");")
        self.assertEqual(run.reply["status"], "error")
        self.prints('println!("{safe:?}");', "[1, 2]\n")


class NamedFunctions(KernelTest):
    OWN = 'include_str!("lib.rs").contains(concat!({}))'

    def prints(self, code, text):
        self.assertEqual(self.assert_ok(self.run_cell(code)).text(), text, code)

    def is_compiled_with(self, name, code=""):
        """Whether a cell with this code has a function, which is found without a word that is its name."""
        own = self.OWN.format(", ".join(f'"{part}"' for part in ("fn ", name[:3], name[3:], "(")))
        run = self.assert_ok(self.run_cell(f'{code}println!("{{}}", {own});'))
        return run.text() == "true\n"

    def test_a_function_that_no_cell_names_is_not_compiled(self):
        self.assert_ok(self.run_cell("fn lowest() -> i32 { 1 }\nfn middle() -> i32 { lowest() + 1 }\nfn unrelated() {}"))
        for name in ("lowest", "middle", "unrelated"):
            self.assertFalse(self.is_compiled_with(name))
        self.assertTrue(self.is_compiled_with("lowest", "let _ = middle();"))
        self.assertFalse(self.is_compiled_with("unrelated", "let _ = middle();"))
        self.prints('println!("{}", middle());', "2\n")

    def test_a_function_is_found_however_it_is_named(self):
        self.assert_ok(self.run_cell("fn in_a_trait() -> i32 { 1 }\nfn in_a_macro() -> i32 { 2 }\nfn r#loop() -> i32 { 3 }\nfn écrit() -> i32 { 4 }"))
        self.assert_ok(self.run_cell("trait Told { fn told(&self) -> i32 { in_a_trait() } }\nimpl Told for u8 {}"))
        self.assert_ok(self.run_cell("macro_rules! by { () => { in_a_macro() } }"))
        self.prints('println!("{} {} {} {}", 5u8.told(), by!(), r#loop(), écrit());', "1 2 3 4\n")
        with tempfile.NamedTemporaryFile("w", suffix=".rs") as file:
            file.write("in_a_macro() + 1")
            file.flush()
            self.prints(f'println!("{{}}", include!("{file.name}"));', "3\n")

    def test_what_a_function_does_without_being_called_stays(self):
        self.assert_ok(self.run_cell(
            "struct Shown;\n"
            "fn never_called() { impl std::fmt::Display for Shown {\n"
            '    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result { write!(f, "shown") }\n'
            "} }"
        ))
        self.prints('println!("{}", Shown);', "shown\n")
        self.assert_ok(self.run_cell("const fn three() -> usize { 3 }"))
        self.assert_ok(self.run_cell("let counted: [u8; three()] = [1; three()];"))
        self.prints('println!("{counted:?}");', "[1, 1, 1]\n")

    def test_a_new_item_has_earlier_functions_checked(self):
        self.assert_ok(self.run_cell("struct Held { a: i32 }\nfn a_of(held: &Held) -> i32 { held.a }"))
        self.assertIn("a_of", str(self.errors("struct Held { b: i32 }")))
        self.prints('println!("{}", a_of(&Held { a: 7 }));', "7\n")
        self.assert_ok(self.run_cell("fn without_safety() -> i32 { unsafe { 7 } }"))
        self.assertIn("unsafe", str(self.errors("#![forbid(unsafe_code)]\nprintln!();")))

    def test_a_name_like_a_function_s_is_suggested(self):
        self.assert_ok(self.run_cell("fn measured() -> i32 { 1 }"))
        self.assertIn("measured", str(self.errors("measurde() + 1")).replace("measurde", ""))


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
