"""AND-OR interactions of values over all subsets of the variables; knows nothing of networks."""

from symgen.interactions.faithfulness import (
    KINDS,
    by_definition,
    conditions_of,
    dictionary_size,
    fidelity,
    fidelity_curve,
    joined_names,
    keep_strongest,
    logical_model,
    mean_outputs,
    needed_for,
    shares,
)
from symgen.interactions.sparse import SparseAndOr, prepare, sparse_and_or
from symgen.interactions.subsets import (
    MAX_VARIABLES,
    check_n,
    members,
    n_variables,
    orders,
    subset_index,
    subset_matrix,
)
from symgen.interactions.transforms import and_interactions, fold_sums, merge_singletons, or_interactions, reconstruct
