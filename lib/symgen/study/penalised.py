"""The penalty of a study: which items may be penalised, and what its baselines make of them."""

import numpy as np
import pandas as pd
import torch
import xarray as xr

from symgen.generalization import salient
from symgen.store import cached
from symgen.study.devices import arithmetic
from symgen.study.networks import label_of, path_of
from symgen.study.samples import ensure_split, task
from symgen.study.settings import Study
from symgen.timing import stage
from symgen.training import JudgedSample, Penalty


def study_penalty(study: Study, model: torch.nn.Module, inputs: torch.Tensor) -> Penalty:
    """The penalty on a network that is trained on `inputs` of A, judged by the study's baselines."""
    effects = np.stack([ensure_penalised_effects(study, base).effects for base in study.baselines])
    return penalty_by(study, model, inputs, effects * salient(effects, study.tau_ratio))


def penalty_by(study: Study, model: torch.nn.Module, inputs: torch.Tensor, baselines: np.ndarray) -> Penalty:
    """The penalty on a network, judged by the baselines' salient interactions (baseline, item, kind, subset)."""
    kind, items = task(few := as_penalised(study)), ensure_penalised(study)
    samples = zip(kind.samples(items.item), items.label, kind.variables(items), np.moveaxis(baselines, 1, 0))
    return Penalty(
        kind.game(model, inputs[: study.batch_size]), dict(zip(items.position, map(JudgedSample, *zip(*samples)))),
        weight=study.penalty_weight, per_batch=study.penalty_samples, every=study.penalty_every,
        combine=study.generalizes_to, noise_bound=study.noise_bound, ridge=study.ridge,
        seen=inputs if few.masking == "mean" else None,
    )  # fmt: skip


def as_penalised(study: Study) -> Study:
    """The study as the penalty sees it: with its few variables, and whichever samples are explained."""
    return study.replace(n_variables=study.penalty_variables, explain_classes=1, explain_per_class=1)


def ensure_penalised(study: Study) -> pd.DataFrame:
    """The items that may be penalised: columns position (in part A), item, label, variables (numbers, by spaces).

    All of A that have enough variables, drawn with a recorded seed.
    """
    few = as_penalised(study)
    settings = few.settings_of("samples")
    return cached(few.runs_dir / "penalised.csv", settings, lambda: task(few).draw_penalised(ensure_split(few)))


def ensure_penalised_effects(study: Study, role: str) -> xr.Dataset:
    """A baseline's interactions on every item that may be penalised: effects (item, kind, subset)."""
    from symgen.study.pipeline import game_of, solve

    few = as_penalised(study)
    checkpoint = few.checkpoints_of(role)[-1]

    def extract():
        kind, items, game = task(few), ensure_penalised(study), game_of(few, role, checkpoint)
        samples = zip(kind.samples(items.item), items.label.tolist(), kind.variables(items))
        with arithmetic(few):
            with stage("masked values"):
                v = np.stack([game.values(*sample) for sample in samples])
            with stage("solving"):
                solution = solve(few, v)
        effects = {"effects": (("item", "kind", "subset"), solution.effects)}
        return xr.Dataset(effects, {"item": items.item.to_numpy()})

    path = path_of(few, role, f"penalised-{label_of(checkpoint)}.nc")
    return cached(path, few.settings_of("interactions", role, checkpoint), extract)
