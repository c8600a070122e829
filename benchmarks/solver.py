"""Measure the sparse AND-OR solver: python benchmarks/solver.py [speed|ridge|growth|tried|all].

Every part writes a table under benchmarks/results/ and prints it, with the hardware named.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import oracles
import pandas as pd
import torch
from hardware import hardware
from vectors import games, texts, white_noise

from symgen.interactions import prepare, sparse_and_or
from symgen.interactions.subsets import orders
from symgen.interactions.transforms import and_interactions, or_interactions

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


# --- The tables ----------------------------------------------------------------------------------------------------------


def seconds_each(v, repeats=3, **settings):
    """(results, the least of `repeats` times in seconds) of each sample, one at a time on one thread."""
    results, times = [], []
    for row in v:
        taken = []
        for _ in range(repeats):
            start = time.perf_counter()
            result = sparse_and_or(row, **settings)
            taken.append(time.perf_counter() - start)
        results.append(result)
        times.append(min(taken))
    return results, np.array(times)


def timed(function, *arguments):
    """(what it returns, seconds)."""
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


def stacked(result):
    """Interactions in the order of the oracles' columns."""
    order = orders(result.i_and.shape[-1].bit_length() - 1)
    return np.concatenate([result.i_and[..., order >= 1], result.i_or[..., order >= 2]], -1)


def speed(samples=40, compared=5):
    """Time of each kind of game at n = 10, of all but white noise together, and of other solvers on the same samples."""
    kinds = games(10, samples) | {"texts": texts(10, samples), "white noise": white_noise(10, 10)}
    rows, together = [], []
    for kind, v in kinds.items():
        results, times = seconds_each(v)
        row = {"games": kind, "samples": len(v)} | spread(times)
        row |= {"steps": np.mean([one.iterations for one in results]), "largest gap": max(one.gap for one in results)}
        rows.append(row | against_others(v[:compared], results, times))
        together += [] if kind == "white noise" else list(times)
    rows.append({"games": "all but white noise", "samples": len(together)} | spread(np.array(together)))
    return pd.DataFrame(rows)


def spread(times):
    """Median, mean and 95th percentile in milliseconds."""
    return {
        "median ms": np.median(times) * 1e3,
        "mean ms": times.mean() * 1e3,
        "p95 ms": np.quantile(times, 0.95) * 1e3,
    }


def against_others(v, results, times):
    """Median ratios of the other solvers' times to ours on the same samples, and distances from their solutions in %."""
    rows = []
    for own, result, ours in zip(v, results, times):
        x = stacked(result)
        (_, least), highs = timed(oracles.linear_program, own, BOUND)
        (exact, _), clarabel = timed(oracles.quadratic_program, own, RIDGE, BOUND)
        rows.append(
            {"HiGHS, x ours": highs / ours, "Clarabel, x ours": clarabel / ours,
             "L1 above LP, %": 100 * (np.abs(x).sum() / least - 1),
             "L1 from QP, %": 100 * np.abs(x - exact).sum() / np.abs(exact).sum()}
        )  # fmt: skip
    loops = {f"{name}, x ours": published_loop(v[0], *settings) / times[0] for name, settings in PUBLISHED.items()}
    return pd.DataFrame(rows).median().to_dict() | loops


def ridge(n=8, samples=6):
    """What the ridge costs in L1, and how far solutions of different tolerance then lie apart, in %."""
    rows = []
    for kind, v in games(n, samples).items():
        least = np.array([oracles.linear_program(row, BOUND)[1] for row in v])
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


GROWTH = {  # kind of game: numbers of variables
    "planted": (6, 8, 10, 12, 14, 16),
    "vgg late": (6, 8, 10, 12, 14),
    "texts": (8, 10, 12),
    "white noise": (6, 8, 10, 12),
}


def growth():
    """Time and peak memory by the number of variables, each in a process of its own."""
    rows = []
    for kind, sizes in GROWTH.items():
        for n in sizes:
            command = [sys.executable, __file__, "one", "--n", str(n), "--kind", kind]
            ran = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append({"games": kind, "n": n} | json.loads(ran.stdout.splitlines()[-1]))
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def one(kind, n):
    """A row of `growth`: seconds until the first result, median and largest seconds a sample after it, memory added."""
    v = {"texts": texts, "white noise": white_noise}.get(kind, lambda n, count: games(n, count)[kind])(
        n, 3 if n > 10 else 10
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _, first = timed(sparse_and_or, v[0])
    results, times = seconds_each(v, repeats=1 if n > 12 else 2)
    added = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    row = {"samples": len(v), "first s": first, "median s": np.median(times), "largest s": times.max()}
    print(json.dumps(row | {"largest gap": float(max(own.gap for own in results)), "MiB added": added / 1024}))


def tried():
    """What was tried on the way, with what it gave: recorded by hand."""
    return pd.read_csv(RESULTS / "tried.csv")


def main():
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", default="all", choices=["speed", "ridge", "growth", "tried", "one", "all"])
    parser.add_argument("--n", type=int)
    parser.add_argument("--kind")
    options = parser.parse_args()
    torch.set_num_threads(1)
    prepare()
    if options.part == "one":
        return one(options.kind, options.n)
    RESULTS.mkdir(exist_ok=True)
    print(hardware())
    parts = {"speed": speed, "ridge": ridge, "growth": growth, "tried": tried}
    for name, part in parts.items():
        if options.part in (name, "all"):
            table = part()
            target = RESULTS / ("solver.csv" if name == "speed" else f"{name}.csv")
            if name != "tried":
                table.assign(hardware=hardware()).to_csv(target, index=False, float_format="%.4g")
            print(f"\n{name}\n{table.to_string(index=False, float_format=lambda x: f'{x:.3g}')}")


if __name__ == "__main__":
    main()
