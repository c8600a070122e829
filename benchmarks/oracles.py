"""The sparse AND-OR problem for general solvers, in the sparsest form it has; also the oracles of the tests.

Phi has as many entries as there are pairs of a subset and one that meets it. Far fewer are needed: the ORs that meet S are
all of them, whose total is one further variable, less those within the complement of S. So both blocks are sums over
subsets, with 3^n entries instead of 4^n.
"""

from functools import lru_cache

import clarabel
import highspy
import numpy as np
from scipy import sparse as sp


@lru_cache(maxsize=8)
def sparse_form(n: int) -> sp.csc_matrix:
    """Rows: every S but the empty set, then total = 0. Columns: ANDs from order 1, ORs from order 2, their total."""
    sums = sp.csr_matrix(np.ones((1, 1)))
    for _ in range(n):
        sums = sp.kron(sp.csr_matrix([[1.0, 0], [1, 1]]), sums, format="csr")
    ors = np.array([bin(subset).count("1") > 1 for subset in range(1 << n)])
    missed = sums[::-1][1:][:, ors]
    one = np.ones((1, 1))
    rows = sp.hstack([sums[1:, 1:], -missed, np.ones(((1 << n) - 1, 1))])
    total = sp.hstack([sp.csr_matrix((1, (1 << n) - 1)), np.ones((1, missed.shape[1])), -one])
    return sp.vstack([rows, total]).tocsc()


def scaled(v, noise_bound):
    """(u, c, scale): u = v - v(empty) without its first entry, and the bound of the noise, both in units of max |u|."""
    u = v[1:] - v[0]
    scale = np.abs(u).max()
    return u / scale, noise_bound * abs(u[-1]) / scale, scale


def linear_program(v: np.ndarray, noise_bound: float = 0.04, time_limit: float = 600) -> tuple[np.ndarray, float]:
    """(interactions, their L1) of the problem without ridge, from HiGHS' interior point on one thread; NaN after the limit.

    Interactions in the order of `sparse_form`'s columns.
    """
    form = sparse_form(len(v).bit_length() - 1)
    u, c, scale = scaled(v, noise_bound)
    k = form.shape[1] - 1
    x, total = form[:, :k], form[:, k:]
    matrix = sp.hstack([x, -x, total]).tocsc()
    problem = highspy.HighsLp()
    problem.num_col_, problem.num_row_ = matrix.shape[1], matrix.shape[0]
    problem.col_cost_ = np.r_[np.ones(2 * k), 0]
    problem.col_lower_ = np.r_[np.zeros(2 * k), -np.inf]
    problem.col_upper_ = np.full(2 * k + 1, np.inf)
    problem.row_lower_, problem.row_upper_ = np.r_[u - c, 0], np.r_[u + c, 0]
    problem.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    problem.a_matrix_.start_, problem.a_matrix_.index_ = matrix.indptr, matrix.indices
    problem.a_matrix_.value_ = matrix.data
    solver = highspy.Highs()
    solver.silent()
    for option, value in (("threads", 1), ("solver", "ipm"), ("run_crossover", "off"), ("time_limit", time_limit)):
        solver.setOptionValue(option, value)
    solver.passModel(problem)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return np.full(k, np.nan), np.nan
    values = np.array(solver.getSolution().col_value)
    effects = (values[:k] - values[k : 2 * k]) * scale
    return effects, solver.getInfo().objective_function_value * scale


def quadratic_program(
    v: np.ndarray, ridge: float, noise_bound: float = 0.04, tol: float = 1e-8
) -> tuple[np.ndarray, float]:
    """(interactions, optimum) of the problem with ridge, from Clarabel's interior point."""
    form = sparse_form(len(v).bit_length() - 1)
    u, c, scale = scaled(v, noise_bound)
    k, m = form.shape[1] - 1, len(u)
    rows, total = form[:m], form[m:]
    one, none = sp.eye(k + 1, format="csr")[:k], sp.csc_matrix
    a = sp.bmat(  # variables: x and its total, then bounds of |x|
        [[total, none((1, k))], [rows, none((m, k))], [-rows, none((m, k))], [one, -sp.eye(k)], [-one, -sp.eye(k)]],
        format="csc",
    )
    b = np.r_[0, u + c, c - u, np.zeros(2 * k)]
    p = sp.diags(np.r_[np.full(k, ridge), np.zeros(k + 1)], format="csc")
    options = clarabel.DefaultSettings()
    options.verbose, options.max_threads = False, 1
    options.tol_gap_rel = options.tol_gap_abs = options.tol_feas = tol
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(2 * m + 2 * k)]
    solution = clarabel.DefaultSolver(p, np.r_[np.zeros(k + 1), np.ones(k)], a, b, cones, options).solve()
    x = np.array(solution.x[:k])
    return x * scale, (np.abs(x).sum() + ridge / 2 * x @ x) * scale
