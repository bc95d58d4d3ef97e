"""What the book's own functions, torchvision and COCO's evaluation make of boxes. `make.py` writes it."""

import contextlib
import io

import numpy as np
import torch
import torchvision
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

NAMES = (
    "box_corner_to_center", "box_center_to_corner", "multibox_prior", "box_iou", "assign_anchor_to_bbox",
    "offset_boxes", "offset_inverse", "multibox_target", "nms", "multibox_detection",
    # PyTorch's functions by the names that the book calls them by
    "stack", "tensor", "concat", "log", "exp",
)
# Height and width of a map, sizes, ratios
MAPS = [(2, 4, [0.5, 0.25], [1, 2]), (4, 4, [0.15], [1, 2, 0.5]), (3, 5, [0.2, 0.272, 0.9], [1, 2, 0.5]), (1, 1, [0.88, 0.961], [1, 2, 0.5])]
SIZES = [[0.2, 0.272], [0.37, 0.447], [0.54, 0.619], [0.71, 0.79], [0.88, 0.961]]


def boxes(noise, count, key):
    """Boxes in 0..1, some of them close to others."""
    numbers = torch.from_numpy(noise(4 * count, key)).reshape(count, 4) + 0.5
    corner, size = numbers[:, :2] * 0.7, 0.05 + 0.25 * numbers[:, 2:]
    return torch.cat([corner, corner + size], 1)


def soft_nms(boxes, scores, sigma, threshold):
    """Bodla and others, Gaussian, by loops."""
    iou = torchvision.ops.box_iou(boxes.double(), boxes.double()).numpy()
    scores, left, kept, lowered = scores.double().numpy().copy(), list(range(len(boxes))), [], []
    while left:
        best = max(left, key=lambda i: scores[i])
        if scores[best] <= threshold:
            break
        left.remove(best)
        kept.append(best)
        lowered.append(scores[best])
        for i in left:
            scores[i] *= np.exp(-iou[best, i] ** 2 / sigma)
    return torch.tensor(kept), torch.tensor(lowered)


def detections(noise):
    """Twelve images of three classes: true boxes [12, 5, 5] and detections [12, 40, 6], near some of them."""
    labels, found = torch.full((12, 5, 5), -1.0), torch.full((12, 40, 6), -1.0)
    for image in range(12):
        count = image % 5
        truth = boxes(noise, 5, 700 + image)[:count]
        classes = torch.from_numpy(noise(5, 800 + image))[:count].add(0.5).mul(3).floor()
        labels[image, :count] = torch.cat([classes[:, None], truth], 1)
        random = torch.from_numpy(noise(40 * 6, 900 + image)).reshape(40, 6)
        for row in range(36):
            if count and row % 3:
                box = truth[row % count] + random[row, :4] * 0.12 * (row % 7) / 7
                kind = classes[row % count] if row % 5 else torch.tensor(1.0)
            else:
                box, kind = boxes(noise, 40, 950 + image)[row], torch.tensor(float(row % 3))
            low, high = torch.minimum(box[:2], box[2:]), torch.maximum(box[:2], box[2:])
            found[image, row] = torch.cat([kind[None], random[row, 4:5] + 0.5, low, high])
    return labels, found


def coco(labels, found, scale):
    """COCO's average precision: [10 thresholds, 3 classes, 4 sizes]. Boxes times `scale` are its pixels."""
    truth = {"images": [{"id": i + 1} for i in range(len(labels))], "categories": [{"id": c + 1} for c in range(3)], "annotations": []}
    results = []
    for image, (rows, of_image) in enumerate(zip(labels.double(), found.double())):
        for row in rows[rows[:, 0] >= 0]:
            x, y, right, bottom = (row[1:] * scale).tolist()
            box = {"image_id": image + 1, "category_id": int(row[0]) + 1, "bbox": [x, y, right - x, bottom - y]}
            truth["annotations"].append(box | {"id": len(truth["annotations"]) + 1, "area": (right - x) * (bottom - y), "iscrowd": 0})
        for row in of_image[of_image[:, 0] >= 0]:
            x, y, right, bottom = (row[2:] * scale).tolist()
            results.append({"image_id": image + 1, "category_id": int(row[0]) + 1, "bbox": [x, y, right - x, bottom - y], "score": row[1].item()})
    with contextlib.redirect_stdout(io.StringIO()):
        set_ = COCO()
        set_.dataset = truth
        set_.createIndex()
        evaluation = COCOeval(set_, set_.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = torch.from_numpy(evaluation.eval["precision"][..., -1])  # thresholds, recalls, classes, sizes
    return precision.mean(1)


def values(noise, book):
    d2l = book(*NAMES)
    cpu, made = torch.device("cpu"), {}
    corners = torch.cat([torch.tensor([[60.0, 45, 378, 516], [400, 112, 655, 493]]), boxes(noise, 6, 1)])
    made["corners"], made["centers"] = corners, d2l.box_corner_to_center(corners)
    made["corners_again"] = d2l.box_center_to_corner(made["centers"])
    for i, (height, width, sizes, ratios) in enumerate(MAPS):
        made[f"prior/{i}"] = d2l.multibox_prior(torch.zeros(1, 3, height, width), sizes, ratios)
    made["prior/image"] = d2l.multibox_prior(torch.zeros(1, 3, 561, 728), [0.75, 0.5, 0.25], [1, 2, 0.5])[0].reshape(-1, 5, 4)[::40009].contiguous()
    ssd = [d2l.multibox_prior(torch.zeros(1, 8, side, side), sizes, [1, 2, 0.5]) for side, sizes in zip((32, 16, 8, 4, 1), SIZES)]
    ssd = torch.cat(ssd, 1)
    made["prior/ssd"] = ssd[0, ::37].contiguous()
    made["iou/a"], made["iou/b"] = boxes(noise, 20, 2), boxes(noise, 13, 3)
    made["iou"] = d2l.box_iou(made["iou/a"], made["iou/b"])
    assert (made["iou"] - torchvision.ops.box_iou(made["iou/a"], made["iou/b"])).abs().max() < 1e-6
    for case in range(6):
        truth, anchors = boxes(noise, 1 + case, 10 + case), boxes(noise, 60, 20 + case)
        made[f"assign/{case}/truth"], made[f"assign/{case}/anchors"] = truth, anchors
        for threshold in (0.05, 0.3, 0.5, 0.8):
            made[f"assign/{case}/{threshold}"] = d2l.assign_anchor_to_bbox(truth, anchors, cpu, threshold)
    anchors, other = boxes(noise, 30, 4), boxes(noise, 30, 5)
    made["offset/anchors"], made["offset/boxes"] = anchors, other
    made["offset"] = d2l.offset_boxes(anchors, other)
    made["offset/inverse"] = d2l.offset_inverse(anchors, made["offset"])
    # Of a batch on SSD's anchors: no rows that fill up, which the book takes for boxes
    labels = torch.stack([
        torch.cat([torch.tensor([[0.0], [2.0], [1.0]]), boxes(noise, 3, 30 + image)], 1) for image in range(4)
    ])
    made["target/labels"] = labels
    offset, mask, classes = d2l.multibox_target(ssd, labels)
    made["target/classes"] = classes.to(torch.uint8)
    assert torch.equal(mask.reshape(4, -1, 4)[..., 0], (classes > 0).float()), "the mask says what the classes say"
    made["target/offset"] = offset.reshape(4, -1, 4)[classes > 0]
    # Detections
    many, scores = boxes(noise, 300, 6), torch.from_numpy(noise(300, 7)) + 0.5
    kinds = torch.arange(300) % 3
    made["nms/boxes"], made["nms/scores"] = many, scores
    for threshold in (0.1, 0.3, 0.5, 0.7):
        made[f"nms/{threshold}"] = torchvision.ops.nms(many, scores, threshold)
        assert torch.equal(made[f"nms/{threshold}"], d2l.nms(many, scores, threshold))
        made[f"batched_nms/{threshold}"] = torchvision.ops.batched_nms(many, scores, kinds, threshold)
    for sigma in (0.1, 0.5):
        kept, lowered = soft_nms(many[:120], scores[:120], sigma, 0.05)
        made[f"soft_nms/{sigma}"], made[f"soft_nms/{sigma}/scores"] = kept, lowered.float()
    anchors = boxes(noise, 80, 8)[None]
    probs = torch.softmax(torch.from_numpy(noise(2 * 4 * 80, 9)).reshape(2, 4, 80) * 12, 1)
    offsets = torch.from_numpy(noise(2 * 320, 10)).reshape(2, 320) * 2
    made["detection/anchors"], made["detection/probs"], made["detection/offsets"] = anchors, probs, offsets
    made["detection"] = d2l.multibox_detection(probs, offsets, anchors)
    made["detection/0.3/0.6"] = d2l.multibox_detection(probs, offsets, anchors, 0.3, 0.6)
    # Regions
    x = torch.from_numpy(noise(2 * 3 * 9 * 11, 11)).reshape(2, 3, 9, 11).requires_grad_()
    rois = torch.cat([(torch.arange(14) % 2)[:, None].float(), boxes(noise, 14, 12) * torch.tensor([150.0, 120, 150, 120]) - 20], 1)
    rois[12, 1:], rois[13, 1:] = torch.tensor([20.0, 20, 10, 10]), torch.tensor([200.0, 200, 240, 230])
    made["roi/x"], made["roi/boxes"] = x.detach(), rois
    for size, scale in (((2, 2), 0.1), ((3, 4), 0.25), ((1, 1), 0.08)):
        name = f"{size[0]}x{size[1]}/{scale}"
        pooled = {f"roi_pool/{name}": torchvision.ops.roi_pool(x, rois, size, scale)}
        for aligned in (False, True):
            for ratio in (0, 2):
                pooled[f"roi_align/{name}/{aligned}/{ratio}"] = torchvision.ops.roi_align(x, rois, size, scale, ratio or -1, aligned)
        for key, value in pooled.items():
            made[key] = value.detach()
            weights = torch.from_numpy(noise(value.numel(), 13)).reshape(value.shape)
            made[f"{key}/gradient"], = torch.autograd.grad((value * weights).sum(), x)
    # Average precision
    labels, found = detections(noise)
    made["ap/labels"], made["ap/detections"] = labels, found
    # COCO's sizes are below 32, 32 to 96 and above 96 pixels a side
    made["ap"] = coco(labels, found, 400)
    return {key: value.contiguous() for key, value in made.items()}
