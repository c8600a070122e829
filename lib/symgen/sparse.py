"""Sparse AND-OR interactions: the unique minimiser of a strictly convex problem, with a certificate (science: section 3).

With u = v - v(empty), c = noise_bound |v(N) - v(empty)|, scale = max |u| and Phi = [AND columns, OR columns of order >= 2]:

    minimise ||x||_1 + ridge / (2 scale) ||x||_2^2    subject to    |Phi x - u| <= c for every subset.

Every lambda bounds the optimum from below: u.lambda - c ||lambda||_1 - sum max(|Phi' lambda| - 1, 0)^2 scale / (2 ridge).
"""

import math
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int

from symgen.errors import InputError
from symgen.interior_point import InteriorPoint, descend, dual_value, primal_value
from symgen.linear_map import FEW, least_norm, phi, phi_t
from symgen.rough import rough_start
from symgen.subsets import n_variables
from symgen.transforms import Array, reconstruct

INSIDE = 1 - 1e-9  # the share of the noise bound that is used, so that rounding does not leave it
ACTIVE = 0.9  # rows enter where the noise comes this near to its bound
ATTEMPTS = 10  # rounds of choosing rows
START = (1e-5, 0.1), (1e-6, 0.01)  # the interior point's first products and margin, after ADMM and after a round
COLD = (1e-2, 0.5)  # and from nothing
PART = {"cpu": 1 << 16, "cuda": 1 << 22}  # values solved side by side
LEAST_PART = 16  # games in a part below which threads share one game rather than the batch: it may fill the memory
GROUP = {"cpu": 1 << 22, "cuda": 1 << 28}  # entries of the Newton matrices solved side by side


@dataclass(frozen=True)
class SparseAndOr:
    """Sparse AND-OR interactions of a batch of games; without the batch axis if a single v was given."""

    i_and: Float[Array, "*batch subset"]  # entry 0 is 0
    i_or: Float[Array, "*batch subset"]  # 0 below order 2
    bias: Float[Array, "*batch"]  # v(empty)
    noise: Float[Array, "*batch subset"]  # v - reconstruct(i_and, i_or, bias), inside the bound
    l1: Float[Array, "*batch"]  # sum of |i_and| + |i_or|
    gap: Float[Array, "*batch"]  # (primal - dual) / primal: how far above the optimum at most
    iterations: Int[Array, "*batch"]  # Newton steps


def sparse_and_or(
    v: Float[Array, "*batch subset"],
    noise_bound: float = 0.04,
    ridge: float = 0.5,
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
    x, gap, iterations = _solve_all(u / scale, bound / scale, ridge, tol, max_iter)
    i_and, i_or = (x * scale[:, None]).unbind(1)
    noise = games - reconstruct(i_and, i_or, bias[:, 0])
    _warn_unless(gap <= tol, gap, max_iter)
    l1 = i_and.abs().sum(1) + i_or.abs().sum(1)
    return _like(v, SparseAndOr(i_and, i_or, bias[:, 0], noise, l1, gap, iterations))


def _solve_all(u, bound, ridge, tol, max_iter):
    """`_solve` in parts that fit into memory, for those samples that need any interaction at all."""
    x = torch.zeros(len(u), 2, u.shape[1], dtype=u.dtype, device=u.device)
    gap, steps = torch.zeros_like(u[:, 0]), torch.zeros(len(u), dtype=torch.int64, device=u.device)
    needed = (u.abs() > bound).any(1).nonzero()[:, 0]

    def solve(at):
        x[at], gap[at], steps[at] = _solve(u[at], bound[at], ridge, tol, max_iter)

    _side_by_side(solve, needed, max(1, PART[u.device.type] // u.shape[1]))
    return x, gap, steps


def _side_by_side(solve, samples, most):
    """Call `solve` on parts of at most `most` samples; on a CPU one thread per part, which never wait for each other."""
    threads = torch.get_num_threads()
    if samples.is_cuda or threads == 1 or len(samples) < threads or most < LEAST_PART:
        for part in samples.split(most) if len(samples) else ():
            solve(part)
        return
    parts = samples.chunk(threads * math.ceil(len(samples) / (threads * most)))
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            list(pool.map(solve, parts))
    finally:
        torch.set_num_threads(threads)  # new threads would start with one


def _check_numbers(noise_bound, ridge, tol, max_iter):
    """ValueError for a parameter out of range."""
    if not 0 <= noise_bound < math.inf:
        raise InputError(f"noise_bound = {noise_bound}; expected a share of |v(N) - v(empty)|, 0 or more")
    for name, value in (("ridge", ridge), ("tol", tol), ("max_iter", max_iter)):
        if not 0 < value < math.inf:
            raise InputError(f"{name} = {value}; expected a finite number above 0")


def _check_values(v):
    """v as a float64 tensor (batch, 2^n) on its own device; ValueError if it is no such array."""
    if v.ndim not in (1, 2):
        raise InputError(f"v has {v.ndim} axes, shape {tuple(v.shape)}; expected (2^n,) or (batch, 2^n)")
    n = n_variables(v.shape[-1])
    games = torch.atleast_2d(torch.as_tensor(v)).detach().to(torch.float64)
    if not len(games):
        raise InputError(f"v has shape {tuple(v.shape)}; expected at least one sample")
    if _need(n) > _memory(games.device):
        gib = _need(n) / 2**30, _memory(games.device) / 2**30
        raise InputError(
            f"v has n = {n} variables, which can take {gib[0]:.0f} GiB; expected fewer for {gib[1]:.0f} GiB"
        )
    bad = (~(games - games[:, :1]).isfinite().all(1)).nonzero()[:, 0].tolist()
    if bad:
        raise InputError(f"v holds NaN, infinity or too large a difference in samples {bad}; expected finite values")
    return games


def _need(n):
    """Memory in bytes that one sample can take at worst: four square matrices if every row matters, and vectors."""
    return 4 * 8 * 4**n + 100 * 8 * 2**n


def _memory(device):
    """Memory of the device in bytes, in all."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _warn_unless(converged, gap, max_iter):
    """One warning that names the samples that are not converged, and their gaps."""
    left = (~converged).nonzero()[:, 0].tolist()
    if left:
        gaps = ", ".join(f"{k} (gap {gap[k]:.1e})" for k in left)
        warnings.warn(f"sparse_and_or: tol not reached within {max_iter} steps in samples {gaps}", stacklevel=3)


def _like(v, result):
    """The result in the array kind of v, without the batch axis if v has none."""
    fields = {name: value if v.ndim == 2 else value[0] for name, value in vars(result).items()}
    if isinstance(v, torch.Tensor):
        return SparseAndOr(**fields)
    return SparseAndOr(**{name: value.numpy() for name, value in fields.items()})


def _solve(u, bound, ridge, tol, max_iter):
    """Feasible x (batch, 2, 2^n), its relative gap and the Newton steps, for u (batch, 2^n) with max |u| = 1.

    Most bounds are slack at the optimum. Only rows that the rough start finds active, or that a solution on the chosen
    rows violates, enter the Newton matrix; with few variables, all of them, and the start is nothing at all.
    """
    found, bound = _Found(u, bound, ridge), bound * INSIDE
    few = n_variables(u.shape[1]) <= FEW
    if few:
        x, y, chosen = torch.zeros_like(found.x), torch.zeros_like(u), torch.ones_like(u, dtype=torch.bool)
    else:
        x, y, activity = rough_start(u, bound, ridge)
        chosen = activity > ACTIVE
    found.improve(torch.arange(len(u), device=u.device), x, y)
    steps = torch.zeros(len(u), dtype=torch.int64, device=u.device)
    for attempt in range(ATTEMPTS):
        left = ((found.gap > tol) & (steps < max_iter)).nonzero()[:, 0]
        for at in _groups(left, chosen.sum(1)):
            start = START[1] if attempt else COLD if few else START[0]
            point = InteriorPoint(u[at], bound[at], x[at], y[at], _listed(chosen[at]), ridge, start)
            x_new, y_new, used = descend(point, tol / 4 * 0.3**attempt, max_iter - steps[at])
            x[at], y[at] = x_new.nan_to_num(0, 0, 0), y_new.nan_to_num(0, 0, 0)
            steps[at] += used
            noise = found.improve(at, x[at], y[at])
            near = noise.abs() > 0.95 * bound[at]
            chosen[at] = near if attempt < 2 else near | chosen[at]
    return found.x, found.gap, steps


class _Found:
    """The best feasible interactions and the best lower bound found so far."""

    def __init__(self, u, bound, ridge):
        self.u, self.bound, self.ridge = u, bound, ridge
        self.x = torch.zeros(len(u), 2, u.shape[1], dtype=u.dtype, device=u.device)
        self.upper = torch.full_like(u[:, 0], math.inf)
        self.lower = torch.zeros_like(u[:, 0])

    @property
    def gap(self):
        """Relative duality gap, (batch,)."""
        return ((self.upper - self.lower) / self.upper).clamp(min=0)

    def improve(self, at, x, y):
        """Take x, made feasible, and y of the samples `at` where they are better; the noise of x before its repair."""
        u, bound = self.u[at], self.bound[at]
        noise, inner = u - phi(x), bound * INSIDE
        x = x + least_norm(noise - noise.clamp(-inner, inner))
        left = u - phi(x)  # by rounding
        x = x + least_norm(left - left.clamp(-inner, inner))
        upper = primal_value(x, self.ridge)
        better = upper < self.upper[at]
        self.x[at] = torch.where(better[:, None, None], x, self.x[at])
        self.upper[at] = torch.where(better, upper, self.upper[at])
        self.lower[at] = torch.maximum(self.lower[at], dual_value(u, bound, y, phi_t(y), self.ridge))
        return noise


def _groups(samples, counts):
    """The samples in groups of similar numbers of chosen rows, so that padding wastes little and a group fits the cache."""
    samples = samples[counts[samples].argsort(descending=True)]
    while len(samples):
        size = (GROUP[samples.device.type] // max(1, int(counts[samples[0]])) ** 2) or 1
        yield samples[: min(size, 64)]
        samples = samples[min(size, 64) :]


def _listed(chosen):
    """Indices of the chosen subsets, (batch, m), padded with the empty set."""
    m = max(1, int(chosen.sum(1).max()))
    order = chosen.to(torch.int8).argsort(1, descending=True)[:, :m]
    return torch.where(chosen.gather(1, order), order, 0)
