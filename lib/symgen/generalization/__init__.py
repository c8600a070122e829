"""Which interactions another network has too, how many, how strong, since when, and how sure that is."""

from symgen.generalization.bootstrap import (
    LEVEL,
    Bootstrap,
    Estimate,
    OverStudies,
    estimates_table,
    exact_share,
    over_studies,
    pooled,
)
from symgen.generalization.comparison import FEWEST_SAMPLES, Comparison, Control, compare, folded, unmerged
from symgen.generalization.metrics import (
    agreed,
    check_combine,
    check_tau_ratio,
    checked_k,
    effective_number,
    generalizable,
    generalization_ratio,
    jaccard,
    removed_value,
    salient,
    similarity,
    strength_by_order,
)
from symgen.generalization.phases import Phases, find_phases
