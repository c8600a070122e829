"""AND and OR interactions from values over all subsets, and the values back (Theorem 1, its OR corrected).

Every function takes numpy arrays or torch tensors of any float type, on any device, with the 2^n subsets on the last
axis, and returns the same kind. All but `fold_sums` are exact linear maps in O(n 2^n).
"""

import numpy as np
import torch
from jaxtyping import Float

from symgen.interactions.subsets import members, n_variables, orders

Array = np.ndarray | torch.Tensor


def subset_sums(x: Float[Array, "*batch subset"]) -> Float[Array, "*batch subset"]:
    """Sum of x over the subsets of each S (the zeta transform): y(S) = sum_{L subset S} x(L)."""
    return _butterfly(x, +1)


def and_interactions(v: Float[Array, "*batch subset"]) -> Float[Array, "*batch subset"]:
    """AND interactions (Harsanyi dividends) of v, shape (..., 2^n); entry 0 is v(empty).

    `I_and(T) = sum_{L subset T} (-1)^(|T|-|L|) v(x_L)`.

    Parameters
    ----------
    v
        Values (..., subset), in the unit of the game (log-odds); index 0 is that with everything masked.

    Returns
    -------
    array or tensor
        The effect of each subset (..., subset), in the unit of v; entry 0 is v of everything masked.

    Raises
    ------
    InputError
        For a last axis whose length is no power of two above one.

    Examples
    --------
    >>> and_interactions(np.array([0.0, 1.0, 0.0, 3.0]))  # v of {}, {0}, {1}, {0, 1}
    array([0., 1., 0., 2.])
    """
    return _butterfly(v, -1)


def or_interactions(v: Float[Array, "*batch subset"]) -> Float[Array, "*batch subset"]:
    """OR interactions of v, shape (..., 2^n); entry 0 is 0.

    `I_or(T) = - sum_{L subset T} (-1)^(|T|-|L|) v(x_{N minus L})` for T non-empty.

    Parameters
    ----------
    v
        As in `and_interactions`.

    Returns
    -------
    array or tensor
        The effect of each subset (..., subset), in the unit of v; entry 0 is 0.

    Raises
    ------
    InputError
        For a last axis whose length is no power of two above one.

    Examples
    --------
    >>> or_interactions(np.array([0.0, 2.0, 2.0, 2.0])) + 0.0  # either variable is enough
    array([0., 0., 0., 2.])
    """
    result = -_butterfly(_complement(v), -1)
    result[..., 0] = 0
    return result


def reconstruct(
    i_and: Float[Array, "*batch subset"], i_or: Float[Array, "*batch subset"], bias: Float[Array, "*batch"] | float
) -> Float[Array, "*batch subset"]:
    """Values of the AND-OR model on all masked inputs, shape (..., 2^n) (Eq. 3; entry 0 of both dictionaries is ignored).

    `d(x_S) = bias + sum_{0 != T subset S} I_and(T) + sum_{T meets S} I_or(T)`.

    Parameters
    ----------
    i_and, i_or
        Effects (..., subset) of the two kinds.
    bias
        The value with everything masked: of the batch's shape, or a number.

    Returns
    -------
    array or tensor
        d(x_S) for every subset S of visible variables (..., subset), in the unit of the effects.

    Raises
    ------
    InputError
        For a last axis whose length is no power of two above one.

    Examples
    --------
    >>> reconstruct(np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.0, 0.0, 0.0, 2.0]), bias=0.5)
    array([0.5, 2.5, 2.5, 3.5])
    """
    and_part = subset_sums(_without_empty(i_and))
    missed = subset_sums(_without_empty(i_or))  # (..., subset): OR interactions inside S
    or_part = missed[..., -1:] - _complement(missed)  # all of them, less those that lie inside the masked set
    bias = bias[..., None] if isinstance(bias, Array) else bias
    return and_part + or_part + bias


def merge_singletons(
    i_and: Float[Array, "*batch subset"], i_or: Float[Array, "*batch subset"]
) -> tuple[Float[Array, "*batch subset"], Float[Array, "*batch subset"]]:
    """The same model with each OR of one variable moved into the AND of that variable: they are one function.

    Parameters
    ----------
    i_and, i_or
        Effects (..., subset) of the two kinds.

    Returns
    -------
    two arrays or tensors
        AND and OR effects (..., subset); an OR of one variable is 0.

    Raises
    ------
    InputError
        For a last axis whose length is no power of two above one.

    Examples
    --------
    >>> merge_singletons(np.array([0.0, 1.0, 0.0, 0.0]), np.array([0.0, 2.0, 0.0, 4.0]))
    (array([0., 3., 0., 0.]), array([0., 0., 0., 4.]))
    """
    single = orders(n_variables(i_or.shape[-1])) == 1
    if isinstance(i_or, torch.Tensor):
        single = torch.as_tensor(single, device=i_or.device)
    return i_and + i_or * single, i_or * ~single


def fold_sums(
    i_and: Float[Array, "*batch subset"], i_or: Float[Array, "*batch subset"]
) -> tuple[Float[Array, "*batch subset"], Float[Array, "*batch subset"]]:
    """The same model with sums of two variables as two effects of order 1.

    a + b = (a AND b) + (a OR b): an AND and an OR of the same two variables, with like signs, are such a sum as far as both
    are as strong. Both forms have the same strength, so a sparse model may have either, and with a ridge it has some of
    each. This one has none of the second: it is of lower order, and as strong at most.

    Parameters
    ----------
    i_and, i_or
        Effects (..., subset) of the two kinds.

    Returns
    -------
    two arrays or tensors
        AND and OR effects (..., subset) of a model with the same values.

    Raises
    ------
    InputError
        For a last axis whose length is no power of two above one.

    Examples
    --------
    >>> fold_sums(np.array([0.0, 0.0, 0.0, 1.0]), np.array([0.0, 0.0, 0.0, 3.0]))
    (array([0., 1., 1., 0.]), array([0., 0., 0., 2.]))
    """
    least, sign = (torch.minimum, torch.sign) if isinstance(i_and, torch.Tensor) else (np.minimum, np.sign)
    both = least(abs(i_and), abs(i_or)) * (sign(i_and) + sign(i_or)) / 2
    i_and, i_or = _without_empty(i_and), _without_empty(i_or)
    for pair in np.flatnonzero(orders(n_variables(i_and.shape[-1])) == 2):
        i_and[..., pair] -= both[..., pair]
        i_or[..., pair] -= both[..., pair]
        for single in members(int(pair)):
            i_and[..., 1 << single] += both[..., pair]
    return i_and, i_or


def _butterfly(x, sign):
    """Add (+1) or subtract (-1), variable by variable, the entry without that variable to the entry with it."""
    n = n_variables(x.shape[-1])
    y = x.clone() if isinstance(x, torch.Tensor) else x.copy()
    for i in range(n):
        pair = y.reshape(*y.shape[:-1], -1, 2, 1 << i)
        pair[..., 1, :] += sign * pair[..., 0, :]
        y = pair.reshape(x.shape)
    return y


def _complement(x):
    """x at the complement of each subset: reversing the axis flips every bit."""
    return x.flip(-1) if isinstance(x, torch.Tensor) else x[..., ::-1]


def _without_empty(x):
    """A copy of x whose entry for the empty set is 0."""
    y = x.clone() if isinstance(x, torch.Tensor) else x.copy()
    y[..., 0] = 0
    return y
