"""Subsets of n input variables as bit masks: bit i of an index is variable i (index 0: every variable masked)."""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Int

from symgen.errors import InputError, whole_number

MAX_VARIABLES = 16  # 65,536 masked inputs a sample


def n_variables(length: int) -> int:
    """Number n of variables behind an axis of 2^n subsets; InputError if the length is no power of two above one."""
    n = int(length).bit_length() - 1
    if n < 1 or length != 1 << n:
        raise InputError(
            f"v has {length} entries on its last axis; expected 2^n, one for each subset of n >= 1 variables"
        )
    return n


def check_n(n: int) -> int:
    """`n`, if subsets of n variables can be listed; InputError otherwise."""
    if not 1 <= n <= MAX_VARIABLES:
        raise InputError(f"n = {n} variables; expected 1 to {MAX_VARIABLES}, since all 2^n subsets are evaluated")
    return n


@lru_cache(maxsize=MAX_VARIABLES)
def orders(n: int) -> Int[np.ndarray, "subset"]:
    """Order `|S|` of every subset, shape (2^n,); read-only.

    Parameters
    ----------
    n
        Number of variables, 1 to 16.

    Raises
    ------
    InputError
        For another number.

    Examples
    --------
    >>> orders(2)
    array([0, 1, 1, 2])
    """
    sizes = subset_matrix(n).sum(axis=1)
    sizes.setflags(write=False)
    return sizes


@lru_cache(maxsize=MAX_VARIABLES)
def subset_matrix(n: int) -> Bool[np.ndarray, "subset variable"]:
    """Membership table, shape (2^n, n): entry [S, i] says whether variable i is in S (is not masked); read-only."""
    matrix = (np.arange(1 << check_n(n))[:, None] >> np.arange(n) & 1).astype(bool)
    matrix.setflags(write=False)
    return matrix


def members(subset: int) -> tuple[int, ...]:
    """Variables of one subset, in rising order: members(0b101) == (0, 2).

    Parameters
    ----------
    subset
        Index of a subset: bit i says whether variable i is in it.

    Examples
    --------
    >>> members(0b101)
    (0, 2)
    """
    return tuple(i for i in range(int(subset).bit_length()) if subset >> i & 1)


def subset_index(variables) -> int:
    """Index of the subset that holds `variables`: subset_index([0, 2]) == 5.

    Parameters
    ----------
    variables
        Numbers of variables, from 0; one that comes twice counts once.

    Raises
    ------
    InputError
        For anything but whole numbers from 0.

    Examples
    --------
    >>> subset_index([0, 2])
    5
    """
    return sum(1 << i for i in {whole_number(i, "variables", "whole numbers from 0", least=0) for i in variables})
