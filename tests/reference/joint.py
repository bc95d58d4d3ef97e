"""What torchvision makes of an image together with its boxes or its mask, and how PyTorch splits a data
set. `make.py` writes it."""

import torch
from torch.utils.data import random_split
from torchvision import tv_tensors
from torchvision.transforms import functional as F
from torchvision.transforms.v2 import functional as v2

# Class, left, top, right, bottom in pixels of 61x47; the last row fills up.
BOXES = [
    [2, 3, 5, 20, 30],
    [0, 25, 10, 60, 46],
    [1, 0, 0, 61, 47],
    [3, 40, 2, 52, 9],
    [-1, 0, 0, 0, 0],
]
SIZE = (47, 61)
# Top, left, height, width; boxes end where the second one starts
CROPS = [(0, 0, 47, 61), (0, 52, 10, 9), (10, 60, 20, 1), (3, 5, 20, 17), (20, 0, 27, 30), (40, 50, 7, 11), (0, 39, 10, 14)]


def tables(boxes, size):
    """The table of boxes in parts of an image of this size; what v2 would leave out fills up."""
    height, width = size
    whole = v2.clamp_bounding_boxes(boxes)
    _, kept = v2.sanitize_bounding_boxes(whole, min_size=1e-3)
    parts = whole.as_subclass(torch.Tensor) / torch.tensor([width, height, width, height])
    classes = torch.tensor([row[0] for row in BOXES[:-1]], dtype=torch.float32)[:, None]
    no_box = torch.tensor([-1.0, 0, 0, 0, 0])
    rows = torch.where(kept[:, None], torch.cat([classes, parts], 1), no_box)
    return torch.cat([rows, no_box[None]])


def values(test_image):
    image = test_image(SIZE[1], SIZE[0])
    corners = torch.tensor([row[1:] for row in BOXES[:-1]], dtype=torch.float32)
    boxes = tv_tensors.BoundingBoxes(corners, format="XYXY", canvas_size=SIZE)
    mask = tv_tensors.Mask(torch.arange(SIZE[0] * SIZE[1]).reshape(SIZE) % 251)
    made = {"boxes": tables(boxes, SIZE), "mask": mask.clone()}
    made["flip/boxes"] = tables(v2.horizontal_flip(boxes), SIZE)
    made["flip/mask"] = v2.horizontal_flip(mask)
    # Resizing leaves boxes as they are, in parts of the image.
    made["resize/boxes"] = tables(v2.resize(boxes, [94, 30]), (94, 30))
    for top, left, height, width in CROPS:
        name = f"crop/{top},{left},{height},{width}"
        made[f"{name}/image"] = v2.pil_to_tensor(v2.crop(image, top, left, height, width)).permute(1, 2, 0)
        made[f"{name}/boxes"] = tables(v2.crop(boxes, top, left, height, width), (height, width))
        made[f"{name}/mask"] = v2.crop(mask, top, left, height, width)
    # Left, top, right, bottom: how much larger the ground is
    for margins in [(0, 0, 0, 0), (10, 0, 3, 20), (61, 47, 61, 47)]:
        size = (SIZE[0] + margins[1] + margins[3], SIZE[1] + margins[0] + margins[2])
        name = "pad/" + ",".join(map(str, margins))
        made[f"{name}/image"] = v2.pil_to_tensor(v2.pad(image, list(margins), fill=(124, 116, 104))).permute(1, 2, 0)
        made[f"{name}/boxes"] = tables(v2.pad(boxes, list(margins)), size)
        made[f"{name}/mask"] = v2.pad(mask, list(margins), fill=255)
    for height, width in [(94, 30), (20, 200)]:
        made[f"resize/{height},{width}/mask"] = v2.resize(mask, [height, width], interpolation=F.InterpolationMode.NEAREST)
    for height, width in [(24, 52), (60, 20), (9, 100)]:
        cropped = v2.pil_to_tensor(F.center_crop(image, [height, width]))
        made[f"center_crop/{height},{width}"] = cropped.permute(1, 2, 0)
    resized = F.resized_crop(image, 3, 5, 23, 20, [24, 48], F.InterpolationMode.BILINEAR)
    made["resized_crop"] = v2.pil_to_tensor(resized).permute(1, 2, 0)
    for length, fractions in [(2000, [0.8, 0.2]), (10, [0.3, 0.3, 0.4]), (17, [0.5, 0.25, 0.25]), (17, [0.1] * 10)]:
        parts = random_split(range(length), fractions)
        made[f"split/{length}/{len(fractions)}"] = torch.tensor([len(part) for part in parts])
    return {key: value.as_subclass(torch.Tensor).contiguous() for key, value in made.items()}
