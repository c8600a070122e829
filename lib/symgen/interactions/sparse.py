"""Sparse AND-OR interactions: the unique minimiser of a strictly convex problem, with a certificate.

With u = v - v(empty), scale = max |u|, Phi = [AND columns, OR columns of order >= 2] and a bound of the noise
c = max(noise_bound |v(N) - v(empty)|, 4 rounding max |v|):

    minimise ||x||_1 + ridge / (2 scale) ||x||_2^2    subject to    |Phi x - u| <= c for every subset.

Every y bounds the optimum from below: u.y - c ||y||_1 - sum max(|Phi' y| - 1, 0)^2 scale / (2 ridge).

The way of one sample: ADMM guesses the rows whose noise is at its bound (`_admm`). An interior point solves on these rows,
and lets rows join and leave meanwhile (`_interior_point`). What is left outside the bound is repaired, and both bounds of
the optimum are computed (`certify`). With few variables there is no need to guess, and where nearly all rows matter ADMM
may do the whole work. The numerical work is compiled. A sample is solved by one thread. Its result does not depend on the
other samples, their order or the number of threads, to the last bit.
"""

import math
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from numbers import Real

import numpy as np
import psutil
import torch
from jaxtyping import Float, Int
from threadpoolctl import ThreadpoolController

from symgen.errors import InputError, whole_number
from symgen.interactions._admm import INSIDE, MANY_ROWS, Problem, Rough, certify, dense_solution, rough_solution
from symgen.interactions._interior_point import JOIN_LEVELS, NEEDS_ROOM, Pairs, Point, Way, begin, descend
from symgen.interactions._operator import tables
from symgen.interactions.subsets import check_n, n_variables
from symgen.interactions.transforms import Array, reconstruct

FIRST_ROOM = 256  # rows of the Newton matrix for which a sample has room to begin with
FEW_VARIABLES = 7  # variables up to which all rows are chosen at once, and ADMM is not worth its time
ROUNDINGS = 4  # noise of so many rounding errors of v is always allowed: a network's v is off by a few
SUMMED = 2  # of these, so many are kept for adding up interactions and bias; the rest is for the solver
# The gap that is aimed at where less is asked. Against 1e-5: 9 % more time in the mean, and an answer that differs by 1.5e-4
# of its L1 in the median, 3e-3 at most (240 vectors of fashion-vgg and snippets-bert).
AIM = 1e-8
ROUGH, AGAIN, COLD, COLDER = (1e-5, 0.1), (1e-6, 0.01), (1e-2, 0.5), (1e-1, 0.9)  # first products and margin
NEAR = 0.95  # share of the bound from which a row is chosen for a further attempt
FLOAT64 = 2.0**-52
SLOW_ROWS = 6000  # from which a sample takes more than a minute


@dataclass(frozen=True)
class SparseAndOr:
    """Sparse AND-OR interactions of a batch of games; without the batch axis if a single v was given.

    Attributes
    ----------
    i_and : array or tensor, (..., 2^n)
        Effects of the AND interactions; 0 of the empty set.
    i_or : array or tensor, (..., 2^n)
        Effects of the OR interactions; 0 of the empty set and of one variable, whose OR is its AND.
    bias : array or tensor, (...)
        v(empty).
    noise : array or tensor, (..., 2^n)
        v less what `reconstruct` makes of these; inside the bound.
    bound : array or tensor, (...)
        What noise may be at most, in absolute value; never less than rounding makes of the sum.
    l1 : array or tensor, (...)
        Sum of the absolute effects.
    gap : array or tensor, (...)
        (primal - dual) / primal: how far above the optimum at most.
    iterations : array or tensor, (...)
        Newton steps.

    Examples
    --------
    >>> solved = sparse_and_or(np.array([0.0, 0.0, 0.0, 2.0]))
    >>> bool((abs(solved.noise) <= solved.bound).all()), float(solved.bound.round(2))  # 4 % of the change
    (True, 0.08)
    """

    i_and: Float[Array, "*batch subset"]
    i_or: Float[Array, "*batch subset"]
    bias: Float[Array, "*batch"]
    noise: Float[Array, "*batch subset"]
    bound: Float[Array, "*batch"]
    l1: Float[Array, "*batch"]
    gap: Float[Array, "*batch"]
    iterations: Int[Array, "*batch"]

    @property
    def effects(self) -> Float[Array, "*batch kind subset"]:
        """Both kinds in one array, i_and first."""
        stack = torch.stack if isinstance(self.i_and, torch.Tensor) else np.stack
        return stack([self.i_and, self.i_or], -2)


def sparse_and_or(
    v: Float[Array, "*batch subset"],
    noise_bound: float = 0.04,
    ridge: float = 0.5,
    tol: float = 1e-6,
    max_iter: int = 200,
    rounding: float = FLOAT64,
) -> SparseAndOr:
    """Sparsest AND-OR interactions that explain v within the noise bound, certified to a relative duality gap of `tol`.

    Parameters
    ----------
    v : array or tensor, (2^n,) or (batch, 2^n)
        Values of all subsets, of any float type, on the CPU or a CUDA device. n is at most 16.
    noise_bound : float
        Allowed noise: `|noise|` as a share of `|v(N) - v(empty)|`.
    ridge : float
        Weight of the squared term, which makes the solution unique.
    tol : float
        Relative duality gap that is certified. The solver goes on to 1e-8, which a few samples in a thousand miss.
    max_iter : int
        Newton steps a sample.
    rounding : float
        Relative precision of v. Noise of a few times `rounding * max |v|` is always allowed, so that values which differ in
        their last digits only have no interactions. The default is that of float64; v of a network that computes
        in float32 is known to 2^-23.

    Returns
    -------
    SparseAndOr
        Arrays or tensors as v is, on its device, in float64.

    Raises
    ------
    InputError
        For arguments out of range, NaN or infinite v, too many variables, and a sample that does not fit into memory.

    Warns
    -----
    UserWarning
        For samples that do not reach `tol`, whose noise is inside its bound all the same; and for one that takes long.

    Examples
    --------
    >>> import numpy as np
    >>> solved = sparse_and_or(np.array([0.0, 0.0, 0.0, 2.0]), noise_bound=0)  # both variables are needed
    >>> solved.i_and.round(6)
    array([0., 0., 0., 2.])
    """
    _check_numbers(noise_bound=noise_bound, ridge=ridge, tol=tol, rounding=rounding)
    max_iter = whole_number(max_iter, "max_iter", "a whole number of steps, 1 or more", least=1)
    ridge, tol = float(ridge), float(tol)  # of one type: another would be compiled for itself
    games = _check_values(v)
    bias = games[:, 0]
    u = games - games[:, :1]
    largest = np.abs(games).max(axis=1)
    bound = np.maximum(noise_bound * np.abs(u[:, -1]), ROUNDINGS * max(rounding, FLOAT64) * largest)
    needed = np.flatnonzero((np.abs(u) > bound[:, None]).any(axis=1))  # others are noise altogether
    x, gap, iterations = _solve_all(u, bound - SUMMED * FLOAT64 * largest, needed, ridge, tol, max_iter)
    i_and, i_or = x[:, : u.shape[1]].copy(), x[:, u.shape[1] :].copy()
    noise = games - reconstruct(i_and, i_or, bias)
    _warn_unless(gap <= tol, gap, iterations)
    with np.errstate(over="ignore"):  # infinite where v is near the largest number that there is
        l1 = np.abs(i_and).sum(axis=1) + np.abs(i_or).sum(axis=1)
    summed = ROUNDINGS * FLOAT64 * largest + ROUNDINGS * FLOAT64 * l1  # no sum of interactions is more exact
    if outside := np.flatnonzero(~(np.abs(noise) <= (bound + summed)[:, None]).all(axis=1)).tolist():  # of NaN as well
        raise InputError(f"v is too near the ends of float64 in samples {outside}; expected ordinary numbers")
    return _like(v, SparseAndOr(i_and, i_or, bias, noise, bound + summed, l1, gap, iterations))


def prepare() -> None:
    """Compile the solver: a minute or two the first time on a machine, later half a second to load it."""
    noise = np.random.default_rng(0).normal
    sparse_and_or(noise(size=4))
    sparse_and_or(noise(size=256))  # more than few variables, and a dense game: all ways that the solver takes


def _check_numbers(noise_bound, rounding, **positive):
    """InputError for a parameter out of range."""
    if not isinstance(noise_bound, Real) or not 0 <= noise_bound < math.inf:
        raise InputError(f"noise_bound = {noise_bound!r}; expected a share of |v(N) - v(empty)|, 0 or more")
    if not isinstance(rounding, Real) or not 0 <= rounding < 1:
        raise InputError(f"rounding = {rounding!r}; expected the relative precision of v, from 0 to below 1")
    for name, value in positive.items():
        if not isinstance(value, Real) or not 0 < value < math.inf:
            raise InputError(f"{name} = {value!r}; expected a finite number above 0")


def _check_values(v):
    """v as a float64 array (batch, 2^n); InputError if it is no such array."""
    if not isinstance(v, (np.ndarray, torch.Tensor)):
        raise InputError(f"v is a {type(v).__name__}; expected an array or a tensor, (2^n,) or (batch, 2^n)")
    if v.ndim not in (1, 2):
        raise InputError(f"v has {v.ndim} axes, shape {tuple(v.shape)}; expected (2^n,) or (batch, 2^n)")
    check_n(n_variables(v.shape[-1]))
    if isinstance(v, torch.Tensor):
        v = v.detach().to("cpu", torch.float64).numpy()
    games = np.atleast_2d(v).astype(np.float64)
    if not len(games):
        raise InputError(f"v has shape {tuple(v.shape)}; expected at least one sample")
    with np.errstate(over="ignore", invalid="ignore"):
        bad = np.flatnonzero(~np.isfinite(games - games[:, :1]).all(axis=1)).tolist()
    if bad:
        raise InputError(f"v holds NaN, infinity or too large a difference in samples {bad}; expected finite values")
    return games


def _warn_unless(converged, gap, steps):
    """One warning that names the samples that are not converged, their gaps and steps."""
    unsolved = np.flatnonzero(~converged)
    if len(unsolved):
        gaps = ", ".join(f"{k} (gap {gap[k]:.1e}, {steps[k]} steps)" for k in unsolved)
        warnings.warn(f"sparse_and_or: tol not reached in samples {gaps}", stacklevel=3)


def _like(v, result):
    """The result in the array kind of v, without the batch axis if v has none."""
    fields = {name: value if v.ndim == 2 else value[0, ...] for name, value in vars(result).items()}
    if isinstance(v, torch.Tensor):
        fields = {name: torch.as_tensor(value, device=v.device) for name, value in fields.items()}
    return SparseAndOr(**fields)


# --- Many samples ----------------------------------------------------------------------------------------------------------


def _solve_all(u, bound, needed, ridge, tol, max_iter):
    """x (sample, 2 * 2^n), gaps and steps of the samples needed, one by one, on as many threads as PyTorch may use."""
    x, gap, steps = np.zeros((len(u), 2 * u.shape[1])), np.zeros(len(u)), np.zeros(len(u), np.int64)
    scale = np.abs(u).max(axis=1)
    local = threading.local()

    def solve(k):
        if not hasattr(local, "solver"):
            local.solver = _Solver(n_variables(u.shape[1]))
        problem = Problem(u[k] / scale[k], bound[k] / scale[k], ridge)
        gap[k], steps[k] = local.solver.solve(problem, tol, max_iter)
        x[k] = local.solver.best * scale[k]

    threads = min(torch.get_num_threads(), len(needed))
    with _linear_algebra().limit(limits=1, user_api="blas"):  # its result must not depend on its threads
        if threads < 2:
            for k in needed:
                solve(k)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(solve, needed))  # after an error, or Ctrl-C, what has not begun by then is cancelled
    return x, gap, steps


_linear_algebra = cache(ThreadpoolController)


# --- One sample ------------------------------------------------------------------------------------------------------------


class _Solver:
    """The arrays of one thread, and the attempts at a solution; the best x is left in `best`."""

    def __init__(self, n):
        size = 1 << n
        self.few, self.tables = n <= FEW_VARIABLES, tables(n)
        self.x, self.best, self.y, self.best_y = (np.zeros(count * size) for count in (2, 2, 1, 1))
        self.rough = Rough(*(np.zeros(count * size) for count in (2, 2, 2, 1, 1, 1)))
        self.work = np.zeros((5, size))
        self.point = _point(size)
        self.memory, self.warned = np.empty(min(size, FIRST_ROOM) ** 2), False  # of the Newton matrix

    def solve(self, problem, tol, max_iter):
        """Gap and Newton steps of a problem."""
        inner = problem._replace(bound=problem.bound * INSIDE)
        self.upper, self.lower, steps = math.inf, 0.0, 0
        self.best[:], self.best_y[:], self.matrix = 0, 0, self.memory[: FIRST_ROOM**2]  # nothing of an earlier sample
        aim = min(tol, AIM)
        self._begin(problem, aim)
        for attempt, start in enumerate((COLD if self.few else ROUGH, AGAIN, COLD, COLDER)):
            if self.gap <= (tol if attempt else aim) or steps >= max_iter:
                break
            if attempt:
                self._prepare_again(problem, cold=attempt > 1)
            begin(inner, self.x, self.y, *start, self.point, self.tables)
            steps += self._descend(inner, aim / 4 * 0.3**attempt, max_iter - steps)
            self._keep(*certify(problem, self.x, self.y, self.tables, self.work))
        return self.gap, steps

    @property
    def gap(self):
        """Relative duality gap of the best so far."""
        return max(0.0, (self.upper - self.lower) / self.upper) if self.upper < math.inf else math.inf

    def _keep(self, upper, lower):
        """Keep x and y where they are better than those before."""
        if upper < self.upper:
            self.upper, self.best[:] = upper, self.x
        if lower > self.lower:
            self.lower, self.best_y[:] = lower, self.y

    def _begin(self, problem, tol):
        """Rough x and y, and the rows to begin with; in a dense problem that may be the end as well."""
        x, y, chosen, size = self.x, self.y, self.point.chosen, problem.u.size
        if self.few:
            x[:], y[:], chosen[:] = 0, 0, True
            return
        count, step_size = rough_solution(problem, x, y, chosen, self.rough, self.tables, self.work)
        if count > MANY_ROWS * size:
            self._keep(
                *dense_solution(problem, x, y, chosen, tol, count, step_size, self.rough, self.tables, self.work)
            )
        if not count:
            chosen[-1] = True

    def _descend(self, problem, tol, allowed):
        """Newton steps; x, and y of all rows, are taken from where they end."""
        point, steps = self.point, 0
        while True:
            status, taken = descend(problem, point, tol, allowed - steps, self.matrix, self.tables)
            steps += taken
            if status != NEEDS_ROOM:
                break
            self._make_room(int(point.count[0]), problem.u.size)
        rows = point.rows[: point.count[0]]
        self.x[:] = np.nan_to_num(point.x, nan=0, posinf=0, neginf=0)
        self.y[:] = 0
        self.y[rows] = np.nan_to_num(point.y[: len(rows)], nan=0, posinf=0, neginf=0)
        return steps

    def _make_room(self, count, size):
        """A larger matrix, with room to grow: as large as for a sample that comes first, or bits would depend on others."""
        self._warn_if_slow(count)
        rows = min(size, count + count // 4)
        if self.memory.size < rows**2:
            self.memory = self.matrix = None  # free for the larger one
            self.memory = _room_for(count, rows, size)
        self.matrix = self.memory[: rows**2]

    def _warn_if_slow(self, count):
        """One warning a thread, with an estimate, where a sample may take minutes or hours."""
        if count > SLOW_ROWS and not self.warned:
            self.warned = True
            minutes = 30 * count**3 / 3 / 3e10 / 60  # Newton steps, operations of a factorisation, operations a second
            warnings.warn(
                f"sparse_and_or: a sample has {count:,} rows at their noise bound, and may take {minutes:,.0f} minutes or "
                "more; fewer variables, or a larger noise_bound, are faster",
                stacklevel=2,
            )

    def _prepare_again(self, problem, cold):
        """From the best so far, or from nothing; with the rows besides whose noise is near its bound."""
        noise = problem.u - reconstruct(*self.best.reshape(2, -1), 0.0)
        self.point.chosen[:] |= np.abs(noise) > NEAR * problem.bound
        self.x[:], self.y[:] = (0, 0) if cold else (self.best, self.best_y)


def _point(size):
    """The arrays of an interior point."""

    def pairs(count):
        return Pairs(*(np.empty(count) for _ in Pairs._fields))

    def way():
        return Way(*(np.empty(count * size) for count in (2, 2, 2, 1, 1, 1)))

    return Point(
        x=np.zeros(2 * size), y=np.zeros(size), of_x=pairs(2 * size), of_y=pairs(size),
        rows=np.zeros(size, np.int64), chosen=np.zeros(size, np.bool_), count=np.zeros(1, np.int64),
        pull=np.empty(2 * size), image=np.empty(size), weight=np.empty(2 * size), sums=np.empty(2 * size),
        whole=np.empty((2, size)), levels=np.empty(JOIN_LEVELS, np.int64), way=way(), trial=way(),
    )  # fmt: skip


def _room_for(count, rows, size):
    """Memory for a Newton matrix of so many rows, or of `count` where no more is free; InputError if it does not suffice."""
    free = psutil.virtual_memory().available
    for most in (rows, count):
        if 8 * most**2 <= free:
            return np.empty(most**2)
    raise InputError(
        f"a sample of n = {n_variables(size)} variables needs {8 * count**2 / 2**30:.1f} GiB for a matrix of {count:,} "
        f"rows, and {free / 2**30:.1f} GiB are free; expected fewer variables, or a larger noise_bound"
    )
