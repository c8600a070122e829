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
from symgen.plots.over_time import (
    dynamics,
    losses,
    order_shares,
    order_strength,
    phase_spans,
    phases,
    shared_by_order,
    side_by_side,
)
from symgen.plots.samples import chosen_words, explanation, input_variables, logical_model, matching, text_explanation
from symgen.plots.style import save, save_table, use_style

__all__ = [
    "arms",
    "baselines",
    "chosen_words",
    "claims",
    "conditions",
    "dynamics",
    "explanation",
    "input_variables",
    "judges",
    "logical_model",
    "losses",
    "matching",
    "order_shares",
    "order_strength",
    "penalty_curve",
    "phase_spans",
    "phases",
    "removal",
    "removal_dynamics",
    "save",
    "save_table",
    "sensitivity",
    "shared_by_order",
    "side_by_side",
    "sparsity",
    "text_explanation",
    "use_style",
]
