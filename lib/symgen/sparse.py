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
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import nn

from symgen.errors import InputError
from symgen.subsets import n_variables, orders, subset_matrix
from symgen.transforms import Array, reconstruct, subset_sums

INSIDE = 1 - 1e-9  # the share of the noise bound that is used, so that rounding does not leave it
FLOOR = 1e-10  # a bound below this share of the scale is treated as an equation
DENSE = 11  # variables up to which a dense inverse of Phi Phi' is the fastest
ROUGH_STEPS, RELAXATION, NOISE_WEIGHT = 400, 1.7, 3.0  # of ADMM
ACTIVE = 0.9  # rows enter where the noise comes this near to its bound
ATTEMPTS = 10  # rounds of choosing rows
START = (1e-5, 0.1), (1e-6, 0.01)  # the interior point's first products and margin, after ADMM and after a round
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
    bad = (~games.isfinite().all(1)).nonzero()[:, 0].tolist()
    if bad:
        raise InputError(f"v holds NaN or infinity in samples {bad}; expected finite values")
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


# --- The linear map Phi ---------------------------------------------------------------------------------------------


def _phi(x):
    """Values of interactions: x (batch, 2, 2^n) to (batch, 2^n)."""
    sums = subset_sums(x)
    return sums[:, 0] + (sums[:, 1, -1:] - sums[:, 1].flip(-1))


def _phi_t(y):
    """The transpose of `_phi`, zero where there is no interaction: y (batch, 2^n) to (batch, 2, 2^n)."""
    sums = subset_sums(torch.stack([y.flip(-1), y], 1)).flip(-1)
    sums[:, 1] = y.sum(-1, keepdim=True) - sums[:, 1]
    return sums * _live(n_variables(y.shape[-1]), y.dtype, y.device)


@lru_cache(maxsize=32)
def _live(n, dtype, device):
    """1 where an interaction lives (AND from order 1, OR from order 2), else 0; shape (2, 2^n)."""
    order = torch.tensor(orders(n), device=device)
    return torch.stack([order >= 1, order >= 2]).to(dtype)


def _normal(d, both, either, rows):
    """Phi diag(d) Phi' between chosen rows (batch, m), by set operations: d (batch, 2, 2^n) gives (batch, m, m).

    `both` and `either` hold the intersections and the unions of the chosen subsets, each (batch, m * m).
    """
    sums, m = subset_sums(d), rows.shape[1]
    missed = sums[:, 1].flip(-1)  # OR weight that a subset does not meet
    matrix = (sums[:, 0].gather(1, both) + missed.gather(1, either)).view(-1, m, m)
    missed = missed.gather(1, rows)
    return matrix.add_((sums[:, 1, -1:] - missed)[:, :, None]).sub_(missed[:, None, :])


def _pairs(rows):
    """Intersections and unions of all pairs of the chosen subsets, each (batch, m * m)."""
    one, other = rows[:, :, None], rows[:, None, :]
    return (one & other).flatten(1), (one | other).flatten(1)


# --- A rough start: ADMM ----------------------------------------------------------------------------------------------


def _rough(u, bound, ridge):
    """Rough x (batch, 2, 2^n) and lambda, and for each subset |noise at the proximal step| / bound: above 1 if active.

    ADMM in float32 on x and the noise s, between the proximal step and the projection on Phi x + s = u, with
    over-relaxation and a step size of each sample that balances both residuals.
    """
    u, bound = u.float(), (bound / NOISE_WEIGHT).float().clamp(min=1e-12)
    project = _projector(n_variables(u.shape[1]), u.device)
    x = x_dual = torch.zeros(len(u), 2, u.shape[1], device=u.device)
    s = s_dual = torch.zeros_like(u)
    step = torch.full((len(u), 1), 50.0, device=u.device)
    for k in range(1, ROUGH_STEPS + 1):
        x_free, s_free = x - x_dual, s - s_dual
        x_near = nn.functional.softshrink(x_free * step[:, None], 1.0) / (step[:, None] + ridge)
        s_near = s_free.clamp(-bound, bound)
        x_mix, s_mix = torch.lerp(x, x_near, RELAXATION), torch.lerp(s, s_near, RELAXATION)
        change = project(_phi(x_mix) + NOISE_WEIGHT * s_mix - u)
        pull = _phi_t(change)
        x_old, x, s = x, x_mix - pull, s_mix - NOISE_WEIGHT * change
        x_dual, s_dual = x_dual + pull, s_dual + NOISE_WEIGHT * change
        if k % 20 == 0 and k <= 0.8 * ROUGH_STEPS:
            factor = _balance(x_near - x, x, x - x_old, x_dual)
            step, x_dual, s_dual = step * factor, x_dual / factor[:, None], s_dual / factor
    return x_near.double(), -(s_dual * step).double() / NOISE_WEIGHT, (s_free.abs() / bound).double()


def _balance(primal, x, dual, x_dual):
    """Factor for the step size, (batch, 1): the square root of the ratio of the two relative residuals, 0.2 to 5."""
    primal, x, dual, x_dual = (
        a.flatten(1).norm(dim=1, keepdim=True).clamp(min=1e-10) for a in (primal, x, dual, x_dual)
    )
    return (primal / x * x_dual / dual).sqrt().clamp(0.2, 5)


def _projector(n, device):
    """The function r -> (Phi Phi' + NOISE_WEIGHT^2)^-1 r, float32: a dense inverse if small, else conjugate gradients."""
    if n <= DENSE:
        inverse = _dense_inverse(n, device)
        return lambda r: r @ inverse
    return lambda r: _conjugate_gradients(lambda y: _phi(_phi_t(y)) + NOISE_WEIGHT**2 * y, r, 15)


@lru_cache(maxsize=4)
def _dense_inverse(n, device):
    """(Phi Phi' + NOISE_WEIGHT^2)^-1 in float32, (2^n, 2^n)."""
    rows = torch.arange(1 << n, device=device)[None]
    matrix = _normal(_live(n, torch.float64, device)[None], *_pairs(rows), rows)[0]
    matrix.diagonal().add_(NOISE_WEIGHT**2)
    return torch.linalg.inv(matrix).float()


def _conjugate_gradients(matrix, r, steps):
    """An approximate solution of matrix(y) = r, (batch, 2^n)."""
    y, way, size = torch.zeros_like(r), r, (r * r).sum(1, keepdim=True)
    for _ in range(steps):
        image = matrix(way)
        length = size / (way * image).sum(1, keepdim=True).clamp(min=1e-30)
        y, r = y + length * way, r - length * image
        before, size = size, (r * r).sum(1, keepdim=True)
        way = r + size / before.clamp(min=1e-30) * way
    return y


# --- The least interactions with given values: feasibility ------------------------------------------------------------


def _least(r):
    """The interactions of least norm with Phi x = r: r (batch, 2^n), 0 for the empty set, to (batch, 2, 2^n)."""
    y = _gram_solve(r)
    return _phi_t(y + _gram_solve(r - _phi(_phi_t(y))))


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


# --- The exact solution: an interior point on the rows that matter ------------------------------------------------------


def _solve(u, bound, ridge, tol, max_iter):
    """Feasible x (batch, 2, 2^n), its relative gap and the Newton steps, for u (batch, 2^n) with max |u| = 1.

    Most bounds are slack at the optimum. Only rows that the rough start finds active, or that a solution on the chosen
    rows violates, enter the Newton matrix.
    """
    found, bound = _Found(u, bound, ridge), bound * INSIDE
    x, y, activity = _rough(u, bound, ridge)
    chosen = activity > ACTIVE
    found.improve(torch.arange(len(u), device=u.device), x, y)
    steps = torch.zeros(len(u), dtype=torch.int64, device=u.device)
    for attempt in range(ATTEMPTS):
        left = ((found.gap > tol) & (steps < max_iter)).nonzero()[:, 0]
        for at in _groups(left, chosen.sum(1)):
            point = _InteriorPoint(u[at], bound[at], x[at], y[at], _listed(chosen[at]), ridge, START[attempt > 0])
            x_new, y_new, used = _descend(point, tol / 4 * 0.3**attempt, max_iter - steps[at])
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
        noise, inner = u - _phi(x), bound * INSIDE
        x = x + _least(noise - noise.clamp(-inner, inner))
        left = u - _phi(x)  # by rounding
        x = x + _least(left - left.clamp(-inner, inner))
        upper = _primal(x, self.ridge)
        better = upper < self.upper[at]
        self.x[at] = torch.where(better[:, None, None], x, self.x[at])
        self.upper[at] = torch.where(better, upper, self.upper[at])
        self.lower[at] = torch.maximum(self.lower[at], _dual(u, bound, y, _phi_t(y), self.ridge))
        return noise


def _primal(x, ridge):
    """||x||_1 + ridge / 2 ||x||_2^2 for each sample."""
    return (x.abs() + ridge / 2 * x * x).flatten(1).sum(1)


def _dual(u, bound, y, pull, ridge):
    """Lower bound of every feasible `_primal` from any y, given pull = Phi' y."""
    over = (pull.flatten(1).abs() - 1).clamp(min=0)
    return (u * y - bound * y.abs()).sum(1) - (over * over).sum(1) / (2 * ridge)


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


def _descend(point, tol, allowed):
    """Newton steps until each sample's gap on its rows is below tol: x, y (lambda) and the steps used."""
    at = torch.arange(len(allowed), device=allowed.device)
    x, y = (a.clone() for a in point.solution())
    used = torch.zeros_like(allowed)
    while True:
        done = point.converged(tol) | (used[at] >= allowed[at])
        if done.any():
            x[at[done]], y[at[done]] = (a[done] for a in point.solution())
            at = at[~done]
            if not len(at):
                return x, y, used
            point.keep(~done)
        point.advance()
        used[at] += 1


class _InteriorPoint:
    """Primal-dual predictor-corrector steps for a group of games, with the noise bound on chosen rows only.

    The problem is its own mirror image: a = (x, lambda) is paired with mid = (Phi' lambda - ridge x, u - Phi x), which
    stays within (1, bound), and a is positive (negative) only where mid is at its upper (lower) end. So a = plus - minus
    with plus * (edge - mid) and minus * (edge + mid) going to zero together.
    """

    PER_SAMPLE = ("rows", "both", "either", "pad", "goal", "bound", "plus", "minus", "up", "low", "length")

    def __init__(self, u, bound, x, y, rows, ridge, start):
        self.size, self.ridge, self.rows, self.pad = u.shape[1], ridge, rows, rows == 0
        self.both, self.either = _pairs(rows)
        self.goal = u.gather(1, rows)
        self.bound = bound.clamp(min=FLOOR)
        self.length = torch.ones_like(u[:, 0])  # of the last step
        self.live = _live(n_variables(self.size), u.dtype, u.device).flatten()
        self._start(x.flatten(1), y.gather(1, rows), *start)

    def _start(self, x, y, product, margin):
        """A point well inside near a rough (x, lambda)."""
        a = torch.cat([x, y], 1)
        mid = torch.cat([self._pull(y) - self.ridge * x, self.goal - self._push(x)], 1)
        edge = torch.cat([torch.ones_like(x), self.bound.expand(y.shape)], 1)
        mid = mid.clamp(-(1 - margin) * edge, (1 - margin) * edge)
        self.up, self.low = edge - mid, edge + mid
        product = product * (edge / 1e-3).clamp(max=1)
        self.plus, self.minus = torch.maximum(a, product / self.up), torch.maximum(-a, product / self.low)
        self._measure()

    def _pull(self, y):
        """Phi' y for y on the chosen rows: (batch, m) to (batch, 2 * 2^n)."""
        whole = torch.zeros(len(y), self.size, dtype=y.dtype, device=y.device)
        return _phi_t(whole.scatter_(1, self.rows, y)).flatten(1)

    def _push(self, x):
        """Phi x on the chosen rows: (batch, 2 * 2^n) to (batch, m)."""
        return _phi(x.view(-1, 2, self.size)).gather(1, self.rows)

    def _halves(self, a):
        """The part of the interactions and the part of the rows."""
        return a[:, : 2 * self.size], a[:, 2 * self.size :]

    def _measure(self):
        """Residuals of both linear equations, and the products that go to zero."""
        self.x, self.y = self._halves(self.plus - self.minus)
        self.pull = self._pull(self.y)
        mid_x, mid_y = self._halves((self.low - self.up) / 2)
        self.rest_x = self.pull - self.ridge * self.x - mid_x
        self.rest_y = self.goal - self._push(self.x) - mid_y
        self.product_up, self.product_low = self.plus * self.up, self.minus * self.low
        self.late = (self.product_up + self.product_low).mean(1, keepdim=True) < 1e-8

    def converged(self, tol):
        """Whether the gap on the chosen rows is below tol, (batch,)."""
        primal = _primal(self.x, self.ridge)
        gap = primal - _dual(self.goal, self.bound, self.y, self.pull, self.ridge)
        exact = self.rest_y.abs().amax(1) <= 1e-6 * self.bound[:, 0].clamp(min=1e-3)
        spent = (self.product_up + self.product_low).amax(1) < 1e-15  # nothing is left to gain in float64
        return (gap.abs() <= tol * primal) & exact | spent | ~gap.isfinite()

    def solution(self):
        """X (batch, 2, 2^n) and lambda (batch, 2^n)."""
        whole = torch.zeros(len(self.y), self.size, dtype=self.y.dtype, device=self.y.device)
        return self.x.view(-1, 2, self.size), whole.scatter_(1, self.rows, self.y)

    def keep(self, which):
        """Go on with some samples only."""
        for name in self.PER_SAMPLE:
            setattr(self, name, getattr(self, name)[which])
        self._measure()

    def advance(self):
        """One predictor and one corrector step (Mehrotra) with the same factor."""
        self._factorise()
        centring = torch.where(self.length < 0.1, 0.5, 0)  # after a short step
        aim = -self.product_up, -self.product_low
        ways = self._direction(*aim)
        plus, minus, up, low = self._moved(*ways)
        ahead, now = (plus * up + minus * low).sum(1), (self.product_up + self.product_low).sum(1)
        share = ((ahead / now) ** 3).maximum(centring)
        target = (share * now / (2 * plus.shape[1]))[:, None]
        d_plus, d_minus, d_mid = ways
        d_mid = d_mid * torch.where(self.late, self.length[:, None] ** 2, 1)  # late, only as far as the predictor goes
        ways = self._direction(aim[0] + target + d_plus * d_mid, aim[1] + target - d_minus * d_mid)
        self.plus, self.minus, self.up, self.low = self._moved(*ways)
        self._measure()

    def _factorise(self):
        """Cholesky factor of the Newton matrix on the chosen rows."""
        self.slope = self.plus / self.up + self.minus / self.low
        slope_x, slope_y = self._halves(self.slope)
        self.shrink = self.live / (1 + self.ridge * slope_x)
        weight = (slope_x * self.shrink).view(-1, 2, self.size)
        matrix = _normal(weight, self.both, self.either, self.rows)
        matrix.diagonal(dim1=1, dim2=2).mul_(1 + 1e-13).add_(torch.where(self.pad, 1, 1 / slope_y))
        self.factor, _ = torch.linalg.cholesky_ex(matrix)  # a failure shows in the gap

    def _direction(self, aim_up, aim_low):
        """Newton direction (plus, minus, mid) that changes the products by the aims and clears both residuals."""
        slope_x, slope_y = self._halves(self.slope)
        shift_x, shift_y = self._halves(aim_up / self.up - aim_low / self.low)
        dx = (shift_x + slope_x * self.rest_x) * self.shrink
        right = (self.rest_y + shift_y / slope_y - self._push(dx)).masked_fill(self.pad, 0)
        dy = torch.cholesky_solve(right[:, :, None], self.factor)[:, :, 0]
        pull = self._pull(dy)
        dx = dx + slope_x * self.shrink * pull
        d_mid = torch.cat([pull - self.ridge * dx + self.rest_x, (dy - shift_y) / slope_y], 1)
        return (aim_up + self.plus * d_mid) / self.up, (aim_low - self.minus * d_mid) / self.low, d_mid

    def _moved(self, d_plus, d_minus, d_mid):
        """(plus, minus, up, low) after the longest primal and the longest dual step that keep them positive."""
        outer_x, outer_y = self._halves(torch.minimum(_ratio(self.plus, d_plus), _ratio(self.minus, d_minus)))
        inner_x, inner_y = self._halves(torch.minimum(_ratio(self.up, -d_mid), _ratio(self.low, d_mid)))
        primal, dual = _longest(outer_x, inner_y), _longest(inner_x, outer_y)
        primal, dual = torch.where(
            self.late, torch.minimum(primal, dual), torch.stack([primal, dual])
        )  # keeps rest_x small
        self.length = torch.minimum(primal, dual)[:, 0]
        a = torch.cat([primal.expand_as(outer_x), dual.expand_as(outer_y)], 1)
        b = torch.cat([dual.expand_as(outer_x), primal.expand_as(outer_y)], 1)
        return self.plus + a * d_plus, self.minus + a * d_minus, self.up - b * d_mid, self.low + b * d_mid


def _ratio(value, way):
    """How far each value > 0 can go its way before it is zero."""
    return (-value / way).masked_fill(way >= 0, math.inf)


def _longest(one, other):
    """The longest step, at most 1, a little short of the first zero; (batch, 1)."""
    return (0.9995 * torch.minimum(one.amin(1), other.amin(1))).clamp(max=1)[:, None]
