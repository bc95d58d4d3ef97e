"""Values of torch.optim: steps of each optimizer, learning rates by schedules, clipped gradients."""

import numpy as np
import torch
from torch.optim import lr_scheduler as schedules

OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {}),
    "sgd_decay": (torch.optim.SGD, {"weight_decay": 0.03}),
    "sgd_momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "sgd_dampening": (torch.optim.SGD, {"momentum": 0.8, "dampening": 0.3, "weight_decay": 0.03}),
    "sgd_nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.03}),
    "adam": (torch.optim.Adam, {}),
    "adam_betas": (torch.optim.Adam, {"betas": (0.7, 0.95), "eps": 1e-3}),
    "adam_decay": (torch.optim.Adam, {"weight_decay": 0.1}),
    "adamw": (torch.optim.AdamW, {}),
    "adamw_decay": (torch.optim.AdamW, {"weight_decay": 0.3, "betas": (0.8, 0.99)}),
}


def weights(noise):
    return [torch.nn.Parameter(torch.from_numpy(noise(count, key)).view(size)) for count, key, size in ((12, 1, (3, 4)), (5, 2, (5,)), (6, 3, (2, 3)))]


def backward(parameters, step, noise):
    """Gradients that depend on the values. The second parameter has one in two steps of three, the last
    is frozen."""
    for i, parameter in enumerate(parameters[:2]):
        if i == 0 or step % 3 != 1:
            factors = torch.from_numpy(noise(parameter.numel(), 100 + 10 * step + i)).view_as(parameter)
            (parameter * factors * 4 + factors).tanh().sum().backward()


def values(noise):
    found = {}
    for name, (make, options) in OPTIMIZERS.items():
        parameters = weights(noise)
        parameters[2].requires_grad_(False)
        groups = [{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.2, "weight_decay": 0.07}]
        trainer = make(groups, lr=0.05, **options)
        steps = []
        for step in range(20):
            trainer.zero_grad()
            backward(parameters, step, noise)
            trainer.step()
            steps.append(torch.cat([parameter.detach().flatten() for parameter in parameters]))
        found[name] = torch.stack(steps)
    for name, make in {
        "step": lambda trainer: schedules.StepLR(trainer, 7, 0.3),
        "cosine": lambda trainer: schedules.CosineAnnealingLR(trainer, 30, eta_min=0.01),
        "cosine_again": lambda trainer: schedules.CosineAnnealingLR(trainer, 8),
        "linear": lambda trainer: schedules.LinearLR(trainer),
        "linear_to": lambda trainer: schedules.LinearLR(trainer, 0.1, 0.9, 8),
        "lambda": lambda trainer: schedules.LambdaLR(trainer, lambda epoch: (epoch + 1) ** -0.5),
        "warm_up": lambda trainer: schedules.SequentialLR(
            trainer, [schedules.LinearLR(trainer, 0.2, 1, 5), schedules.CosineAnnealingLR(trainer, 25)], [5]
        ),
    }.items():
        parameters = weights(noise)
        trainer = torch.optim.SGD([{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.5}], lr=0.1)
        schedule = make(trainer)
        rates = []
        for _ in range(30):
            rates.append([group["lr"] for group in trainer.param_groups])
            trainer.step()
            schedule.step()
        found[f"schedule/{name}"] = torch.tensor(rates, dtype=torch.float64)
    for name, clip in {
        "norm": lambda parameters: torch.nn.utils.clip_grad_norm_(parameters, 0.7),
        "norm_large": lambda parameters: torch.nn.utils.clip_grad_norm_(parameters, 70),
        "value": lambda parameters: torch.nn.utils.clip_grad_value_(parameters, 0.25),
    }.items():
        parameters = weights(noise)
        backward(parameters, 0, noise)
        total = clip(parameters)
        found[f"clip/{name}"] = torch.cat([parameter.grad.flatten() for parameter in parameters[:2]])
        if total is not None:
            found[f"clip/{name}/total"] = torch.tensor(total.item(), dtype=torch.float64)
    assert all(np.isfinite(value).all() for value in found.values())
    return found
