"""Makes the values that the Rust tests compare with, from Pillow, torchvision and PyTorch.

    .venv/bin/pip install -r tests/requirements.txt
    .venv/bin/python tests/reference/make.py            # writes them
    .venv/bin/python tests/reference/make.py --check    # says whether they are what it makes today

Weights, pictures and inputs come from a formula on whole numbers that tests/common/mod.rs has too,
so that only results need to be kept. Writes transforms.safetensors, models.safetensors and
training.safetensors beside itself.
"""

import math
import sys
import tempfile
from pathlib import Path

import efficientnet_lite_pytorch
import numpy as np
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file, save_file
from torchvision.transforms import functional as F

FOLDER = Path(__file__).parent


def noise(count, key):
    """`count` numbers from -0.5 to 0.5 (f32): the high bits of a multiplied counter."""
    i = np.arange(count, dtype=np.uint64)
    mixed = (i * np.uint64(2654435761) + np.uint64(key) * np.uint64(40503) + np.uint64(12345)) % np.uint64(1 << 32)
    mixed = (mixed ^ (mixed >> np.uint64(15))) * np.uint64(2246822519) % np.uint64(1 << 32)
    return ((mixed >> np.uint64(8)).astype(np.float64) / (1 << 24) - 0.5).astype(np.float32)


def picture(width, height):
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
        source = picture(width, height)
        name = f"{width}x{height}"
        values[f"source/{name}"] = pixels(source)
        for size in ([40, 56], [96, 96], 29):
            key = size if isinstance(size, int) else f"{size[0]}x{size[1]}"
            values[f"resize/{name}/{key}"] = pixels(F.resize(source, size, bilinear))
        for size in (24, 52):
            values[f"center_crop/{name}/{size}"] = pixels(F.center_crop(source, size))
        box = (3, 5, height // 2, width // 3)  # top, left, height, width
        values[f"resized_crop/{name}"] = pixels(F.resized_crop(source, *box, [48, 48], bilinear))
        values[f"flip/{name}"] = pixels(F.hflip(source))
    tensor = F.normalize(F.to_tensor(picture(61, 47)), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    values["normalize/61x47"] = tensor
    # Quantiles of the boxes' area and of their ratio's logarithm, for two shapes
    torch.manual_seed(0)
    for width, height in [(400, 300), (100, 900)]:
        shapes = []
        for _ in range(20000):
            *_, h, w = torchvision.transforms.RandomResizedCrop.get_params(
                torch.empty(3, height, width), (0.08, 1.0), (3 / 4, 4 / 3)
            )
            shapes.append((w * h / (width * height), math.log(w / h)))
        quantiles = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
        values[f"boxes/{width}x{height}"] = torch.quantile(torch.tensor(shapes, dtype=torch.float64), quantiles, dim=0)
    save_file({key: value.contiguous() for key, value in values.items()}, FOLDER / "transforms.safetensors")


def fill(net):
    """Values of moderate size for every tensor of a net, by formula."""
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
    """The package's net, with PyTorch's usual momentum in batch norm and nothing dropped."""
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
    for name, net in [("resnet18", torchvision.models.resnet18()), ("efficientnet_lite0", efficientnet())]:
        fill(net)
        state = net.state_dict()
        names = [".".join(part.lstrip("_") for part in key.split(".")) for key in state]
        (FOLDER / f"{name}.keys").write_text(
            "".join(f"{key} {list(value.shape)}\n" for key, value in zip(names, state.values()))
        )
        x = inputs(2, 96, 7)
        if name == "efficientnet_lite0":
            # The crate folds the net's own input scale in.
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
    # The spread of torchvision's own initial values, layer by layer
    torch.manual_seed(0)
    fresh = torchvision.models.resnet18().state_dict()
    kept = {key: value for key, value in fresh.items() if not key.endswith("num_batches_tracked")}
    values["resnet18/initial_std"] = torch.stack([value.double().std(correction=0) for value in kept.values()])
    values["resnet18/initial_mean"] = torch.stack([value.double().mean() for value in kept.values()])
    save_file({key: value.contiguous() for key, value in values.items()}, FOLDER / "models.safetensors")


def training():
    """Ten steps of the book's recipe: summed losses, SGD in two groups, weight decay."""
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
    net.train()
    for step in range(10):
        x, y = inputs(6, 64, 100 + step), (torch.arange(6) + step) % 2
        trainer.zero_grad()
        scores = net(x)
        total = loss(scores, y).sum()
        total.backward()
        trainer.step()
        sums.append(total.item())
        right.append((scores.argmax(1) == y).sum().item())
    values = {
        "loss": torch.tensor(sums, dtype=torch.float64),
        "right": torch.tensor(right),
        "fc": net.fc.weight.detach(),
        "norms": torch.stack([p.detach().double().norm() for p in net.parameters()]),
        "sums": torch.stack([p.detach().double().sum() for p in net.parameters()]),
    }
    save_file({key: value.contiguous() for key, value in values.items()}, FOLDER / "training.safetensors")


def same(committed, made):
    """Equal up to the rounding of another processor."""
    old, new = load_file(committed), load_file(made)
    return old.keys() == new.keys() and all(
        old[key].shape == new[key].shape
        and torch.allclose(old[key].double(), new[key].double(), rtol=1e-3, atol=1e-3)
        for key in old
    )


def check():
    global FOLDER
    committed = FOLDER
    with tempfile.TemporaryDirectory() as folder:
        FOLDER = Path(folder)
        transforms(), models(), training()
        for made in sorted(FOLDER.iterdir()):
            old = committed / made.name
            equal = same(old, made) if made.suffix == ".safetensors" else old.read_text() == made.read_text()
            if not equal:
                sys.exit(f"{old} is not what make.py makes today; run it and look at the difference")
            print(f"{made.name} is what make.py makes")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        check()
    else:
        transforms(), models(), training()
    print("torch", torch.__version__, "torchvision", torchvision.__version__)
