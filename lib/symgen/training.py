"""Training of one network: checkpoints on the way, losses after every epoch."""

import math
from collections.abc import Iterator

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional


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
    stops: tuple[float, ...] = (),
) -> Iterator[float]:
    """Train in place with cross-entropy, and yield the epoch (0 before the first step) at each stop on the way.

    inputs: images (item, channel, height, width), or token ids (item, position), as `logits` takes them; labels (item,):
    on the model's device. `stops` are epochs, also fractions (rounded to a step), at which the caller may look at the
    model; without them it stops after every epoch. `seed` orders the batches.
    """
    steps_per_epoch = math.ceil(len(inputs) / batch_size)
    at_step = {round(stop * steps_per_epoch): stop for stop in (stops or range(epochs + 1))}
    order = torch.Generator().manual_seed(seed)
    optimiser = _optimiser(optimizer, model.parameters(), learning_rate, weight_decay)
    step = 0
    if step in at_step:
        yield at_step[step]
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs), generator=order).split(batch_size):
            batch = batch.to(inputs.device)
            model.train()
            optimiser.zero_grad(set_to_none=True)
            functional.cross_entropy(logits(model, inputs[batch]), labels[batch]).backward()
            optimiser.step()
            step += 1
            if step in at_step:
                yield at_step[step]


def logits(model: nn.Module, inputs: Tensor) -> Tensor:
    """Logits (item, label) of a batch of images, or of token ids (integers, padded at the end)."""
    if inputs.is_floating_point():
        return getattr(output := model(inputs), "logits", output)
    shown = inputs != model.config.pad_token_id
    longest = int(shown.sum(dim=1).max())
    return model(input_ids=inputs[:, :longest], attention_mask=shown[:, :longest].long()).logits


@torch.inference_mode()
def evaluate(model: nn.Module, inputs: Tensor, labels: Tensor, batch_size: int = 500) -> tuple[float, float]:
    """Mean cross-entropy (nats) and accuracy of the model, in evaluation mode."""
    model.eval()
    z = torch.cat([logits(model, part) for part in inputs.split(batch_size)])
    loss = functional.cross_entropy(z.double(), labels).item()
    return loss, (z.argmax(-1) == labels).double().mean().item()


def losses(model: nn.Module, sets: dict[str, tuple[Tensor, Tensor]]) -> pd.Series:
    """Loss and accuracy of the model on each named set: `<name>_loss`, `<name>_accuracy`."""
    measured = {name: evaluate(model, *data) for name, data in sets.items()}
    return pd.Series(
        {f"{name}_{kind}": value for name, pair in measured.items() for kind, value in zip(("loss", "accuracy"), pair)}
    )


def _optimiser(name, parameters, learning_rate, weight_decay):
    if name == "sgd":
        return torch.optim.SGD(parameters, lr=learning_rate, momentum=0.9, weight_decay=weight_decay)
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
    return kind(parameters, lr=learning_rate, weight_decay=weight_decay)
