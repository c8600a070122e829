"""From a study to its artefacts: `ensure_*` returns what is on disk, or computes it and puts it there."""

import copy
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
import xarray as xr
from filelock import FileLock
from safetensors.torch import load_file
from safetensors.torch import save as as_bytes
from torch.nn import functional
from tqdm import tqdm

from symgen import generalization, training
from symgen.data import datasets, standing_within
from symgen.errors import InputError
from symgen.games import ROUNDING
from symgen.generalization import Comparison, salient
from symgen.interactions import KINDS, SparseAndOr, by_definition, sparse_and_or
from symgen.store import usable, write
from symgen.study.layout import (
    curves_path,
    decoded_dir,
    interactions_path,
    kept_checkpoints,
    penalised_effects_path,
    penalised_path,
    samples_path,
    split_path,
    values_path,
    weights_path,
)
from symgen.study.parts import deal, draw_penalised, draw_samples
from symgen.study.settings import ARMS, FAMILIES, Study
from symgen.study.tasks import ImageModality, PromptModality, TextModality
from symgen.training import JudgedSample, Penalty


@dataclass(frozen=True)
class Training:
    """A trained network: its loss curves, and its weights at every checkpoint.

    curves: one row an epoch at which it was measured, with loss (nats) and accuracy on each set, and the seconds of
    training until then. best: the epoch of lowest validation loss (of a baseline), NaN without a validation set.
    """

    study: Study
    role: str
    curves: pd.DataFrame
    best: float

    def model(self, checkpoint: float | str) -> torch.nn.Module:
        """The network at a checkpoint: an epoch of `study.checkpoints` for a target; best or last for a baseline."""
        path = weights_path(self.study, self.role, checkpoint)
        if not path.is_file():
            there = ", ".join(str(c) for c in kept_checkpoints(self.study, self.role))
            raise InputError(f"{self.role} has no checkpoint {checkpoint!r}; there are: {there}")
        model = copy.deepcopy(_any_network(_as_built(self.study, self.role)))
        model.load_state_dict(load_file(path))
        return model.eval()


# data
def load_data(study: Study) -> datasets.Images | datasets.Texts:
    """The study's data, all of it."""
    return datasets.load_dataset(
        study.dataset, study.data_dir, study.least_rating, study.image_size, decoded_dir(study), study.download
    )


def modality(study: Study) -> ImageModality | TextModality | PromptModality:
    """How the study's data become inputs, networks, variables and games."""
    data = load_data(study)
    if study.modality == "images":
        return ImageModality(study, data)
    first = study.before or study  # fine-tuning keeps the vocabulary
    split, texts = ensure_split(first), load_data(first).texts
    learned_from = tuple(texts[item] for item in split.item[split.part == "A"])
    return {"texts": TextModality, "prompts": PromptModality}[study.modality](study, data, learned_from)


def ensure_split(study: Study) -> pd.DataFrame:
    """Which item (image or text) is in which part: columns item, label, part.

    Parts are disjoint and class-balanced: A, B, B-validation, C, C-validation, D, and unused for the rest (section 7).
    Texts that stand within others are where the longest of these is, or unused. ValueError if the data set is too small.
    """
    settings = study.settings_of("split")
    path = split_path(study)
    if not usable(path, settings):
        data = load_data(study)
        within = standing_within(data.texts) if getattr(data, "nested", False) else None
        table = deal(study, data.labels.numpy(), within)
        write(path, lambda temporary: table.to_csv(temporary, index=False), settings)
    return pd.read_csv(path)


def part_data(study: Study, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Network inputs (images, or token ids; the item comes first) and labels of a part, on the study's device.

    Labels are (item,), those of prompts (item, position): the token that comes next, -1 at the end. Parts joined by a
    plus, such as "A+B", are one.
    """
    own = (split := ensure_split(study))[split.part.isin(part.split("+"))]
    inputs, labels = modality(study).examples(own.item.to_numpy())
    return inputs.to(device(study)), labels.to(device(study))


def ensure_samples(study: Study) -> pd.DataFrame:
    """The samples to explain: columns sample, of (training or testing), item, label, variables (by spaces).

    Variables are numbers of cells or words; those of prompts words, and the label is the token id of the next one.

    From A and, independently, from D: explain_classes classes at random, explain_per_class items of each (Appendix J),
    among those that have enough variables; the variables of each sample are drawn at random with a recorded seed
    (Appendix A.1).
    """
    settings = study.settings_of("samples")
    path = samples_path(study)
    if not usable(path, settings):
        table = draw_samples(study, modality(study), ensure_split(study))
        write(path, lambda temporary: table.to_csv(temporary, index=False), settings)
    return pd.read_csv(path, dtype={"variables": str})


def variables_of(samples: pd.DataFrame) -> np.ndarray:
    """Variables (sample, variable) of a table of samples: numbers of cells or words, or the words of prompts."""
    own = np.array([one.split() for one in samples.variables])
    return own.astype(int) if np.char.isdigit(own).all() else own


# training
def ensure_training(study: Study, role: str, verbose: bool = False) -> Training:
    """The trained network of a role ("target-11", "baseline-21"), trained if it is not on disk yet.

    `verbose` prints a line at every checkpoint while it trains.
    """
    study.role(role)
    settings = study.settings_of("training", role)
    paths = [curves_path(study, role), *(weights_path(study, role, c) for c in kept_checkpoints(study, role))]

    def whole():
        return all([usable(path, settings) for path in paths])

    if not whole():
        paths[0].parent.mkdir(parents=True, exist_ok=True)
        with FileLock(paths[0].with_suffix(".lock")):  # who comes second waits, and finds it trained
            if not whole():
                with arithmetic(study), torch.random.fork_rng():
                    torch.manual_seed(study.role(role)[1])  # for layers that draw, such as dropout
                    try:
                        _train(study, role, settings, verbose)
                    except InputError as error:
                        raise InputError(f"{role} of study {study.name!r}: {error}") from None
    curves = pd.read_csv(paths[0])
    best = curves.epoch[curves.validation_loss.idxmin()] if "validation_loss" in curves else np.nan
    return Training(study, role, curves, float(best))


def training_part(study: Study, role: str) -> str:
    """The part of the data that a role is trained on."""
    family, _ = study.role(role)
    return study.baseline_on if family == "baseline" else FAMILIES[family]


def _train(study, role, settings, verbose):
    if study.precision == "bfloat16" and device(study).type != "cuda":
        raise InputError(f"precision = 'bfloat16' on {device(study).type}; expected 'float32', or a GPU")
    curves_path(study, role).unlink(missing_ok=True)  # no curves beside weights that are being written again
    family, seed = study.role(role)
    parts = {"train": training_part(study, role), "test": "D"}
    if family != "target" and study.validation_size:
        parts["validation"] = ("B" if family in ARMS else FAMILIES[family]) + "-validation"
    sets = {name: part_data(study, part) for name, part in parts.items()}
    if family == "shuffled":
        inputs, labels = sets["train"]
        sets["train"] = inputs, labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]
    model = _start(study, role)
    data = sets["train"]
    if family in ARMS:  # measured at its end and its best; what chooses the best is all that is looked at on the way
        sets = {name: own for name, own in sets.items() if name == "validation"}
    kept = kept_checkpoints(study, role)
    every_epoch = range(study.epochs + 1)
    stops = sorted({*every_epoch, *study.checkpoints}) if family == "target" else every_epoch
    curves, lowest, best = [], np.inf, b""
    recipe = _recipe(study, family, model, *data)
    seconds, since = 0.0, now(data[0].device)

    def keep(checkpoint, content):
        write(weights_path(study, role, checkpoint), lambda path: path.write_bytes(content), settings)

    for epoch in training.train(
        model, *data, epochs=study.epochs, batch_size=study.batch_size, learning_rate=study.learning_rate,
        seed=seed, stops=tuple(stops), augment=study.augment, precision=study.precision, **recipe,
    ):  # fmt: skip
        seconds += now(data[0].device) - since
        measured = training.losses(model, sets)
        if measured.isna().any():
            raise InputError(
                f"its loss is NaN after epoch {epoch:g}: it has diverged; expected a smaller learning_rate"
            )
        curves.append({"epoch": epoch, **measured, "seconds": seconds})
        if epoch in kept:
            keep(epoch, as_bytes(_weights(model)))
        if family != "target" and measured.get("validation_loss", np.inf) < lowest:
            lowest = measured.validation_loss
            best = as_bytes(_weights(model))  # on disk only when nothing better can come
        if verbose and (epoch in kept or epoch % 25 == 0):
            said = ", ".join(f"{name} {measured[name + '_loss']:.3f}" for name in ("train", "test") if name in sets)
            print(f"{role} epoch {epoch:g}: {said or 'trained'}, {seconds:.0f} s", flush=True)
        since = now(data[0].device)
    if family != "target":
        keep("last", as_bytes(_weights(model)))
        keep("best", best or as_bytes(_weights(model)))  # the last, if there is nothing to choose by
    table = pd.DataFrame(curves)
    write(curves_path(study, role), lambda path: table.to_csv(path, index=False), settings)


def _recipe(study, family, model, inputs, labels):
    """Arguments of `training.train` by which families differ; dropout is put into the model itself."""
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


def untrained(study: Study, seed: int) -> torch.nn.Module:
    """The study's network before training, its weights drawn from a seed, on the study's device."""
    return modality(study).network(seed).to(device(study))


def _start(study, role):
    """The network of a role before its training: untrained, or where the study before has left it."""
    if study.before is None:
        return untrained(_as_built(study, role), study.role(role)[1])
    return ensure_training(study.before, role).model(study.starts_from(role)).to(device(study))


def _as_built(study, role):
    """The study with the architecture of a role's network."""
    return study.replace(architecture=study.architecture_of(role))


@lru_cache(maxsize=4)
def _any_network(study):
    """A network to load weights into: to draw those of a new one can take longer than to train it for an epoch."""
    return untrained(study, seed=0)


def _weights(model):
    """Tensors to be saved, each with memory of its own: a language model embeds and predicts by the same one."""
    own = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    return {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in own.items()}


# masked values and interactions
def ensure_values(study: Study, role: str, checkpoint: float | str, progress: bool = False) -> xr.Dataset:
    """Masked values v (sample, subset) of a role's network at a checkpoint, for every sample to explain, and the seconds.

    Computed if not on disk yet, the network's training included.
    """
    if checkpoint not in kept_checkpoints(study, role):
        there = ", ".join(str(c) for c in kept_checkpoints(study, role))
        raise InputError(f"{role} has no checkpoint {checkpoint!r}; there are: {there}")

    def evaluate():
        trained = ensure_training(study, role, verbose=progress)
        kind, samples = modality(study), ensure_samples(study)
        game = study_game(study, role, trained.model(checkpoint))
        start = time.perf_counter()
        each = zip(kind.samples(samples.item), samples.label.tolist(), variables_of(samples))
        each = tqdm(each, desc=f"{role} {checkpoint}", total=len(samples), disable=None, leave=False)
        v = np.stack([game.values(*sample) for sample in each])
        coords = {"sample": samples["sample"].to_numpy()}
        seconds = time.perf_counter() - start
        return xr.Dataset({"v": (("sample", "subset"), v), "seconds_values": seconds}, coords)

    settings = study.settings_of("values", role, checkpoint)
    return _ensure_dataset(study, values_path(study, role, checkpoint), settings, evaluate)


def ensure_interactions(study: Study, role: str, checkpoint: float | str, progress: bool = False) -> xr.Dataset:
    """Masked values and sparse AND-OR interactions of a role's network at a checkpoint, for every sample to explain.

    Variables: v (sample, subset), effects (sample, kind, subset), noise (sample, subset), bias, bound, l1, gap (sample,),
    and the seconds that each step took. Computed if not on disk yet, the network's training included.
    """
    values = ensure_values(study, role, checkpoint, progress)

    def solve():
        start = time.perf_counter()
        solved = solved_as_in(study, values.v.to_numpy())
        found = {
            "effects": (("sample", "kind", "subset"), np.stack([solved.i_and, solved.i_or], axis=1)),
            "noise": (("sample", "subset"), solved.noise),
            **{name: ("sample", getattr(solved, name)) for name in ("bias", "bound", "l1", "gap")},
            "seconds_solving": time.perf_counter() - start,
        }
        if progress:
            label = checkpoint if isinstance(checkpoint, str) else f"epoch {checkpoint:g}"
            print(
                f"{role} {label}: {len(solved.gap)} samples, masked values {float(values.seconds_values):.1f} s, "
                f"solving {found['seconds_solving']:.1f} s, worst gap {solved.gap.max():.1e}",
                flush=True,
            )
        return xr.Dataset(found, {"sample": values["sample"].to_numpy(), "kind": list(KINDS)})

    settings = study.settings_of("interactions", role, checkpoint)
    return xr.merge([values, _ensure_dataset(study, interactions_path(study, role, checkpoint), settings, solve)])


def solved_as_in(study: Study, v: np.ndarray) -> SparseAndOr:
    """Sparse interactions of v (sample, subset), by the settings of a study."""
    return sparse_and_or(v, noise_bound=study.noise_bound, ridge=study.ridge, tol=study.tol, rounding=ROUNDING)


def _ensure_dataset(study, path, settings, compute):
    """The dataset on disk, computed and put there if it is not."""
    if not usable(path, settings):
        with arithmetic(study):
            result = compute()
        content = result.to_netcdf(engine="h5netcdf")
        write(path, lambda temporary: temporary.write_bytes(content), settings)
    with xr.open_dataset(path, engine="h5netcdf") as stored:
        return stored.load()


def study_game(study: Study, role: str, model: torch.nn.Module):
    """The game of a study on a role's network: an image's masked cells take the mean map over what it was trained on."""
    return modality(study).game(model, part_data(study, training_part(study, role))[0])


# the penalty
def study_penalty(study: Study, model: torch.nn.Module, inputs: torch.Tensor) -> Penalty:
    """The penalty on a network that is trained on `inputs` of A, judged by the study's baselines (section 10)."""
    small = penalised_study(study)
    effects = np.stack([ensure_penalised_effects(small, base).effects for base in study.baselines])
    return penalty_told(study, model, inputs, effects * salient(effects, study.tau_ratio))


def penalty_told(study: Study, model: torch.nn.Module, inputs: torch.Tensor, baselines: np.ndarray) -> Penalty:
    """The penalty on a network, told the baselines' salient interactions (baseline, item, kind, subset)."""
    small = penalised_study(study)
    kind, items = modality(small), ensure_penalised(small)
    each = zip(items.position, kind.samples(items.item), items.label, variables_of(items), np.moveaxis(baselines, 1, 0))
    return Penalty(
        kind.game(model, inputs[: study.batch_size]), {position: JudgedSample(*given) for position, *given in each},
        weight=study.penalty_weight, per_batch=study.penalty_samples, every=study.penalty_every,
        combine=study.generalizes_to, noise_bound=study.noise_bound, ridge=study.ridge,
        seen=inputs if study.masking == "mean" else None,
    )  # fmt: skip


def penalised_study(study: Study) -> Study:
    """The study as the penalty sees it: with its few variables, and whichever samples are explained."""
    return study.replace(n_variables=study.penalty_variables, explain_classes=1, explain_per_class=1)


def ensure_penalised(small: Study) -> pd.DataFrame:
    """The items that may be penalised: columns position (in part A), item, label, variables (numbers, by spaces).

    All of A that have enough variables, drawn with a recorded seed. `small`: a `penalised_study`.
    """
    settings = small.settings_of("samples")
    path = penalised_path(small)
    if not usable(path, settings):
        table = draw_penalised(small, modality(small), ensure_split(small))
        write(path, lambda temporary: table.to_csv(temporary, index=False), settings)
    return pd.read_csv(path, dtype={"variables": str})


def ensure_penalised_effects(small: Study, role: str) -> xr.Dataset:
    """A baseline's interactions on every item that may be penalised: effects (item, kind, subset)."""
    checkpoint = small.checkpoints_of(role)[-1]

    def extract():
        kind, items = modality(small), ensure_penalised(small)
        game = study_game(small, role, ensure_training(small, role).model(checkpoint))
        each = zip(kind.samples(items.item), items.label.tolist(), variables_of(items))
        v = np.stack([game.values(*sample) for sample in each])
        solved = solved_as_in(small, v)
        effects = np.stack([solved.i_and, solved.i_or], axis=1)
        return xr.Dataset({"effects": (("item", "kind", "subset"), effects)}, {"item": items.item.to_numpy()})

    settings = small.settings_of("interactions", role, checkpoint)
    return _ensure_dataset(small, penalised_effects_path(small, role), settings, extract)


def all_interactions(study: Study, role: str, progress: bool = True) -> xr.Dataset:
    """Interactions of a role at all its checkpoints, with an axis `epoch` in front (for a target), computed if need be."""
    per_checkpoint = [ensure_interactions(study, role, c, progress) for c in study.checkpoints_of(role)]
    return xr.concat(per_checkpoint, pd.Index(study.checkpoints_of(role), name="epoch"))


def certificate_table(study: Study, role: str, found: xr.Dataset) -> pd.DataFrame:
    """What vouches for a role's interactions, one row a checkpoint: worst over its samples.

    error: |model + noise - v| / max |v|. noise: |noise|, as a share of what it may be. gap: relative duality
    gap. seconds_*: time of the extraction, for all samples together.
    """
    rows = []
    for checkpoint in study.checkpoints_of(role):
        own = found.sel(epoch=checkpoint)
        v, noise = own.v.to_numpy(), own.noise.to_numpy()
        model = by_definition(own.effects.to_numpy(), own.bias.to_numpy())
        error = np.abs(model + noise - v).max(axis=1) / np.abs(v).max(axis=1)
        times = {name: float(own[name]) for name in ("seconds_values", "seconds_solving")}
        worst_noise = (np.abs(noise).max(axis=1) / own.bound.to_numpy().clip(min=1e-300)).max()
        rows.append(
            {"role": role, "epoch": checkpoint, "samples": len(v), "error": error.max(), "noise": worst_noise,
             "gap": float(own.gap.max()), **times}
        )  # fmt: skip
    return pd.DataFrame(rows)


def curves_table(trained: Training) -> pd.DataFrame:
    """Losses of a training, tidy: role, epoch, set (train, validation, test), loss, best."""
    long = trained.curves.melt("epoch", var_name="set", value_name="loss")
    long = long[long["set"].str.endswith("_loss")]
    long["set"] = long["set"].str.removesuffix("_loss")
    return long.assign(role=trained.role, best=trained.best)


def loss_gap(trained: Training) -> pd.DataFrame:
    """Training and testing loss and their gap (nats), by epoch."""
    losses = trained.curves[["epoch", "train_loss", "test_loss"]]
    return losses.assign(loss_gap=losses.test_loss - losses.train_loss)


def effects_of(study: Study, roles: tuple[str, ...], progress: bool = True) -> np.ndarray:
    """Effects (role, sample, kind, subset) of roles at their last checkpoint, or the one that they have."""
    return np.stack(
        [ensure_interactions(study, role, study.checkpoints_of(role)[-1], progress).effects for role in roles]
    )


def compare(study: Study, role: str, progress: bool = True, judges: tuple[str, ...] = ()) -> Comparison:
    """A target's interactions at all its checkpoints, judged by the study's baselines: what every figure is made of.

    `judges`: other roles that judge.
    """
    target = all_interactions(study, role, progress)
    return generalization.compare(
        target,
        [ensure_interactions(study, x, study.checkpoints_of(x)[-1], progress) for x in judges or study.baselines],
        tau_ratio=study.tau_ratio,
        combine=study.generalizes_to,
        chance_draws=study.chance_draws,
        seed=study.analysis_seed,
        epochs=[study.epochs if c == "last" else c for c in study.checkpoints_of(role)],
        of=ensure_samples(study).of,
    )


# where and how it runs
def device(study: Study) -> torch.device:
    """The device of a study's networks: its setting, or the accelerator if there is one."""
    if study.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if study.device != "cpu" and not (there := torch.cuda.device_count()) > (torch.device(study.device).index or 0):
        raise InputError(
            f"device = {study.device!r}, but PyTorch finds {there} GPUs; expected one of them, auto or cpu"
        )
    return torch.device(study.device)


def now(device: torch.device) -> float:
    """The time in seconds when whatever was asked of a device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


@contextmanager
def arithmetic(study):
    """Sums in one order, by as many threads as the study says; a GPU convolves in float32 as well, and by one algorithm.

    Left to itself it rounds what it convolves to ten bits (TF32), which would move masked values by a thousandth.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(study.threads)
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_num_threads(before)
