"""From a study to its results: `ensure_*` gives what is on disk, or computes it, and what it rests on, and keeps it."""

import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from symgen import generalization
from symgen.errors import InputError
from symgen.games import CausalLMGame, ImageGame, TextGame
from symgen.generalization import Comparison, Control
from symgen.interactions import KINDS, by_definition
from symgen.store import cached, keyed
from symgen.study.ablations import judges_at_end
from symgen.study.devices import arithmetic, device
from symgen.study.networks import TrainedNetwork, check_checkpoint, ensure_training, label_of, path_of, untrained
from symgen.study.prompt_tasks import given_game
from symgen.study.samples import (
    ensure_samples,
    ensure_split,
    given_prompts,
    load_data,
    masked_values,
    part_data,
    solve,
    study_game,
    task,
    training_part,
)
from symgen.study.settings import OTHER, Study


# games
def game_of(study: Study, role: str, checkpoint: float | str) -> ImageGame | TextGame | CausalLMGame:
    """The study's game on a role's network at a checkpoint."""
    check_checkpoint(study, role, checkpoint)
    if study.model_of(role):
        return given_game(study, role, device(study))
    return study_game(study, role, ensure_training(study, role).model(checkpoint))


# masked values and interactions
def ensure_values(study: Study, role: str, checkpoint: float | str) -> xr.Dataset:
    """Masked values v (sample, subset) of a role's network at a checkpoint, for every sample to explain, and the seconds.

    Computed if not on disk yet, the network's training included.
    """

    def evaluate():
        samples = ensure_samples(study)
        if role == OTHER:  # its tokens have other numbers
            samples = samples.assign(label=task(study).next_words(samples))
        with arithmetic(study):
            game = game_of(study, role, checkpoint)
            start = time.perf_counter()
            v = masked_values(study, game, samples, f"{role} {checkpoint}")
        seconds = time.perf_counter() - start
        return xr.Dataset({"v": (("sample", "subset"), v), "seconds_values": seconds}, {"sample": samples["sample"]})

    check_checkpoint(study, role, checkpoint)
    return cached(*_place("values", study, role, checkpoint), evaluate)


def ensure_interactions(study: Study, role: str, checkpoint: float | str) -> xr.Dataset:
    """Masked values and sparse AND-OR interactions of a role's network at a checkpoint, for every sample to explain.

    Variables: v (sample, subset), effects (sample, kind, subset), noise (sample, subset), bias, bound, l1, gap (sample,),
    and the seconds that each step took. Computed if not on disk yet, the network's training included, and a line is printed.
    """
    values = ensure_values(study, role, checkpoint)

    def extract():
        start = time.perf_counter()
        with arithmetic(study):
            solution = solve(study, values.v.to_numpy())
        seconds = time.perf_counter() - start
        label = checkpoint if isinstance(checkpoint, str) else f"epoch {checkpoint:g}"
        print(
            f"{role} {label}: {len(solution.gap)} samples, masked values {float(values.seconds_values):.1f} s, "
            f"solving {seconds:.1f} s, worst gap {solution.gap.max():.1e}",
            flush=True,
        )
        per_sample = {name: ("sample", getattr(solution, name)) for name in ("bias", "bound", "l1", "gap")}
        effects, noise = (("sample", "kind", "subset"), solution.effects), (("sample", "subset"), solution.noise)
        variables = {"effects": effects, "noise": noise, **per_sample, "seconds_solving": seconds}
        return xr.Dataset(variables, {"sample": values["sample"].to_numpy(), "kind": list(KINDS)})

    return xr.merge([values, cached(*_place("interactions", study, role, checkpoint), extract)], join="exact")


def artefact_path(kind: str, study: Study, role: str, checkpoint: float | str) -> Path:
    """File of a role's values or interactions at a checkpoint."""
    return keyed(*_place(kind, study, role, checkpoint))


def _place(kind, study, role, checkpoint):
    """Where an artefact goes, but for its key, and the settings on which it depends."""
    settings = study.settings_of(kind, role, checkpoint) | given_prompts(study)
    return path_of(study, role, f"{kind}-{label_of(checkpoint)}.nc"), settings


def all_interactions(study: Study, role: str, checkpoints: tuple[float | str, ...] | None = None) -> xr.Dataset:
    """Interactions of a role at its checkpoints, all or some, with an axis `epoch` in front, computed if need be."""
    checkpoints = study.checkpoints_of(role) if checkpoints is None else checkpoints
    per_checkpoint = [ensure_interactions(study, role, c) for c in checkpoints]
    return xr.concat(per_checkpoint, pd.Index(checkpoints, name="epoch"), join="exact")


def effects_of(study: Study, roles: tuple[str, ...]) -> np.ndarray:
    """Effects (role, sample, kind, subset) of roles at their last checkpoint, or the one that they have."""
    return np.stack([ensure_interactions(study, role, study.checkpoints_of(role)[-1]).effects for role in roles])


def compare(
    study: Study,
    role: str,
    judges: tuple[str, ...] | None = None,
    checkpoints: tuple | None = None,
    judges_of: Study | None = None,
    rewrite: Callable[[xr.Dataset], xr.Dataset] | None = None,
    **salience,
) -> Comparison:
    """A target's interactions at its checkpoints, judged by the study's baselines: what every figure is made of.

    `judges`: the roles that judge, in place of the study's baselines. `judges_of`: the study whose networks they are, if
    it is another; it explains the same samples. `checkpoints`: some of those at which the network is kept, also "best"
    and "last". `rewrite`: another form of the interactions, such as
    `generalization.folded`. `salience`: another rule of what is salient, as in `generalization.compare`.
    """
    checkpoints = study.checkpoints_of(role) if checkpoints is None else checkpoints
    judges = study.baselines if judges is None else judges
    if not judges:
        raise InputError(f"no network judges {role}; expected at least one")
    judging, target = judges_of or study, all_interactions(study, role, checkpoints)
    baselines = [ensure_interactions(judging, judge, judging.checkpoints_of(judge)[-1]) for judge in judges]
    if rewrite:
        target, *baselines = map(rewrite, (target, *baselines))
    epochs = {"last": study.epochs, "given": 0.0}
    if "best" in checkpoints:
        epochs["best"] = np.nan_to_num(ensure_training(study, role).best, nan=study.epochs)
    return generalization.compare(
        target,
        baselines,
        **{"tau_ratio": study.tau_ratio, **salience},
        combine=study.generalizes_to,
        chance_draws=study.chance_draws,
        seed=study.analysis_seed,
        epochs=[epochs.get(checkpoint, checkpoint) for checkpoint in checkpoints],
        of=ensure_samples(study).of,
    )


def seconds_to_judge(study: Study, role: str) -> float:
    """Seconds to decide which interactions of 100 samples generalize, once they are extracted (claim L1)."""
    last = study.checkpoints_of(role)[-1:]
    n_samples = compare(study, role, checkpoints=last).data.sizes["sample"]  # read, and compiled
    start = time.perf_counter()
    compare(study, role, checkpoints=last)
    return (time.perf_counter() - start) * 100 / n_samples


def compared_by_shuffled(study: Study, checkpoints: tuple | None = None) -> Control | None:
    """Targets judged by baselines, and by as many networks trained on shuffled labels; None without such networks.

    All judges are at the end of their training, so that they differ in their labels alone.
    """
    if not (judging := judges_at_end(study)):
        return None
    at_end, families = judging
    return tuple({role: compare(at_end, role, judges, checkpoints) for role in study.targets} for judges in families)


def compared_by_other(study: Study) -> dict[str, dict[str, Comparison]]:
    """Targets judged by the given model `other_judge`, by its name; nothing without one."""
    if not study.other_judge:
        return {}
    return {
        Path(study.other_judge).name.removesuffix(".gguf"): {
            role: compare(study, role, (OTHER,)) for role in study.targets
        }
    }


# tables
def certificate_table(role: str, interactions: xr.Dataset) -> pd.DataFrame:
    """What vouches for a role's interactions, one row a checkpoint: worst over its samples.

    error: |model + noise - v| / max |v|. noise: |noise|, as a share of what it may be. gap: relative duality
    gap. seconds_*: time of the extraction, for all samples together.
    """
    of = {name: variable.to_numpy() for name, variable in interactions.variables.items()}  # (epoch, sample, ..)
    rest = by_definition(of["effects"], of["bias"]) + of["noise"] - of["v"]
    error = np.abs(rest).max(axis=2) / np.abs(of["v"]).max(axis=2)
    noise = np.abs(of["noise"]).max(axis=2) / of["bound"].clip(min=1e-300)
    worst = {"error": error.max(axis=1), "noise": noise.max(axis=1), "gap": of["gap"].max(axis=1)}
    seconds = {name: of[name] for name in ("seconds_values", "seconds_solving")}
    return pd.DataFrame({"role": role, "epoch": of["epoch"], "samples": error.shape[1], **worst, **seconds})


def curves_table(trained: TrainedNetwork) -> pd.DataFrame:
    """Losses of a training, tidy: role, epoch, set (train, validation, test), loss, best."""
    losses = trained.curves.filter(regex="^epoch$|_loss$").melt("epoch", var_name="set", value_name="loss")
    return losses.assign(set=losses["set"].str.removesuffix("_loss"), role=trained.role, best=trained.best)


def learned_table(networks: Iterable[TrainedNetwork]) -> pd.DataFrame:
    """Whether networks have learned anything: role, accuracy on D, that of always the same answer, and the verdict.

    Each at the epoch at which it is looked at last: a target at its end, a judge where it judges.
    """
    rows, most_frequent = [], cache(_most_frequent)
    for network in networks:
        study, accuracies = network.study, network.curves.set_index("epoch").test_accuracy
        at_best = study.checkpoints_of(network.role)[-1] == "best"
        accuracy, usual = accuracies[network.best] if at_best else accuracies.iloc[-1], most_frequent(study)
        rows.append((network.role, accuracy, usual, has_learned(accuracy, usual)))
    return pd.DataFrame(rows, columns=["role", "accuracy", "always the same", "learned"])


def has_learned(accuracy: float, usual: float) -> bool:
    """Whether an accuracy shows that anything was learned: it is more than 0.05 above that of always the same answer."""
    return bool(accuracy > usual + 0.05)


def _most_frequent(study):
    """Share of the labels of D that are the most frequent one."""
    _, labels = part_data(study, "D")
    labels = labels[labels >= 0]
    return (labels == labels.mode().values).double().mean().item()


def loss_gap(trained: TrainedNetwork) -> pd.DataFrame:
    """Training and testing loss and their gap (nats), by epoch."""
    losses = trained.curves[["epoch", "train_loss", "test_loss"]]
    return losses.assign(loss_gap=losses.test_loss - losses.train_loss)
