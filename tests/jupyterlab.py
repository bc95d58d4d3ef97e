"""Opens notebooks in JupyterLab in a headless Chromium, runs their cells, and checks what appears.

The Japanese edition of fine_tuning.ipynb is run from the top to the end, and shown in the light theme and
the dark one (`cargo d2l run` executes the others). In a small notebook of its own, a training is looked
at in its middle, where there are a bar and a part of the curves, and stopped with the page's button;
its variables must be there afterwards. The English edition is only opened: its images must be there.

Called by `cargo d2l test`, in quick mode. Screenshots go to target/jupyterlab. Skipped, with a line
that says so, where there is no Chromium; another one can be named in CHROMIUM.
"""

import os
import secrets
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

import nbformat
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
TOKEN = secrets.token_hex(16)


def free_port():
    """A free port: a fixed one may belong to another JupyterLab."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


PORT = free_port()
URL = f"http://127.0.0.1:{PORT}"
LIMIT = 900  # seconds for all cells
FIGURES = 8  # at least, in fine_tuning.ipynb


def wait_for(what, test, seconds):
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            sys.exit(f"JupyterLab: {what} did not come within {seconds} s")
        time.sleep(1)


def answers():
    try:
        return urlopen(f"{URL}/api?token={TOKEN}").status == 200
    except OSError:
        return False


# A cell's error has the type of text on standard error.
ERROR = '.jp-OutputArea-output[data-mime-type*="stderr"]'
STATUS = ".jp-Notebook-ExecutionIndicator"


def open_notebook(browser, notebook):
    page = browser.new_page(viewport={"width": 1100, "height": 1400})
    page.goto(f"{URL}/lab/tree/{notebook.relative_to(ROOT)}?reset&token={TOKEN}")
    page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=120_000)
    page.locator(".jp-NotebookPanel-toolbar").get_by_text("Rust (d2l)").wait_for(timeout=60_000)
    return page


def run_menu(page, item):
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator(f'.lm-Menu-item[data-command="runmenu:{item}"]').click()


def wait_for_end(page):
    # JupyterLab renders cells as they come into view, so the kernel's state marks the end.
    def idle():
        return page.locator(f'{STATUS}[data-status="idle"]').count() > 0

    wait_for("a busy kernel", lambda: not idle(), 60)
    wait_for("the end of all cells", lambda: stays_idle(idle), LIMIT)


def run_all(browser, notebook, screenshots):
    """All cells of the lesson."""
    page = open_notebook(browser, notebook)
    run_menu(page, "run-all")
    wait_for_end(page)
    errors = page.locator(ERROR)
    if errors.count():
        sys.exit("JupyterLab: a cell failed:\n" + errors.first.inner_text())
    figures, shots = look(page, screenshots, "light")
    page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    page.locator('body[data-jp-theme-light="false"]').wait_for(state="attached", timeout=30_000)
    shots += look(page, screenshots, "dark")[1]
    page.close()
    if len(figures) < FIGURES:
        sys.exit(f"JupyterLab: {len(figures)} figures, expected {FIGURES}: grids, curves of each training and the comparison")
    print(f"JupyterLab: all cells ran, {len(figures)} figures; {shots} screenshots in {screenshots}")


def look_only(browser, notebook, screenshots):
    """A committed notebook, as `cargo d2l lab` opens it: its images are there before any cell is run."""
    diff = ["git", "diff", "--quiet", "HEAD", "--", notebook]
    if shutil.which("git") is None or subprocess.run(diff, cwd=ROOT).returncode != 0:
        print(f"skipped: {notebook.name} as it is committed, as it was changed, or there is no history")
        return
    subprocess.run([sys.executable, ROOT / "cli/python/trust.py"], check=True)
    page = open_notebook(browser, notebook)
    figures, shots = look(page, screenshots, "committed")
    page.close()
    if len(figures) < FIGURES:
        sys.exit(f"JupyterLab: {len(figures)} figures before a cell is run, expected {FIGURES}")
    print(f"JupyterLab: {len(figures)} figures before a cell is run; {shots} screenshots")


def look(page, screenshots, theme):
    """Scrolls through the notebook. Returns its figures and the number of screenshots."""
    panel = page.locator(".jp-WindowedPanel-outer").first
    figures, shots, height = set(), 0, 1200
    panel.evaluate("p => p.scrollTo(0, 0)")
    while True:
        page.wait_for_timeout(700)
        page.screenshot(path=screenshots / f"{theme}-{shots:02}.png")
        for label in page.locator(".jp-OutputArea-output svg, .jp-RenderedSVG img").evaluate_all(
            "nodes => nodes.map(n => n.src || n.outerHTML)"
        ):
            figures.add(hash(label))
        shots += 1
        before = panel.evaluate("p => p.scrollTop")
        panel.evaluate(f"p => p.scrollBy(0, {height})")
        page.wait_for_timeout(300)
        if panel.evaluate("p => p.scrollTop") == before or shots > 40:
            return figures, shots


TRAINING = [
    # Quick mode's few images would be learned before the button is found.
    ":env D2L_DATASET_LIMIT=400\n:restart",
    ':dep d2l = { path = ".." }\nuse d2l::prelude::*;',
    """let data_dir = download_extract("hotdog")?;
let augs = compose![Resize::new([224, 224])?, ToTensor];
let train_iter = DataLoader::new(ImageFolder::with_transform(data_dir.join("train"), &augs)?, 2)?.shuffle(true);
let test_iter = DataLoader::new(ImageFolder::with_transform(data_dir.join("test"), &augs)?, 2)?;
let mut net = efficientnet_lite0(Weights::ImageNet)?;
net.fc = linear(net.fc.in_features(), 2)?;
let loss = CrossEntropyLoss::new(Reduction::None);
let mut trainer = SGD::new(net.parameters(), 1e-5)?.weight_decay(0.001)?;""",
    "let summary = train_ch13(&net, &train_iter, &test_iter, &loss, &mut trainer, 1, &try_all_gpus())?;",
    'println!("the network is still here: {:?}, stopped: {}", net.fc.weight.size(), summary.stopped);',
]


def stop_training(browser, notebook, screenshots):
    """The page's stop button in the middle of a training run."""
    page = open_notebook(browser, notebook)
    run_menu(page, "run-all")
    bar, curves = page.locator(".jp-OutputArea-output progress"), page.locator(".jp-RenderedSVG")
    wait_for("a bar", lambda: bar.count() == 1 and "training" in bar.locator("..").inner_text(), 300)
    wait_for("curves", lambda: curves.count() == 1, 120)
    first = bar.get_attribute("value")
    page.screenshot(path=screenshots / "training.png")
    wait_for("a bar that moves", lambda: bar.get_attribute("value") != first, 60)
    page.locator('[data-command="notebook:interrupt-kernel"]').first.click()
    ended = page.locator(".jp-RenderedText").filter(has_text=re.compile(r"stopped (in|after) epoch \d"))
    wait_for("the end of the training", lambda: ended.count() == 1, 60)
    if curves.count() != 1:
        sys.exit(f"JupyterLab: stopped, but with {curves.count()} figures")
    # The last cell was queued after the training and was not run.
    if page.get_by_text("the network is still here: [").count():
        sys.exit("JupyterLab: a cell ran behind the one that was stopped")
    page.locator(".jp-CodeCell").last.locator(".jp-InputArea-editor").click()
    run_menu(page, "run")
    page.get_by_text("the network is still here: [2, 1280], stopped: true").wait_for(timeout=60_000)
    page.screenshot(path=screenshots / "stopped.png")
    page.close()
    print("JupyterLab: a training was seen in its middle and stopped; its variables are there")


def stays_idle(idle):
    """Between two cells the kernel is idle for a moment."""
    for _ in range(6):
        time.sleep(0.5)
        if not idle():
            return False
    return True


def main():
    names = [os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    chromium = next((path for path in map(shutil.which, filter(None, names)) if path), None)
    if chromium is None:
        print("skipped: JupyterLab in a browser, as there is no Chromium (Debian: apt install chromium)")
        return
    # Copies beside the original, as their cells name the crate from there; the original stays as it is.
    lesson = ROOT / "notebooks" / "ja" / "jupyterlab_test.ipynb"
    training = ROOT / "notebooks" / "jupyterlab_test_stop.ipynb"
    cells = nbformat.read(ROOT / "notebooks" / "ja" / "fine_tuning.ipynb", as_version=4)
    for cell in cells.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbformat.write(cells, lesson)
    cells.cells = [nbformat.v4.new_code_cell(source) for source in TRAINING]
    nbformat.write(cells, training)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={PORT}"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={ROOT}", "--ServerApp.port_retries=0", "--LabApp.expose_app_in_browser=True"]
    log = open(ROOT / "target" / "jupyterlab.log", "w")
    # Not the user's own folders: JupyterLab would reopen what was open last, obey the user's settings, and trust
    # what the user trusts.
    config = tempfile.TemporaryDirectory()
    os.environ |= {"JUPYTER_CONFIG_DIR": config.name, "JUPYTER_DATA_DIR": config.name}
    server = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for("an answer", lambda: server.poll() is not None or answers(), 60)
        if server.poll() is not None:
            sys.exit("JupyterLab did not start; see target/jupyterlab.log")
        screenshots = ROOT / "target" / "jupyterlab"
        screenshots.mkdir(parents=True, exist_ok=True)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            look_only(browser, ROOT / "notebooks" / "fine_tuning.ipynb", screenshots)
            stop_training(browser, training, screenshots)
            run_all(browser, lesson, screenshots)
            browser.close()
    finally:
        server.terminate()
        server.wait(30)
        config.cleanup()
        lesson.unlink(missing_ok=True)
        training.unlink(missing_ok=True)


main()
