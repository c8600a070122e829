"""The linear map Phi from interactions to values, its transpose, and the inverses of Phi Phi' (science: section 3).

Interactions are (batch, 2, 2^n): AND, then OR; values (batch, 2^n).
"""

from functools import lru_cache

import torch

from symgen.subsets import n_variables, orders, subset_matrix
from symgen.transforms import subset_sums

FEW = 7  # variables up to which a product with the whole matrix is faster than going variable by variable


def phi(x):
    """Values of interactions: x (batch, 2, 2^n) to (batch, 2^n)."""
    if x.shape[-1] <= 1 << FEW:
        return x.flatten(1) @ _matrix(x.shape[-1], x.dtype, x.device).T
    return _phi(x)


@lru_cache(maxsize=32)
def _matrix(size, dtype, device):
    """The matrix of `phi`, (2^n, 2 * 2^n)."""
    return _phi(torch.eye(2 * size, dtype=dtype, device=device).view(-1, 2, size)).T.contiguous()


def _phi(x):
    sums = subset_sums(x)
    return sums[:, 0] + (sums[:, 1, -1:] - sums[:, 1].flip(-1))


def phi_t(y):
    """The transpose of `phi`, zero where there is no interaction: y (batch, 2^n) to (batch, 2, 2^n)."""
    live = live_entries(n_variables(y.shape[-1]), y.dtype, y.device)
    if y.shape[-1] <= 1 << FEW:
        return (y @ _matrix(y.shape[-1], y.dtype, y.device)).view(-1, 2, y.shape[-1]) * live
    sums = subset_sums(torch.stack([y.flip(-1), y], 1)).flip(-1)
    sums[:, 1] = y.sum(-1, keepdim=True) - sums[:, 1]
    return sums * live


@lru_cache(maxsize=32)
def live_entries(n, dtype, device):
    """1 where an interaction lives (AND from order 1, OR from order 2), else 0; shape (2, 2^n)."""
    order = torch.tensor(orders(n), device=device)
    return torch.stack([order >= 1, order >= 2]).to(dtype)


def normal_matrix(d, both, either, rows):
    """Phi diag(d) Phi' between chosen rows (batch, m), by set operations: d (batch, 2, 2^n) gives (batch, m, m).

    `both` and `either` hold the intersections and the unions of the chosen subsets, each (batch, m * m).
    """
    sums, m = subset_sums(d), rows.shape[1]
    missed = sums[:, 1].flip(-1)  # OR weight that a subset does not meet
    matrix = (sums[:, 0].gather(1, both) + missed.gather(1, either)).view(-1, m, m)
    missed = missed.gather(1, rows)
    return matrix.add_((sums[:, 1, -1:] - missed)[:, :, None]).sub_(missed[:, None, :])


def pairs(rows):
    """Intersections and unions of all pairs of the chosen subsets, each (batch, m * m)."""
    one, other = rows[:, :, None], rows[:, None, :]
    return (one & other).flatten(1), (one | other).flatten(1)


def least_norm(r):
    """The interactions of least norm with Phi x = r: r (batch, 2^n), 0 for the empty set, to (batch, 2, 2^n)."""
    y = _gram_solve(r)
    return phi_t(y + _gram_solve(r - phi(phi_t(y))))


def _gram_solve(r):
    """(Phi Phi')^-1 r for r that is 0 for the empty set, (batch, 2^n), through the Kronecker structure of `_gram`."""
    diagonal, basis, low, core = _gram(n_variables(r.shape[-1]), r.device)

    def kronecker(z):
        return _each_variable(_each_variable(z, basis.T) * diagonal, basis)

    y = kronecker(r)
    return y - kronecker((torch.linalg.solve(core, low @ y.T).T) @ low)


@lru_cache(maxsize=16)
def _gram(n, device):
    """Phi Phi' = B^-T diag(d)^-1 B^-1 + low' C low, with B a Kronecker power: returns 1/d, a factor of B, low, the core.

    Over all columns, A A' and the part of O O' that knows T are Kronecker powers of [[1, 1], [1, 2]] and
    [[2, 1], [1, 1]], which one basis diagonalises. The rest is of rank n + 3: OR is a complement, the columns of the
    empty set and the OR of one variable do not live, and row 0 is made an identity.
    """
    p, q = torch.tensor([[[1.0, 1], [1, 2]], [[2, 1], [1, 1]]], dtype=torch.float64)
    root = torch.linalg.inv(torch.linalg.cholesky(q))
    ratio, turn = torch.linalg.eigh(root @ p @ root.T)
    basis = root.T @ turn  # basis' q basis = 1, basis' p basis = diag(ratio)
    power = torch.ones(1, dtype=torch.float64)
    for _ in range(n):
        power = torch.kron(ratio, power)
    member = torch.tensor(subset_matrix(n).T, dtype=torch.float64)
    order = member.sum(0)
    low = torch.cat([torch.ones(1, 1 << n), 2.0 ** (n - order)[None], member, (order == 0)[None]]).double()
    core = torch.diag(torch.tensor([0.0, 0.0] + [-1.0] * n + [1.0], dtype=torch.float64))
    core[:2, :2] = torch.tensor([[2.0**n - 1, -1], [-1, 0]])
    basis, low, diagonal = basis.to(device), low.to(device), (1 / (1 + power)).to(device)
    inverse = _each_variable(_each_variable(low, basis.T) * diagonal, basis)
    return diagonal, basis, low, torch.linalg.inv(core).to(device) + low @ inverse.T


def _each_variable(x, matrix):
    """The 2 x 2 matrix applied to every variable of x (batch, 2^n)."""
    shape = x.shape
    for i in range(n_variables(shape[-1])):
        x = matrix @ x.reshape(-1, 2, 1 << i)
    return x.reshape(shape)
