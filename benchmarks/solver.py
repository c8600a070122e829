"""Measure the sparse AND-OR solver: python benchmarks/solver.py [speed|ridge|growth|tried|all].

Every part writes a table under benchmarks/results/ and prints it, with the hardware named.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

import clarabel
import numpy as np
import pandas as pd
import torch
from hardware import hardware
from scipy import sparse as sp
from scipy.optimize import linprog
from vectors import games, planted

from symgen.interactions import sparse_and_or
from symgen.subsets import orders
from symgen.transforms import and_interactions, or_interactions

RESULTS = Path(__file__).parent / "results"
BOUND, RIDGE = 0.04, 0.5
PUBLISHED = {  # learning rate, iterations, iterations that are timed
    "published loop, first": (1e-5, 10_000, 300),
    "published loop, last": (None, 50_000, 300),
}


# --- The other solvers ---------------------------------------------------------------------------------------------------


def published_loop(v, rate, iterations, timed, noise_bound=BOUND):
    """Seconds that the published SGD takes for one sample, extrapolated from `timed` of its `iterations`.

    Restated from its settings: variables p and q, v_and = (v + q) / 2 + p, v_or = (v + q) / 2 - p, the L1 loss of both
    transforms as dense float32 matrices, momentum 0.9 (0.999 in the last code, whose rate follows v), q clamped.
    """
    v = torch.tensor(v, dtype=torch.float32)
    eye = torch.eye(len(v))
    to_and, to_or = and_interactions(eye).T.contiguous(), or_interactions(eye).T.contiguous()
    limit = float(noise_bound * (v[-1] - v[0]).abs())
    p, q = torch.zeros_like(v, requires_grad=True), torch.zeros_like(v, requires_grad=True)
    rate, momentum = (rate, 0.9) if rate else (float(5 * (v - v[0]).abs().mean() / (iterations * len(v))), 0.999)
    optimiser = torch.optim.SGD([p, q], lr=rate, momentum=momentum)
    start = time.perf_counter()
    for _ in range(timed):
        loss = (to_and @ ((v + q) / 2 + p)).abs().sum() + (to_or @ ((v + q) / 2 - p)).abs().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            q.clamp_(-limit, limit)
    return (time.perf_counter() - start) * iterations / timed


def dense_problem(v):
    """(Phi, u, c) with scale 1, and the scale."""
    u = v[1:] - v[0]
    scale = np.abs(u).max()
    subset = np.arange(1, len(v))
    both = subset[:, None] & subset
    phi = np.hstack([both == subset, (both != 0)[:, orders(len(v).bit_length() - 1)[1:] > 1]]).astype(float)
    return phi, u / scale, BOUND * abs(u[-1]) / scale, scale


def linear_program(v):
    """(least L1, seconds) from HiGHS; L1 is NaN after ten minutes."""
    phi, u, c, scale = dense_problem(v)
    both = np.hstack([phi, -phi])
    start = time.perf_counter()
    found = linprog(
        np.ones(both.shape[1]),
        np.vstack([both, -both]),
        np.r_[u + c, c - u],
        method="highs",
        options={"time_limit": 600},
    )
    return (found.fun * scale if found.status == 0 else np.nan), time.perf_counter() - start


def quadratic_program(v, ridge=RIDGE):
    """(interactions, seconds) of the ridge problem from Clarabel."""
    phi, u, c, scale = dense_problem(v)
    m, k = phi.shape
    one, rows = sp.eye(k), sp.eye(m)
    a = sp.bmat(  # variables x, bounds of |x|, and the noise
        [
            [sp.csc_matrix(phi), None, rows],
            [one, -one, None],
            [-one, -one, None],
            [None, None, rows],
            [None, None, -rows],
        ],
        format="csc",
    )
    b = np.concatenate([u, np.zeros(2 * k), np.full(2 * m, c)])
    p = sp.block_diag([ridge * one, sp.csc_matrix((k + m, k + m))], format="csc")
    cones = [clarabel.ZeroConeT(m), clarabel.NonnegativeConeT(2 * (k + m))]
    q = np.concatenate([np.zeros(k), np.ones(k), np.zeros(m)])
    options = clarabel.DefaultSettings()
    options.verbose = False
    start = time.perf_counter()
    found = clarabel.DefaultSolver(p, q, a, b, cones, options).solve()
    return np.array(found.x[:k]) * scale, time.perf_counter() - start


# --- The tables ----------------------------------------------------------------------------------------------------------


def best_seconds(v, repeats=3, **settings):
    """(result, the least of `repeats` times in seconds per sample)."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = sparse_and_or(v, **settings)
        times.append((time.perf_counter() - start) / len(v))
    return result, min(times)


def stacked(result):
    """Interactions in the order of the dense columns."""
    order = orders(result.i_and.shape[-1].bit_length() - 1)
    return np.concatenate([result.i_and[..., order >= 1], result.i_or[..., order >= 2]], -1)


def speed(samples=25):
    """Time and accuracy at n = 10 of each kind of game, and of all of them as one batch."""
    kinds = games(10, samples)
    sparse_and_or(kinds["planted"])
    rows = []
    for kind, v in (kinds | {"all": np.concatenate(list(kinds.values()))}).items():
        result, seconds = best_seconds(v)
        row = {"games": kind, "samples": len(v), "ms per sample": seconds * 1e3, "steps": result.iterations.mean()}
        row["largest gap"] = result.gap.max()
        if kind != "all":
            row |= against_others(v[0], stacked(result)[0], seconds)
        rows.append(row)
    return pd.DataFrame(rows)


def against_others(v, x, seconds):
    """Times of the other solvers on one sample, as ratios to ours, and our distance from theirs."""
    row = {}
    for name, settings in PUBLISHED.items():
        row[f"{name}, x ours"] = published_loop(v, *settings) / seconds
    least, taken = linear_program(v)
    row["HiGHS, x ours"], row["L1 above LP, %"] = taken / seconds, 100 * (np.abs(x).sum() / least - 1)
    exact, taken = quadratic_program(v)
    row["Clarabel, x ours"], row["L1 from QP, %"] = taken / seconds, 100 * np.abs(x - exact).sum() / np.abs(exact).sum()
    return row


def ridge(n=8, samples=6):
    """What the ridge costs in L1, and how far solutions of different tolerance then lie apart, in %."""
    rows = []
    for kind, v in games(n, samples).items():
        least = np.array([linear_program(row)[0] for row in v])
        for weight in (0.3, 0.5, 0.7, 1.0, 2.0, 3.0, 5.0):
            loose, default, exact = (sparse_and_or(v, ridge=weight, tol=tol) for tol in (1e-3, 1e-5, 1e-8))
            above, norm = 100 * (exact.l1 / least - 1), np.abs(stacked(exact)).sum(1)
            apart = [100 * np.abs(stacked(one) - stacked(exact)).sum(1) / norm for one in (default, loose)]
            shared = [shared_strength(stacked(one), stacked(exact)) for one in (default, loose)]
            rows.append(
                {
                    "games": kind,
                    "ridge": weight,
                    "L1 above LP, mean %": above.mean(),
                    "L1 above LP, max %": above.max(),
                    "apart at tol 1e-5, max %": apart[0].max(),
                    "apart at tol 1e-3, max %": apart[1].max(),
                    "salient strength shared at tol 1e-5": shared[0],
                    "salient strength shared at tol 1e-3": shared[1],
                }
            )
    return pd.DataFrame(rows)


def shared_strength(x, y, tau=0.05):
    """Share of the salient strength of x that is salient in y with the same sign: H between two solutions."""
    salient_x, salient_y = (np.abs(z) > tau * np.abs(z).max(1, keepdims=True) for z in (x, y))
    return (np.abs(x) * (salient_x & salient_y & (x * y > 0))).sum() / (np.abs(x) * salient_x).sum()


def growth(sizes=range(6, 15)):
    """Time and peak memory for n variables, each in a process of its own: a batch (up to n = 10) or one sample."""
    rows = []
    for n in sizes:
        text = subprocess.run(
            [sys.executable, __file__, "one", "--n", str(n)], capture_output=True, text=True, check=True
        )
        rows.append(dict(zip(("n", "samples", "first s", "again s", "gap", "GiB"), text.stdout.split(), strict=True)))
    return pd.DataFrame(rows).astype(float)


def one(n):
    """The row of `growth` for n: seconds per sample the first time and again, and the process's peak memory."""
    samples = 32 if n <= 10 else 1
    v = planted(n, samples, min(12, 2 ** (n - 2)))[0]
    first = best_seconds(v, repeats=1)[1]
    result, again = best_seconds(v, repeats=1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(n, samples, first, again, result.gap.max(), peak)


def tried():
    """What was tried on the way, with what it gave: recorded by hand."""
    return pd.read_csv(RESULTS / "tried.csv")


def main():
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", default="all", choices=["speed", "ridge", "growth", "tried", "one", "all"])
    parser.add_argument("--n", type=int)
    options = parser.parse_args()
    if options.part == "one":
        return one(options.n)
    RESULTS.mkdir(exist_ok=True)
    print(hardware())
    parts = {"speed": speed, "ridge": ridge, "growth": growth, "tried": tried}
    for name, part in parts.items():
        if options.part in (name, "all"):
            table = part()
            target = RESULTS / ("solver.csv" if name == "speed" else f"{name}.csv")
            if name != "tried":
                table.to_csv(target, index=False, float_format="%.4g")
            print(f"\n{name}\n{table.to_string(index=False, float_format=lambda x: f'{x:.3g}')}")


if __name__ == "__main__":
    main()
