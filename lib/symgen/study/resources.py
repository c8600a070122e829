"""What a unit asks of a machine: memory, time and a GPU, from the work that the settings of its study make.

These are limits for a scheduler, with room to spare, and no predictions. A job that comes to one of them keeps the
artefacts that it has finished (a training is one), and is given more at its next attempt.
"""

import math
import re
from functools import cache
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from symgen.study.settings import Study
from symgen.training import models

# floating-point operations a second: of a CPU's thread half of the least measured (masked evaluation: 2e10 of a BERT,
# 6e10 of a VGG); of a GPU, on which nothing was measured, a seventh of what the paper's do at best (RTX 3080 Ti: 34e12)
SPEED = {"cpu": 1e10, "cuda": 5e12}
SOLVING = 0.05  # seconds a sample with ten variables, five times the mean; four times that for every further one
LONGEST = 3600.0  # seconds that a unit should last at most
START = 120.0  # seconds to start Python and read the data
SIDES = {"fashion-mnist-6k": 28, "cifar10": 32}  # of images, in pixels; others are resized to image_size
Unit = tuple[tuple[str, ...], slice]  # roles, and which of their checkpoints


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
        model = models.build_model(architecture, 200, 0, stem)
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
    family, _ = study.role(role)
    learned = study.train_size * (2 if family == "data" else 1)
    each = 3 * learned * (3 if family == "penalty" else 1)
    measured = learned + study.validation_size + study.test_size
    return study.epochs * (each + measured) * forward(study).operations


def masking_work(study: Study) -> float:
    """Floating-point operations of all masked values of a role's network at one checkpoint."""
    return 2 * study.explain_classes * study.explain_per_class * 2.0**study.n_variables * forward(study).operations


def units(study: Study, roles: tuple[str, ...]) -> list[Unit]:
    """The extraction of roles as units: all in one process, if that is short; else a unit a role and some checkpoints.

    Interactions at a checkpoint are an artefact, so that the same files are made whichever way they are divided.
    """
    each = {role: len(study.checkpoints_of(role)) for role in roles}
    together = max(1, int(LONGEST / _seconds(study)))  # checkpoints
    if sum(each.values()) <= together:
        return [(roles, slice(None))]
    return [
        ((role,), slice(first, first + together) if count > together else slice(None))
        for role, count in each.items()
        for first in range(0, count, together)
    ]


def resources(study: Study, roles: tuple[str, ...], which: slice | None = None) -> dict:
    """Limits of a unit as Snakemake takes them: mem_mb, runtime (minutes), and gpu, if the study asks for one.

    `which` of the roles' checkpoints are extracted; without it they are trained. Networks that no unit before has
    trained, such as those of the arms, are trained where they are extracted.
    """
    seconds = START
    for role in roles:
        if which is None or study.role(role)[0] != "target":
            seconds += training_work(study, role) / _speed(study)
        if which is not None:
            seconds += len(study.checkpoints_of(role)[which]) * _seconds(study)
    minutes, memory = math.ceil(seconds / 60), _memory(study)
    gpu = {"gpu": 1} if study.device.startswith("cuda") else {}
    return {
        "mem_mb": lambda wildcards, attempt: attempt * memory,
        "runtime": lambda wildcards, attempt: attempt * minutes,
    } | gpu


def _seconds(study):
    """Of extraction at one checkpoint: masked values, and solving."""
    samples = 2 * study.explain_classes * study.explain_per_class
    return masking_work(study) / _speed(study) + samples * SOLVING * 4.0 ** (study.n_variables - 10)


def _speed(study):
    return SPEED["cuda"] if study.device.startswith("cuda") else SPEED["cpu"] * study.threads


def _memory(study):
    """Megabytes: libraries and solver (1 GB measured), data as bytes and as numbers, weights with Adam's, a batch."""
    of = forward(study)
    items = 3 * study.train_size + 2 * study.validation_size + study.test_size
    numbers = 2 * items * of.read + 4 * of.weights + 2 * study.batch_size * of.kept
    return math.ceil(2000 + (4 * numbers + items * of.read) / 1e6)
