"""Measure the sparse AND-OR solver: python benchmarks/solver.py [speed|ridge|growth|all].

Every part writes a table under benchmarks/results/ and prints it, with the hardware named.
"""

import argparse
import json
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
from symgen.interactions.transforms import and_interactions, merge_singletons, or_interactions

RESULTS = Path(__file__).parent / "results"
BOUND, RIDGE = 0.04, 0.5
PUBLISHED = {  # learning rates at the first and the last step (None: it follows v), steps, momentum
    "published loop, first": ((1e-5, 1e-6), 10_000, 0.9),
    "published loop, last": (None, 50_000, 0.999),
}


# --- The other solvers ---------------------------------------------------------------------------------------------------


def published_loop(v, rates, steps, momentum):
    """Interactions of one sample by the published SGD, in the order of the oracles' columns.

    Restated from its settings: variables p and q, v_and = (v + q) / 2 + p, v_or = (v + q) / 2 - p, the L1 loss of both
    transforms as dense float32 matrices, q clamped, ORs of one variable added to its AND in the end.
    """
    v = torch.tensor(v - v[0], dtype=torch.float32)
    eye = torch.eye(len(v))
    to_and, to_or = and_interactions(eye).T.contiguous(), or_interactions(eye).T.contiguous()
    limit = float(BOUND * v[-1].abs())
    p, q = torch.zeros_like(v, requires_grad=True), torch.zeros_like(v, requires_grad=True)
    first, last = rates or 2 * (float(5 * v.abs().mean() / (steps * len(v))),)
    optimiser = torch.optim.SGD([p, q], lr=first, momentum=momentum)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimiser, (last / first) ** (1 / steps))
    for _ in range(steps):
        loss = (to_and @ ((v + q) / 2 + p)).abs().sum() + (to_or @ ((v + q) / 2 - p)).abs().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        scheduler.step()
        with torch.no_grad():
            q.clamp_(-limit, limit)
    with torch.no_grad():
        effects = merge_singletons(to_and @ ((v + q) / 2 + p), to_or @ ((v + q) / 2 - p))
    return in_columns(*(each.double().numpy() for each in effects))


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


def in_columns(i_and, i_or):
    """Interactions in the order of the oracles' columns."""
    order = orders(i_and.shape[-1].bit_length() - 1)
    return np.concatenate([i_and[..., order >= 1], i_or[..., order >= 2]], -1)


def speed(samples=40, compared=5, looped=2):
    """Time of each kind of game at n = 10, of all but white noise together, and of other solvers on the first of them."""
    kinds = games(10, samples) | {"texts": texts(10, samples), "white noise": white_noise(10, 10)}
    rows, together = [], []
    for kind, v in kinds.items():
        results, times = seconds_each(v)
        row = {"games": kind, "samples": len(v)} | spread(times)
        row |= {"steps": np.mean([one.iterations for one in results]), "largest gap": max(one.gap for one in results)}
        rows.append(row | against_others(v[:compared], results, times, looped))
        print(rows[-1], flush=True)
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


def against_others(v, results, times, looped):
    """Medians of how much longer the other solvers take on the same samples, and of distances from their solutions in %.

    The published loops, which take a minute, get the first `looped` of them.
    """
    rows = []
    for number, (row, result, ours) in enumerate(zip(v, results, times)):
        x = in_columns(result.i_and, result.i_or)
        (_, least), highs = timed(oracles.linear_program, row, BOUND)
        (exact, _), clarabel = timed(oracles.quadratic_program, row, RIDGE, BOUND)
        rows.append(
            {"HiGHS, x ours": highs / ours, "Clarabel, x ours": clarabel / ours,
             "L1 above LP, %": 100 * (np.abs(x).sum() / least - 1),
             "L1 from QP, %": 100 * np.abs(x - exact).sum() / np.abs(exact).sum()}
        )  # fmt: skip
        for name, settings in PUBLISHED.items() if number < looped else ():
            x, taken = timed(published_loop, row, *settings)
            rows[-1] |= {
                f"{name}, x ours": taken / ours,
                f"{name}, L1 above LP, %": 100 * (np.abs(x).sum() / least - 1),
            }
    return pd.DataFrame(rows).median().to_dict()


def ridge(n=8, samples=6):
    """What the ridge costs in L1, in %."""
    rows = []
    for kind, v in games(n, samples).items():
        least = np.array([oracles.linear_program(row, BOUND)[1] for row in v])
        for weight in (0.3, 0.5, 0.7, 1.0, 2.0, 3.0, 5.0):
            above = 100 * (sparse_and_or(v, ridge=weight).l1 / least - 1)
            rows.append(
                {"games": kind, "ridge": weight, "L1 above LP, mean %": above.mean(), "L1 above LP, max %": above.max()}
            )
    return pd.DataFrame(rows)


GROWTH = {  # kind of game: numbers of variables
    "planted": (6, 8, 10, 12, 14, 16),
    "vgg late": (6, 8, 10, 12, 14),
    "texts": (8, 10, 12),
    "white noise": (6, 8, 10, 12),
}


def growth():
    """Time by the number of variables, each in a process of its own."""
    rows = []
    for kind, sizes in GROWTH.items():
        for n in sizes:
            command = [sys.executable, __file__, "one", "--n", str(n), "--kind", kind]
            ran = subprocess.run(command, capture_output=True, text=True, check=True)
            rows.append({"games": kind, "n": n} | json.loads(ran.stdout.splitlines()[-1]))
            print(rows[-1], flush=True)
    return pd.DataFrame(rows)


def one(kind, n):
    """A row of `growth`: seconds until the first result, median and largest seconds a sample after it."""
    v = {"texts": texts, "white noise": white_noise}.get(kind, lambda n, count: games(n, count)[kind])(
        n, 3 if n > 10 else 10
    )
    _, first = timed(sparse_and_or, v[0])
    results, times = seconds_each(v, repeats=1 if n > 12 else 2)
    row = {"samples": len(v), "first s": first, "median s": np.median(times), "largest s": times.max()}
    print(json.dumps(row | {"largest gap": float(max(each.gap for each in results))}))


def main():
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", default="all", choices=["speed", "ridge", "growth", "one", "all"])
    parser.add_argument("--n", type=int)
    parser.add_argument("--kind")
    options = parser.parse_args()
    torch.set_num_threads(1)
    prepare()
    if options.part == "one":
        return one(options.kind, options.n)
    print(hardware())
    parts = {"speed": speed, "ridge": ridge, "growth": growth}
    for name, part in parts.items():
        if options.part in (name, "all"):
            table = part()
            target = RESULTS / ("solver.csv" if name == "speed" else f"{name}.csv")
            table.assign(hardware=hardware()).to_csv(target, index=False, float_format="%.4g")
            print(f"\n{name}\n{table.to_string(index=False, float_format=lambda x: f'{x:.3g}')}")


if __name__ == "__main__":
    main()
