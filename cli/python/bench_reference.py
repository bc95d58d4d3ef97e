"""Python's side of `cargo d2l bench`: measures one thing and prints a line of JSON last.

Arguments are those of examples/measure.rs: `loader FOLDER WORKERS BATCH`, `step KIND STEPS BATCH`,
`optimizer NAME default|foreach STEPS`, `ssd WHAT TIMES`, `lesson FOLDER SEED EPOCHS BATCH`. The training is that of the book's package; `step best-f32` and
`step best-bf16` are what a skilled person would write.
"""

import json
import math
import os
import sys
import time

import torch
import torchvision
from d2l import torch as d2l
from torch import nn
from torchvision import transforms

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
NORMALIZE = transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
TRAIN = transforms.Compose(
    [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), transforms.ToTensor(), NORMALIZE]
)
TEST = transforms.Compose(
    [transforms.Resize([256, 256]), transforms.CenterCrop(224), transforms.ToTensor(), NORMALIZE]
)


def batches(folder, transform, batch, **options):
    """A loader over as many images as ours takes in quick mode, the same ones."""
    images = torchvision.datasets.ImageFolder(folder, transform=transform)
    count = min(int(os.environ.get("D2L_DATASET_LIMIT", len(images))), len(images))
    images = torch.utils.data.Subset(images, [i * len(images) // count for i in range(count)])
    return torch.utils.data.DataLoader(images, batch_size=batch, **options)


def loader(folder, workers, batch):
    workers, batch = int(workers), int(batch)
    if workers == 1:
        # One process does it all, on one thread.
        torch.set_num_threads(1)
        workers = 0
    data = batches(f"{folder}/train", TRAIN, batch, shuffle=True, num_workers=workers)
    for _ in range(2):
        start = time.perf_counter()
        count = sum(len(y) for _, y in data)
        rate = count / (time.perf_counter() - start)
    return {"images_per_second": rate}


def step(kind, steps, batch):
    steps, batch = int(steps), int(batch)
    net = torchvision.models.resnet18(num_classes=2).to(DEVICE)
    x, y = torch.rand(batch, 3, 224, 224, device=DEVICE), torch.zeros(batch, dtype=torch.int64, device=DEVICE)
    loss = nn.CrossEntropyLoss(reduction="none")
    best = kind != "book"
    trainer = torch.optim.SGD(net.parameters(), lr=1e-5, weight_decay=1e-3, fused=best)
    if best:
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)

    def best_step():
        net.train()
        trainer.zero_grad()
        with torch.autocast(DEVICE.type, torch.bfloat16, enabled=kind == "best-bf16"):
            total = loss(net(x), y).sum()
        total.backward()
        trainer.step()
        return total.item()

    for i in range(steps + 1):
        if i == 1:
            start = time.perf_counter()
        best_step() if best else d2l.train_batch_ch13(net, x, y, loss, trainer, [DEVICE])
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
    return {"images_per_second": batch * steps / (time.perf_counter() - start)}


def optimizer(name, kind, steps):
    """The shortest of some steps with ResNet-18's parameters."""
    parameters = list(torchvision.models.resnet18().to(DEVICE).parameters())
    for parameter in parameters:
        parameter.grad = torch.rand_like(parameter)
    options = {"foreach": True} if kind == "foreach" else {}
    trainer = {
        "sgd": lambda: torch.optim.SGD(parameters, 1e-5, weight_decay=1e-3, **options),
        "momentum": lambda: torch.optim.SGD(parameters, 1e-5, momentum=0.9, weight_decay=1e-3, **options),
        "adam": lambda: torch.optim.Adam(parameters, 1e-5, **options),
        "adamw": lambda: torch.optim.AdamW(parameters, 1e-5, **options),
    }[name]()
    shortest = math.inf
    for _ in range(int(steps)):
        start = time.perf_counter()
        trainer.step()
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        shortest = min(shortest, time.perf_counter() - start)
    return {"milliseconds": 1e3 * shortest}


class TinySSD(nn.Module):
    """The network of the book's section, which its package has not."""

    SIZES = [[0.2, 0.272], [0.37, 0.447], [0.54, 0.619], [0.71, 0.79], [0.88, 0.961]]

    def __init__(self):
        super().__init__()
        blocks = [nn.Sequential(self.halve(3, 16), self.halve(16, 32), self.halve(32, 64)), self.halve(64, 128)]
        blocks += [self.halve(128, 128), self.halve(128, 128), nn.AdaptiveMaxPool2d((1, 1))]
        self.blocks = nn.ModuleList(blocks)
        heads = lambda channels: nn.ModuleList(nn.Conv2d(c, channels, 3, padding=1) for c in [64, 128, 128, 128, 128])
        self.cls, self.bbox = heads(4 * 2), heads(4 * 4)

    @staticmethod
    def halve(inputs, outputs):
        layers = []
        for channels in (inputs, outputs):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        return nn.Sequential(*layers, nn.MaxPool2d(2))

    def forward(self, x):
        anchors, scores, offsets = [], [], []
        for block, cls, bbox, sizes in zip(self.blocks, self.cls, self.bbox, self.SIZES):
            x = block(x)
            anchors.append(d2l.multibox_prior(x, sizes, [1, 2, 0.5]))
            scores.append(cls(x).permute(0, 2, 3, 1).flatten(1))
            offsets.append(bbox(x).permute(0, 2, 3, 1).flatten(1))
        return torch.cat(anchors, 1), torch.cat(scores, 1).reshape(len(x), -1, 2), torch.cat(offsets, 1)


def ssd(what, times):
    """The shortest of some times of the book's functions, on its TinySSD's anchors."""
    net, images = TinySSD().to(DEVICE), torch.rand(32, 3, 256, 256, device=DEVICE)
    trainer = torch.optim.SGD(net.parameters(), lr=1e-5, weight_decay=5e-4)
    with torch.no_grad():
        anchors = net(images[:1])[0]

    def train(labels):
        """With the losses of the book's section."""
        priors, scores, offsets = net(images)
        bbox_labels, bbox_masks, cls_labels = d2l.multibox_target(priors, labels)
        classes = nn.functional.cross_entropy(scores.reshape(-1, 2), cls_labels.reshape(-1))
        boxes = nn.functional.l1_loss(offsets * bbox_masks, bbox_labels * bbox_masks)
        trainer.zero_grad()
        (classes + boxes).backward()
        trainer.step()

    shortest = math.inf
    for _ in range(int(times)):
        corner, size = torch.rand(32, 1, 2, device=DEVICE) * 0.6, torch.rand(32, 1, 2, device=DEVICE)
        labels = torch.cat([torch.zeros(32, 1, 1, device=DEVICE), corner, corner + size * 0.25 + 0.15], 2)
        offsets, scores = torch.randn(1, 4 * 5444, device=DEVICE) * 0.5, torch.rand(5444, device=DEVICE)
        probs = torch.softmax(torch.randn(1, 2, 5444, device=DEVICE), 1)
        boxes = d2l.offset_inverse(anchors[0], offsets.reshape(-1, 4))
        start = time.perf_counter()
        if what in ("step", "step-full"):
            train(labels)
        elif what == "targets":
            d2l.multibox_target(anchors, labels)
        elif what == "nms":
            d2l.nms(boxes, scores, 0.5)
        else:
            d2l.multibox_detection(probs, offsets, anchors)
        if DEVICE.type == "cuda":
            torch.cuda.synchronize()
        shortest = min(shortest, time.perf_counter() - start)
    return {"milliseconds": 1e3 * shortest}


def lesson(folder, seed, epochs, batch):
    """The book's `train_fine_tuning`, its loaders and its training loop."""
    torch.manual_seed(int(seed))
    start = time.perf_counter()
    net = torchvision.models.resnet18()
    net.fc = nn.Linear(net.fc.in_features, 2)
    nn.init.xavier_uniform_(net.fc.weight)
    train_iter = batches(f"{folder}/train", TRAIN, int(batch), shuffle=True)
    test_iter = batches(f"{folder}/test", TEST, int(batch))
    loss = nn.CrossEntropyLoss(reduction="none")
    trainer = torch.optim.SGD(net.parameters(), lr=5e-4, weight_decay=0.001)
    d2l.train_ch13(net, train_iter, test_iter, loss, trainer, int(epochs), [DEVICE])
    seconds = time.perf_counter() - start
    # The book's loop prints its accuracies and forgets them.
    in_full = "D2L_DATASET_LIMIT" not in os.environ
    return {"seconds": seconds, "test_acc": d2l.evaluate_accuracy_gpu(net, test_iter) if in_full else None}


part, *arguments = sys.argv[1:]
print()
print(json.dumps({"loader": loader, "step": step, "optimizer": optimizer, "ssd": ssd, "lesson": lesson}[part](*arguments)))
