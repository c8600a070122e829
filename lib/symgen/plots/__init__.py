"""Every figure: one function of one tidy table (and, where pictures are shown, of the pictures)."""

from symgen.plots.comparisons import (
    arms,
    baselines,
    claims,
    conditions,
    effects,
    judged_pairs,
    judges,
    penalty_curve,
    removal,
    removal_dynamics,
    sensitivity,
    sparsity,
)
from symgen.plots.explanations import bars, cells, fidelity, masked_pictures, masked_words, network, words
from symgen.plots.idea import idea
from symgen.plots.over_time import (
    by_judges,
    dynamics,
    learned,
    losses,
    newly_learned,
    order_shares,
    order_strength,
    phases,
    shared_by_order,
    side_by_side,
)
from symgen.plots.samples import chosen_words, input_variables, logical_model, matching
from symgen.plots.style import COLOURS, apart, in_style, save, save_table, use_style
