"""AND-OR interactions of values over all subsets of the variables; knows nothing of networks."""

from symgen.interactions.sparse import SparseAndOr, prepare, sparse_and_or

__all__ = ["SparseAndOr", "prepare", "sparse_and_or"]
