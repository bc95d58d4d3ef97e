"""Unpacks the kernel from a wheel, and prints the digest of the sources that it was built from.

Called by `cargo d2l setup` with the wheel and the file to write.
"""

import os
import sys
import zipfile

KERNEL, SOURCES = ".data/scripts/d2l-kernel", ".data/data/share/d2l/kernel-sources"


def main():
    wheel, target = sys.argv[1:]
    try:
        with zipfile.ZipFile(wheel) as archive:
            # Reading checks each file's sum.
            files = {end: archive.read(name) for name in archive.namelist() for end in (KERNEL, SOURCES) if name.endswith(end)}
    except (OSError, zipfile.BadZipFile, zipfile.zlib.error) as error:
        sys.exit(f"{wheel} cannot be read: {error}")
    if len(files) != 2:
        sys.exit(f"{wheel} has no kernel in it")
    with open(target, "wb") as file:
        file.write(files[KERNEL])
    os.chmod(target, 0o755)
    print(files[SOURCES].decode().strip())


main()
