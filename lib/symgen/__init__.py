"""symgen: AND-OR interactions of a network, their generalization power, and how it changes while the network trains."""

from symgen.errors import InputError
from symgen.games import ImageGame, log_odds
from symgen.interactions import SparseAndOr, sparse_and_or
from symgen.language_games import CausalLMGame
from symgen.metrics import (
    effective_number,
    generalizable,
    generalization_ratio,
    jaccard,
    removed_value,
    salient,
    similarity,
    strength_by_order,
)
from symgen.penalty import JudgedSample, Penalty
from symgen.phases import Phases, find_phases
from symgen.study import Study
from symgen.subsets import members, orders, subset_index
from symgen.text_games import TextGame
from symgen.transforms import and_interactions, merge_singletons, or_interactions, reconstruct
from symgen.variables import draw_cells, draw_words

__version__ = "0.1.0"
__all__ = [
    "CausalLMGame",
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
    "find_phases",
    "generalizable",
    "generalization_ratio",
    "jaccard",
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
