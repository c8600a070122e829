"""Every figure: one function of one tidy table (and, where pictures are shown, of the pictures)."""

from symgen.plots.comparisons import (
    arms,
    baselines,
    claims,
    conditions,
    judges,
    penalty_curve,
    removal,
    removal_dynamics,
    sensitivity,
    sparsity,
)
from symgen.plots.explanations import (
    bars,
    cells,
    comparison,
    fidelity,
    masked_pictures,
    masked_words,
    network,
    words,
)
from symgen.plots.idea import idea
from symgen.plots.over_time import (
    dynamics,
    losses,
    order_shares,
    order_strength,
    phases,
    shared_by_order,
    side_by_side,
)
from symgen.plots.samples import chosen_words, input_variables, logical_model, matching
from symgen.plots.style import in_style, save, save_table, use_style

__all__ = [
    "arms",
    "bars",
    "baselines",
    "cells",
    "chosen_words",
    "claims",
    "comparison",
    "conditions",
    "dynamics",
    "fidelity",
    "idea",
    "in_style",
    "input_variables",
    "judges",
    "logical_model",
    "losses",
    "masked_pictures",
    "masked_words",
    "matching",
    "network",
    "order_shares",
    "order_strength",
    "penalty_curve",
    "phases",
    "removal",
    "removal_dynamics",
    "save",
    "save_table",
    "sensitivity",
    "shared_by_order",
    "side_by_side",
    "sparsity",
    "use_style",
    "words",
]
