"""Judging: what it costs to say which interactions generalize, and every table of notebooks 04 to 06.

    python benchmarks/metrics.py

200 samples, 15 checkpoints of one target, two baselines, five chance draws, 100 placebos; synthetic interactions, about
50 of 2,048 salient. Beside the steps that have one stands a plain loop over samples and salient interactions, timed on
some of the samples in the same run and checked to find the same; it leaves the intervals out, which the tables have.
"""

import math
import random
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from hardware import hardware

from symgen.generalization import Bootstrap, compare, dynamics, removal, tables
from symgen.interactions.subsets import orders

RESULTS = Path(__file__).parent / "results" / "metrics.csv"
EPOCHS, SAMPLES, N, TIMED, PLACEBOS = 15, 200, 10, 20, 100
ORDER = orders(N).tolist()
BOOTSTRAP, LOW, HIGH = Bootstrap(), range(1, 3), range(6, N + 1)


def synthetic(rng):
    """v and effects of a target and of baselines: two in three interactions of a network are common to all."""
    shape = (EPOCHS + 2, SAMPLES, 2, 1 << N)
    common = rng.normal(size=shape[1:]) * (rng.random(shape[1:]) < 0.02)
    single = rng.normal(size=shape) * (rng.random(shape) < 0.01)
    effects = common + single + 1e-3 * rng.normal(size=shape)
    effects[..., 0] = 0
    v = rng.normal(size=(*shape[:2], 1 << N))
    return v[2:], effects[2:], v[:2], effects[:2]


def timed(step, *given, **named):
    """What a step returns, and its seconds."""
    start = time.perf_counter()
    result = step(*given, **named)
    return result, time.perf_counter() - start


def salient(effects):
    """Salient interactions {(kind, subset): effect} of one sample, from nested lists."""
    threshold = 0.05 * max(abs(effect) for kind in effects for effect in kind)
    return {(k, s): e for k, kind in enumerate(effects) for s, e in enumerate(kind) if abs(e) > threshold}


def looped_comparison(effects, bases, salient_bases, asked, scale, base_scales):
    """Salient interactions, what generalizes, and the graded measure, against the baselines on the samples asked."""
    strong = salient(effects)
    judged = []
    for sample in asked:
        others = [base[sample] for base in salient_bases]
        shared = {place for place, e in strong.items() if any(e * base.get(place, 0) > 0 for base in others)}
        graded = {}
        for (k, s), e in strong.items():
            pairs = [(e / scale, base[sample][k][s] / size) for base, size in zip(bases, base_scales)]
            graded[k, s] = max(min(abs(a), abs(b)) / max(abs(a), abs(b)) if a * b > 0 else 0 for a, b in pairs)
        judged.append((shared, graded))
    return strong, judged


def looped_summaries(effects, strong, judged):
    """Strength by sign and order (of all salient, of what generalizes, of what does by chance); and N."""
    strengths = []
    for kept in (strong, *(shared for shared, _ in judged)):
        strength = [[0.0] * (N + 1) for _ in "+-"]
        for k, s in kept:
            strength[strong[k, s] < 0][ORDER[s]] += strong[k, s]
        strengths.append(strength)
    number = 0
    for kind in effects:
        sizes = sorted((abs(effect) for effect in kind), reverse=True)
        held, whole = 0.0, 0.8 * sum(sizes)
        for size in sizes:
            if held >= whole:
                break
            held += size
            number += 1
    return strengths, number


def looped_removal(v, strong, shared):
    """Losses without what does not generalize, without what does, and the mean over placebos."""
    effect = sum(e for place, e in strong.items() if place not in shared)
    placebos = []
    for _ in range(PLACEBOS):
        taken = 0.0
        for m in range(1, N + 1):
            queue = [(place, e) for place, e in strong.items() if ORDER[place[1]] == m]
            still = sum(abs(e) for place, e in queue if place not in shared)
            random.shuffle(queue)
            for _, e in queue:
                part = min(still, abs(e))
                taken += math.copysign(part, e)
                still -= part
        placebos.append(math.log1p(math.exp(taken - v)))
    reverse = sum(strong[place] for place in shared)
    return math.log1p(math.exp(effect - v)), math.log1p(math.exp(reverse - v)), sum(placebos) / PLACEBOS


def loops(arguments, comparison):
    """Seconds of the loops for all samples and checkpoints, from those of a few samples of one, checked on the way."""
    v, effects, base_v, base_effects = arguments
    scale, *base_scales = (np.abs(x[:, -1] - x[:, 0]).mean() for x in (v[0], *base_v))
    bases = base_effects.tolist()
    salient_bases = [[salient(sample) for sample in base] for base in bases]  # once, for all checkpoints
    seconds = np.zeros(3)
    for i in range(TIMED):
        nested = effects[0, i].tolist()
        asked = [(i + step) % SAMPLES for step in range(6)]  # itself, and five others
        (strong, verdicts), judging = timed(looped_comparison, nested, bases, salient_bases, asked, scale, base_scales)
        shared, graded = verdicts[0]
        (strengths, _), summing = timed(looped_summaries, nested, strong, verdicts)
        losses, removing = timed(looped_removal, float(v[0, i, -1]), strong, shared)
        seconds += judging, summing, removing
        assert shared == set(zip(*np.nonzero(comparison.generalizable[0, i])))
        assert all(math.isclose(comparison.graded[0, i][place], value) for place, value in graded.items())
        assert math.isclose(np.abs(strengths[1]).sum(), np.abs(effects[0, i][comparison.generalizable[0, i]]).sum())
        left = v[0, i, -1] - effects[0, i][comparison.salient[0, i] & ~comparison.generalizable[0, i]].sum()
        assert math.isclose(losses[0], removal.loss(left))
    return seconds * EPOCHS * SAMPLES / TIMED


def tables_of_04(comparison):
    tables.phases_of(comparison, BOOTSTRAP)
    for epoch in comparison.epochs[[EPOCHS // 2, -1]]:
        tables.ratio_table(comparison, epoch, BOOTSTRAP, LOW, HIGH)
        comparison.by_order(epoch)
    tables.graded_table(comparison, comparison.epochs[-1])


def tables_of_05(comparison):
    tables.dynamics_table(comparison, BOOTSTRAP)
    tables.phases_of(comparison, BOOTSTRAP)
    tables.learning_table(comparison)
    dynamics.turn_contrasts({"target": comparison}, BOOTSTRAP)
    for epoch in comparison.epochs[::3]:
        comparison.by_order(epoch)


def tables_of_06(comparison):
    removal.removal_table({"target": comparison}, BOOTSTRAP, PLACEBOS)
    removal.contrasts_table({"target": comparison}, BOOTSTRAP, PLACEBOS)


def main():
    torch.set_num_threads(1)
    print(hardware())
    arguments = v, effects, base_v, base_effects = synthetic(np.random.default_rng(0))
    of = np.repeat(["training", "testing"], SAMPLES // 2)
    comparison, comparing = timed(compare, (v, effects), zip(base_v, base_effects), chance_draws=5, of=of)
    making = [timed(step, comparison)[1] for step in (tables_of_04, tables_of_05, tables_of_06)]
    dynamics = timed(tables.dynamics_table, comparison, BOOTSTRAP)[1]
    looped = loops(arguments, comparison)
    steps = ["judge", "tables of 04", "tables of 05", "H and N among them", "tables of 06", "all"]
    seconds = [comparing, *making[:2], dynamics, making[2], comparing + sum(making)]
    rows = zip(steps, seconds, [looped[0], np.nan, np.nan, looped[1], looped[2], looped.sum()])
    table = pd.DataFrame(rows, columns=["step", "seconds", "loop_seconds"])
    table = table.assign(times_faster=table.loop_seconds / table.seconds, hardware=hardware())
    print(f"{comparison.salient.sum(axis=(-2, -1)).mean():.0f} salient interactions a sample, H = "
          f"{comparison.generalizable.sum() / comparison.salient.sum():.2f} by number")  # fmt: skip
    print(table.drop(columns="hardware").round(2).to_string(index=False))
    table.to_csv(RESULTS, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
