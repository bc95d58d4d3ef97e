"""Makes the inputs that a fuzzer starts from, in fuzz/corpus: small archives, files of weights and
lines of a program's output. Images it takes from tests/reference/images.

    .venv/bin/python fuzz/seeds.py
"""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
REFERENCE = Path(__file__).parent.parent / "tests/reference"


def write(target, name, content):
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def tar(names):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, kind in names:
            entry = tarfile.TarInfo(name)
            entry.type = kind
            entry.size = 4 if kind == tarfile.REGTYPE else 0
            entry.linkname = "../outside" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            archive.addfile(entry, io.BytesIO(b"data"))
    return content.getvalue()


def zipped(names, compression=zipfile.ZIP_DEFLATED):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"data" * 9)
    return content.getvalue()


def main():
    file, folder, link, hard = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
    good = [("set/", folder), ("set/a.txt", file), ("set/inner/b.txt", file)]
    write("archive", "good.zip", b"\0" + zipped(["set/a.txt", "set/inner/b.txt", "set/empty/"]))
    write("archive", "stored.zip", b"\0" + zipped(["set/a.txt"], zipfile.ZIP_STORED))
    write("archive", "outside.zip", b"\0" + zipped(["../a.txt", "/b.txt", "c/../../d"]))
    write("archive", "good.tar", b"\1" + tar(good)[:3072])
    write("archive", "links.tar", b"\1" + tar([("a", link), ("b", hard)])[:3072])
    write("archive", "good.tar.gz", b"\2" + gzip.compress(tar(good), mtime=0))
    write("archive", "outside.tar.gz", b"\2" + gzip.compress(tar([("../a", file)]), mtime=0))
    # The kind, how many files, then what each number and name is taken from: see `Heads` in targets.rs.
    for kind, name in enumerate(["zip", "tar", "tar.gz"]):
        write("archive_headers", f"right_{name}", bytes([kind, 3]))
        for i in range(4):
            write("archive_headers", f"{name}_{i}", bytes([kind, 1 + i]) + bytes((7 * i + 31 * j) % 211 for j in range(90)))
            odd = bytes(0xf0 + (3 * i + 5 * j) % 16 if j % 11 == i else 0 for j in range(120))
            write("archive_headers", f"{name}_odd_{i}", bytes([kind, 1 + i]) + odd)
    for path in (REFERENCE / "weights").iterdir():
        write("weights", path.name, b"\0" + path.read_bytes())
        if zipfile.is_zipfile(path) and path.stem != "without_checksums":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if name.endswith("/data.pkl"):
                        write("weights", f"{path.stem}.pkl", b"\1" + archive.read(name))
    for path in (REFERENCE / "images").iterdir():
        write("image", path.name, path.read_bytes())
    # As `jpeg` in targets.rs reads them: the number of segments, then two bytes and the content for each
    tables = bytes([5, 0, 8, 0, 9, 0])
    frame = lambda kind, factors: bytes([6, 0, 1, 16, 16, 1, kind]) + bytes(factors)
    scan = lambda colours, first, last: bytes([11, 0, colours - 1, 0, first, last, 200]) + bytes(range(200))
    for name, content in {
        "plain": bytes([5]) + tables + frame(0, [0, 0, 0]) + scan(3, 0, 63),
        "half": bytes([6, 0, 0]) + tables + frame(0, [0x11, 0, 0]) + scan(3, 0, 63),
        "finer": bytes([6, 1, 0, 0]) + tables + frame(1, [0, 0x11, 0x11]) + scan(3, 0, 63),
        "progressive": bytes([6]) + tables + frame(2, [0, 0, 0]) + scan(3, 0, 0) + scan(1, 1, 63),
        "restarts": bytes([7, 10, 1]) + tables + frame(0, [0, 0, 0]) + scan(3, 0, 63) + bytes([13, 0]),
        "turned": bytes([6, 2, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]) + tables + frame(0, [0, 0, 0]) + scan(3, 0, 63),
        "trailer": bytes([6]) + tables + frame(0, [0, 0, 0]) + scan(3, 0, 63) + b"\x0e\0\0ftyp",
    }.items():
        write("jpeg", name, content)
    mark = b"\x1ejupyter/1 "
    lines = [
        b"plain text\nand more", mark + b'display_data {"data": {"text/plain": "x"}}\n',
        mark + b'update_display_data {"data": {}, "transient": {"display_id": "1"}}\n',
        mark + b'clear_output {"wait": true}\n' + mark + b"listening {}\n", mark + b"display_data {broken\n",
        b"EVCXR_BEGIN_CONTENT text/html\n<b>x</b>\nEVCXR_END_CONTENT\n", b"xEVCXR_PANIC_NOTIFICATION\n",
        b"EVCXR_EXECUTION_COMPLETE\n", "絵\xff".encode("latin-1", "ignore") + b"\xe7\xb5\n",
    ]
    for i, line in enumerate(lines):
        write("display_line", f"line_{i}", line)


if __name__ == "__main__":
    main()
