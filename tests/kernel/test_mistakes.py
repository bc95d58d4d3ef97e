"""A mistake costs nothing: what happens to variables when a cell fails, and what the reader is told."""

import unittest

from notebook import DEP, KernelTest

LOOKS = (
    'let file = std::env::var("JUPYTER_INTERRUPT_FILE").unwrap();'
    'println!("\\u{1e}jupyter/1 listening {{}}"); println!("begun");'
    "while !std::path::Path::new(&file).exists() { std::thread::sleep(std::time::Duration::from_millis(10)); }"
    'std::fs::remove_file(&file)?; Err("stopped as asked")?;'
)

# How a cell can fail at run time: with an error value, a panic in its own code or in a library's, in a
# function or a block of the cell, and after a value was made that has a destructor.
FAILURES = [
    'let n: i32 = "x".parse()?;',
    'Err::<(), _>("no such thing")?;',
    'panic!("on purpose");',
    "let none: Option<i32> = None; none.unwrap();",
    "vec![1, 2][std::env::args().count() + 7];",
    "fn deep(n: u32) -> u32 { if n == 0 { unreachable!() } else { deep(n - 1) } } deep(9);",
    '{ let inner = String::from("a"); for i in 0..3 { if i == 2 { Err(inner.clone())?; } } }',
    '(|| -> Result<(), String> { Err("in a closure".into()) })()?;',
    'std::thread::spawn(|| panic!("in a thread")).join().unwrap();',
]


class NothingIsLost(KernelTest):
    """A cell that fails leaves every variable of earlier cells as it was, even those that it shadows."""

    def assert_fails(self, code, **arguments):
        run = self.run_cell(code, **arguments)
        self.assertEqual(run.reply["status"], "error", code)
        return run

    def assert_shows(self, code, text):
        self.assertEqual(self.run_cell(code).result, [{"text/plain": text}], code)

    def test_a_shadowed_variable_of_a_cell_that_fails(self):
        for failure in FAILURES:
            with self.subTest(failure):
                self.assert_ok(self.run_cell("let q = vec![1];"))
                self.assert_fails("let q = vec![9]; " + failure)
                self.assert_shows("q", "[1]")
                # Another type, which must not be confused with the old value's.
                self.assert_fails('let q = String::from("nine"); ' + failure)
                self.assert_shows("q", "[1]")

    def test_the_cell_says_what_it_has_not_made(self):
        self.assert_ok(self.run_cell("let q = vec![1];"))
        for failure in FAILURES:
            with self.subTest(failure):
                run = self.assert_fails("let q = vec![9]; let first = 1; let second = 2; " + failure)
                self.assertRegex(run.text("stderr"), "not made: `first`.*, `second`; as before: .*`q`\n")
        # Nothing would have been created.
        self.assertNotIn("not made", self.assert_fails('panic!("again");').text("stderr"))
        # A cell that does not compile has created nothing, either: the next one says so, once.
        run = self.assert_fails("let never = 1; let text: String = 5;")
        text = str(self.assert_fails("never + 1").error["traceback"])
        number = run.reply["execution_count"]
        self.assertEqual(text.count(f"cell [{number}] was to make `never`, but does not compile"), 1, text)

    def test_what_is_assigned_again_is_kept(self):
        self.assert_ok(self.run_cell('let mut v = vec![1, 2]; let mut s = String::from("a");'))
        run = self.assert_ok(self.run_cell('v = v.into_iter().map(|x| x * 2).collect(); if v.len() == 2 { s = s + "b"; }'))
        self.assertEqual(run.text("stderr"), "")
        self.assert_shows("(&v, &s)", '([2, 4], "ab")')
        # What the cell had moved when it failed is lost, and the note says so.
        run = self.assert_fails('s = s + "c"; panic!("before its end");')
        self.assertIn("given away, so lost: `s`", run.text("stderr"))
        self.assertIn("`s` was given away in cell [", str(self.assert_fails("s.len()").error["traceback"]))
        run = self.assert_fails('let v = v; panic!("again");')
        self.assertIn("given away, so lost: `v`", run.text("stderr"))

    def test_a_shadowed_variable_of_a_cell_that_is_stopped(self):
        self.assert_ok(self.run_cell("let q = vec![1]; let other = 5;"))
        run = self.run_cell("let q = vec![9]; " + LOOKS, on_message=self.interrupt_at("begun"))
        self.assertEqual(run.error["ename"], "Interrupted")
        self.assert_shows("(&q, other)", "([1], 5)")

    def test_a_shadowed_variable_of_a_cell_that_does_not_compile(self):
        self.assert_ok(self.run_cell("let q = vec![1];"))
        for code in [
            'let q = vec![9]; let n: i32 = "a";',
            "let q = vec![9]; no_such_function();",
            "let q = vec![9]; let r = &q; drop(q); r.len();",
            "let q = vec![9",
            "let q = |x| x;",
            "let q = q; drop(q); q.len()",
        ]:
            with self.subTest(code):
                self.assert_fails(code)
                self.assert_shows("q", "[1]")

    def test_text_without_its_end_before_the_failure(self):
        flush = "std::io::Write::flush(&mut std::io::stdout()).unwrap();"
        wait = flush + "std::thread::sleep(std::time::Duration::from_millis(150));"
        long = 'print!("{}", "x".repeat(40_000));'
        for before in ["", flush, wait, long]:
            for failure in ['Err("on purpose")?;', 'panic!("on purpose");', 'if q[0] == 9 { return Ok(()); } println!("{q:?}");']:
                with self.subTest(before + failure):
                    self.assert_ok(self.run_cell("let q = vec![1];"))
                    run = self.run_cell(f'let q = vec![9];\n{before}print!("so far");{before}\n{failure}')
                    if "return" in failure:
                        self.assert_ok(run)
                    else:
                        self.assertIn("line 3 of the cell", "".join(run.error["traceback"]))
                    self.assertEqual(run.text().replace("x", ""), "so far")
                    self.assert_shows("q", "[1]")

    def test_what_is_shadowed_can_be_changed_or_many_or_in_a_pattern(self):
        self.assert_ok(self.run_cell('let mut a = vec![1]; let b = 2; let mut c = String::from("c");'))
        # What the cell modifies in place before it shadows it stays modified.
        self.assert_fails('a.push(2); let mut a = 1.5; a += 1.; let a = "last"; let b = (a, b); panic!("{b:?}");')
        self.assert_shows("(&a, b)", "([1, 2], 2)")
        # It can still be changed.
        self.assert_ok(self.run_cell("a.push(3); c.push('d');"))
        for code in [
            'let (a, mut b) = (1, 2); b += 1; Err("tuple")?;',
            'let [a, b] = [1, 2]; Err("slice")?;',
            'let (b, (a, c)) = ("x", (1, 2)); Err("nested")?;',
            'struct Pair { a: i32, b: i32 } let Pair { a, b } = Pair { a: 1, b: 2 }; Err("struct")?;',
            'let Some(a) = Some(3) else { panic!() }; Err("else")?;',
            'let &b = &7; Err("reference")?;',
            'let a; a = 3; Err("later")?;',
        ]:
            with self.subTest(code):
                self.assert_fails(code)
                self.assert_shows("(&a, b, &c)", '([1, 2, 3], 2, "cd")')
        self.assert_ok(self.run_cell("a.push(4);"))
        self.assert_shows("a.len()", "4")

    def test_blocks_and_functions_shadow_nothing(self):
        self.assert_ok(self.run_cell("let q = vec![1];"))
        self.assert_fails('{ let q = 5; { let q = "six"; println!("{q}"); } let _ = q; Err("no")?; }')
        self.assert_fails('fn f() -> i32 { let q = 7; q } let made = f(); let r: i32 = "x".parse()?;')
        self.assert_shows("q", "[1]")
        # What a cell created before it failed never existed.
        self.assertIn("cannot find value `made`", self.run_cell("made").error["evalue"])

    def test_a_variable_that_was_given_away_before_the_cell_failed(self):
        self.assert_ok(self.run_cell('let q = String::from("a"); let kept = 1;'))
        # The old value was moved into the new one, so there is nothing to restore.
        self.assert_fails('let q = q + "b"; panic!("after");')
        self.assertIn("cannot find value `q`", self.run_cell("q").error["evalue"])
        self.assert_shows("kept", "1")
        # Copying, borrowing and cloning do not move.
        self.assert_ok(self.run_cell("let n = 1; let s = String::from(\"s\"); let v = vec![1, 2];"))
        self.assert_fails('let n = n + 1; let s = s.clone() + "t"; let v: Vec<i32> = v.iter().map(|x| x * n).collect(); Err("no")?;')
        self.assert_shows("(n, &s, &v)", '(1, "s", [1, 2])')
        # A cell that does not fail is as before.
        self.assert_ok(self.run_cell('let s = s + "u"; let n = n + 1;'))
        self.assert_shows("(n, &s)", '(2, "su")')

    def test_a_cell_that_returns(self):
        self.assert_ok(self.run_cell("let q = vec![1]; let other = 2;"))
        self.assert_ok(self.run_cell("let q = vec![9]; if other == 2 { return; } println!(\"{q:?}\");"))
        self.assert_shows("(&q, other)", "([1], 2)")
        self.assert_fails('let q = vec![9]; Err("no")?;')
        self.assert_ok(self.run_cell("let q = vec![8]; if other == 2 { return Ok(()); }"))
        self.assert_shows("(&q, other)", "([1], 2)")

    def test_a_redefined_type(self):
        self.assert_ok(self.run_cell("struct P { a: i32 } let p = P { a: 1 }; let kept = 2;"))
        self.assert_ok(self.run_cell("struct P { a: i32, b: i32 } let p = P { a: 1, b: 5 };"))
        self.assert_shows("(p.b, kept)", "(5, 2)")
        self.assert_fails('let p = P { a: 7, b: 7 }; panic!("no");')
        self.assert_shows("p.b + kept", "7")

    def test_dropping_a_value_fails(self):
        self.assert_ok(self.run_cell(
            'struct Loud; impl Drop for Loud { fn drop(&mut self) { panic!("dropped"); } }\nlet q = vec![1];'
        ))
        self.assert_fails("let _loud = (); let q = vec![9]; { let l = Loud; }")
        self.assert_shows("q", "[1]")


class Asynchronous(KernelTest):
    """From the first `.await` on, cells run within tokio, which comes from the registry."""

    def test_nothing_is_lost_there_either(self):
        self.assertEqual(self.run_cell("let q = vec![1]; let k = 1;").reply["status"], "ok")
        run = self.run_cell('let q = vec![9];\nlet n = async { 5 }.await;\nErr("no")?;')
        self.assertEqual(run.error["traceback"][1:], ['  at line 3 of the cell: Err("no")?;'])
        self.assertEqual(self.run_cell('let q = async { "x" }.await; panic!("no");').error["ename"], "panic")
        run = self.assert_ok(self.run_cell("(&q, k)"))
        self.assertEqual((run.result, run.text("stderr")), ([{"text/plain": "([1], 1)"}], ""))
        run = self.assert_ok(self.run_cell('let q = vec![async { 7 }.await];\nErr::<i32, _>("e");'))
        self.assertEqual(run.text("stderr").count("warning: "), 1)
        self.assertEqual(self.run_cell("q").result, [{"text/plain": "[7]"}])


class Messages(KernelTest):
    """What the compiler and evcxr say about a cell."""

    def test_a_warning_in_an_earlier_function_hides_no_error(self):
        for item in [
            "fn scale(x: f64) -> f64 { let factor = 2.0; x * 3. }",
            "fn half(x: f64) -> f64 { let mut y = x; x / 2. }",
            "fn never(x: i32) -> i32 { return x; x + 1 }",
            "struct lower { NotSnake: i32 }",
            "fn forgets() { std::fs::remove_file(\"/no/such/file\"); }",
            "#[deprecated] fn old() {} fn calls() { old() }",
        ]:
            self.assert_ok(self.run_cell(item))
        for code, message in [
            ("let double = |x: i32| x * 2;", "`double` is a closure"),
            ('let bad: i32 = "a";', "mismatched types"),
            ("missing", "cannot find value `missing` in this scope"),
            ("let s = String::new(); let t = &s[..];", "`t` borrows from another value"),
            ("fn f() -> i32 { let unused = 1; true }", "mismatched types"),
            ("let it = (0..3).map(|x| x + 1);", "the type of `it` cannot be written down"),
        ]:
            with self.subTest(code):
                errors = self.errors(code)
                self.assertEqual(len(errors), 1, errors)
                self.assertIn(message, errors[0][0])
                self.assertNotIn("unused variable", errors[0][1])

    def test_trait_objects_can_be_kept(self):
        """F16: a variable's type has a trait that is not imported."""
        self.assert_ok(self.run_cell("fn g() -> Result<i32, Box<dyn std::error::Error>> { Ok(1) }\nlet r = g();"))
        self.assertEqual(self.run_cell("r.is_ok()").result, [{"text/plain": "true"}])
        self.assert_ok(self.run_cell(
            "let d = { let d: Vec<Box<dyn std::fmt::Display>> = vec![Box::new(1)]; d };"
            "let w = { let w: Option<Box<dyn std::io::Write + Send>> = None; w };"
            "let f = { let f: Box<dyn Fn(i32) -> i32> = Box::new(|x| x + 1); f };"
            "let i = { let i: Box<dyn Iterator<Item = i32>> = Box::new(0..3); i };"
            "let n = { let n: Box<dyn Fn() -> Box<dyn std::error::Error>> = Box::new(|| \"e\".into()); n };"
            "let own = { trait Own {} 5 };"
        ))
        self.assert_ok(self.run_cell("mod shapes { pub trait Shape {} impl Shape for u8 {}"
                                     " pub fn any() -> std::rc::Rc<dyn Shape> { std::rc::Rc::new(1) } }\nlet s = shapes::any();"))
        self.assertEqual(
            self.run_cell("(d.len(), w.is_none(), f(1), i.count(), n().to_string(), std::rc::Rc::strong_count(&s))").result,
            [{"text/plain": '(1, true, 2, 3, "e", 1)'}],
        )

    def test_a_closure_and_a_last_expression(self):
        [(message, text)] = self.errors("let f = |n: u64| n + 1;\nf(3)")
        self.assertIn("`f` is a closure", message)
        self.assertIn("Box<dyn Fn(u64) -> u64>", text)

    def test_what_cannot_be_kept_is_said_once_at_its_place_with_a_way_out(self):
        """F16: errors in code that evcxr generates to store a variable."""
        hidden = "mod hidden { mod inner { pub struct H; } pub fn f() -> inner::H { inner::H } }\n"
        for code, message, *parts in [
            ("let double = |x: i32| x * 2;", "`double` is a closure", "let double: Box<dyn Fn(i32) -> i32> = Box::new("),
            ("let mut n = 0; let count = move || { n += 1; n };", "`count` is a closure", "Box<dyn FnMut() -> i32>"),
            ("let (a, b) = (1, |x: u8| x);", "`b` is a closure", "let b: Box<dyn Fn(u8) -> u8>"),
            ("let it = vec![1].into_iter().map(|x| x + 1);", "the type of `it` cannot be written down", ".collect::<Vec<_>>()"),
            ("fn h() -> impl Iterator<Item = i32> { 0..3 }\nlet hh = h();", "the type of `hh`", "Box<dyn Iterator<Item = i32>>"),
            ("let s = String::from(\"a\"); let t = &s[..];", "`t` borrows", ".to_owned()"),
            ("let m = std::sync::Mutex::new(3); let l = m.lock();", "`l` borrows", "{ ... }"),
            (hidden + "let p = hidden::f();", "the type of `p`", "give it one"),
            ("// é\nlet double = |x: i32| x * 2;", "`double` is a closure", "let double: Box<dyn Fn(i32) -> i32>"),
        ]:
            with self.subTest(code):
                errors = self.errors(code)
                self.assertEqual(len(errors), 1, errors)
                self.assertIn(message, errors[0][0])
                self.assertNotIn("\n", errors[0][0])
                for part in [code.split("\n")[-1], *parts]:
                    self.assertIn(part, errors[0][1])
                self.assertNotIn("evcxr", errors[0][1])

    def test_an_error_value_names_its_line(self):
        for code, line in [
            ('let n: i32 = "x".parse()?;', 'line 1 of the cell: let n: i32 = "x".parse()?;'),
            ('let a = 1;\n\nlet n: i32 = "x".parse()?;\nlet b = 2;', 'line 3 of the cell: let n: i32 = "x".parse()?;'),
            ('for i in 0..3 {\n    let _: i32 = "1".parse()?;\n    let _: i32 = ["1", "q"][i.min(1)].parse()?;\n}', "line 3 of the cell: let _: i32 = [" ),
            ('fn fails() -> Result<(), String> {\n    Err("inner".into())\n}\nfails()?;', "line 4 of the cell: fails()?;"),
            # The same line twice: the second one is meant.
            ('let s = "1";\nlet n: i32 = s.parse()?;\nlet s = "x";\nlet n: i32 = s.parse()?;', "line 4 of the cell: let n: i32 = s.parse()?;"),
            ('let a = 1;\nErr::<i32, _>("last")?', 'line 2 of the cell: Err::<i32, _>("last")?'),
            ('// é\nif true {\n    Err("é")?;\n}', 'line 3 of the cell: Err("é")?;'),
        ]:
            with self.subTest(code):
                run = self.run_cell(code)
                self.assertEqual(run.error["ename"], "Error")
                self.assertIn(line, run.error["traceback"][-1])
                self.assertEqual((run.text(), run.warnings), ("", ""))

    def test_a_panic_in_a_library_names_the_line_of_the_cell(self):
        for code, line in [
            ("let m = std::cell::RefCell::new(1);\nstd::mem::forget(m.borrow_mut());\n\nm.borrow_mut();", "line 4 of the cell: m.borrow_mut();"),
            ('let v: Vec<i32> = vec![];\nv.iter().copied().reduce(|a, b| a + b).expect("empty")', 'line 2 of the cell: v.iter()'),
            ('let a = 1;\nstd::thread::sleep(std::time::Duration::from_secs_f64(-1.0));', "line 2 of the cell: std::thread::sleep"),
            ('print!("begun ");\nlet s = String::from("é");\nlet t = s.get(0..1).map(str::to_string).unwrap();', "line 3 of the cell"),
            ('[3, 1].iter().for_each(|&n| { vec![0].chunks(n - 1).count(); });', "line 1 of the cell"),
        ]:
            with self.subTest(code):
                run = self.run_cell(code)
                self.assertEqual(run.error["ename"], "panic")
                self.assertIn(line, run.error["traceback"][-1])
                self.assertNotIn("EVCXR", run.text() + run.text("stderr"))

    def test_a_variable_that_is_moved_is_mentioned_in_that_cell_and_when_it_is_missed(self):
        make = "let v = vec![1]; let kept = String::from(\"k\");"
        eat = "fn eat(v: Vec<i32>) -> usize { v.len() }\n"
        for code, line, text in [
            ("let moved = v;", 1, "let moved = v;"),
            (eat + "eat(v)", 2, "eat(v)"),
            (eat + "let a = 1; let b = eat(v); let c = 2;", 2, "let b = eat(v);"),
            ("let a = 1;\nfor x in v {\n    println!(\"{x}\");\n}", 2, "for x in v {"),
            ("let f: Box<dyn Fn() -> usize> = Box::new(move || v.len());", 1, "let f: Box<"),
            (eat + "for i in 0..1 {\n    println!(\"{}\", eat(v));\n    break;\n}", 3, 'println!("{}", eat(v));'),
            ("let s = Some(v);", 1, "let s = Some(v);"),
        ]:
            with self.subTest(code):
                self.assert_ok(self.run_cell(make))
                run = self.assert_ok(self.run_cell(code))
                self.assertIn(f"note: `v` is given away in line {line}: {text}", run.text("stderr"))
                self.assertIn("a clone of `v`" if "move |" in code else "`&v`", run.text("stderr"))
                number = run.reply["execution_count"]
                [(message, text_below)] = self.errors("v.len()")
                self.assertEqual(message, "cannot find value `v` in this scope")
                self.assertIn(f"`v` was given away in cell [{number}], line {line}: `{text}", text_below)
        # What is borrowed, dropped by name, or created again is not mentioned.
        self.assert_ok(self.run_cell(make))
        for code in ["v.len()", "let w = &v; println!(\"{w:?}\");", "let v = v;", "drop(v);", "let v = 3;"]:
            self.assertEqual(self.assert_ok(self.run_cell("{" + code + "}" if "&v" in code else code)).text("stderr"), "", code)
        self.assertEqual(self.run_cell("(v, &kept)").result, [{"text/plain": '(3, "k")'}])

    def test_an_expression_that_is_shown_can_give_a_variable_away(self):
        self.assert_ok(self.run_cell(
            "struct Sum(i32);\nimpl Sum { fn evcxr_display(&self) { println!(\"the sum {}\", self.0); } }\n"
            "impl std::ops::Add<i32> for Sum { type Output = Sum; fn add(self, n: i32) -> Sum { Sum(self.0 + n) } }"
        ))
        self.assert_ok(self.run_cell("let sum = Sum(1);"))
        run = self.assert_ok(self.run_cell("sum + 2"))
        # It is shown by its own method.
        self.assertEqual(run.text(), "the sum 3\n")
        self.assertIn("note: `sum` is given away in line 1: sum + 2", run.text("stderr"))

    def test_a_sure_panic_has_a_place(self):
        # Before a cell awaits: the compiler does not check it there.
        for code in ["let few = [1, 2, 3];\nfew[7]", "let none = 0;\n5 / none"]:
            [(message, text)] = self.errors(code)
            self.assertIn("will panic", message)
            self.assertRegex(text, r"cell \[\d+\]:2:1")

    def test_what_a_closure_takes_can_be_cloned(self):
        self.assert_ok(self.run_cell("let taken = vec![1];"))
        run = self.assert_ok(self.run_cell("let f: Box<dyn Fn() -> usize> = Box::new(move || taken.len());"))
        self.assertIn("give the closure a clone of `taken`", run.text("stderr"))
        self.assertNotIn("&taken", run.text("stderr"))

    def test_an_error_in_a_function_of_an_earlier_cell_has_a_place(self):
        self.assert_ok(self.run_cell("struct Point { x: i32 }\nfn at(x: i32) -> Point {\n    Point { x }\n}"))
        [(message, text)] = self.errors("struct Point { x: i32, y: i32 }")
        self.assertIn("missing field `y`", message)
        self.assertIn("in `at`, which earlier code defines: Point { x }", message + text)
        self.assert_ok(self.run_cell(
            "enum Shape { Dot, Line }\nfn is_dot(shape: &Shape) -> bool {\n    matches!(shape, Shape::Dot)\n}"
        ))
        [(message, text)] = self.errors("enum Shape { Line }")
        self.assertIn("in `is_dot`, which earlier code defines", message + text)
        self.assert_ok(self.run_cell("struct Point { x: i32, y: i32 }\nfn at(x: i32) -> Point { Point { x, y: 0 } }"))

    def test_one_more_dependency_costs_no_variable(self):
        """Types that cells define are the same with one more dependency, which the first `.await` brings, too."""
        self.assert_ok(self.run_cell("struct Own { x: i32 } let own = Own { x: 1 }; let many = vec![Own { x: 2 }];"))
        self.assert_ok(self.run_cell("async fn answer() -> i32 { 42 }\nanswer().await"))
        self.assertEqual(self.run_cell("(own.x, many.len())").result, [{"text/plain": "(1, 1)"}])

    def test_a_missed_variable_names_the_true_reason(self):
        run = self.run_cell('let lost = 5;\nlet n: i32 = "x".parse()?;')
        number = run.reply["execution_count"]
        [(_, text)] = self.errors("lost + 1")
        self.assertIn(f"cell [{number}] was to make `lost`, but did not come to its end", text)
        self.assertNotIn("given away", text)
        # It had been moved in the failed cell.
        self.assert_ok(self.run_cell('let gift = String::from("a");'))
        number = self.run_cell('let other = 1; let gift = gift + "c"; Err("no")?;').reply["execution_count"]
        [(_, text)] = self.errors("gift.len()")
        self.assertIn(f"`gift` was given away in cell [{number}], line 1: `let gift = gift + \"c\";`", text)
        # A redefined type.
        self.assert_ok(self.run_cell("struct P { a: i32 }\nlet p = P { a: 1 }; let ps = vec![P { a: 2 }];"))
        number = self.assert_ok(self.run_cell("struct P { a: i32, b: i32 }")).reply["execution_count"]
        for code in ["p.a", "ps.len()"]:
            [(_, text)] = self.errors(code)
            self.assertIn(f"made with the old type `P`, which cell [{number}] redefined", text)
        # Created again, and a name that never existed.
        self.assert_ok(self.run_cell("let lost = 6;"))
        self.assertEqual(self.run_cell("lost").result, [{"text/plain": "6"}])
        [(_, text)] = self.errors("never_was")
        self.assertNotIn("was to make", text)

    def test_an_unused_result_is_mentioned(self):
        for code, *lines in [
            ('std::fs::remove_file("/no/such");', 'in line 1: std::fs::remove_file("/no/such");'),
            ('let a = 1;\n\n"x".parse::<i32>();\nlet b = 2;', 'in line 3: "x".parse::<i32>();'),
            ('fn forgets() {\n    std::fs::remove_file("/no/such");\n}\nforgets();', 'in line 2: std::fs::remove_file'),
            ('for i in 0..1 {\n    Err::<i32, _>("e");\n}', "in line 2: Err"),
            ("// é\nvec![1].iter().map(|x| x + 1);", "in line 2: vec![1]"),
            ('Ok::<i32, String>(1);\nErr::<i32, _>("e");', "in line 1: Ok", "in line 2: Err"),
        ]:
            with self.subTest(code):
                run = self.assert_ok(self.run_cell(code))
                for line in lines:
                    self.assertIn(line, run.text("stderr"))
                self.assertEqual(run.text("stderr").count("warning: unused "), len(lines))
        # Not in earlier cells, and not where it was intended.
        for code in ["1 + 1", "forgets()", 'std::fs::remove_file("/no/such").ok();', 'let _ = "x".parse::<i32>();', "let unused = 1;"]:
            self.assertEqual(self.assert_ok(self.run_cell(code)).text("stderr"), "", code)

    def test_suggestions_are_shown_as_the_line_that_comes_of_them(self):
        for code, line in [
            ("fn two(a: i32) {}\ntwo(1, 2);", "`two(1);`"),
            ("let o: Option<i32> = 5;", "`let o: Option<i32> = Some(5);`"),
            ('let s: String = "abc";', '`let s: String = "abc".to_string();`'),
            ("vec![1, 2].lenn()", "`vec![1, 2].len()`"),
            ('printn!("a")', '`print!("a")`'),
            ("let h = HashMap::<i32, i32>::new();", "consider importing this struct: `use std::collections::HashMap;`"),
            ("let x: f64 = 5;", "use a float literal: `let x: f64 = 5.0;`"),
            ("let z = 3", "add `;` here: `let z = 3;`"),
        ]:
            with self.subTest(code):
                [(_, text)] = self.errors(code)
                self.assertIn(line, text)
                self.assertNotIn("``", text)
                self.assertNotIn("evcxr_variable_store", text)
                self.assertNotIn("Note: note", text)


class Torch(KernelTest):
    """F17, C24: errors of libtorch, which come as panics of tch or through `?`."""

    setup = DEP

    def test_one_line_with_the_operation_the_shapes_and_the_line_of_the_cell(self):
        self.assert_ok(self.run_cell(
            "fn of(n: i64, m: i64) -> Tensor { Tensor::ones([n, m], (Kind::Float, Device::Cpu)) }"
            "fn squared(t: &Tensor) -> Tensor { t.matmul(t) }"
            "let (a, c) = (of(2, 3), of(5, 2));"
        ))
        for code, message, line in [
            ("let x = 1;\nlet b = a.matmul(&a);", "matmul: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)", "line 2 of the cell: let b"),
            ("let b = &a + &c;", "add: The size of tensor a (3) must match the size of tensor b (2)", "line 1 of the cell: let b"),
            ("for k in 0..2 {\n    let k = 4;\n    let v = a.view([4, k]);\n}", "view: shape '[4, 4]' is invalid for input of size 6", "line 3 of the cell: let v"),
            ("squared(&a)", "matmul: mat1 and mat2", "line 1 of the cell: squared(&a)"),
            ("a.mm(&\n    c)", "mm: mat1 and mat2 shapes cannot be multiplied (2x3 and 5x2)", "line 1 of the cell: a.mm(&"),
            ("Tensor::cat(&[&a, &c], 0)", "cat: Sizes of tensors must match", "line 1 of the cell: Tensor::cat"),
            ("let b = a.reshape([7]); b", "reshape: shape '[7]' is invalid", "line 1 of the cell"),
            ("let p = linear(3, 2)?;\np.weight.get(0).copy_(&a)", "copy_: a view of a leaf Variable", "line 2 of the cell: p.weight"),
            ("let b = a.f_matmul(&c)?;", "mat1 and mat2 shapes cannot be multiplied (2x3 and 5x2)", "line 1 of the cell: let b"),
        ]:
            with self.subTest(code):
                run = self.run_cell(code)
                self.assertIn(message, run.error["evalue"])
                self.assertNotIn("\n", run.error["evalue"])
                self.assertEqual(len(run.error["traceback"]), 2)
                self.assertIn(line, run.error["traceback"][1])
        self.assertEqual(self.run_cell("a.size()").result, [{"text/plain": "[2, 3]"}])


if __name__ == "__main__":
    unittest.main()
