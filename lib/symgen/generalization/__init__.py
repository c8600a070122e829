"""Which interactions another network has too, how many, how strong, since when, and how sure that is."""

from symgen.generalization.bootstrap import interval, over_networks, sample_weights
from symgen.generalization.comparison import Judged, judge, order_table
from symgen.generalization.metrics import (
    agreed,
    effective_number,
    generalizable,
    generalization_ratio,
    jaccard,
    ratio,
    removed_value,
    salient,
    similarity,
    strength_by_order,
)
from symgen.generalization.phases import CERTAIN, Phases, find_phases

__all__ = [
    "CERTAIN",
    "Judged",
    "Phases",
    "agreed",
    "effective_number",
    "find_phases",
    "generalizable",
    "generalization_ratio",
    "interval",
    "jaccard",
    "judge",
    "order_table",
    "over_networks",
    "ratio",
    "removed_value",
    "salient",
    "sample_weights",
    "similarity",
    "strength_by_order",
]
