"""The work of a study in floating-point operations: of a forward pass, of a training, of masked values."""

import re
from functools import cache
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from symgen import Study
from symgen.training import build_model

SIDES = {"fashion-mnist-6k": 28, "cifar10": 32}  # of images, in pixels; others are resized to image_size


class Forward(NamedTuple):
    """A forward pass of one input: floating-point operations; numbers read, kept for the gradient, and learned."""

    operations: float
    read: float
    kept: float
    weights: float


def forward(study: Study) -> Forward:
    """The forward pass of one input of a study: of an image counted without computing it, of tokens by formulas."""
    if study.modality == "images":
        side = SIDES.get(study.dataset, study.image_size) + 2 * study.pad
        return _of_image(study.architecture, study.stem, side)
    size = re.fullmatch(r"[^-]+-(\d+)x(\d+)", study.architecture)
    layers, width = map(int, size.groups()) if size else (0, 0)  # a model that is given is not of these units
    tokens, learned = study.max_tokens, 12 * layers * width**2  # two linear layers of 4 width, four of width
    return Forward(2 * learned * tokens, tokens, 40 * layers * width * tokens, learned)


@cache
def _of_image(architecture, stem, side):
    kept = []
    with torch.device("meta"):
        model = build_model(architecture, 200, 0, stem)
        for module in model.modules():
            if not isinstance(module, nn.Sequential):
                module.register_forward_hook(lambda *called: kept.append(called[-1].numel()))
        with FlopCounterMode(display=False) as counted:
            model.eval()(torch.empty(1, 3, side, side))
    return Forward(
        counted.get_total_flops(), 3 * side**2, sum(kept), sum(weight.numel() for weight in model.parameters())
    )


def training_work(study: Study, role: str) -> float:
    """Floating-point operations of a role's training: a step is three forward passes, and every epoch all are measured."""
    family = study.family(role)
    learned = study.train_size * (2 if family == "data" else 1)
    each = 3 * learned * (3 if family == "penalty" else 1)
    measured = learned + study.validation_size + study.test_size
    return study.epochs * (each + measured) * forward(study).operations


def masking_work(study: Study) -> float:
    """Floating-point operations of all masked values of a role's network at one checkpoint."""
    return 2 * study.explain_classes * study.explain_per_class * 2.0**study.n_variables * forward(study).operations
