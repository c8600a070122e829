"""symgen: AND-OR interactions of a network, their generalization power, and how it changes while the network trains."""

from symgen.errors import InputError
from symgen.explain import Explanation, explain, load
from symgen.games import CausalLMGame, ImageGame, TextGame, draw_cells, draw_words, log_odds
from symgen.generalization import (
    Comparison,
    Phases,
    effective_number,
    find_phases,
    generalizable,
    generalization_ratio,
    jaccard,
    removed_value,
    salient,
    similarity,
    strength_by_order,
)
from symgen.interactions import (
    SparseAndOr,
    and_interactions,
    fold_sums,
    members,
    merge_singletons,
    or_interactions,
    orders,
    reconstruct,
    sparse_and_or,
    subset_index,
)
from symgen.study import Study
from symgen.training import JudgedSample, Penalty

__version__ = "0.1.0"
__all__ = [
    "CausalLMGame",
    "Comparison",
    "Explanation",
    "ImageGame",
    "InputError",
    "JudgedSample",
    "Penalty",
    "Phases",
    "SparseAndOr",
    "Study",
    "TextGame",
    "and_interactions",
    "draw_cells",
    "draw_words",
    "effective_number",
    "explain",
    "find_phases",
    "fold_sums",
    "generalizable",
    "generalization_ratio",
    "jaccard",
    "load",
    "log_odds",
    "members",
    "merge_singletons",
    "or_interactions",
    "orders",
    "reconstruct",
    "removed_value",
    "salient",
    "similarity",
    "sparse_and_or",
    "strength_by_order",
    "subset_index",
]
