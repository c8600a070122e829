"""Trainings with and without the penalty, compared on data never trained on, and by what they learn (Appendix K).

An arm is a way to train: `settings.ARMS` says which there are. Its networks are roles like any other (penalty-11, ...), one
for each target seed, trained with the same seeds, so that arms are compared in pairs. Plain training is that of the targets.
"""

from functools import cache
from itertools import product

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch.nn import functional

from symgen import training
from symgen.errors import InputError
from symgen.generalization import Estimate, estimates_table, pooled, tables
from symgen.store import cached
from symgen.study.devices import arithmetic, now
from symgen.study.networks import ensure_training, path_of, penalty_by
from symgen.study.pipeline import compare
from symgen.study.samples import ensure_penalised, part_data
from symgen.study.settings import ARMS, Study, roles_of
from symgen.timing import stage

MINOR = ("decay", "dropout")  # controls of which there are half as many networks
AT_END = ("last",)  # the checkpoint at which arms are compared
Measured = dict[str, list[Estimate]]  # quantity -> an estimate of each network


# which networks there are
def roles(study: Study, arm: str) -> tuple[str, ...]:
    """The roles of an arm, one for each of the first `arms_networks` target seeds, or all; of `MINOR` arms half of them."""
    family, seeds = "target" if arm == "plain" else arm, study.target_seeds[: study.arms_networks or None]
    return roles_of(family, _half(seeds) if arm in MINOR else seeds)


def _half(several):
    return several[: -(-len(several) // 2)]


def judges(study: Study) -> dict[str, tuple[str, ...]]:
    """Who judges: the baselines that the penalty was trained with, and networks of part C, which it never saw."""
    return {"H": study.baselines, "H by others": study.second}


def settings_of(study: Study) -> dict[str, Study]:
    """The settings in which arms are compared: all samples and, if the study says how many, few to learn from."""
    if not study.penalty_weight:
        raise InputError(f"penalty_weight = 0 in study {study.name!r}; expected more than 0 to compare ways to train")
    fewer = study.arms_per_class or max(1, study.explain_per_class // 2)  # there are many networks
    study = study.replace(explain_per_class=fewer)
    settings = {"all samples": study}
    if study.few_shot_size >= study.train_size:  # all are few: the same networks
        settings["few samples"] = study
    elif study.few_shot_size:  # checkpoints are those of targets: none here
        settings["few samples"] = study.replace(train_size=study.few_shot_size, checkpoints=(0.0, float(study.epochs)))
    return settings


def curve(study: Study) -> dict[float, tuple[Study, str]]:
    """The study and the arm behind each weight of the penalty, rising; weight 0 is plain training. Half of the networks."""
    study = study.replace(arms_networks=len(_half(roles(study, "penalty"))))
    others = (float(f"{study.penalty_weight * factor:.3g}") for factor in study.penalty_factors)
    weights = sorted([study.penalty_weight, *others])
    changed = {weight: (study.replace(penalty_weight=weight), "penalty") for weight in weights}
    return {0.0: (study, "plain")} | changed


def compared(study: Study) -> list[tuple[Study, str]]:
    """All networks that are compared, as (study, role); some more than once."""
    settings = settings_of(study)
    ways = [(setting, arm) for setting in settings.values() for arm in ARMS]
    ways += curve(settings["all samples"]).values()
    return [(setting, role) for setting, arm in ways for role in roles(setting, arm)]


def requirements(study: Study) -> list[tuple[Study, str, tuple[float | str, ...]]]:
    """What the comparison needs trained and extracted, as (study, role, checkpoints); some of it more than once."""
    distinct = dict.fromkeys(settings_of(study).values())
    judging = [(setting, role) for setting in distinct for group in judges(setting).values() for role in group]
    return [
        *((setting, role, setting.checkpoints_of(role)) for setting, role in judging),
        *((setting, role, AT_END) for setting, role in compared(study)),
    ]


# what is measured of an arm
def measured(study: Study, arm: str) -> Measured:
    """Quantities of an arm's networks, resampled: items of D for accuracy and loss, samples to explain for H.

    accuracy, loss (nats): at the end of training; the same `at best`: at the lowest loss on the validation part. H, H by
    others: the share of salient strength that generalizes at the end, by both kinds of judges, and above chance. Every
    arm of a study is resampled alike.
    """
    alone = study.replace(arms_networks=0)
    networks = [_of_network(alone, role) for role in roles(study, arm)]
    return {quantity: [network[quantity] for network in networks] for quantity in networks[0]}


@cache  # the curve over weights asks again
def _of_network(study, role):
    answers, estimates = ensure_answers(study, role), {}
    for checkpoint, where in (("last", ""), ("best", " at best")):
        for name in ("accuracy", "loss"):
            per_item = answers[name].sel(checkpoint=checkpoint).to_numpy()
            estimates[f"{name}{where}"] = study.bootstrap.mean(per_item)
    for name, baselines in judges(study).items():
        h, _, excess = compare(study, role, judges=baselines, checkpoints=AT_END).power(study.bootstrap)
        estimates |= {name: h[0], f"{name}, above chance": excess[0]}
    return estimates


def ensure_answers(study: Study, role: str) -> xr.Dataset:
    """What a role's network makes of every item of D, at its end and its best: accuracy (0 or 1) and loss (nats).

    Both are (checkpoint, item). Computed if not on disk yet, the network's training included.
    """

    def answer():
        trained, (inputs, labels) = ensure_training(study, role), part_data(study, "D")
        of = {"accuracy": [], "loss": []}
        for checkpoint in ("last", "best"):
            with arithmetic(study), stage("losses"):
                z = training.predicted(trained.model(checkpoint), inputs, by_length=True).double()
            of["accuracy"].append((z.argmax(dim=-1) == labels).double().cpu().numpy())
            of["loss"].append(functional.cross_entropy(z, labels, reduction="none").cpu().numpy())
        values = {name: (("checkpoint", "item"), np.stack(rows)) for name, rows in of.items()}
        return xr.Dataset(values, {"checkpoint": ["last", "best"]})

    return cached(path_of(study, role, "answers.nc"), study.settings_of("answers", role), answer)


# tables
def arms_table(by_arm: dict[str, Measured]) -> pd.DataFrame:
    """Every quantity of every arm, mean over its networks: arm, quantity, value, low, high, over items and networks."""
    rows = [
        (arm, quantity, *pooled(estimates))
        for arm, quantities in by_arm.items()
        for quantity, estimates in quantities.items()
    ]
    return pd.DataFrame(rows, columns=["arm", "quantity", "value", "low", "high"])


def contrasts_table(by_arm: dict[str, Measured], study: Study, setting: str) -> pd.DataFrame:
    """What each arm changes against plain training, and the penalty against each other arm: same seeds, same items.

    Where one of the two has fewer networks, the other one's with the same seeds are taken.

    Columns quantity ("all samples: accuracy, penalty - plain"), role, value, low, high, and what quantity is made of:
    setting, measured (accuracy), arm, against. role: the network of each seed, and `all`, their mean.
    """
    controls = [arm for arm in by_arm if arm not in ("plain", "penalty")]
    pairs = [("penalty", "plain"), *((arm, "plain") for arm in controls), *(("penalty", arm) for arm in controls)]
    parts = []
    for arm, against in pairs:
        changes = {
            role: {quantity: each[i] - by_arm[against][quantity][i] for quantity, each in by_arm[arm].items()}
            for i, role in enumerate(roles(study, arm)[: len(roles(study, against))])
        }
        table = estimates_table(changes)
        named = f"{setting}: " + table.quantity + f", {arm} - {against}"
        of = {"setting": setting, "measured": table.quantity, "arm": arm, "against": against}
        parts.append(table.assign(quantity=named, **of))
    return pd.concat(parts, ignore_index=True)


def against_plain(contrasts: pd.DataFrame) -> pd.DataFrame:
    """What each arm changes against plain training, mean over networks: setting, arm, quantity, value, low, high."""
    means = contrasts[(contrasts.role == "all") & (contrasts.against == "plain")]
    table = means[["setting", "arm", "measured", "value", "low", "high"]]
    return table.rename(columns={"measured": "quantity"}).reset_index(drop=True)


def orders_table(study: Study, arms: tuple[str, ...]) -> pd.DataFrame:
    """Strength by order at the end of training, mean over an arm's networks: panel, order, sign, total, generalizable.

    Judged by the baselines that the penalty never saw.
    """
    panels, baselines = [], judges(study)["H by others"]
    for arm in arms:
        each = {role: compare(study, role, judges=baselines, checkpoints=AT_END) for role in roles(study, arm)}
        mean = tables.mean_order_table(each, study.epochs).sort_values("sign", kind="stable")
        panels.append(mean.drop(columns="epoch").assign(panel=arm))
    return pd.concat(panels, ignore_index=True)


# what a step costs
def step_times(study: Study, variables=(6, 8, 10), samples=(1, 2, 4), repeats: int = 8) -> pd.DataFrame:
    """What the penalty costs: variables, samples, penalty (ms a call), plain (ms a step), times_longer (a step on average).

    Medians, on the first target at the end of its training, which is not changed; `times_longer` counts the steps
    between penalties as well. Batches are of items that may be penalised with the most variables.
    """
    model = ensure_training(study, study.targets[0]).model(study.checkpoints[-1])
    inputs, labels = part_data(study, "A")
    may_be_penalised = ensure_penalised(study.replace(penalty_variables=max(variables))).position.to_numpy()
    rng = np.random.default_rng(study.analysis_seed)
    batches = [torch.as_tensor(rng.permutation(may_be_penalised)[: study.batch_size]) for _ in range(repeats)]

    def plain(batch):
        return functional.cross_entropy(training.logits(model, inputs[batch]), labels[batch])

    rows = []
    for n, few in product(variables, samples):
        always = study.replace(penalty_variables=n, penalty_samples=few, penalty_every=1)
        n_items = len(ensure_penalised(always))
        penalty = penalty_by(always, model, inputs, np.zeros((1, n_items, 2, 1 << n)))
        with arithmetic(study):
            rows.append((n, few, *_milliseconds((penalty, plain), batches, inputs.device)))
    table = pd.DataFrame(rows, columns=["variables", "samples", "penalty", "plain"])
    return table.assign(times_longer=1 + table.penalty / table.plain / study.penalty_every)


def _milliseconds(objectives, batches, device):
    """Median time of each objective of a batch and of its gradient, one after the other on every batch."""
    seconds = np.empty((len(batches), len(objectives)))
    for i, batch in enumerate(batches):
        for j, objective in enumerate(objectives):
            start = now(device)
            objective(batch).backward()
            seconds[i, j] = now(device) - start
    return 1000 * np.median(seconds, axis=0)
