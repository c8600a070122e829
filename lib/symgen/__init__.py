"""symgen: AND-OR interactions of a network, their generalization power, and how it changes while the network trains."""

from symgen.subsets import members, orders, subset_index
from symgen.transforms import and_interactions, merge_singletons, or_interactions, reconstruct

__version__ = "0.1.0"
__all__ = [
    "and_interactions",
    "members",
    "merge_singletons",
    "or_interactions",
    "orders",
    "reconstruct",
    "subset_index",
]
