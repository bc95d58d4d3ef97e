"""The stop button, and cells that fail."""

import time
import unittest

from notebook import COLOR, DEP, KernelTest, Notebook

SLEEP = "std::thread::sleep(std::time::Duration::from_millis(10));"
# As the crate's loops do it, written out in a macro, whose loops have no checks.
LOOKS = (
    'let file = std::env::var("JUPYTER_INTERRUPT_FILE").unwrap();'
    'println!("\\u{1e}jupyter/1 listening {{}}"); println!("begun");'
    "macro_rules! wait { ($file:expr) => { while !std::path::Path::new($file).exists() {" + SLEEP + "} } }"
    "wait!(&file); std::fs::remove_file(&file).unwrap();"
)

# How far after its first letter the compiler marks what is wrong.
MARKS = {'"x"': 1, "nothing": 3, "+ true": 0, "i {": 0}

# What an earlier cell defines for the loops below.
EARLIER = [
    "fn spin(n: u64) -> u64 { let mut x = n; while x != 1 { x |= 2; } x }",
    "mod inner { pub mod more { pub fn spin() { loop {} } } }",
    "struct Walk; impl Walk { fn go(&mut self) -> ! { loop {} } }",
    "trait Walks { fn go(&self) { loop {} } } struct Feet; impl Walks for Feet {}",
    "struct Ones; impl Iterator for Ones { type Item = u8; fn next(&mut self) -> Option<u8> { Some(1) } }",
    "let stored: Box<dyn Fn(i32) -> i32> = Box::new(|n| loop { if n == 3 { break 7 } });",
    'struct Bye; impl Drop for Bye { fn drop(&mut self) { for i in 0..3 { println!("bye {i}"); } } }',
]

# Loops without an end.
LOOPS = [
    "let mut x = 0u64; loop { x = x.wrapping_add(1); }",
    "loop {}",
    "let mut x = 1u64;\nwhile x != 0 {\n    x = x.wrapping_mul(3) | 1;\n}",
    "let mut items = vec![1]; while let Some(x) = items.pop() { items.push(x); }",
    "let mut sum = 0u64; for i in 0.. { sum = sum.wrapping_add(i); }",
    "for _ in std::iter::repeat(()) {}",
    "loop { for i in 0..10 { let mut n = i; while n < 10 { n += 1; } } }",
    "'outer: loop { loop { if std::env::args().count() == 0 { break 'outer; } continue 'outer; } }",
    "let found: usize = 'a: loop { for i in 0..3 { if i == 9 { break 'a i; } } };",
    "(0..).for_each(|_| {})",
    "std::iter::repeat_with(|| 1).map(|x| x + 1).last()",
    "(0u64..).filter(|x| x % 2 == 7).map(|x| x + 1).next()",
    'println!("{:?}", (0u64..).find(|x| x % 2 == 7))',
    'println!("{}", format!("{:?}", vec![(0u64..).position(|x| x % 2 == 7)]))',
    "let f: Box<dyn Fn() -> u64> = Box::new(|| loop {}); f()",
    "{ let spin = |n: u64| { let mut x = n; while x != 1 { x |= 2; } x }; spin(4) }",
    "fn fib(n: u64) -> u64 { if n < 2 { n } else { fib(n - 1) + fib(n - 2) } } fib(80)",
    "let waker = std::task::Waker::noop();\n"
    "Future::poll(Box::pin(async { loop {} }).as_mut(), &mut std::task::Context::from_waker(waker)).is_ready()",
    "spin(4)",
    "inner::more::spin()",
    "Walk.go()",
    "Feet.go()",
    "Ones.last()",
    "stored(4)",
    # Code that catches it is stopped again, and destructors run to their end.
    "loop { let _ = std::panic::catch_unwind(|| loop {}); }",
    "let bye = Bye; loop {}",
]

# What must mean the same with checks in it.
SAME = [
    ("const fn count() -> usize { let mut i = 0; while i < 4 { i += 1; } i } const N: usize = { let mut i = 0; loop { if i == 3 { break i; } i += 1; } }; ([0u8; count()], N)", "([0, 0, 0, 0], 3)"),
    ("static S: fn(i32) -> i32 = |x| x + 1; S(2) + const { let mut i = 0; while i < 3 { i += 1; } i }", "6"),
    ("let found = 'a: { for i in 0.. { if i == 5 { break 'a i; } } 0 }; found", "5"),
    ("let n = 'a: loop { loop { break 'a 7; } }; n + loop { break 1; }", "8"),
    ("{ let text = String::from(\"ab\"); let borrow = || &text; borrow().len() }", "2"),
    ("let constant: &'static i32 = (|| &5)(); *constant", "5"),
    ("{ let add = |x: i32| move |y: i32| x + y; add(2)(3) }", "5"),
    ("{ let f: fn(i32) -> i32 = |x| x * 2; let g: &'static dyn Fn(i32) -> i32 = &|x| x - 1; f(4) + g(1) }", "8"),
    ("{ let parse = |s: &str| -> Result<i32, std::num::ParseIntError> { Ok(s.parse::<i32>()? + 1) }; parse(\"4\").unwrap() }", "5"),
    ("vec![3, 1, 2].iter().map(|x| match x { 1 => 10, _ => 20 }).map(|x| if x > 15 { x } else { 0 } + 1).sum::<i32>()", "43"),
    ("let mut v = vec![3, 1, 2]; v.sort_by_key(|x| std::cmp::Reverse(*x)); v.retain(|&x| x != 2); v", "[3, 1]"),
    ("let mut n = 0; (0..3).for_each(|i| n += i); n", "3"),
    ("(0..2).map(|_| vec! { 1 }).map(|v| unsafe { *v.get_unchecked(0) }).collect::<Vec<i32>>()", "[1, 1]"),
    ("let mut i = 0; while { i += 1; i < 4 } {} i", "4"),
    ("let mut it = [Some(1), None].into_iter(); while let Some(Some(x)) = it.next() { let Some(2) = Some(x + 1) else { panic!() }; } it.len()", "0"),
    ('let text = r#"loop { while for || x { }"#; text.len() + "fn f() {".len()', "33"),
    ('let e = "👍 é"; let n: usize = (0..3).map(|i| i + "ñ".chars().count()).sum(); (e.chars().count(), n)', "(3, 6)"),
    ("let a = 1;\r\nlet mut b = a;\r\nfor _ in 0..2 {\r\n    b += 1; }\r\nb", "3"),
    ("/// Some text.\n#[allow(unused)] fn documented() -> i32 { #![allow(unused_variables)]\n #![allow(unused_mut)] /* why */ fn inner() -> i32 { 4 } let mut x = 0; inner() }\ndocumented()", "4"),
    ("fn inner_doc() -> i32 { //! Some text.\n 3 }\ninner_doc()", "3"),
    ('extern "C" fn call(x: i32) -> i32 { let mut y = x; while y < 9 { y += 1; } y } unsafe extern "C" fn raw() -> i32 { (|x| x)(1) } call(2) + unsafe { raw() }', "10"),
    ("macro_rules! twice { ($x:expr) => { for _ in 0..2 { $x; } } } let mut n = 0; twice!(n += 1); twice! { n += 1 } n", "4"),
    ("fn apply<F: Fn(T) -> T, T>(f: F, x: T) -> T { f(x) } apply(|x| x + 1, 1) + apply(std::convert::identity, 2) + apply::<fn(i32) -> i32, _>(|x| x, 3)", "7"),
    ("fn iter(v: &[i32]) -> impl Iterator<Item = i32> + '_ { v.iter().filter(|x| **x > 1).map(|x| x + 1) } iter(&[1, 2]).collect::<Vec<_>>()", "[3]"),
    ("#[derive(Clone, Copy)] enum E { A = { 1 + 1 } } #[inline] #[must_use] fn level() -> E { E::A } fn length<const N: usize>(x: [u8; N]) -> usize { N } length::<{ 1 + 2 }>([0; { 3 }]) + level() as usize", "5"),
    ("trait T { fn a(&self) -> i32 { self.b() + 1 } fn b(&self) -> i32; } impl T for i32 { fn b(&self) -> i32 { *self } } 4.a()", "5"),
    ("{ let f = || -> ! { panic!() }; let g = || panic!(); let r: Result<i32, _> = std::panic::catch_unwind(g); r.is_err() || f() }", "true"),
    ("[1, 2].iter().map(|&x| async move { x }).map(|f| { drop(f); 1 }).sum::<i32>()", "2"),
    ("[1].iter().map(|x| -x).map(|x| ..x).map(|r| r.end).map(|x| (x, 1).0).sum::<i32>()", "-1"),
]


class Stop(KernelTest):
    def test_idle(self):
        self.assert_ok(self.run_cell("let idle = 1;"))
        self.notebook.interrupt()
        time.sleep(0.2)
        self.assertEqual(self.run_cell("idle").result, [{"text/plain": "1"}])

    def test_a_program_that_checks(self):
        self.assert_ok(self.run_cell("let kept = 5;"))
        run = self.run_cell(LOOKS + 'Err("stopped as asked")?;', on_message=self.interrupt_at("begun"))
        self.assertEqual((run.error["ename"], run.error["evalue"]), ("Interrupted", "stopped as asked"))
        self.assertEqual(run.reply["status"], "error")
        self.assertEqual(self.run_cell("kept").result, [{"text/plain": "5"}])

    def test_one_press_is_one_stop(self):
        # A program that has checked may continue.
        code = LOOKS + "let mut turns = 0; for _ in 0..100 { turns += 1; " + SLEEP + "} turns"
        run = self.assert_ok(self.run_cell(code, on_message=self.interrupt_at("begun")))
        self.assertEqual(run.result, [{"text/plain": "100"}])
        run = self.run_cell('println!("begun"); loop {}', on_message=self.interrupt_at("begun"))
        self.assertEqual(run.error["ename"], "Interrupted")
        self.assertEqual(self.run_cell("(0..100).map(|x| x + 1).sum::<i32>()").result, [{"text/plain": "5050"}])

    def test_a_program_that_does_not_check(self):
        # Threads are not stopped, nor are the loops of macros and libraries.
        self.assert_ok(self.run_cell(
            "macro_rules! endless { ($turn:stmt) => { loop { $turn } } } fn kept() -> i32 { 7 } let lost = 1;"
        ))
        thread = "std::thread::spawn(|| loop {" + SLEEP + "}).join().unwrap();"
        offer = "does not look at the stop button. Press it again to end Rust's process, which loses all variables"

        def on_message(message):
            if message["msg_type"] == "stream" and offer in message["content"]["text"]:
                offered.append(message["seconds"])
                # Nothing happens until the reader has answered.
                time.sleep(0.5)
                self.notebook.interrupt()
            pressed(message)

        for code in ['println!("begun"); ' + thread, 'println!("begun"); endless!(' + SLEEP[:-1] + ");"]:
            offered, pressed = [], self.interrupt_at("begun")
            run = self.run_cell(code, on_message=on_message)
            self.assertEqual(run.error["ename"], "Interrupted")
            self.assertIn("stop was pressed again", run.error["evalue"])
            self.assertIn("All variables are lost", "".join(run.error["traceback"]))
            self.assertIn("so far it has not looked", run.text("stderr"))
            self.assertGreater(offered[0], 4)
            self.assertGreater(run.seconds, offered[0] + 0.4)
        self.assertIn("cannot find value `lost`", self.run_cell("lost").error["evalue"])
        self.assertEqual(self.run_cell("kept()").result, [{"text/plain": "7"}])

    def test_a_double_click_is_one_press(self):
        self.assert_ok(self.run_cell("let kept = 5;"))
        begun = []

        def on_message(message):
            if not begun and message["msg_type"] == "stream":
                begun.append(message)
                self.notebook.interrupt()
                self.notebook.interrupt()
                self.notebook.interrupt()

        run = self.run_cell('println!("begun"); loop {' + SLEEP + "}", on_message=on_message)
        self.assertEqual((run.error["ename"], run.warnings), ("Interrupted", ""))
        self.assertEqual(self.run_cell("kept").result, [{"text/plain": "5"}])

    def test_while_it_compiles(self):
        self.assert_ok(self.run_cell("let compiled = 3;"))
        # Hundreds of functions keep the compiler busy for many seconds.
        many = "\n".join(
            f"fn slow_{i}(v: &mut Vec<String>) {{ v.sort(); v.dedup(); v.push(format!(\"{{v:?}}{i}\")); v.sort_by_key(|s| s.len()); }}"
            for i in range(600)
        )
        calls = "".join(f"slow_{i}(&mut v);" for i in range(600))
        def on_message(message):
            if message["msg_type"] == "execute_input":
                time.sleep(2)
                self.notebook.interrupt()

        run = self.run_cell(many + "\nlet mut v = vec![];" + calls, on_message=on_message)
        self.assertEqual(run.error["ename"], "Interrupted")
        self.assertIn("stopped before the cell ran", run.error["evalue"])
        self.assertEqual(self.run_cell("compiled").result, [{"text/plain": "3"}])

    def test_while_it_prints_without_an_end(self):
        for print in ("println", "eprintln"):
            run = self.run_cell(f'loop {{ {print}!("more and more"); }}', on_message=self.interrupt_at("more"))
            self.assertEqual(run.error["ename"], "Interrupted")
            self.assert_ok(self.run_cell("1"))

    def test_while_it_waits_for_input(self):
        code = (
            'println!("EVCXR_INPUT_REQUEST:well?"); let mut name = String::new();'
            'std::io::stdin().read_line(&mut name)?; println!("got {name:?}");'
        )
        answers = []

        def answer(prompt):
            answers.append(prompt)
            self.notebook.interrupt()
            time.sleep(0.5)
            return "too late"

        run = self.run_cell(code, answer=answer)
        self.assertEqual(run.text(), 'got "\\n"\n')
        # The late answer is not taken for the next one's.
        run = self.run_cell(code, answer=lambda prompt: "in time")
        self.assertEqual(run.text(), 'got "in time\\n"\n')

    def test_a_shell_command(self):
        def on_message(message):
            if message["msg_type"] == "execute_input":
                time.sleep(1)
                self.notebook.interrupt()

        run = self.run_cell("!sleep 600", on_message=on_message, limit=120)
        self.assertLess(run.seconds, 120)

    def test_before_the_kernel_has_started(self):
        notebook = Notebook()
        self.addCleanup(notebook.stop)
        id = notebook.client.execute("1 + 1")
        time.sleep(0.3)
        notebook.interrupt()
        reply = notebook.client.get_shell_msg(timeout=60)
        self.assertEqual(reply["parent_header"]["msg_id"], id)
        self.assertEqual(reply["content"]["ename"], "Interrupted")
        self.assertEqual(notebook.run("2 + 2").result, [{"text/plain": "4"}])

    def test_what_waits_behind_is_not_run(self):
        for first in ['panic!("first")', "let bad: i32 = \"\";", 'Err("no")?;']:
            replies = self.send_all([first, 'println!("second")', 'println!("third")'])
            self.assertEqual([r["status"] for r in replies], ["error", "aborted", "aborted"], first)
        replies = self.send_all(['panic!("first")', "2 + 2"], stop_on_error=False)
        self.assertEqual([r["status"] for r in replies], ["error", "ok"])
        self.assert_ok(self.run_cell("1"))

    def send_all(self, cells, **arguments):
        client = self.notebook.client
        ids = [client.execute(code, **arguments) for code in cells]
        replies = {}
        while len(replies) < len(ids):
            message = client.get_shell_msg(timeout=60)
            replies[message["parent_header"]["msg_id"]] = message["content"]
        # The last idle means that everything has been sent.
        while True:
            message = client.get_iopub_msg(timeout=60)
            last = message["parent_header"].get("msg_id") == ids[-1]
            if last and message["content"].get("execution_state") == "idle":
                return [replies[id] for id in ids]


class Loops(KernelTest):
    """The cell's own loops and functions check the stop button."""

    def test_loops_without_an_end(self):
        self.assert_ok(self.run_cell("let kept = 5; let shadowed = 6;\n" + "\n".join(EARLIER)))
        for code in LOOPS:
            with self.subTest(code):
                # Does not compile if a variable was lost.
                code = 'let shadowed = (kept, &shadowed).0 + 1; println!("begun");\n' + code
                run = self.run_cell(code, on_message=self.interrupt_at("begun"))
                self.assertEqual((run.error or {}).get("ename"), "Interrupted", run.error)
                self.assertIn("what earlier cells made is kept", run.error["evalue"])
                self.assertRegex(run.error["traceback"][1], r"^  in line [23] of the cell: ")
                # Neither a panic's report nor a notice: it was fast.
                self.assertEqual(run.warnings, "")
                self.assertEqual(run.text().count("bye"), 3 if "Bye" in code else 0)
        self.assertEqual(self.run_cell("(kept, shadowed)").result, [{"text/plain": "(5, 6)"}])

    def test_checked_code_means_the_same(self):
        pushes = [f"shown.push(format!(\"{{:?}}\", Some({{\n{code}\n}}).unwrap()));" for code, _ in SAME]
        run = self.run_cell("let mut shown = vec![];\n" + "\n".join(pushes) + '\nprintln!("{}", shown.join("\\n"));')
        self.assertEqual(run.text(), "".join(value + "\n" for _, value in SAME), run.error)
        # Code with checks that does not compile would have been compiled without them.
        run = self.run_cell('println!("begun"); loop {}', on_message=self.interrupt_at("begun"))
        self.assertEqual((run.error["ename"], run.warnings), ("Interrupted", ""))

    def test_other_threads_are_not_stopped(self):
        self.assert_ok(self.run_cell(
            "use std::sync::atomic::{AtomicU32, Ordering::SeqCst}; static TURNS: AtomicU32 = AtomicU32::new(0);"
            "let turns = std::sync::Arc::new(AtomicU32::new(0)); let same = turns.clone();"
            "std::thread::spawn(move || loop { same.fetch_add(1, SeqCst); " + SLEEP + "});"
        ))
        run = self.run_cell('println!("begun"); loop {}', on_message=self.interrupt_at("begun"))
        self.assertEqual(run.error["ename"], "Interrupted")
        run = self.run_cell("let before = turns.load(SeqCst);" + 20 * SLEEP + "turns.load(SeqCst) > before")
        self.assertEqual(run.result, [{"text/plain": "true"}])

    def test_errors_are_marked_where_they_are(self):
        for line, wrong in [
            ('for i in 0..3 { let s: i32 = "x"; }', '"x"'),
            ("loop { while true { let f = |x: i32| x + nothing; } }", "nothing"),
            ("fn f() -> i32 { (0..3).map(|x| x + 1).map(|x| x).sum::<i32>() + true }", "+ true"),
            ('let a = [1].map(|x| x + 1); for i in a { if i { } }', "i {"),
        ]:
            for code in [line, "let first = 1;\n\n  " + line]:
                with self.subTest(code):
                    shown = [COLOR.sub("", row) for row in self.run_cell(code).error["traceback"]]
                    place = next(i for i, row in enumerate(shown) if line in row)
                    self.assertEqual(shown[place].split("│")[0].strip(), str(len(code.splitlines())))
                    self.assertEqual(shown[place + 1][shown[place].index(wrong) + MARKS[wrong]], "┬")

    def test_messages_do_not_mention_the_check(self):
        self.assert_ok(self.run_cell("fn take(v: Vec<i32>) {} let v = vec![1];"))
        code = "for i in 0..3 { if i == 1 { take(v); break; } } let other = 1;"
        self.assertIn("`v` is given away in line 1: " + code.split(" let ")[0], self.run_cell(code).text("stderr"))
        run = self.run_cell('\nfor _ in 0..1 { "5".parse::<i32>(); }')
        self.assertIn('in line 2: for _ in 0..1 { "5".parse', run.text("stderr"))
        run = self.run_cell("let w = vec![1];\nfor i in 0..9 { w[i]; }")
        self.assertEqual(run.error["traceback"][1:], ["  at line 2 of the cell: for i in 0..9 { w[i]; }"])
        run = self.run_cell("let w = vec![1]; let s: usize = (0..9).map(|i| w[i]).sum();")
        self.assertEqual(run.error["traceback"][1:], ["  at line 1 of the cell: let s: usize = (0..9).map(|i| w[i]).sum();"])
        code = "for i in evcxr_"
        reply = self.notebook.client.complete(code, len(code), reply=True, timeout=60)
        self.assertNotIn("interrupt", str(reply["content"]["matches"]).lower())


class Failures(KernelTest):
    def test_panic(self):
        self.assert_ok(self.run_cell("let numbers = vec![1, 2, 3];"))
        run = self.run_cell("let place = 7;\n\nprintln!(\"before\");\nnumbers[place]")
        self.assertEqual(run.text(), "before\n")
        self.assertEqual(run.error["ename"], "panic")
        self.assertEqual(run.error["evalue"], "index out of bounds: the len is 3 but the index is 7")
        self.assertEqual(run.error["traceback"][1:], ["  at line 4 of the cell: numbers[place]"])
        self.assertEqual(run.warnings, "")
        self.assertEqual({k: run.reply[k] for k in ("status", "ename", "evalue")},
                         {"status": "error", "ename": "panic", "evalue": run.error["evalue"]})
        self.assertEqual(self.run_cell("numbers.len()").result, [{"text/plain": "3"}])

    def test_caught_panics_are_not_failures(self):
        run = self.assert_ok(self.run_cell(
            'let caught = std::panic::catch_unwind(|| panic!("tamed")).is_err();'
            ' let thread = std::thread::spawn(|| panic!("elsewhere")).join().is_err(); (caught, thread)'
        ))
        self.assertIn("tamed", run.text("stderr"))
        self.assertIn("elsewhere", run.text("stderr"))

    def test_error_value(self):
        self.assert_ok(self.run_cell("let before = 4;"))
        run = self.run_cell('let number: i32 = "x".parse()?;')
        self.assertEqual((run.error["ename"], run.error["evalue"]), ("Error", "invalid digit found in string"))
        self.assertEqual(run.reply["status"], "error")
        self.assertEqual(run.warnings, "")
        self.assertEqual(self.run_cell("before").result, [{"text/plain": "4"}])

    def test_stderr_alone_is_not_a_failure(self):
        run = self.assert_ok(self.run_cell('eprintln!("a warning"); println!("fine");'))
        self.assertEqual((run.text("stderr"), run.text()), ("a warning\n", "fine\n"))

    def test_compile_error(self):
        run = self.run_cell('let text: i32 = "a";')
        self.assertEqual(run.reply["status"], "error")
        self.assertEqual(run.reply["evalue"], "mismatched types")

    def test_a_variable_that_was_given_away(self):
        self.assert_ok(self.run_cell("let gift = String::from(\"a\"); let kept = 1;"))
        self.assert_ok(self.run_cell("let gift = gift + \"b\";"))
        self.assert_ok(self.run_cell("drop(gift);"))
        run = self.run_cell("gift.len()")
        self.assertEqual(run.reply["evalue"], "cannot find value `gift` in this scope")
        self.assertIn("given away in cell [", "".join(run.error["traceback"]))
        self.assertEqual(run.reply["traceback"], run.error["traceback"])
        # A name that never existed is left to the compiler.
        self.assertNotIn("given away", str(self.run_cell("no_such_name").error))

    def test_a_loop_at_the_end_has_no_result(self):
        run = self.assert_ok(self.run_cell("for i in 0..2 {\n    println!(\"{i}\");\n}"))
        self.assertEqual((run.text(), run.result), ("0\n1\n", []))
        self.assertEqual(self.run_cell("Some(())").result, [{"text/plain": "Some(())"}])

    def test_a_backtrace_when_asked_for(self):
        self.assert_ok(self.run_cell(":env D2L_BACKTRACE=1\n:restart"))
        run = self.run_cell('fn deep() { panic!("deep") }\ndeep()')
        self.assertIn("stack backtrace:", run.error["traceback"])
        self.assert_ok(self.run_cell(":env D2L_BACKTRACE=0\n:restart"))
        self.assertEqual(len(self.run_cell('panic!("short")').error["traceback"]), 2)

    def test_the_program_ends(self):
        kill = 'std::process::Command::new("sh").args(["-c", &format!("kill -9 {}", std::process::id())]).status()'
        for code, word in [
            ("std::process::exit(3)", "exit status: 3"),
            ("std::process::abort()", "signal: 6"),
            (kill, "most likely because memory was short"),
        ]:
            run = self.run_cell('println!("last words"); ' + code)
            self.assertEqual(run.text(), "last words\n")
            self.assertEqual(run.error["ename"], "ProgramEnded")
            self.assertIn(word, run.error["evalue"])
            self.assertIn("All variables are lost", "".join(run.error["traceback"]))
            self.assertEqual(self.run_cell("1 + 1").result, [{"text/plain": "2"}])


    def test_the_program_ends_between_two_cells(self):
        late = "std::thread::sleep(std::time::Duration::from_millis(200)); std::process::abort()"
        self.assert_ok(self.run_cell("std::thread::spawn(|| { " + late + " });"))
        time.sleep(1)
        run = self.run_cell("1 + 1")
        self.assertEqual(run.error["ename"], "ProgramEnded")
        self.assertEqual(self.run_cell("1 + 1").result, [{"text/plain": "2"}])


class Training(KernelTest):
    setup = DEP

    def test_training_is_stopped_and_nothing_lost(self):
        folder = "std::env::temp_dir().join(format!(\"d2l-stop-{}\", std::process::id()))"
        self.assert_ok(self.run_cell(
            f"let folder = {folder};\n"
            'for class in ["a", "b"] {\n'
            "    std::fs::create_dir_all(folder.join(class))?;\n"
            "    for i in 0..12u8 {\n"
            "        let image = d2l::image::RgbImage::from_pixel(40, 40, d2l::image::Rgb([20 * i, 0, 99]));\n"
            '        image.save(folder.join(class).join(format!("{i}.png"))).unwrap();\n'
            "    }\n"
            "}\n"
            "let augs = compose![Resize::new([32, 32])?, ToTensor];\n"
            "let train_iter = DataLoader::new(ImageFolder::with_transform(&folder, &augs)?, 8)?;\n"
            "let test_iter = DataLoader::new(ImageFolder::with_transform(&folder, &augs)?, 8)?;\n"
            "let mut net = resnet18(Weights::Random)?;\n"
            "net.fc = linear(512, 2)?;\n"
            "let loss = CrossEntropyLoss::new(Reduction::None);\n"
            "let mut trainer = SGD::new(net.parameters(), 1e-5)?;"
        ))
        train = "let summary = train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, 500, &try_all_gpus())?;"
        run = self.assert_ok(self.run_cell(train, on_message=self.interrupt_at("image/svg+xml")))
        self.assertRegex(run.text(), r"loss \d.*\n.*examples/sec.*\nstopped in epoch \d+, after batch \d+ of 3")
        figures = [m for m in run.of("display_data", "update_display_data") if "image/svg+xml" in m["content"]["data"]]
        self.assertGreaterEqual(len(figures), 1)
        last = run.of("display_data", "update_display_data")[-1]["content"]["data"]
        self.assertRegex(last["text/plain"], r"^training: ended at \d+ % after 0:\d\d$|^Figure")
        # The summary is there, and the press is gone.
        run = self.run_cell('(summary.stopped, summary.animator.curve("train loss").is_none())')
        self.assertEqual(run.result, [{"text/plain": "(true, false)"}])
        self.going_on()
        self.a_layer_of_a_cells_own()
        # The network is still there, and can be trained further.
        self.assertEqual(self.run_cell("net.fc.weight.size()").result, [{"text/plain": "[2, 512]"}])
        run = self.run_cell("evaluate_accuracy_gpu(&net, &test_iter, None)?")
        self.assert_ok(run)
        # The reader's own loop stops at the next batch.
        run = self.run_cell(
            'println!("begun"); loop { for batch in train_iter.iter() { batch?; } }',
            on_message=self.interrupt_at("begun"),
        )
        self.assertEqual(run.error["ename"], "Interrupted", run.error["evalue"])
        self.assert_ok(self.run_cell("std::fs::remove_dir_all(&folder)?; net.fc.in_features()"))

    def going_on(self):
        """A loop of epochs has one figure in a cell, and ends at a press."""
        epoch = "run.train(&net, &train_iter, &test_iter, &loss, &mut trainer, 1, &try_all_gpus())?;"
        figures = lambda run, kind: [m for m in run.of(kind) if "image/svg+xml" in m["content"]["data"]]
        cell = "let mut run = Summary::new();\nfor _ in 0..3 { %s }\nrun" % epoch
        run = self.assert_ok(self.run_cell(cell))
        self.assertEqual(len(figures(run, "display_data")), 1)
        self.assertGreaterEqual(len(figures(run, "update_display_data")), 1)
        self.assertRegex(run.text(), r"(?s)training on.*epoch 1: .*epoch 2: .*epoch 3: ")
        self.assertRegex(run.result[0]["text/plain"], r"^loss .*\n.*examples/sec on \S+$")
        # The next cell has a figure of its own, and keeps what it has when its loop looks.
        cell = "for _ in 0..500 { %s\n if run.stopped { break; } }" % epoch
        run = self.assert_ok(self.run_cell(cell, on_message=self.interrupt_at("image/svg+xml")))
        self.assertEqual(len(figures(run, "display_data")), 1)
        self.assertNotIn("training on", run.text())
        self.assertEqual(self.run_cell("run.stopped").result, [{"text/plain": "true"}])
        # One that does not look ends with an error, and the summary is there.
        run = self.run_cell("for _ in 0..500 { %s }" % epoch, on_message=self.interrupt_at("image/svg+xml"))
        self.assertEqual(run.error["ename"], "Interrupted", run.error["evalue"])
        run = self.run_cell("run.epochs >= 3 && run.stopped")
        self.assertEqual(run.result, [{"text/plain": "true"}])

    def a_layer_of_a_cells_own(self):
        """Its functions look at the button, too; the training they stop returns what it has."""
        self.assert_ok(self.run_cell(
            "#[derive(Debug)]\n"
            "struct Own(Classifier);\n"
            "impl Module for Own {\n"
            "    fn forward(&self, x: &Tensor) -> Result<Tensor> {\n"
            "        for _ in 0..20 { std::thread::sleep(std::time::Duration::from_millis(10)); }\n"
            "        self.0.forward(x)\n"
            "    }\n"
            "    fn visit(&self, visitor: &mut d2l::nn::Visitor) { self.0.visit(visitor); }\n"
            "}\n"
            "let own = Own(net.copy()?);\n"
            "let mut own_trainer = SGD::new(own.parameters(), 1e-5)?;"
        ))
        run = self.assert_ok(self.run_cell(
            "let stopped = train_ch13(&own, &train_iter, &test_iter, &loss, &mut own_trainer, 500, &try_all_gpus())?;",
            on_message=self.interrupt_at("epoch 1: "),
        ))
        self.assertIn("stopped", run.text())
        self.assertEqual(self.run_cell("stopped.stopped").result, [{"text/plain": "true"}])


if __name__ == "__main__":
    unittest.main()
