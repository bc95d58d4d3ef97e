"""Decodes and resizes photographs with Pillow, for tests/it/images.rs: argument 1 is the file to write,
the others are the photographs. Writes their pixels by number, and those resized to 256×256."""

import sys

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

pixels = lambda image: torch.from_numpy(np.array(image))
values = {}
for i, path in enumerate(sys.argv[2:]):
    image = Image.open(path).convert("RGB")
    values[f"{i}"] = pixels(image)
    values[f"{i}/256"] = pixels(image.resize((256, 256), Image.Resampling.BILINEAR))
save_file(values, sys.argv[1])
