"""Opens fine_tuning.ipynb in JupyterLab in a headless Chromium, runs all cells, and looks.

Called by `cargo d2l test`, in quick mode. Screenshots go to target/jupyterlab. Skipped, with a line
that says so, where there is no Chromium; another one can be named in CHROMIUM.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

import nbformat
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
TOKEN = "d2l-test"
PORT = 8931
URL = f"http://127.0.0.1:{PORT}"
LIMIT = 900  # seconds for all cells


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


def look(chromium, notebook, screenshots):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 1400})
        page.goto(f"{URL}/lab/tree/notebooks/{notebook.name}?token={TOKEN}")
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=120_000)
        page.get_by_text("Rust (d2l)").first.wait_for(timeout=60_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

        # JupyterLab renders cells as they come into view, so the kernel's state tells the end.
        status = ".jp-Notebook-ExecutionIndicator"

        def idle():
            return page.locator(f'{status}[data-status="idle"]').count() > 0

        wait_for("a busy kernel", lambda: not idle(), 60)
        wait_for("the end of all cells", lambda: stays_idle(idle), LIMIT)

        errors = page.locator('.jp-OutputArea-output[data-mime-type*="stderr"]')
        if errors.count():
            sys.exit("JupyterLab: a cell wrote to stderr:\n" + errors.first.inner_text())
        panel = page.locator(".jp-WindowedPanel-outer").first
        figures, shots, height = set(), 0, 1200
        screenshots.mkdir(parents=True, exist_ok=True)
        panel.evaluate("p => p.scrollTo(0, 0)")
        while True:
            page.wait_for_timeout(700)
            page.screenshot(path=screenshots / f"{shots:02}.png")
            for label in page.locator(".jp-OutputArea-output svg, .jp-RenderedSVG img").evaluate_all(
                "nodes => nodes.map(n => n.src || n.outerHTML)"
            ):
                figures.add(hash(label))
            shots += 1
            before = panel.evaluate("p => p.scrollTop")
            panel.evaluate(f"p => p.scrollBy(0, {height})")
            page.wait_for_timeout(300)
            if panel.evaluate("p => p.scrollTop") == before or shots > 40:
                break
        browser.close()
    if len(figures) < 4:
        sys.exit(f"JupyterLab: {len(figures)} figures, expected the grid, two sets of curves and the comparison")
    print(f"JupyterLab: all cells ran, {len(figures)} figures; {shots} screenshots in {screenshots}")


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
    # A copy beside the original, as its cells name `..`; the original stays as it is.
    notebook = ROOT / "notebooks" / "jupyterlab_test.ipynb"
    cells = nbformat.read(ROOT / "notebooks" / "fine_tuning.ipynb", as_version=4)
    for cell in cells.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbformat.write(cells, notebook)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={PORT}"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={ROOT}", "--ServerApp.port_retries=0"]
    log = open(ROOT / "target" / "jupyterlab.log", "w")
    # Not the user's own: JupyterLab would open what it had open last, and obey the user's settings.
    config = tempfile.TemporaryDirectory()
    environment = os.environ | {"JUPYTER_CONFIG_DIR": config.name}
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for("an answer", lambda: server.poll() is not None or answers(), 60)
        if server.poll() is not None:
            sys.exit("JupyterLab did not start; see target/jupyterlab.log")
        look(chromium, notebook, ROOT / "target" / "jupyterlab")
    finally:
        server.terminate()
        server.wait(30)
        config.cleanup()
        notebook.unlink(missing_ok=True)


main()
