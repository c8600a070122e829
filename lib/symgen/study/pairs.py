"""Two language models as judges of each other, and what stands beside that: masked otherwise, untrained, longer prompts."""

import pandas as pd
import xarray as xr

from symgen.errors import InputError
from symgen.generalization import Comparison, contrasts, tables
from symgen.interactions import n_variables
from symgen.study.pipeline import all_interactions, compare, ensure_interactions
from symgen.study.settings import Study

UNTRAINED = "the other, untrained"
Judged = dict[str, dict[str, Comparison]]  # who judges -> role -> at its last checkpoint


def judged(study: Study) -> Judged:
    """Targets as judged by the baselines, and baselines by the targets; by judges: "the other", and the study's controls.

    A control is the network itself, masked otherwise; the other one, untrained; or the other one on longer prompts.
    """
    if study.modality != "prompts":
        raise InputError(
            f"study {study.name!r} holds {study.modality}; expected one of language models, as snippets-lm"
        )
    other = dict.fromkeys(study.targets, study.baselines) | dict.fromkeys(study.baselines, study.targets)
    itself = {role: (role,) for role in other}

    def judged_by(judges, of, judged=study):
        return {role: compare(judged, role, by, study.checkpoints_of(role)[-1:], of) for role, by in judges.items()}

    result = {"the other": judged_by(other, study)}
    for name, control in study.controls.items():
        if control.untrained:
            result[UNTRAINED] = judged_by(other, control)
        elif control.written != study.written:
            of_each = judged_by(other, control, control)
            n_prompts = of_each[study.targets[0]].data.sizes["sample"]
            result[f"the other, {n_prompts} longer prompts of {name}"] = of_each
        else:
            result[f"itself, {name}"] = judged_by(itself, control)
    return result


def judges_table(study: Study, by_judges: Judged) -> pd.DataFrame:
    """H, H_low, H_high and their difference by who judges: role, judged by, quantity, value, low, high, chance."""
    rows = [
        (role, judges, quantity, *of.H.row, of.chance.value)
        for judges, comparisons in by_judges.items()
        for role, comparison in comparisons.items()
        for quantity, of in tables.ratios(comparison, comparison.epochs[-1], *_resampling(study, comparison)).items()
    ]
    return pd.DataFrame(rows, columns=["role", "judged by", "quantity", "value", "low", "high", "chance"])


def pair_contrasts(study: Study, by_judges: Judged) -> pd.DataFrame:
    """What claim F11 rests on (`contrasts.pair_contrasts`)."""
    targets, baselines = ({role: by_judges["the other"][role] for role in r} for r in (study.targets, study.baselines))
    resampling = _resampling(study, targets[study.targets[0]])
    return contrasts.pair_contrasts(targets, baselines, *resampling, by_judges.get(UNTRAINED))


def explained(study: Study) -> dict[str, xr.Dataset]:
    """Interactions before training and after it (epoch), by role: of the targets, or of all networks that are given."""
    if not study.target_model:
        return {role: all_interactions(study, role, checkpoints=study.ends) for role in study.targets}
    ends, epochs = (study.controls["untrained"], study), pd.Index([0.0, 1.0], name="epoch")
    return {
        role: xr.concat([ensure_interactions(one, role, "given") for one in ends], epochs, join="exact")
        for role in study.targets + study.baselines
    }


def _resampling(study, comparison):
    """The study's, with high orders up to the n of a comparison: longer prompts have more variables."""
    n = n_variables(comparison.data.sizes["subset"])
    return study.bootstrap, study.low_orders, range(study.high_from, n + 1)
