"""A mistake costs nothing: what becomes of variables when a cell fails, and what the reader is told."""

import unittest

from notebook import KernelTest

LOOKS = (
    'let file = std::env::var("JUPYTER_INTERRUPT_FILE").unwrap();'
    'println!("\\u{1e}jupyter/1 listening {{}}"); println!("begun");'
    "while !std::path::Path::new(&file).exists() { std::thread::sleep(std::time::Duration::from_millis(10)); }"
    'std::fs::remove_file(&file)?; Err("stopped as asked")?;'
)

# How a cell can fail while it runs: by an error value, by a panic in its own code or in a library's, in a
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
    """A cell that fails leaves every variable of earlier cells as it was, also those that it shadows."""

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
                # Another type, which the old value must not be taken for.
                self.assert_fails('let q = String::from("nine"); ' + failure)
                self.assert_shows("q", "[1]")

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

    def test_what_is_shadowed_can_be_changed_or_many_or_in_a_pattern(self):
        self.assert_ok(self.run_cell('let mut a = vec![1]; let b = 2; let mut c = String::from("c");'))
        # What the cell changes in place before it shadows it is changed.
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
        # What a cell made before it failed was never there.
        self.assertIn("cannot find value `made`", self.run_cell("made").error["evalue"])

    def test_a_variable_that_was_given_away_before_the_cell_failed(self):
        self.assert_ok(self.run_cell('let q = String::from("a"); let kept = 1;'))
        # The old value has gone into the new one, and nothing is left to put back.
        self.assert_fails('let q = q + "b"; panic!("after");')
        self.assertIn("cannot find value `q`", self.run_cell("q").error["evalue"])
        self.assert_shows("kept", "1")
        # What is copied, lent, or cloned was not given away.
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


if __name__ == "__main__":
    unittest.main()
