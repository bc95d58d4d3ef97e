"""Says in one line whether CUDA is usable, and if not, why. Called by `cargo d2l doctor`."""

import shutil
import warnings

import torch

if torch.version.cuda is None:
    print("absent: this torch was built without CUDA; training runs on the CPU")
elif torch.cuda.is_available():
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    bf16 = "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no bfloat16"
    print(f"usable: {', '.join(names)}; CUDA {torch.version.cuda}, {bf16}")
elif shutil.which("nvidia-smi") is None:
    print("no NVIDIA driver here (no nvidia-smi); training runs on the CPU")
else:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.cuda.init()
            reason = "no device"
        except Exception as error:
            reason = str(error).splitlines()[0]
    print(f"a driver is there, but torch {torch.__version__} cannot use it: {reason}")
