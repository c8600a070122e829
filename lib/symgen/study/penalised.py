"""The penalty of a study: which items may be penalised, and by how much."""

import numpy as np
import pandas as pd
import torch

from symgen.store import cached
from symgen.study.samples import ensure_split, task
from symgen.study.settings import Study
from symgen.training import JudgedSample, Penalty


def penalty_by(study: Study, model: torch.nn.Module, inputs: torch.Tensor, baselines: np.ndarray) -> Penalty:
    """The penalty on a network, judged by the baselines' salient interactions (baseline, item, kind, subset)."""
    kind, items = task(few := as_penalised(study)), ensure_penalised(study)
    each = kind.samples(items.item), items.label, kind.variables(items), np.moveaxis(baselines, 1, 0)
    judged = {position: JudgedSample(*sample) for position, *sample in zip(items.position, *each)}
    return Penalty(
        kind.game(model, inputs[: study.batch_size]), judged,
        weight=study.penalty_weight, per_batch=study.penalty_samples, every=study.penalty_every,
        combine=study.generalizes_to, noise_bound=study.noise_bound, ridge=study.ridge,
        seen=inputs if few.masking == "mean" else None,
    )  # fmt: skip


def as_penalised(study: Study) -> Study:
    """The study as the penalty sees it: with its few variables; how many samples are explained does not matter to it."""
    return study.replace(n_variables=study.penalty_variables, explain_classes=1, explain_per_class=1)


def ensure_penalised(study: Study) -> pd.DataFrame:
    """The items that may be penalised: columns position (in part A), item, label, variables (numbers, by spaces).

    All items of A with enough candidates for variables; their variables are drawn with a recorded seed.
    """
    few = as_penalised(study)
    settings = few.settings_of("samples")
    return cached(few.runs_dir / "penalised.csv", settings, lambda: task(few).draw_penalised(ensure_split(few)))
