"""evcxr_jupyter as it is, for the benchmark and the tests to compare with: its build folder and its environment."""

import os
import shutil
import tempfile
from pathlib import Path

FOLDERS = Path(__file__).parents[2] / "target" / "kernels"


def copy_of_template():
    """A build folder that is as warm as our kernel's, until it is cleaned up."""
    folder = tempfile.TemporaryDirectory(dir=FOLDERS, prefix="stock-")
    shutil.copytree(FOLDERS / "template", folder.name, dirs_exist_ok=True, copy_function=link_or_copy)
    return folder


def link_or_copy(source, target):
    """Links for large files, as our kernel makes them."""
    if os.path.getsize(source) < 1 << 16:
        shutil.copy2(source, target)
    else:
        os.link(source, target)


def environment(folder):
    """Variables with which our kernel's executable is evcxr_jupyter, in this folder."""
    return {"D2L_KERNEL_STOCK": "1", "EVCXR_TMPDIR": folder}
