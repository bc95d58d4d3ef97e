"""The stop button, and cells that fail."""

import time
import unittest

from notebook import DEP, KernelTest, Notebook

SLEEP = "std::thread::sleep(std::time::Duration::from_millis(10));"


class Stop(KernelTest):
    def test_idle(self):
        self.assert_ok(self.run_cell("let idle = 1;"))
        self.notebook.interrupt()
        time.sleep(0.2)
        self.assertEqual(self.run_cell("idle").result, [{"text/plain": "1"}])

    def test_a_program_that_looks(self):
        # As the crate's loops do it, written out.
        self.assert_ok(self.run_cell("let kept = 5;"))
        code = (
            'let file = std::env::var("JUPYTER_INTERRUPT_FILE").unwrap();'
            'println!("\\u{1e}jupyter/1 listening {{}}"); println!("begun");'
            "while !std::path::Path::new(&file).exists() {" + SLEEP + "}"
            'std::fs::remove_file(&file)?; Err("stopped as asked")?;'
        )
        run = self.run_cell(code, on_message=self.interrupt_at("begun"))
        self.assertEqual((run.error["ename"], run.error["evalue"]), ("Interrupted", "stopped as asked"))
        self.assertEqual(run.reply["status"], "error")
        self.assertEqual(self.run_cell("kept").result, [{"text/plain": "5"}])

    def test_a_program_that_does_not_look(self):
        self.assert_ok(self.run_cell("fn kept() -> i32 { 7 } let lost = 1;"))
        run = self.run_cell('println!("begun"); loop {' + SLEEP + "}", on_message=self.interrupt_at("begun"))
        self.assertEqual(run.error["ename"], "Interrupted")
        self.assertIn("did not stop within 5 s", run.error["evalue"])
        self.assertIn("All variables are lost", "".join(run.error["traceback"]))
        self.assertIn("Press stop again", run.text("stderr"))
        self.assertGreater(run.seconds, 4)
        self.assertIn("cannot find value `lost`", self.run_cell("lost").error["evalue"])
        self.assertEqual(self.run_cell("kept()").result, [{"text/plain": "7"}])

    def test_twice(self):
        pressed = []

        def on_message(message):
            if not pressed and message["msg_type"] == "stream":
                pressed.append(message)
                self.notebook.interrupt()
                self.notebook.interrupt()

        run = self.run_cell('println!("begun"); loop {' + SLEEP + "}", on_message=on_message)
        self.assertIn("stop was pressed twice", run.error["evalue"])
        self.assert_ok(self.run_cell("1"))

    def test_while_it_compiles(self):
        self.assert_ok(self.run_cell("let compiled = 3;"))
        # Hundreds of functions keep the compiler at work for many seconds.
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
        # The last idle is the sign that all is said.
        while True:
            message = client.get_iopub_msg(timeout=60)
            last = message["parent_header"].get("msg_id") == ids[-1]
            if last and message["content"].get("execution_state") == "idle":
                return [replies[id] for id in ids]


class Failures(KernelTest):
    def test_panic(self):
        self.assert_ok(self.run_cell("let numbers = vec![1, 2, 3];"))
        run = self.run_cell("let place = 7;\n\nprintln!(\"before\");\nnumbers[place]")
        self.assertEqual(run.text(), "before\n")
        self.assertEqual(run.error["ename"], "panic")
        self.assertEqual(run.error["evalue"], "index out of bounds: the len is 3 but the index is 7")
        self.assertEqual(run.error["traceback"][1:], ["  at line 4 of the cell: numbers[place]"])
        self.assertEqual(run.text("stderr"), "")
        self.assertEqual({k: run.reply[k] for k in ("status", "ename", "evalue")},
                         {"status": "error", "ename": "panic", "evalue": run.error["evalue"]})
        self.assertEqual(self.run_cell("numbers.len()").result, [{"text/plain": "3"}])

    def test_panics_that_were_caught_are_none(self):
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
        self.assertEqual(run.text("stderr"), "")
        self.assertEqual(self.run_cell("before").result, [{"text/plain": "4"}])

    def test_stderr_alone_is_no_failure(self):
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
        # A name that never was is the compiler's affair.
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
            "    for i in 0..40u8 {\n"
            "        let picture = d2l::image::RgbImage::from_pixel(40, 40, d2l::image::Rgb([6 * i, 0, 99]));\n"
            '        picture.save(folder.join(class).join(format!("{i}.png"))).unwrap();\n'
            "    }\n"
            "}\n"
            "let augs = compose![Resize::new([64, 64]), ToTensor];\n"
            "let train_iter = DataLoader::new(ImageFolder::with_transform(&folder, &augs)?, 8)?;\n"
            "let test_iter = DataLoader::new(ImageFolder::with_transform(&folder, &augs)?, 8)?;\n"
            "let mut net = resnet18(Weights::Random)?;\n"
            "net.fc = linear(512, 2)?;\n"
            "let loss = CrossEntropyLoss::new(Reduction::None);\n"
            "let mut trainer = SGD::new(net.parameters(), 1e-5, 0.)?;"
        ))
        train = "let summary = train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, 500, &try_all_gpus())?;"
        run = self.run_cell(train, on_message=self.interrupt_at("image/svg+xml"))
        self.assertEqual(run.error["ename"], "Interrupted", run.error["evalue"])
        self.assertIn("nothing is lost", run.error["evalue"])
        figures = [m for m in run.of("display_data", "update_display_data") if "image/svg+xml" in m["content"]["data"]]
        self.assertGreaterEqual(len(figures), 1)
        last = run.of("display_data", "update_display_data")[-1]["content"]["data"]
        self.assertRegex(last["text/plain"], r"^training: ended at \d+ % after 0:\d\d$|^Figure")
        # The net is there, and learns on.
        self.assertEqual(self.run_cell("net.fc.weight.size()").result, [{"text/plain": "[2, 512]"}])
        run = self.run_cell("evaluate_accuracy_gpu(&net, &test_iter, None)?")
        self.assert_ok(run)
        # A loop of the reader's own stops at the next batch.
        run = self.run_cell(
            'println!("begun"); loop { for batch in train_iter.iter() { batch?; } }',
            on_message=self.interrupt_at("begun"),
        )
        self.assertEqual(run.error["ename"], "Interrupted", run.error["evalue"])
        self.assert_ok(self.run_cell("std::fs::remove_dir_all(&folder)?; net.fc.in_features"))


if __name__ == "__main__":
    unittest.main()
