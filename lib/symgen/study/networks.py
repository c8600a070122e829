"""The networks of a study: trained once a role, kept at their checkpoints."""

import copy
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr
from safetensors.torch import load_model as load_weights
from torch.nn import functional

from symgen import training
from symgen.errors import InputError, saying
from symgen.generalization import salient
from symgen.store import cached, fresh, keyed, lock_at, read, write
from symgen.study.devices import arithmetic, device, now
from symgen.study.samples import (
    as_penalised,
    ensure_penalised,
    masked_values,
    part_data,
    solve,
    study_game,
    task,
    training_part,
    validation_part,
)
from symgen.study.settings import ARMS, Study
from symgen.timing import QUIET, stage
from symgen.training import JudgedSample, Penalty


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network: its loss curves, and its weights at every checkpoint.

    curves: one row an epoch at which it was measured, with loss (nats) and accuracy on each set, and the seconds of
    training until then.
    """

    study: Study
    role: str
    curves: pd.DataFrame

    @property
    def best(self) -> float:
        """Of `study.measured_epochs`, that of lowest validation loss; NaN without a validation set."""
        if "validation_loss" not in self.curves:
            return np.nan
        shared = self.curves[self.curves.epoch.isin(self.study.measured_epochs)]
        return float(shared.epoch[shared.validation_loss.idxmin()])

    def model(self, checkpoint: float | str) -> torch.nn.Module:
        """The network at a checkpoint: best, last or, of a target, an epoch of `study.checkpoints`."""
        check_checkpoint(self.study, self.role, checkpoint)
        model = copy.deepcopy(_any_network(self.study, self.study.architecture_of(self.role)))
        load_weights(model, weights_path(self.study, self.role, checkpoint))
        return model.eval()


def ensure_training(study: Study, role: str) -> TrainedNetwork:
    """The trained network of a role ("target-11", "baseline-21"), trained if it is not on disk yet.

    While it trains, a line is printed at every checkpoint, and now and then where these are far apart.
    """
    if study.model_of(role):
        raise InputError(f"{role} is a model that is given; expected a role that is trained")
    settings, path = study.settings_of("training", role), curves_path(study, role)
    paths = [path, *(weights_path(study, role, checkpoint) for checkpoint in study.kept_checkpoints(role))]

    def whole():
        return all([fresh(one, settings) for one in paths])  # a list: each that is damaged is set aside

    if not whole():
        with lock_at(path.with_suffix(".lock")):  # who comes second finds it trained
            if not whole():
                path.unlink(missing_ok=True)  # no curves beside weights that are being written again
                write(path, _trained(study, role), settings)
    return TrainedNetwork(study, role, read(path))


def path_of(study: Study, role: str, name: str) -> Path:
    """Where an artefact of a role is, but for its key."""
    return study.runs_dir / role / name


def curves_path(study: Study, role: str) -> Path:
    """Table of a role's losses; written last, so that a training is whole where it is."""
    return keyed(path_of(study, role, "curves.csv"), study.settings_of("training", role))


def weights_path(study: Study, role: str, checkpoint: float | str) -> Path:
    """Weights of a role at a checkpoint."""
    name = f"weights-{label_of(checkpoint)}.safetensors"
    return keyed(path_of(study, role, name), study.settings_of("training", role))


def label_of(checkpoint: float | str) -> str:
    """A checkpoint in the name of a file."""
    return checkpoint if isinstance(checkpoint, str) else f"{checkpoint:g}"


def check_checkpoint(study: Study, role: str, checkpoint: float | str) -> None:
    """InputError unless a role's network is kept at the checkpoint."""
    if checkpoint not in (kept := study.kept_checkpoints(role)):
        names = ", ".join(map(str, kept))
        raise InputError(f"{role} has no checkpoint {checkpoint!r}; there are: {names}")


def untrained(study: Study, seed: int, architecture: str = "") -> torch.nn.Module:
    """A network of a study before training, its weights drawn from a seed, on the study's device."""
    return task(study).network(architecture or study.architecture, seed).to(device(study))


def _trained(study, role):
    """Loss curves of a role's training, which writes the weights on its way."""
    if study.precision == "bfloat16" and device(study).type != "cuda":
        raise InputError(f"precision = 'bfloat16' on {device(study).type}; expected 'float32', or a GPU")
    gpus, says = [device(study)] if device(study).type == "cuda" else [], f"{role} of study {study.name!r}: "
    with stage("training"), arithmetic(study), torch.random.fork_rng(gpus), saying(says):
        torch.manual_seed(study.role(role)[1])  # for layers that draw, such as dropout
        return _train(study, role, _Keeper(study, role))


class _Keeper:
    """Keeps a network's weights: the last and the best, and those at the epochs of a target."""

    def __init__(self, study, role):
        self.study, self.role = study, role
        self.epochs = set(study.checkpoints_of(role)) - {"best", "last"}
        self.lowest, self.best = np.inf, None

    def look(self, epoch, model, validation_loss):
        """Keep what is to be kept at an epoch."""
        if epoch in self.epochs:
            self._write(epoch, _weights(model))
        if epoch in self.study.measured_epochs and validation_loss < self.lowest:
            self.lowest, self.best = validation_loss, _weights(model)  # on disk only when nothing better can come

    def end(self, model):
        """Keep the last and the best, which is the last if there is nothing to choose by."""
        last = _weights(model)
        self._write("last", last)
        self._write("best", self.best or last)

    def _write(self, checkpoint, weights):
        path, settings = weights_path(self.study, self.role, checkpoint), self.study.settings_of("training", self.role)
        write(path, weights, settings)


def _train(study, role, keeper):
    """Train the network of a role, whose weights the keeper keeps; its losses and seconds.

    A row a stop: the measured epochs and, of a target, its checkpoints.
    """
    family, seed = study.role(role)
    sets = _sets(study, role)
    data = sets["train"]
    model = _start(study, role)
    task(study).check_network(model, data[0])
    if family in ARMS:  # measured at its end and its best; what chooses the best is all that is looked at on the way
        sets = {name: pair for name, pair in sets.items() if name == "validation"}
    stops = sorted({*study.measured_epochs, *keeper.epochs})
    rows, seconds, shown, since = [], 0.0, 0.0, now(device(study))
    for epoch in training.train(
        model, *data, epochs=study.epochs, batch_size=study.batch_size, learning_rate=study.learning_rate, seed=seed,
        stops=tuple(stops), augment=study.augment, precision=study.precision, **_recipe(study, family, model, *data),
    ):  # fmt: skip
        seconds += now(device(study)) - since
        with stage("losses"):
            losses = training.losses(model, sets)
        if losses.isna().any() or not all(weights.isfinite().all() for weights in model.parameters()):
            raise InputError(
                f"its loss is NaN, or a weight is not finite, after epoch {epoch:g}: it has diverged; "
                "expected a smaller learning_rate"
            )
        keeper.look(epoch, model, losses.get("validation_loss", np.inf))
        if epoch in keeper.epochs or epoch == study.epochs or seconds - shown > QUIET:
            text = ", ".join(f"{name} {losses[name + '_loss']:.3f}" for name in ("train", "test") if name in sets)
            print(f"{role} epoch {epoch:g}: {text or 'trained'}, {seconds:.0f} s", flush=True)
            shown = seconds
        rows.append({"epoch": epoch, **losses, "seconds": seconds})
        since = now(device(study))
    keeper.end(model)
    return pd.DataFrame(rows)


def _sets(study, role):
    """Inputs and labels to train on, to test on and, where a best checkpoint is chosen, to choose by."""
    family, seed = study.role(role)
    parts = {"train": training_part(study, role), "test": "D"}
    if study.validation_size:
        parts["validation"] = validation_part(study, role)
    sets = {name: part_data(study, part) for name, part in parts.items()}
    if family == "shuffled":
        inputs, labels = sets["train"]
        sets["train"] = inputs, labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]
    return sets


def _recipe(study, family, model, inputs, labels):
    """Arguments of `training.train` by which families differ; dropout is put into the model itself."""
    if family in ("penalty", "distilled") and study.modality == "prompts":
        raise InputError(f"a network of family {family!r} on prompts; expected a study of images or texts")
    recipe = {"optimizer": study.optimizer, "weight_decay": study.weight_decay}
    if family == "decay":
        decoupled = {"adam": "adamw"}.get(study.optimizer, study.optimizer)  # the same steps, but for the decay
        recipe = {"optimizer": decoupled, "weight_decay": study.decay}
    if family == "dropout":
        training.add_dropout(model, study.dropout)
    if family == "penalty":
        penalty = study_penalty(study, model, inputs)
        recipe["objective"] = lambda z, batch: functional.cross_entropy(z, labels[batch]) + penalty(batch)
    if family == "distilled":
        teachers = [ensure_training(study, base).model(study.baseline_checkpoint) for base in study.baselines]
        soft = torch.stack([training.predicted(teacher, inputs) for teacher in teachers])
        recipe["objective"] = training.distillation(soft, labels, study.distillation)
    return recipe


def study_penalty(study: Study, model: torch.nn.Module, inputs: torch.Tensor) -> Penalty:
    """The penalty on a network that is trained on `inputs` of A, judged by the study's baselines."""
    effects = np.stack([ensure_penalised_effects(study, base).effects for base in study.baselines])
    return penalty_by(study, model, inputs, effects * salient(effects, study.tau_ratio))


def penalty_by(study: Study, model: torch.nn.Module, inputs: torch.Tensor, baselines: np.ndarray) -> Penalty:
    """The penalty on a network, judged by the baselines' salient interactions (baseline, item, kind, subset)."""
    kind, items = task(study), ensure_penalised(study)
    each = kind.samples(items.item), items.label, kind.variables(items), np.moveaxis(baselines, 1, 0)
    judged = {position: JudgedSample(*sample) for position, *sample in zip(items.position, *each)}
    return Penalty(
        kind.game(model, inputs[: study.batch_size]), judged,
        weight=study.penalty_weight, per_batch=study.penalty_samples, every=study.penalty_every,
        combine=study.generalizes_to, noise_bound=study.noise_bound, ridge=study.ridge,
        seen=inputs if study.masking == "mean" else None,
    )  # fmt: skip


def ensure_penalised_effects(study: Study, role: str) -> xr.Dataset:
    """A baseline's interactions on every item that may be penalised: effects (item, kind, subset)."""
    few = as_penalised(study)
    checkpoint = few.checkpoints_of(role)[-1]

    def extract():
        items, model = ensure_penalised(study), ensure_training(few, role).model(checkpoint)
        with arithmetic(few):
            game = study_game(few, role, model)
            v = masked_values(few, game, items, f"{role} {checkpoint}, for the penalty")
            effects = solve(few, v).effects
        return xr.Dataset({"effects": (("item", "kind", "subset"), effects)}, {"item": items.item.to_numpy()})

    path = path_of(few, role, f"penalised-{label_of(checkpoint)}.nc")
    return cached(path, few.settings_of("interactions", role, checkpoint), extract)


def _start(study, role):
    """The network of a role before its training: untrained, or where the study before has left it."""
    if study.before is None:
        return untrained(study, study.role(role)[1], study.architecture_of(role))
    return ensure_training(study.before, role).model(study.starts_from(role)).to(device(study))


@lru_cache(maxsize=4)
def _any_network(study, architecture):
    """A network to load weights into: to draw those of a new one can take longer than to train it for an epoch."""
    return untrained(study, 0, architecture)


def _weights(model):
    """Tensors to be saved, as they are now; each once, though a language model may embed and predict by the same."""
    tensors, named = model.state_dict(), chain(model.named_parameters(), model.named_buffers())
    return {
        name: tensors[name].cpu().clone(memory_format=torch.contiguous_format) for name, _ in named if name in tensors
    }
