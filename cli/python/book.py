"""Makes a site of all notebooks, in all languages, that opens from the disk: target/book/index.html.

Called by `cargo d2l book`. Sphinx, with what reads notebooks, has a virtual environment of its own.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "docs" / "book"
FOLDER = ROOT / "target" / "book"
NOTEBOOKS = ROOT / "notebooks"
# Where the notebooks of a language are.
LANGUAGES = {"en": NOTEBOOKS, "ja": NOTEBOOKS / "ja"}


def sphinx():
    """Python with Sphinx; its environment is created if it is missing."""
    environment, requirements = ROOT / "target" / "book-python", SOURCE / "requirements.txt"
    python, stamp = environment / "bin" / "python", environment / "requirements"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        print("Installing Sphinx into target/book-python ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", requirements], check=True)
        stamp.write_text(requirements.read_text())
    return python


def gather(language, pages):
    """The pages of a language, in a folder for Sphinx."""
    shutil.rmtree(pages, ignore_errors=True)
    for folder in ("templates", "static"):
        shutil.copytree(SOURCE / folder, pages / folder)
    shutil.copy(SOURCE / "conf.py", pages)
    shutil.copy(SOURCE / f"index.{language}.md", pages / "index.md")
    shutil.copytree(NOTEBOOKS / "img", pages / "img")
    for folder in ("", "solutions"):
        (pages / folder).mkdir(exist_ok=True)
        for notebook in (LANGUAGES[language] / folder).glob("*.ipynb"):
            # The images are beside the English notebooks.
            text = notebook.read_text(encoding="utf-8").replace("](../img/", "](img/")
            (pages / folder / notebook.name).write_text(text, encoding="utf-8")


def describe(page, site):
    """Copies the title inside each image that a cell drew into its alt text."""
    def with_description(match):
        tag, source = match.group(0), match.group(1)
        image = (page.parent / source).resolve()
        title = None
        if image.suffix == ".svg" and image.is_relative_to(site.resolve()) and image.exists():
            words = r'<title>(.*?)</title>|<svg[^>]* aria-label="([^"]*)"'
            title = re.search(words, image.read_text(encoding="utf-8"), re.S)
        if not title:
            return tag
        description = (title.group(1) or title.group(2)).replace('"', "&quot;")
        return re.sub(r'\salt="[^"]*"', "", tag).replace("<img ", f'<img alt="{description}" ', 1)

    text = page.read_text(encoding="utf-8")
    page.write_text(re.sub(r'<img [^>]*?src="([^"]+)"[^>]*>', with_description, text), encoding="utf-8")


def main():
    python = sphinx()
    for language in LANGUAGES:
        pages, site = FOLDER / "pages" / language, FOLDER / language
        gather(language, pages)
        shutil.rmtree(site, ignore_errors=True)
        subprocess.run(
            [python, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", pages, site],
            check=True,
            env={**os.environ, "D2L_BOOK_LANGUAGE": language},
        )
        for page in site.rglob("*.html"):
            describe(page, site)
    # What myst-nb would execute, and what Sphinx has read
    for folder in ("jupyter_execute", "pages"):
        shutil.rmtree(FOLDER / folder, ignore_errors=True)
    start = '<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=en/index.html">'
    (FOLDER / "index.html").write_text(start + '<a href="en/index.html">d2l in Rust</a>\n', encoding="utf-8")
    print(FOLDER / "index.html")


try:
    main()
except BrokenPipeError:
    # The reader is gone, as in `cargo d2l book | head`; Python would complain when it exits.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(141)
except subprocess.CalledProcessError as error:
    sys.exit(f"{' '.join(map(str, error.cmd))} ended with {error.returncode}; see above")
