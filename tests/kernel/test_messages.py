"""What the compiler's errors look like to a reader: their position, suggestions, and hints for habits from
Python."""

import unittest

from notebook import COLOR, DEP, KernelTest


class MessagesTest(KernelTest):
    def error(self, code):
        errors = self.errors(code)
        self.assertEqual(len(errors), 1, errors)
        return errors[0]

    def assert_shows(self, code, text):
        self.assertEqual(self.assert_ok(self.run_cell(code)).result, [{"text/plain": text}], code)


class RedefinedTypes(MessagesTest):
    """The cell that redefines a type says which variables that costs."""

    def test_the_redefining_cell_says_what_it_costs(self):
        for make, redefine, item, lost in [
            ("struct P { a: u8 } let p = P { a: 1 };", "struct P { a: u8, b: u8 }", "P", ["p"]),
            # The fields' types are not part of a type's identity in the program: `p.a` would be misread.
            ("struct P { a: u8 } let p = P { a: 1 };", "struct P { a: String }", "P", ["p"]),
            ("struct P { a: u8 } let p = P { a: 1 }; let ps = vec![P { a: 2 }]; let o = Some((1, P { a: 2 }));",
             "struct P { a: u16 }", "P", ["o", "p", "ps"]),
            ("enum E { A, B } let e = E::A;", "enum E { A, B, C }", "E", ["e"]),
            ("struct In { a: u8 } struct Out { i: In } let out = Out { i: In { a: 1 } };", "struct In { a: u32 }", "In", ["out"]),
            ("const N: usize = 2; struct A { v: [u8; N] } let a = A { v: [0; N] };", "const N: usize = 4;", "N", ["a"]),
            ("type T = i32; let t: T = 4;", "type T = f64;", "T", ["t"]),
            ("trait S { fn f(&self) -> u8; } impl S for u8 { fn f(&self) -> u8 { 1 } } let s: Box<dyn S> = Box::new(1);",
             "trait S { fn g(&self) -> u8 { 3 } fn f(&self) -> u8; } impl S for u8 { fn f(&self) -> u8 { 2 } }", "S", ["s"]),
        ]:
            with self.subTest(redefine):
                self.assert_ok(self.run_cell(make + "let kept = 7;"))
                run = self.assert_ok(self.run_cell(redefine))
                names = ", ".join(f"`{name}`" for name in lost)
                note = f"note: `{item}` is redefined here; what was made with the old one is dropped: {names}\n"
                self.assertIn(note, run.text("stderr"))
                self.assertIn("make it anew", run.text("stderr"))
                for name in lost:
                    _, text = self.error(name)
                    self.assertIn(f"made with the old type `{item}`, which cell [{run.reply['execution_count']}] redefined", text)
                    self.assertNotIn("similar name", text)
                self.assert_shows("kept", "7")
                # Created again: nothing to say.
                self.assertEqual(self.assert_ok(self.run_cell("let kept = 8;")).text("stderr"), "")

    def test_what_costs_nothing(self):
        self.assert_ok(self.run_cell("struct Q { a: u8 } impl Q { fn f(&self) -> u8 { 1 } } let q = Q { a: 1 };"))
        for code, text in [
            ("struct Q { a: u8 } impl Q { fn f(&self) -> u8 { 2 } }", "(1, 2)"),
            ("// as it was\nstruct Q {\n    a: u8,\n}\nimpl Q { fn f(&self) -> u8 { 3 } }".replace(",\n}", "\n}"), "(1, 3)"),
            ("/// Documented.\n#[derive(Clone)]\nstruct Q { a: u8 } impl Q { fn f(&self) -> u8 { 4 } }", "(1, 4)"),
        ]:
            with self.subTest(code):
                self.assertEqual(self.assert_ok(self.run_cell(code)).text("stderr"), "")
                self.assert_shows("(q.a, q.f())", text)
        # A cell that does not compile redefines nothing; one that creates the variable again needs no note.
        self.error("struct Q { a: String } no_such();")
        self.assert_shows("q.a", "1")
        self.assertEqual(self.assert_ok(self.run_cell("struct Q { a: String } let q = Q { a: \"new\".into() };")).text("stderr"), "")
        self.assert_shows("q.a", '"new"')

    def test_a_name_that_hides_an_import(self):
        self.assert_ok(self.run_cell("use std::collections::HashMap as Map; let map: Map<u8, u8> = Map::new(); let other = 1;"))
        run = self.assert_ok(self.run_cell("use std::collections::BTreeMap as Map;"))
        self.assertIn("dropped: `map`", run.text("stderr"))
        self.assert_shows("other", "1")


class Restarts(MessagesTest):
    """Variables are gone with the program, and a note says so."""

    def test_after_a_restart_cells_run(self):
        for end in [":restart", "std::process::abort();", "std::process::exit(3);"]:
            with self.subTest(end):
                self.assert_ok(self.run_cell("let a = vec![1];"))
                self.assertIn(self.run_cell(end).reply["status"], ["ok", "error"])
                self.assert_shows("1 + 1", "2")
                _, text = self.error("a.len()")
                self.assertIn("`a` was lost when the process that runs the code was started again", text)
                self.assert_ok(self.run_cell("let a = 5;"))
                self.assert_shows("a", "5")
        self.assert_shows(":restart\nlet a = 6; a", "Child process restarted\n6")
        self.assert_ok(self.run_cell(":clear"))
        self.assertNotIn("lost when", self.error("a")[1])


class Messages(MessagesTest):
    def test_what_is_not_closed_has_a_place(self):
        for code, message, place, line in [
            ('let x = "a;', "unterminated string", "1:9", 'let x = "a;'),
            ('let a = 1;\nlet x = "b;\nlet c = "d";', "unterminated string", "2:9", 'let x = "b;'),
            ('fn f() {\n    println!("a);\n}', "unterminated string", "2:14", 'println!("a);'),
            ("let a = 1;\nlet c = ';", "unterminated character literal", "2:9", "let c = ';"),
            ("let a = 1;\n/* comment\nlet b = 2;", "unterminated block comment", "2:1", "/* comment"),
            ("let a = 1;\nif a == 1 {\n    1", "`{` is not closed", "2:11", "if a == 1 {"),
            ("let a = vec![1, 2;", "`[` is not closed", "1:13", "let a = vec![1, 2;"),
            ("println!(\"é\"; let a = 2;", "`(` is not closed", "1:9", "println!("),
            ("let a = 1; }", "`}` closes nothing", "1:12", "let a = 1; }"),
        ]:
            with self.subTest(code):
                shown, text = self.error(code)
                self.assertEqual(shown, message)
                self.assertIn(f"]:{place} ]", text)
                self.assertIn(line, text)

    def test_an_error_names_the_cell_and_its_line(self):
        for code, place in [
            ("let a = 1;\n\nlet s: i32 = \"a\";", "3:14"),
            ("// é ホ\nlet ö: i32 = \"ü\";", "2:14"),
            ("let a = 1;\nuse no_such::Thing;", "2:5"),
        ]:
            with self.subTest(code):
                run = self.run_cell(code)
                text = COLOR.sub("", "\n".join(run.error["traceback"]))
                self.assertIn(code.split("\n")[-1], text)
                if "use " not in code:
                    self.assertIn(f"cell [{run.reply['execution_count']}]:{place} ]", text)

    def test_suggestions_are_lines_that_can_be_typed(self):
        self.assert_ok(self.run_cell("fn g() -> Result<i32, String> { Ok(1) } let n = 3;"))
        for code, line in [
            ("vec![1].len(0)", "`vec![1].len()`"),
            ("n.pow", "`n.pow(_)`"),
            ("let r: i32 = g();", "`let r: i32 = g()?;`"),
            ("g().abs()", "`g()?.abs()`"),
            ("n += 1;", "`let mut x = x;`"),
            ("let q = 1 let r = 2;", "`let q = 1;`"),
        ]:
            with self.subTest(code):
                message, text = self.error(code)
                self.assertIn(line, text)
                for part in ["``", "expect(", "Note: error", "Note: note", "evcxr", "keyword `let`"]:
                    self.assertNotIn(part, message + text)
        # Within a function that cannot fail there is no `?`.
        self.assertIn("expect(", self.error("fn f() { let r: i32 = g(); }")[1])
        for code, message, part in [
            ('let h = std::thread::spawn(|| panic!("x"));', "the type of `h`", "let h: std::thread::JoinHandle<()>"),
            ("let f = |x: i32| x + 1;", "`f` is a closure", "let f: Box<dyn Fn(i32) -> i32> = Box::new("),
        ]:
            shown, text = self.error(code)
            self.assertIn(message, shown)
            self.assertEqual(text.count(part), 1)

    def test_help_of_several_lines_is_said_once(self):
        message, text = self.error("trait Shape { fn area(&self) -> f64; }\nstruct Square;\nimpl Shape for Square {}")
        self.assertIn("not all trait items implemented", message)
        self.assertEqual(text.count("fn area(&self) -> f64 { todo!() }"), 1, text)

    def test_a_bare_return_after_a_question_mark(self):
        self.assert_ok(self.run_cell('let n: i32 = "5".parse()?;'))
        run = self.assert_ok(self.run_cell('if n == 5 { return; } println!("not here");'))
        self.assertEqual(run.text(), "")
        self.assert_ok(self.run_cell('let m: i32 = "6".parse()?;'))
        _, text = self.error('if n == 5 { return; } let m: i32 = "7".parse()?;')
        self.assertIn("`if n == 5 { return Ok(()); }", text)
        self.assertIn("without `return`", self.error("return n")[1])
        self.assert_shows("m", "6")

    def test_marks_do_not_leak(self):
        flush = "std::io::Write::flush(&mut std::io::stdout()).unwrap();"
        figure = 'println!("EVCXR_BEGIN_CONTENT text/html\\n<b>x</b>\\nEVCXR_END_CONTENT");'
        for code, text, result in [
            ('for v in [1, 2] { print!("{v} "); }', "1 2 ", None),
            ('for v in [1, 2] { print!("{v} "); } ()', "1 2 ", None),
            ('print!("a"); 5', "a", "5"),
            (f'print!("a"); {flush} 5', "a", "5"),
            (f'print!("a"); {figure} print!("b"); 7', "ab", "7"),
            ('print!("a EVCXR_BEGIN_CONTENT x"); print!("EVCXR_"); 8', "a EVCXR_BEGIN_CONTENT xEVCXR_", "8"),
            ('println!("EVCXR_BEGIN_CONTENT or so"); 9', "EVCXR_BEGIN_CONTENT or so\n", "9"),
        ]:
            with self.subTest(code):
                run = self.assert_ok(self.run_cell(code))
                self.assertEqual(run.text(), text)
                self.assertEqual(run.result, [{"text/plain": result}] if result else [])

    def test_python_that_is_not_rust_is_mentioned_once(self):
        self.assert_ok(self.run_cell("let l = vec![1]; let x = 3;"))
        for code, hint in [
            ("let a = 1;\n# comment", "a comment begins with `//`"),
            ("import numpy as np", "`use d2l::prelude::*;`"),
            ("from x import y", "`use x::y;`"),
            ("def f(x):\n    return x", "`fn f(x: f64) -> f64 { ... }`"),
            ("class Net(Module):\n    pass", "`struct Net { ... }`"),
            ("let f = lambda a: a + 1;", "`|a| a + 1`"),
            ("if x == 1 { 1 } elif x == 2 { 2 } else { 3 }", "`else if`"),
            ("x == 3 and x == 4", "`&&`"),
            ("x == 3 or x == 4", "`||`"),
            ("not x", "`!x`"),
            ('let s = f"a {x}";', '`format!("{x}")`'),
            ("let z = x if x == 1 else 4;", "`if x == 1 { x } else { 4 }`"),
            ("for i in range(3):\n    print(i)", "`for i in 0..3 { ... }`"),
            ("if x == 3:\n    print(x)", "`if x == 3 { ... }`"),
            ('with open("a") as f:\n    pass', "there is no `with`"),
            ("let y: Vec<i32> = [v * 2 for v in l];", "`l.iter().map(|v| v * 2).collect::<Vec<_>>()`"),
            ("[i for i in 0..3]", "`(0..3).map(|i| i).collect::<Vec<_>>()`"),
            ("[i * 2 for i in range(3)]", "`(0..3).map(|i| i * 2).collect::<Vec<_>>()`"),
            ("[i for i in range(3) if l[i] != x];", "`(0..3).filter(|&i| l[i] != x).map(|i| i).collect::<Vec<_>>()`"),
            ("[v for v in l if v > 1]", "`l.iter().copied().filter(|&v| v > 1).map(|v| v).collect::<Vec<_>>()`"),
            ("x is None", "`x.is_none()`"),
            ("x in l", "`l.contains(&x)`"),
            ("assert x == 3", "`assert!(x == 3);`"),
            ("let a, b = 1, 2;", "`let (a, b) = (1, 2);`"),
            ("a, b = 1, 2", "`let (a, b) = (1, 2);`"),
            ('let m = {"a": 1};', "HashMap::from("),
            ("int i = 3;", "`let i = ...;`"),
            ("l[0:1]", "`&l[0..1]`"),
            ("let a = &l @ &l;", "`l.matmul(&l)`"),
            ("range(3)", "`0..3`"),
            ("len(l)", "`l.len()`"),
            ("print(x)", '`println!("{}", x)`'),
            ("print(x, l[0])", '`println!("{} {}", x, l[0])`'),
            ("sum(l)", "`l.iter().sum::<f64>()`"),
            ("float(x)", "`x as f64`"),
            ("[0] * 3", "`vec![0; 3]`"),
            ("l * 2", "`v.iter().map(|x| x * 2).collect::<Vec<_>>()`"),
            ("x ** 2", "`x.pow(2)`"),
            ("x * 0.5", "`x as f64`"),
            ("x.sqrt()", "`(x as f64).sqrt()`"),
            ("l[x]", "`x as usize`"),
            ("(1, 2)[0]", "`(1, 2).0`"),
            ("for i in l.len() { }", "`0..l.len()`"),
            ("for (i, v) in l { }", "`for (i, v) in l.iter().enumerate()`"),
            ("let n = None;", "`None::<f64>`"),
            ('println!("{}", l)', "`{:?}`"),
            ("if x { 1 } else { 2 }", "`x != 0`"),
        ]:
            with self.subTest(code):
                _, text = self.error(code)
                self.assertEqual(text.count("Help"), 1, text)
                self.assertIn(hint, text)
        # Cases that the compiler explains well, and code that only looks like Python.
        for code, hint in [("True", "`true`"), ("let s = 'string';", '"string"'), ("y = 3", "`let y = 3`")]:
            self.assertIn(hint, self.error(code)[1])
        self.assertNotIn("Help", self.error('let s: i32 = "this and that, if not else";')[1])


class Torch(MessagesTest):
    setup = DEP

    def test_habits_of_pytorchs(self):
        self.assert_ok(self.run_cell(
            "let t = Tensor::arange(6, (Kind::Float, Device::Cpu)).view([2, 3]);"
            "let u = t.ones_like(); let net = linear(3, 2)?;"
        ))
        # The code in a hint can be typed: where it is complete, it is run.
        for code, hint in [
            ("t[0]", "t.get(0)"),
            ("t[1..3]", "t.i(1..3)"),
            ("t[0, 1]", "t.i((0, 1))"),
            ("t.shape", "t.size()"),
            ("t.shape()", "t.size()"),
            ("t.dtype", "t.kind()"),
            ("t.T", "t.tr()"),
            ("t.mean(Kind::Float).item()", "f64::try_from(&t.mean(Kind::Float))?"),
            ("t.sum()", "t.sum(Kind::Float)"),
            ("t.mean()", "t.mean(Kind::Float)"),
            ("t.mean(1)", "t.mean_dim(1, false, Kind::Float)"),
            ("t.sum(1)", "t.sum_dim_intlist(1, false, Kind::Float)"),
            ("t.sum_dim(1)", "t.sum_dim_intlist(1, false, Kind::Float)"),
            ("t.numpy()", "Vec::<f32>::try_from(t.flatten(0, -1))?"),
            ("t.argmax(1)", "t.argmax(1, false)"),
            ("t.softmax(1)", "t.softmax(1, Kind::Float)"),
            ("t.max(1)", "t.max_dim(1, false)"),
            ("t.reshape(3, 2)", "t.reshape([3, 2])"),
            ("t.size(0)", "t.size()[0]"),
            ("t.clone()", "t.copy()"),
            ("t.cpu()", "t.to_device(Device::Cpu)"),
            ("t.float()", "t.to_kind(Kind::Float)"),
            ("t.len()", "t.size()[0]"),
            ("net(&t)", "net.forward(&t)?"),
            ("net(t)", "net.forward(&t)?"),
            ("Tensor::zeros([2, 3])", "Tensor::zeros([2, 3], (Kind::Float, Device::Cpu))"),
            ("Tensor([1, 2])", "Tensor::from_slice(&[1, 2])"),
            ("Tensor::from([[1, 2], [3, 4]])", "Tensor::from_slice2(&[[1, 2], [3, 4]])"),
        ]:
            with self.subTest(code):
                _, text = self.error(code)
                self.assertIn(f"`{hint}`", text)
                self.assertEqual(text.count("Help"), 1, text)
                if "1..3" not in hint:
                    self.assert_ok(self.run_cell(f"{{ let value = {hint}; }}"))
        for code, hint in [
            ("t > 5", "`.gt(5)`"),
            ("Vec::from(&t)", "`Vec::<f32>::try_from(&t)?`"),
            ("f64::from(&t)", "`f64::try_from(&t)?`"),
            ('t.to("cuda")', "`try_gpu(0)`"),
            ("let loss: f64 = t.mean(Kind::Float);", "`f64::try_from(&t)?`"),
            ("fn g(loader: &DataLoader) { for (x, y) in loader {} }", "`for batch in loader { let (x, y) = batch?; ... }`"),
            ("fn g(loader: DataLoader) { for (x, y) in loader {} }", "`for batch in &loader { let (x, y) = batch?; ... }`"),
            ("fn g(dataset: &ImageFolder) { for x in dataset {} }", "`for i in 0..dataset.len()"),
            ("use rand::Rng;", "`d2l::rand::...`"),
            ("use plotters::prelude::*;", "`d2l::plotters::...`"),
            ("tch::no_grad(|| 1)", "`d2l::tch::...`"),
            ("torch.ones(2)", "`Tensor::ones([2, 3], (Kind::Float, Device::Cpu))`"),
            ("t.cross_entropy_loss(&u, None, d2l::tch::Reduction::Mean, -100, 0.0)", "`None::<&Tensor>`"),
            ("Tensor::ones(2, 3)", "`Tensor::ones([2, 3], (Kind::Float, Device::Cpu))`"),
            ("for p in net.parameters() { p.requires_grad = false; }", "`let _ = p.set_requires_grad(false);`"),
            ("let v: Vec<i64> = t.into();", "`Vec::<i64>::try_from(&t)?`"),
            ("t == 0", "`.eq(0)`"),
            ("fn g(images: &ImageFolder) { images[0]; }", "`images.get(0)?`"),
            ("fn g(images: &ImageFolder) { let (image, label) = images.get(0); }", "`images.get(0)?`"),
            ("with torch.no_grad(): net(t)", "`d2l::tch::no_grad(|| ...)`"),
            ("t.t()", "`t.tr()`"),
            ("t.to(Kind::Int64)", "`t.to_kind(Kind::Int64)`"),
            ("for row in &t {}", "`for i in 0..t.size()[0]"),
            ("let lam = 0.5; let x = 1 - lam;", "write `1.` for `1`"),
            ("torch::optim::AdamW(net.parameters())", "`Adam::new(net.parameters(), 0.001)?`"),
            ("torch::nn::Linear(2, 3)", "`Linear::new(3, 2)?`"),
            ("let c = u - u.mean(Kind::Float);", "`&u`"),
        ]:
            with self.subTest(code):
                _, text = self.error(code)
                self.assertIn(hint, text)
                self.assertEqual(text.count("Help"), 1, text)
        self.assert_ok(self.run_cell("fn f(t: Tensor) { t.backward(); } t.size()"))


class TorchTraces(KernelTest):
    """C24: the C++ stack of an error is available on request, also for one that came through `?`."""

    setup = DEP
    environment = {"D2L_BACKTRACE": "1"}

    def test_the_stack_comes_with_the_backtrace(self):
        self.assert_ok(self.run_cell("let t = Tensor::ones([2, 3], (Kind::Float, Device::Cpu));"))
        run = self.run_cell("let a = 1;\nlet u = t.f_matmul(&t)?;")
        self.assertIn("mat1 and mat2 shapes", run.error["evalue"])
        self.assertNotIn("\n", run.error["evalue"])
        place, *trace = run.error["traceback"][1:]
        self.assertEqual(place, "  at line 2 of the cell: let u = t.f_matmul(&t)?;")
        self.assertIn("Exception raised from", trace[0])
        self.assertTrue(any("frame #" in line for line in trace))


if __name__ == "__main__":
    unittest.main()
