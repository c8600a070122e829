"""Sparse AND-OR interactions: the unique minimiser of a strictly convex problem, with a certificate (science: section 3).

With u = v - v(empty), c = noise_bound |v(N) - v(empty)|, scale = max |u| and Phi = [AND columns, OR columns of order >= 2]:

    minimise ||x||_1 + ridge / (2 scale) ||x||_2^2    subject to    |Phi x - u| <= c for every subset.

Every lambda bounds the optimum from below: u.lambda - c ||lambda||_1 - sum max(|Phi' lambda| - 1, 0)^2 scale / (2 ridge).
"""

import math
import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float

from symgen.subsets import n_variables, orders
from symgen.transforms import Array, reconstruct

MAX_SOLVED = 14  # variables
INSIDE = 1 - 1e-9  # the share of the noise bound that is used: rounding must not leave the box


@dataclass(frozen=True)
class SparseAndOr:
    """Sparse AND-OR interactions of a batch of games; without the batch axis if a single v was given."""

    i_and: Float[Array, "*batch subset"]  # entry 0 is 0
    i_or: Float[Array, "*batch subset"]  # 0 below order 2
    bias: Float[Array, "*batch"]  # v(empty)
    noise: Float[Array, "*batch subset"]  # v - reconstruct(i_and, i_or, bias), inside the bound
    l1: Float[Array, "*batch"]  # sum of |i_and| + |i_or|
    gap: Float[Array, "*batch"]  # (primal - dual) / primal: how far above the optimum at most
    iterations: Float[Array, "*batch"]  # Newton steps


def sparse_and_or(
    v: Float[Array, "*batch subset"],
    noise_bound: float = 0.04,
    ridge: float = 1.0,
    tol: float = 1e-5,
    max_iter: int = 200,
) -> SparseAndOr:
    """Sparsest AND-OR interactions that explain v within the noise bound, certified to a relative duality gap of `tol`.

    v: (2^n,) or (batch, 2^n), numpy or torch, any float type and device; the result is of the same kind, in float64.
    noise_bound: allowed |noise| as a share of |v(N) - v(empty)|. ridge: weight of the squared term, which makes the
    solution unique. Science: section 3. ValueError for arguments out of range, NaN or infinite v, or n too large.
    Warns if `max_iter` Newton steps do not reach `tol`; the result is inside the noise bound all the same.
    """
    _check_numbers(noise_bound=noise_bound, ridge=ridge, tol=tol, max_iter=max_iter)
    games = _check_values(v)
    bias = games[:, :1]
    u = games - bias
    bound = noise_bound * u[:, -1:].abs()
    scale = u.abs().amax(1, keepdim=True)
    scale = torch.where(scale > 0, scale, 1)
    x, gap, iterations = _solve(u / scale, bound / scale, ridge, tol, max_iter)
    i_and, i_or = (x * scale[:, None]).unbind(1)
    noise = games - reconstruct(i_and, i_or, bias[:, 0])
    _warn_unless(gap <= tol, gap, max_iter)
    l1 = i_and.abs().sum(1) + i_or.abs().sum(1)
    return _like(v, SparseAndOr(i_and, i_or, bias[:, 0], noise, l1, gap, iterations))


def _check_numbers(noise_bound, ridge, tol, max_iter):
    """ValueError for a parameter out of range."""
    if not 0 <= noise_bound < math.inf:
        raise ValueError(f"noise_bound = {noise_bound}; expected a share of |v(N) - v(empty)|, 0 or more")
    for name, value in (("ridge", ridge), ("tol", tol), ("max_iter", max_iter)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} = {value}; expected a finite number above 0")


def _check_values(v):
    """v as a float64 tensor (batch, 2^n) on its own device; ValueError if it is no such array."""
    if v.ndim not in (1, 2):
        raise ValueError(f"v has {v.ndim} axes, shape {tuple(v.shape)}; expected (2^n,) or (batch, 2^n)")
    n = n_variables(v.shape[-1])
    if n > MAX_SOLVED:
        raise ValueError(f"v has n = {n} variables; expected at most {MAX_SOLVED}, {_gib(n):.0f} GiB would be needed")
    games = torch.atleast_2d(torch.as_tensor(v)).detach().to(torch.float64)
    bad = (~games.isfinite().all(1)).nonzero()[:, 0].tolist()
    if bad:
        raise ValueError(f"v holds NaN or infinity in samples {bad}; expected finite values")
    return games


def _gib(n):
    """Memory of one sample in GiB: the Newton matrix of all 2^n subsets and its copies."""
    return 4 * 8 * 4.0**n / 2**30


def _warn_unless(converged, gap, max_iter):
    """One warning that names the samples that are not converged, and their gaps."""
    left = (~converged).nonzero()[:, 0].tolist()
    if left:
        gaps = ", ".join(f"{k} (gap {gap[k]:.1e})" for k in left)
        warnings.warn(f"sparse_and_or: tol not reached in {max_iter} steps by samples {gaps}", stacklevel=3)


def _like(v, result):
    """The result in the array kind of v, without the batch axis if v has none."""
    fields = {name: value if v.ndim == 2 else value[0] for name, value in vars(result).items()}
    if isinstance(v, torch.Tensor):
        return SparseAndOr(**fields)
    return SparseAndOr(**{name: value.numpy() for name, value in fields.items()})


# --- The linear map Phi ---------------------------------------------------------------------------------------------


@lru_cache
def _zeta(k, dtype, device):
    """Matrix of the subset sums over k variables."""
    subset = torch.arange(1 << k, device=device)
    return ((subset[:, None] & subset) == subset).to(dtype)


def _sums(x, transposed=False):
    """Sums over subsets (or supersets) on the last axis, as products with small matrices, five variables at a time."""
    n, done, shape = n_variables(x.shape[-1]), 0, x.shape
    while done < n:
        k = min(5, n - done)
        matrix = _zeta(k, x.dtype, x.device)
        x = (matrix.T if transposed else matrix) @ x.reshape(-1, 1 << k, 1 << done)
        done += k
    return x.reshape(shape)


def _phi(x):
    """Values of interactions: x (batch, 2, 2^n) to (batch, 2^n)."""
    sums = _sums(x)
    return sums[:, 0] + sums[:, 1, -1:] - sums[:, 1].flip(-1)


def _phi_t(y):
    """The transpose of `_phi`, zero where there is no interaction: y (batch, 2^n) to (batch, 2, 2^n)."""
    sums = _sums(torch.stack([y, y.flip(-1)], 1), transposed=True)
    return torch.stack([sums[:, 0], y.sum(-1, keepdim=True) - sums[:, 1]], 1) * _live(y)


def _live(like):
    """1 where an interaction lives (AND from order 1, OR from order 2), else 0; shape (2, 2^n)."""
    order = torch.tensor(orders(n_variables(like.shape[-1])), device=like.device)
    return torch.stack([order >= 1, order >= 2]).to(like.dtype)


def _normal(d, rows):
    """Rows of Phi diag(d) Phi': d (batch, 2, 2^n) and rows (batch, m) give (batch, m, m), by set operations alone."""
    sums, m = _sums(d), rows.shape[1]
    missed = sums[:, 1].flip(-1)  # OR weight inside the complement of each subset
    both = rows[:, :, None] & rows[:, None, :]
    either = rows[:, :, None] | rows[:, None, :]
    matrix = sums[:, 0].gather(1, both.flatten(1)) + missed.gather(1, either.flatten(1))
    missed = missed.gather(1, rows)
    return matrix.reshape(-1, m, m) + (sums[:, 1, -1:] - missed)[:, :, None] - missed[:, None, :]


@lru_cache
def _gram_factor(n, device):
    """Cholesky factor of Phi Phi' (entry (0, 0) is 1)."""
    rows = torch.arange(1 << n, device=device)[None]
    gram = _normal(_live(torch.zeros(1 << n, dtype=torch.float64, device=device))[None], rows)[0]
    gram[0, 0] = 1
    return torch.linalg.cholesky(gram)


def _smallest(r):
    """The interactions of least norm with Phi x = r: r (batch, 2^n) to (batch, 2, 2^n)."""
    for_rows = torch.cholesky_solve(r.T, _gram_factor(n_variables(r.shape[-1]), r.device)).T
    return _phi_t(for_rows)


# --- The solver -----------------------------------------------------------------------------------------------------


def _solve(u, bound, ridge, tol, max_iter):
    """Feasible x (batch, 2, 2^n), its relative gap, and Newton steps, for u with max |u| = 1."""
    x0 = _smallest(u)
    rows = torch.arange(u.shape[1], device=u.device).expand(u.shape)
    x, dual, steps = _interior_point(u, bound * INSIDE, rows, x0, ridge, tol / 2, max_iter)
    r = u - _phi(x)
    x = x + _smallest(r - r.clamp(-bound * INSIDE, bound * INSIDE))
    zero = (u.abs() <= bound).all(1)
    x[zero] = 0
    primal = _primal(x.flatten(1), ridge)
    lower = _dual(u, bound, dual, ridge)
    gap = torch.where(zero, 0, (primal - lower) / primal.clamp(min=1e-300))
    return x, gap.clamp(min=0), torch.where(zero, 0, steps)


def _primal(x, ridge):
    return x.abs().sum(1) + ridge / 2 * (x * x).sum(1)


def _dual(u, bound, y, ridge):
    over = (_phi_t(y).flatten(1).abs() - 1).clamp(min=0)
    return (u * y).sum(1) - bound[:, 0] * y.abs().sum(1) - (over * over).sum(1) / (2 * ridge)


def _interior_point(u, bound, rows, x0, ridge, tol, max_iter):
    """Primal-dual predictor-corrector on the chosen rows; returns x, lambda and steps."""
    batch, size = u.shape
    at = torch.arange(batch, device=u.device)
    bound = bound.clamp(min=1e-10)
    live = _live(u).flatten()
    x_out, y_out = torch.zeros_like(x0), torch.zeros_like(u)
    steps = torch.zeros(batch, dtype=torch.int64, device=u.device)
    x = x0.flatten(1)
    near = 0.1 * x.abs().mean(1, keepdim=True) + 1e-3
    p, q = x.clamp(min=0) + near, (-x).clamp(min=0) + near
    zp, zq = torch.ones_like(p), torch.ones_like(q)
    goal = u.gather(1, rows)
    s, y = torch.zeros_like(goal), torch.zeros_like(goal)
    wl, wu = torch.full_like(goal, 0.05), torch.full_like(goal, 0.05)

    def pull(y, rows):
        y = torch.zeros(len(y), size, dtype=y.dtype, device=y.device).scatter_(1, rows, y)
        return _phi_t(y).flatten(1)

    def push(x, rows):
        return _phi(x.view(-1, 2, size)).gather(1, rows)

    for step in range(max_iter + 1):
        x = p - q
        t = pull(y, rows)
        r = goal - push(x, rows) - s
        rp, rq, rs = 1 + ridge * x - t - zp, 1 - ridge * x + t - zq, wu - wl - y
        tl, tu = s + bound, bound - s
        mu = ((p * zp).sum(1) + (q * zq).sum(1) + (tl * wl).sum(1) + (tu * wu).sum(1)) / (4 * size + 2 * goal.shape[1])
        over = (t.abs() - 1).clamp(min=0)
        dual = (goal * y).sum(1) - bound[:, 0] * y.abs().sum(1) - (over * over).sum(1) / (2 * ridge)
        primal = _primal(x, ridge)
        done = ((primal - dual).abs() <= tol * primal) & (r.abs().amax(1) < 1e-9) | (mu < 1e-16)
        done |= step == max_iter
        if done.any():
            x_out[at[done]] = x[done].view(-1, 2, size)
            y_out[at[done]] = y_out[at[done]].scatter(1, rows[done], y[done])
            steps[at[done]] = step
            k = ~done
            if not k.any():
                break
            at, rows, bound, goal, p, q, zp, zq, s, wl, wu, y = [
                a[k] for a in (at, rows, bound, goal, p, q, zp, zq, s, wl, wu, y)
            ]
            rp, rq, rs, r, tl, tu, mu = [a[k] for a in (rp, rq, rs, r, tl, tu, mu)]
        ip, iq = p / zp, q / zq
        den = 1 + ridge * (ip + iq)
        d = (ip + iq) / den
        e = 1 / (wl / tl + wu / tu)
        matrix = _normal((d * live).view(-1, 2, size), rows)
        matrix.diagonal(dim1=1, dim2=2).add_(torch.where(rows == 0, 1.0, e + 1e-14))
        factor = torch.linalg.cholesky(matrix)

        def direction(cp, cq, cl, cu):
            ap, aq = cp / p - rp, cq / q - rq
            dx0 = (ap * ip - aq * iq) / den
            ds0 = e * (cl / tl - cu / tu - rs)
            rhs = torch.where(rows == 0, 0, r - push(dx0, rows) - ds0)
            dy = torch.cholesky_solve(rhs[:, :, None], factor)[:, :, 0]
            dt = pull(dy, rows)
            g = dt - ridge * (d * dt + dx0)
            dp, dq, ds = (ap + g) * ip, (aq - g) * iq, e * dy + ds0
            return dy, dp, dq, ds, (cp - zp * dp) / p, (cq - zq * dq) / q, (cl - wl * ds) / tl, (cu + wu * ds) / tu

        def lengths(dp, dq, ds, dzp, dzq, dwl, dwu):
            return _longest((p, dp), (q, dq), (tl, ds), (tu, -ds)), _longest((zp, dzp), (zq, dzq), (wl, dwl), (wu, dwu))

        _, dp, dq, ds, dzp, dzq, dwl, dwu = direction(-p * zp, -q * zq, -tl * wl, -tu * wu)
        a, b = lengths(dp, dq, ds, dzp, dzq, dwl, dwu)
        ahead = ((p + a * dp) * (zp + b * dzp)).sum(1) + ((q + a * dq) * (zq + b * dzq)).sum(1)
        ahead += ((tl + a * ds) * (wl + b * dwl)).sum(1) + ((tu - a * ds) * (wu + b * dwu)).sum(1)
        ahead /= 4 * size + 2 * goal.shape[1]
        aim = ((ahead / mu) ** 3 * mu)[:, None].clamp(min=1e-17)
        dy, dp, dq, ds, dzp, dzq, dwl, dwu = direction(
            aim - p * zp - dp * dzp, aim - q * zq - dq * dzq, aim - tl * wl - ds * dwl, aim - tu * wu + ds * dwu
        )
        a, b = lengths(dp, dq, ds, dzp, dzq, dwl, dwu)
        p, q, s = p + a * dp, q + a * dq, s + a * ds
        y, zp, zq, wl, wu = y + b * dy, zp + b * dzp, zq + b * dzq, wl + b * dwl, wu + b * dwu
    return x_out, y_out, steps


def _longest(*pairs):
    """The longest step, at most 1, that keeps every value of the pairs (value, direction) above zero, (batch, 1)."""
    ratios = [(-value / way).masked_fill(way >= 0, math.inf).amin(1) for value, way in pairs]
    return (0.9995 * torch.stack(ratios).amin(0)).clamp(max=1)[:, None]
