"""Has JupyterLab trust this project's notebooks, so that they show their images before they are run.

JupyterLab shows no SVG of a notebook that was not run on the same machine. Whoever has set this project up
has run its code; so its notebooks are trusted, as long as they are what the project's history holds. What
was changed or put beside them is left to the reader.

Called by `cargo d2l lab`.
"""

import os
import subprocess
from pathlib import Path

import nbformat
from nbformat.sign import NotebookNotary

ROOT = Path(__file__).parents[2]


def git(*arguments):
    command = ["git", *arguments, "-z", "--", "notebooks/*.ipynb"]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    return set(map(os.fsdecode, output.split(b"\0")[:-1]))


def main():
    try:
        # Against the last commit: files that were only added are not in the history.
        unchanged = git("ls-files") - git("diff", "HEAD", "--relative", "--name-only")
    except (OSError, subprocess.CalledProcessError):
        return  # no git, or not its working tree: nobody knows what was changed
    with NotebookNotary() as notary:
        for path in unchanged:
            notebook = nbformat.read(ROOT / path, as_version=4)
            if not notary.check_signature(notebook):
                notary.sign(notebook)


main()
