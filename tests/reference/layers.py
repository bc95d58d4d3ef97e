"""Layers by themselves and in small networks: outputs, gradients, names, texts and initial values."""

import json

import torch
from safetensors.torch import save_file
from torch import nn


def cases():
    """Layers, and the shapes of their inputs."""
    lenet = nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2, stride=2), nn.Conv2d(6, 16, 5), nn.Sigmoid(),
        nn.AvgPool2d(2, stride=2), nn.Flatten(), nn.Linear(16 * 5 * 5, 120), nn.Sigmoid(), nn.Linear(120, 84),
        nn.Sigmoid(), nn.Linear(84, 10),
    )
    fcn = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
    fcn.add_module("final_conv", nn.Conv2d(8, 4, 1))
    fcn.add_module("transpose_conv", nn.ConvTranspose2d(4, 4, 4, stride=2, padding=1))
    block = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2))
    ssd = nn.Sequential(block, nn.AdaptiveAvgPool2d((2, 3)), nn.Conv2d(6, 4 * 2, 3, padding=1))
    return {
        "conv": (nn.Conv2d(3, 8, 5), (2, 3, 12, 10)),
        "conv_all": (
            nn.Conv2d(4, 8, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(2, 1), groups=2, bias=False), (2, 4, 13, 11),
        ),
        "conv_depthwise": (nn.Conv2d(6, 6, 3, stride=2, padding=1, groups=6), (2, 6, 9, 8)),
        "conv_of_one": (nn.Conv2d(3, 8, 3), (3, 6, 7)),
        "transpose": (nn.ConvTranspose2d(3, 8, 4), (2, 3, 5, 6)),
        "transpose_stride": (nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1), (2, 4, 5, 6)),
        "transpose_all": (
            nn.ConvTranspose2d(
                4, 6, (3, 4), stride=(3, 2), padding=(1, 0), output_padding=(2, 1), groups=2, bias=False, dilation=(1, 2),
            ),
            (2, 4, 5, 6),
        ),
        "transpose_dilated": (nn.ConvTranspose2d(2, 3, 3, dilation=3, output_padding=2), (2, 2, 4, 5)),
        "transpose_of_one": (nn.ConvTranspose2d(2, 3, 3, stride=2), (2, 4, 5)),
        "max_pool": (nn.MaxPool2d(2), (2, 3, 9, 8)),
        "max_pool_all": (nn.MaxPool2d((3, 2), stride=(2, 3), padding=1, dilation=(2, 3), ceil_mode=True), (2, 3, 12, 11)),
        "max_pool_of_one": (nn.MaxPool2d(3, stride=2, padding=1), (3, 8, 8)),
        "avg_pool": (nn.AvgPool2d(2), (2, 3, 9, 8)),
        "avg_pool_all": (
            nn.AvgPool2d((3, 2), stride=2, padding=1, ceil_mode=True, count_include_pad=False), (2, 3, 8, 7),
        ),
        "avg_pool_padded": (nn.AvgPool2d(3, stride=1, padding=1), (2, 3, 8, 7)),
        "adaptive": (nn.AdaptiveAvgPool2d(1), (2, 3, 7, 5)),
        "adaptive_pair": (nn.AdaptiveAvgPool2d((3, 2)), (2, 3, 7, 5)),
        "relu": (nn.ReLU(), (2, 3, 4)),
        "relu_inplace": (nn.ReLU(inplace=True), (2, 3, 4)),
        "relu6": (nn.ReLU6(), (40,)),
        "relu6_inplace": (nn.ReLU6(inplace=True), (40,)),
        "sigmoid": (nn.Sigmoid(), (5, 7)),
        "flatten": (nn.Flatten(), (2, 3, 4, 5)),
        "linear": (nn.Linear(12, 5), (4, 12)),
        "linear_without_bias": (nn.Linear(12, 5, bias=False), (2, 3, 12)),
        "batch_norm": (nn.BatchNorm2d(5), (3, 5, 4, 2)),
        "batch_norm_all": (nn.BatchNorm2d(5, eps=0.05, momentum=0.3), (3, 5, 4, 2)),
        "dropout_of_nothing": (nn.Dropout(0.0), (3, 4)),
        "dropout_of_all": (nn.Dropout(1.0), (3, 4)),
        "lenet": (lenet, (2, 1, 28, 28)),
        "fcn": (fcn, (2, 3, 8, 12)),
        "ssd": (ssd, (2, 3, 16, 12)),
    }


def drawn():
    """Layers and networks that are made after `manual_seed(7)`."""
    return {
        "conv": lambda: nn.Conv2d(3, 8, 5),
        "conv_pair": lambda: nn.Conv2d(4, 8, (3, 1), bias=False),
        "transpose": lambda: nn.ConvTranspose2d(3, 8, 4, stride=2),
        "transpose_without_bias": lambda: nn.ConvTranspose2d(3, 8, 4, bias=False),
        "linear": lambda: nn.Linear(20, 6),
        "linear_without_bias": lambda: nn.Linear(20, 6, bias=False),
        "lenet": lambda: cases()["lenet"][0],
    }


def some(values):
    """Enough of a large tensor's values."""
    return values.flatten()[:500]


def make(folder, noise, fill):
    values, texts = {}, {}
    torch.manual_seed(0)
    for name, (layer, shape) in cases().items():
        fill(layer)
        x = torch.from_numpy(noise(torch.Size(shape).numel(), 77) * 16).reshape(shape).requires_grad_()
        # A layer that works in place cannot have a leaf.
        y = layer(x * 1)
        (y * torch.from_numpy(noise(y.numel(), 78)).reshape(y.shape)).sum().backward()
        values[f"{name}/y"] = y.detach()
        values[f"{name}/x"] = x.grad
        for key, parameter in layer.named_parameters():
            values[f"{name}/{key}"] = some(parameter.grad)
        for key, buffer in layer.named_buffers():
            values[f"{name}/{key}"] = buffer
        texts[name] = {"repr": repr(layer), "keys": [f"{key} {list(value.shape)}" for key, value in layer.state_dict().items()]}
    for name, layer in drawn().items():
        torch.manual_seed(7)
        for key, parameter in layer().named_parameters():
            values[f"drawn/{name}/{key}"] = some(parameter.detach())
    torch.manual_seed(7)
    values["drawn/dropout"] = nn.Dropout(0.3)(torch.ones(6, 50))
    save_file({key: value.contiguous() for key, value in values.items()}, folder / "layers.safetensors")
    (folder / "layers.json").write_text(json.dumps(texts, indent=1) + "\n")
