"""What cells show: figures at any moment, in order with text, and nothing lost."""

import unittest

from notebook import DEP, PLOTS, PLOTTERS, KernelTest, display, line
from test_process import children, folder_of


class Display(KernelTest):
    def test_updates_arrive_while_the_cell_runs(self):
        wait = "std::thread::sleep(std::time::Duration::from_millis(400));"
        run = self.assert_ok(self.run_cell(
            display("one", "a") + wait + display("two", "a", "update_display_data") + wait
        ))
        first, second = run.of("display_data", "update_display_data")
        self.assertEqual(first["content"]["data"], {"text/plain": "one"})
        self.assertEqual(second["content"]["transient"], {"display_id": "a"})
        # There is a pause after each of them.
        self.assertGreater(second["seconds"] - first["seconds"], 0.3)
        self.assertGreater(run.seconds - second["seconds"], 0.3)

    def test_figures_and_text_keep_their_order(self):
        code = 'println!("a");' + display("1") + 'println!("b"); println!("c");' + display("2") + display("3")
        run = self.assert_ok(self.run_cell(code))
        shown = [m["content"].get("text") or m["content"]["data"]["text/plain"] for m in run.of("stream", "display_data")]
        # Text may come in one message or in several.
        self.assertEqual("".join(shown), "a\n1b\nc\n23")

    def test_figures_of_any_program_all_appear(self):
        block = 'println!("EVCXR_BEGIN_CONTENT text/html\\n<b>{}</b>\\nEVCXR_END_CONTENT", {});'
        run = self.assert_ok(self.run_cell(" ".join(block.replace("{});", f"{n});") for n in (1, 2, 3))))
        htmls = [m["content"]["data"]["text/html"] for m in run.of("display_data", "execute_result")]
        self.assertEqual(htmls, ["<b>1</b>", "<b>2</b>", "<b>3</b>"])
        # As always, the last one is the cell's result.
        self.assertEqual(len(run.of("execute_result")), 1)

    def test_a_value_behind_a_question_mark_is_shown_as_it_wants(self):
        self.assert_ok(self.run_cell(
            "#[derive(Debug)] struct Shown; impl Shown { fn evcxr_display(&self) {"
            ' println!("EVCXR_BEGIN_CONTENT text/plain\\nas it wants\\nEVCXR_END_CONTENT"); } }\n'
            "fn shown() -> Result<Shown, String> { Ok(Shown) } fn number() -> Result<i64, String> { Ok(7) }"
        ))
        for code, text in {"shown()?": "as it wants", "number()?": "7", "shown()": "Ok(Shown)"}.items():
            run = self.assert_ok(self.run_cell(code))
            self.assertEqual(run.result, [{"text/plain": text}], code)

    def test_clear_output(self):
        run = self.assert_ok(self.run_cell(display("1") + line("clear_output", wait=True) + display("2")))
        kinds = [m["msg_type"] for m in run.of("display_data", "clear_output")]
        self.assertEqual(kinds, ["display_data", "clear_output", "display_data"])
        self.assertEqual(run.of("clear_output")[0]["content"], {"wait": True})

    def test_ten_thousand_displays(self):
        code = "for i in 0..10_000 {" + display("number").replace("number", "@").replace(
            'r###"', '&r###"').replace('"###)', '"###.replace("@", &i.to_string()))') + "}"
        run = self.assert_ok(self.run_cell(code))
        numbers = [m["content"]["data"]["text/plain"] for m in run.of("display_data")]
        self.assertEqual(numbers, [str(i) for i in range(10_000)])

    def test_ten_thousand_lines_of_text(self):
        run = self.assert_ok(self.run_cell('for i in 0..10_000 { println!("{i}"); }'))
        self.assertEqual(run.text(), "".join(f"{i}\n" for i in range(10_000)))
        # They come in bursts.
        self.assertLess(len(run.of("stream")), 2_000)

    def test_a_figure_of_several_megabytes(self):
        code = 'let big = "x".repeat(6_000_000);' + display("@").replace(
            'r###"', '&r###"').replace('"###)', '"###.replace("@", &big))') + 'println!("after");'
        run = self.assert_ok(self.run_cell(code))
        self.assertEqual([len(m["content"]["data"]["text/plain"]) for m in run.of("display_data")], [6_000_000])
        self.assertEqual(run.text(), "after\n")

    def test_malformed_and_foreign_lines_are_text(self):
        lines = ["\x1ejupyter/1 display_data {", "\x1ejupyter/7 display_data {}", "\x1ejupyter/1 dance {}", "\x1e", "\x1ehm"]
        code = "".join(f'println!("{{}}", {rust_string(text)});' for text in lines)
        run = self.assert_ok(self.run_cell(code))
        self.assertEqual(run.text(), "".join(text + "\n" for text in lines))
        self.assertEqual(run.of("display_data"), [])

    def test_a_line_is_shown_before_its_end(self):
        run = self.assert_ok(self.run_cell(
            "use std::io::Write;\n"
            'for i in 0..3 { print!("{i} "); std::io::stdout().flush().unwrap();'
            " std::thread::sleep(std::time::Duration::from_millis(200)); }"
        ))
        self.assertEqual(run.text(), "0 1 2 ")
        times = [m["seconds"] for m in run.of("stream")]
        self.assertGreater(times[-1] - times[0], 0.3)

    def test_threads_that_print_later_are_shown(self):
        self.assert_ok(self.run_cell(
            'std::thread::spawn(|| { std::thread::sleep(std::time::Duration::from_millis(300));'
            ' for _ in 0..20_000 { println!("late"); } });'
        ))
        # 100 KB are more than a pipe's buffer: without a reader the thread would block until the next cell.
        text, message = "", None
        while text.count("late") < 20_000:
            message = self.notebook.client.get_iopub_msg(timeout=30)
            text += message["content"].get("text", "")
        self.assert_ok(self.run_cell("1"))


class WithTheCrate(KernelTest):
    setup = DEP

    def test_three_figures_in_one_cell(self):
        show = "show_images(&[Image::from(d2l::image::RgbImage::new(9, 9))], 1, 1, 1.0)?;"
        run = self.assert_ok(self.run_cell(show * 3))
        figures = run.of("display_data")
        self.assertEqual(len(figures), 3)
        for figure in figures:
            self.assertIn("image/svg+xml", figure["content"]["data"])

    def test_curves_grow(self):
        self.assert_ok(self.run_cell(
            'fn curve(points: usize, pause: u64) -> Result<Animator> {'
            ' let mut animator = Animator::new("epoch", &["loss"]);'
            " for i in 0..points { animator.add(i as f64, &[Some(0.5)]); std::thread::sleep(std::time::Duration::from_millis(pause)); }"
            " Ok(animator) }"
        ))
        run = self.assert_ok(self.run_cell("curve(5, 150)?.show()?;"))
        kinds = [m["msg_type"] for m in run.of("display_data", "update_display_data", "execute_result")]
        self.assertEqual(kinds, ["display_data"] + ["update_display_data"] * 4)
        self.assertEqual(len({m["content"]["transient"]["display_id"] for m in run.of("display_data", "update_display_data")}), 1)
        # At most ten times a second, and the last points are there.
        run = self.assert_ok(self.run_cell("curve(100, 1)?;"))
        figures = run.of("display_data", "update_display_data")
        self.assertLess(len(figures), 12)
        self.assertEqual(points(figures[-1]), 100)
        # Shown again, it is a separate figure.
        run = self.assert_ok(self.run_cell("let again = curve(3, 1)?; again.show()?; again.show()?; again"))
        self.assertEqual(len(run.of("display_data")), 2)
        self.assertEqual(len(run.result), 1)

    def test_a_bar_moves_in_its_place(self):
        run = self.assert_ok(self.run_cell(
            'let mut progress = Progress::new("reading <all>", 20);'
            ' for i in 0..20 { progress.note(format!("page {i}")); progress.advance(1); std::thread::sleep(std::time::Duration::from_millis(60)); }'
            " drop(progress);"
        ))
        bars = run.of("display_data", "update_display_data")
        self.assertEqual(len(run.of("display_data")), 1)
        self.assertGreater(len(bars), 4)
        middle = bars[2]["content"]["data"]
        self.assertRegex(middle["text/plain"], r"^reading <all>: \d+ %, 0:0\d left; page \d+$")
        self.assertRegex(middle["text/html"], r'<progress value="\d+" max="20".*reading &lt;all&gt;: ')
        self.assertEqual(bars[-1]["content"]["data"], {"text/plain": "reading <all>: done in 0:01"})
        # Work that is done at once shows no bar.
        run = self.assert_ok(self.run_cell('let mut quick = Progress::new("quick", 2); quick.advance(2); drop(quick);'))
        self.assertEqual(run.of("display_data"), [])

    def test_a_tensor_shows_its_values(self):
        run = self.assert_ok(self.run_cell("Tensor::from_slice(&[1.5f32, 2.0]).view([1, 2])"))
        (data,) = run.result
        self.assertEqual(data["text/plain"], "[[1.5000, 2.0000]]\n[1, 2] Float cpu")
        self.assertRegex(data["text/html"], r"^<div>\[1, 2\] Float cpu</div>.*<td[^>]*>1\.5000</td><td[^>]*>2\.0000</td>")
        # Also if borrowed, in a pair or in a list; and it is still there.
        self.assert_ok(self.run_cell("let t = Tensor::from_slice(&[1i64, 2]);"))
        text = "[1, 2]\n[2] Int64 cpu"
        nested = text.replace("\n", "\n    ")
        for code, expected in {
            "t": text, "&t": text, "(&t).shallow_clone()": text, "Some(t.copy())": f"Some\n    {nested}",
            "(t.copy(), t.copy())": f".0\n    {nested}\n.1\n    {nested}", "vec![t.copy()]": f"[0]\n    {nested}",
            'vec![("a".to_string(), t.copy())]': "a  [2] Int64 cpu",
            # All others as before
            "t.size()": "[2]", "(1, 2)": "(1, 2)", "vec![1.5]": "[1.5]", "Some(2)": "Some(2)", "None::<i64>": "None",
        }.items():
            run = self.assert_ok(self.run_cell(code))
            self.assertEqual([data["text/plain"] for data in run.result], [expected], code)

    def test_figures_of_plotters(self):
        for name, (mark, count, code) in PLOTS.items():
            run = self.assert_ok(self.run_cell(PLOTTERS + code))
            [data] = shown(run)
            self.assertEqual(data["text/html"].count(mark), count, name)

    def test_a_last_expression_is_shown_once_and_compiled_once(self):
        self.assert_ok(self.run_cell(
            "let image = Image::from(d2l::image::RgbImage::new(9, 9)); let x = image.to_tensor()?;"
            " let layer: Box<dyn Module> = Box::new(linear(2, 2)?);"
            ' let folder = std::env::temp_dir().join(format!("d2l-display-{}", std::process::id()));'
            ' std::fs::create_dir_all(folder.join("a"))?; d2l::image::RgbImage::new(9, 9).save(folder.join("a/1.png"))?;'
        ))
        self.addCleanup(self.run_cell, "std::fs::remove_dir_all(&folder)?;")
        [evcxr] = children(self.notebook.pid)
        source = folder_of(evcxr) / "src/lib.rs"
        for code, kind in {
            "Timer::new()": "text/plain",
            "Accumulator::new(2)": "text/plain",
            "ImageFolder::new(&folder)?": "text/plain", "DataLoader::new(ImageFolder::new(&folder)?, 2)?": "text/plain",
            "compose![ToTensor, Resize::new(8)?]": "text/plain",
            "SGD::new(linear(2, 2)?.parameters(), 0.1)?": "text/plain",
            "CrossEntropyLoss::new(d2l::tch::Reduction::None)": "text/plain",
            "DATA_HUB": "text/plain",
            "precision()": "text/plain",
            "layer": "text/plain",
            "&*layer": "text/plain",
            "Error::Interrupted": "text/plain",
            'Progress::new("reading", 3)': "text/plain",
            "&image": "image/svg+xml",
            'Animator::new("x", &["y"])': "image/svg+xml",
            'Animator::new("x", &["y"]).figure()?': "image/svg+xml",
            "Figure::draw(300, 200, |root| Ok(root.fill(&d2l::plotters::style::RED)?))?": "image/svg+xml",
            "x.i((0, ..2, ..2))": "text/html",
        }.items():
            run = self.assert_ok(self.run_cell(code))
            self.assertEqual([kind in data for data in shown(run)], [True], code)
            self.assertEqual(run.text() + run.text("stderr"), "", code)
            # What was compiled last is the first of what evcxr tries.
            self.assertIn(").evcxr_display();", source.read_text(), code)
        # A `Result` is shown by its Debug, once.
        svg = r'<svg xmlns="http://www.w3.org/2000/svg"/>'
        for code, text in {f'Figure::from_svg(r#"{svg}"#)': "Ok(Figure(SVG, 1 KB))", "check_interrupt()": "Ok(())"}.items():
            self.assertEqual(self.assert_ok(self.run_cell(code)).result, [{"text/plain": text}])
        self.assertNotIn(").evcxr_display();", source.read_text())

    def test_figures_of_ones_own(self):
        svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="3"/></svg>'
        [data] = self.assert_ok(self.run_cell(f'Figure::from_svg(r#"{svg}"#)?')).result
        self.assertEqual(data["image/svg+xml"], svg)
        run = self.assert_ok(self.run_cell(f'Figure::from_svg(r#"{svg}"#)?.show()?; println!("after");'))
        self.assertEqual([data["image/svg+xml"] for data in shown(run)], [svg])
        code = PLOTS["histogram"][2].replace("evcxr_figure((420, 300)", "Figure::draw(420, 300").replace("root.fill(&WHITE)?;", "")
        [data] = self.assert_ok(self.run_cell(f"{PLOTTERS}let figure = {code}?; figure")).result
        self.assertEqual(data["image/svg+xml"].count("<rect"), 1 + 3)
        [(text, _)] = self.errors('Figure::draw(420, 300, |_| Err("no data".into()))?')
        self.assertRegex(text, r"^Figure::draw: no data\n")

    def test_images_of_a_tensor_and_of_any_collection(self):
        self.assert_ok(self.run_cell(
            "let x = Tensor::rand([8, 3, 16, 16], (Kind::Float, Device::Cpu));"
            " let images: Vec<Image> = (0..3).map(|_| d2l::image::RgbImage::new(8, 8).into()).collect();"
        ))
        for code, count in {
            "&x, 2, 4": 8, "x.narrow(1, 0, 1), 2, 4": 8, "x.i(0), 1, 1": 1, "x.i((0, 0)), 1, 1": 1,
            "&images, 1, 3": 3, "&[&images[0]], 1, 1": 1, "images.iter().chain(&images), 2, 3": 6,
            "[x.i(0), x.i(1)], 1, 2": 2,
        }.items():
            run = self.assert_ok(self.run_cell(f"show_images({code}, 1.0)?;"))
            title = "<title>an image<" if count == 1 else f"<title>{count} images in a grid<"
            self.assertEqual([title in data["image/svg+xml"] for data in shown(run)], [True], code)
        for code, message, help in (
            ("5", "`{integer}` has no images to show", "as `&images` or `[&image]`, or a tensor"),
            ("&images[0]", "`&d2l::data::Image` has no images to show", "`[&image]`"),
            ("images.iter().map(|image| image.to_tensor())", "is not an image", "of a `Result`, what `?` gives"),
        ):
            [(error, text)] = self.errors(f"show_images({code}, 1, 3, 1.0)?;")
            self.assertIn(message, error)
            self.assertIn(help, text)

    def test_clear_output_of_the_crate(self):
        run = self.assert_ok(self.run_cell("clear_output(true);"))
        self.assertEqual([m["content"] for m in run.of("clear_output")], [{"wait": True}])


def shown(run):
    """What a cell shows and is worth, but for the line that says what a busy machine is doing."""
    displayed = [message["content"]["data"] for message in run.of("display_data")]
    return [data for data in displayed if data.keys() != {"text/plain"}] + run.result


def rust_string(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\x1e", "\\u{1e}") + '"'


def points(message):
    """The points of a figure's only curve."""
    svg = message["content"]["data"]["image/svg+xml"]
    curve = [part for part in svg.split("<polyline") if 'stroke="#0072B2"' in part]
    return max(len(part.split('points="')[1].split('"')[0].split()) for part in curve)


if __name__ == "__main__":
    unittest.main()
