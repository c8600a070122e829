"""Training of one network, which stops on the way for the caller to look at it; and its losses."""

import math
from collections.abc import Callable, Iterator
from functools import partial

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from symgen.training.augmentation import augmentation

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": partial(torch.optim.SGD, momentum=0.9)}
TEMPERATURE = 2.0  # of soft labels
EVALUATED = 500 * 3 * 64 * 64  # numbers in the inputs of a batch that is only evaluated: its maps must fit into memory
MOST_LOGITS = 1 << 27  # logits of a language model in such a batch, at most, about


def train(
    model: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    weight_decay: float = 0.0,
    optimizer: str = "adam",
    augment: str = "none",
    precision: str = "float32",
    stops: tuple[float, ...] = (),
    objective: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Iterator[float]:
    """Train in place, and yield the epoch (0 before the first step) at each stop on the way.

    inputs: images (item, channel, height, width), or token ids (item, position), as `logits` takes them; labels (item,),
    or of a language model (item, position), as `rows` takes them: on the model's device. `stops` are epochs, also
    fractions (rounded to a step), at which the caller may look at the model; without them it stops after every epoch.
    `seed` orders the batches, and is that of the changes that `augment` names. `precision` is that of the layers, float32
    or bfloat16. `objective(z, batch)` is what is minimised: z, the logits of a batch, in float32 or wider; batch, the
    positions of its items in `inputs`. By default it is the cross-entropy.
    """
    objective = objective or (lambda z, batch: functional.cross_entropy(*rows(z, labels[batch])))
    steps_per_epoch = math.ceil(len(inputs) / batch_size)
    at_step = {round(stop * steps_per_epoch): stop for stop in stops or range(epochs + 1)}
    order, changed = torch.Generator().manual_seed(seed), augmentation(augment, seed)
    lower = torch.autocast(inputs.device.type, torch.bfloat16, enabled=precision == "bfloat16")
    stepper = OPTIMIZERS[optimizer](model.parameters(), lr=learning_rate, weight_decay=weight_decay)
    step = 0
    if step in at_step:
        yield at_step[step]
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs), generator=order).split(batch_size):
            batch = batch.to(inputs.device)
            model.train()
            stepper.zero_grad(set_to_none=True)
            seen = changed(inputs[batch])
            with lower:
                z = logits(model, seen, learned_positions(labels[batch]))
            objective(z.to(torch.promote_types(z.dtype, torch.float32)), batch).backward()
            stepper.step()
            step += 1
            if step in at_step:
                yield at_step[step]


def distillation(teachers: Tensor, labels: Tensor, share: float) -> Callable:
    """Objective that takes a share of the loss from the teachers' soft labels, (teacher, item, label) logits.

    Soft labels are the mean of the teachers' probabilities at TEMPERATURE, whose square makes up for the smaller
    gradient (Hinton et al., 2015).
    """
    soft = (teachers / TEMPERATURE).softmax(dim=-1).mean(dim=0)  # (item, label)

    def objective(z, batch):
        to_soft = functional.cross_entropy(z / TEMPERATURE, soft[batch])
        return (1 - share) * functional.cross_entropy(z, labels[batch]) + share * TEMPERATURE**2 * to_soft

    return objective


def add_dropout(model: nn.Module, share: float) -> None:
    """Drop a share in the model's own dropout layers, or, where it has none, of what enters each linear layer."""
    layers = [module for module in model.modules() if isinstance(module, nn.Dropout)]
    for module in layers:
        module.p = share
    for module in model.modules() if not layers else ():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(lambda layer, inputs: functional.dropout(inputs[0], share, layer.training))


def logits(model: nn.Module, inputs: Tensor, positions: Tensor | None = None) -> Tensor:
    """Logits (item, label) of a batch of images, or of token ids (integers, padded at the end).

    A language model gives (item, position, label), at some positions, or as far as the longest item goes.
    """
    if inputs.is_floating_point():
        return getattr(output := model(inputs), "logits", output)
    shown = inputs != model.config.pad_token_id
    longest = int(shown.sum(dim=1).max())
    only = {} if positions is None else {"logits_to_keep": positions}
    return model(input_ids=inputs[:, :longest], attention_mask=shown[:, :longest].long(), **only).logits


def learned_positions(labels: Tensor) -> Tensor | None:
    """Positions at which some text of a batch is learned from, if it is not whole texts that are learned.

    labels: as `rows` takes them. The logits of a question are not asked for: only those of its answer.
    """
    if labels.ndim == 1 or (labels[:, 0] >= 0).any():
        return None
    return (labels >= 0).any(dim=0).nonzero()[:, 0]


def rows(z: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (row, label) and labels (row,) that belong together: a row an item, or a token of a language model's texts.

    z: (item, label) with labels (item,), or (item, position, label) with labels (item, position), the token that comes
    next, or -1 where nothing is learned; z holds the batch's `learned_positions`, or all that some item is not padded at.
    """
    if labels.ndim == 1:
        return z, labels
    positions = learned_positions(labels)
    labels = labels[:, : z.shape[1]] if positions is None else labels[:, positions]
    return z[labels >= 0], labels[labels >= 0]


@torch.inference_mode()
def predicted(model: nn.Module, inputs: Tensor, by_length: bool = False) -> Tensor:
    """Logits (item, label) of the model, in evaluation mode.

    `by_length`: texts of about one length are padded together, which takes about half the time and may give other last
    bits; what networks learn from is predicted without.
    """
    model.eval()
    order, most = (_shortest_first(model, inputs), 100) if by_length else (slice(None), 500)
    z = torch.cat([logits(model, part) for part in inputs[order].split(_at_a_time(inputs, most))])
    in_place = torch.empty_like(z)
    in_place[order] = z
    return in_place


@torch.inference_mode()
def evaluate(model: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and accuracy of the model, in evaluation mode: over items, or a language model's tokens."""
    model.eval()
    each, right = [], []
    order = _shortest_first(model, inputs)
    wide = torch.float64 if labels.ndim == 1 else torch.float32  # a language model has too many logits
    most = 100 if labels.ndim == 1 else min(100, _texts_at_a_time(model, labels))
    for part, expected in zip(*(data[order].split(_at_a_time(inputs, most)) for data in (inputs, labels))):
        z, expected = rows(logits(model, part, learned_positions(expected)), expected)
        z = z.to(torch.promote_types(z.dtype, wide))
        each.append(functional.cross_entropy(z, expected, reduction="none"))
        right.append(z.argmax(-1) == expected)
    return torch.cat(each).double().mean().item(), torch.cat(right).double().mean().item()


def _shortest_first(model, inputs):
    """An order in which texts are padded to the longest of about their own length; images stay as they are."""
    if inputs.is_floating_point():
        return slice(None)
    return (inputs != model.config.pad_token_id).sum(dim=1).argsort(stable=True)


def _at_a_time(inputs, most):
    """Items that are evaluated at a time."""
    return max(1, min(most, EVALUATED // inputs[0].numel()))


def _texts_at_a_time(model, labels):
    """Texts whose logits fit into memory, at all positions, or where each may be learned from at others than the rest."""
    most, learned = MOST_LOGITS // model.config.vocab_size, int((labels >= 0).sum(dim=1).max())
    return max(1, most // labels.shape[1], math.isqrt(most // max(learned, 1)))


def losses(model: nn.Module, sets: dict[str, tuple[Tensor, Tensor]]) -> pd.Series:
    """Loss and accuracy of the model on each named set: `<name>_loss`, `<name>_accuracy`."""
    measured = {}
    for name, data in sets.items():
        measured[f"{name}_loss"], measured[f"{name}_accuracy"] = evaluate(model, *data)
    return pd.Series(measured)
