"""PyTorch's losses and their gradients, of scores and labels that tests/it/loss.rs makes alike."""

import torch
from safetensors.torch import save_file

SHAPES = {"images": (6, 5), "masks": (2, 5, 3, 4)}


def labels(shape):
    """One of five classes for each example or pixel; the fourth does not count."""
    count = torch.Size(shape).numel()
    y = torch.arange(count) * 7 % 5
    y[3] = -100
    return y.reshape(shape)


def losses(noise, folder):
    drawn = lambda shape, key: torch.from_numpy(noise(torch.Size(shape).numel(), key)).reshape(shape)
    weight = torch.tensor([1.0, 0.5, 2.0, 0.0, 3.0])
    values = {}

    def keep(name, loss, y_hat):
        (gradient,) = torch.autograd.grad(loss.sum(), y_hat)
        values[name], values[f"{name}/gradient"] = loss.detach(), gradient

    for key, (what, shape) in enumerate(SHAPES.items()):
        for reduction in ("none", "mean", "sum"):
            for weighted in (False, True):
                for smoothing in (0.0, 0.1):
                    loss = torch.nn.CrossEntropyLoss(
                        weight if weighted else None, reduction=reduction, label_smoothing=smoothing)
                    scores = (drawn(shape, key) * 8).requires_grad_()
                    name = f"{what}/{reduction}/{'weighted' if weighted else 'plain'}/{smoothing}"
                    keep(name, loss(scores, labels(shape[:1] + shape[2:])), scores)
                    if what == "images":
                        scores = (drawn(shape, key) * 8).requires_grad_()
                        parts = (drawn(shape, 9) * 4).softmax(1)
                        keep(f"parts/{reduction}/{'weighted' if weighted else 'plain'}/{smoothing}",
                             loss(scores, parts), scores)
    for reduction in ("none", "mean", "sum"):
        y_hat = drawn((3, 8), 1).requires_grad_()
        keep(f"l1/{reduction}", torch.nn.L1Loss(reduction=reduction)(y_hat, drawn((3, 8), 2)), y_hat)
    save_file(values, folder / "losses.safetensors")
