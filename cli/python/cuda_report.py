"""Says in a line of JSON what the NVIDIA driver and libtorch's CUDA half have to say, without torch, which
cannot be imported where its CUDA packages are not installed.

Called by `cargo d2l setup` and `cargo d2l doctor`; with the folder of libtorch's libraries it also tries
whether libtorch can use the GPUs.

    {"driver": false}
    {"driver": true, "gpus": [], "reason": "no CUDA-capable device is detected"}
    {"driver": true, "gpus": ["NVIDIA H100"], "cuda": "13.0", "bf16": true, "half": false, "reason": "…"}
    {"driver": true, "gpus": ["NVIDIA H100"], "cuda": "13.0", "bf16": true, "half": true, "usable": 1}
"""

import ctypes
import json
import sys
from pathlib import Path

# The driver's number for the first part of a compute capability
COMPUTE_CAPABILITY_MAJOR = 75


class Driver:
    def __init__(self):
        self.library = ctypes.CDLL("libcuda.so.1")

    def call(self, function, *arguments):
        status = self.library[function](*arguments)
        if status:
            text = ctypes.c_char_p()
            self.library.cuGetErrorString(status, ctypes.byref(text))
            raise OSError((text.value or b"").decode() or f"{function} returned {status}")

    def number(self, function, *arguments):
        value = ctypes.c_int()
        self.call(function, ctypes.byref(value), *arguments)
        return value.value

    def gpus(self):
        """The devices' names, the newest CUDA that the driver knows, and whether all of the devices
        multiply bfloat16."""
        self.call("cuInit", 0)
        names, bf16 = [], True
        for place in range(self.number("cuDeviceGetCount")):
            device, name = self.number("cuDeviceGet", place), ctypes.create_string_buffer(100)
            self.call("cuDeviceGetName", name, len(name), device)
            names.append(name.value.decode(errors="replace"))
            bf16 &= self.number("cuDeviceGetAttribute", COMPUTE_CAPABILITY_MAJOR, device) >= 8
        version = self.number("cuDriverGetVersion")
        return {"gpus": names, "cuda": f"{version // 1000}.{version % 1000 // 10}", "bf16": bf16}


def libtorch(folder):
    """Whether libtorch's CUDA half is there, and how many devices it can use."""
    try:
        ctypes.CDLL(folder / "libtorch_cuda.so", ctypes.RTLD_GLOBAL)
    except OSError as error:
        return {"half": False, "reason": str(error)}
    # c10::cuda::device_count(), which warns on standard error if the driver is too old
    count = ctypes.CDLL(folder / "libc10_cuda.so")["_ZN3c104cuda12device_countEv"]
    count.restype = ctypes.c_int8
    return {"half": True, "usable": count()}


def report():
    try:
        driver = Driver()
    except OSError:
        return {"driver": False}
    try:
        gpus = driver.gpus()
    except (OSError, AttributeError) as error:
        return {"driver": True, "gpus": [], "reason": str(error)}
    if not gpus["gpus"]:
        return {"driver": True, "gpus": [], "reason": "it lists no device"}
    half = libtorch(Path(sys.argv[1])) if len(sys.argv) > 1 else {}
    return {"driver": True, **gpus, **half}


print(json.dumps(report()))
