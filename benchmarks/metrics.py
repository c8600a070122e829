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

from symgen import Study
from symgen.generalization import comparison as analysis
from symgen.generalization import removal
from symgen.interactions.subsets import orders

RESULTS = Path(__file__).parent / "results" / "metrics.csv"
EPOCHS, SAMPLES, N, TIMED, PLACEBOS = 15, 200, 10, 20, 100
ORDER = orders(N).tolist()


def synthetic(rng):
    """Arguments of `analysis.judge`: two in three of the interactions of a network are common to all of them."""
    shape = (EPOCHS + 2, SAMPLES, 2, 1 << N)
    common = rng.normal(size=shape[1:]) * (rng.random(shape[1:]) < 0.02)
    own = rng.normal(size=shape) * (rng.random(shape) < 0.01)
    effects = common + own + 1e-3 * rng.normal(size=shape)
    effects[..., 0] = 0
    v = rng.normal(size=(*shape[:2], 1 << N))
    of = np.repeat(["training", "testing"], SAMPLES // 2)
    return np.arange(EPOCHS), of, v[2:], effects[2:], v[:2], effects[:2]


def timed(step, *given, **named):
    """What a step returns, and its seconds."""
    start = time.perf_counter()
    result = step(*given, **named)
    return result, time.perf_counter() - start


def salient(effects):
    """Salient interactions {(kind, subset): effect} of one sample, from nested lists."""
    threshold = 0.05 * max(abs(effect) for kind in effects for effect in kind)
    return {(k, s): e for k, kind in enumerate(effects) for s, e in enumerate(kind) if abs(e) > threshold}


def looped_judge(effects, bases, salient_bases, asked, scale, base_scales):
    """Salient interactions, what generalizes, and the graded measure, against the baselines on the samples asked."""
    own = salient(effects)
    judged = []
    for sample in asked:
        there = [base[sample] for base in salient_bases]
        shared = {at for at, e in own.items() if any(e * base.get(at, 0) > 0 for base in there)}
        graded = {}
        for (k, s), e in own.items():
            pairs = [(e / scale, base[sample][k][s] / size) for base, size in zip(bases, base_scales)]
            graded[k, s] = max(min(abs(a), abs(b)) / max(abs(a), abs(b)) if a * b > 0 else 0 for a, b in pairs)
        judged.append((shared, graded))
    return own, judged


def looped_summaries(effects, own, judged):
    """Strength by sign and order (of all salient, of what generalizes, of what does by chance); and N."""
    strengths = []
    for kept in (own, *(shared for shared, _ in judged)):
        strength = [[0.0] * (N + 1) for _ in "+-"]
        for k, s in kept:
            strength[own[k, s] < 0][ORDER[s]] += own[k, s]
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


def looped_removal(v, own, shared):
    """Losses without what does not generalize, without what does, and the mean over placebos."""
    effect = sum(e for at, e in own.items() if at not in shared)
    placebos = []
    for _ in range(PLACEBOS):
        taken = 0.0
        for m in range(1, N + 1):
            queue = [(at, e) for at, e in own.items() if ORDER[at[1]] == m]
            still = sum(abs(e) for at, e in queue if at not in shared)
            random.shuffle(queue)
            for _, e in queue:
                part = min(still, abs(e))
                taken += math.copysign(part, e)
                still -= part
        placebos.append(math.log1p(math.exp(taken - v)))
    reverse = sum(own[at] for at in shared)
    return math.log1p(math.exp(effect - v)), math.log1p(math.exp(reverse - v)), sum(placebos) / PLACEBOS


def loops(arguments, judged):
    """Seconds of the loops for all samples and checkpoints, from those of a few samples of one, checked on the way."""
    _, _, v, effects, base_v, base_effects = arguments
    scale, *base_scales = (np.abs(x[:, -1] - x[:, 0]).mean() for x in (v[0], *base_v))
    bases = base_effects.tolist()
    salient_bases = [[salient(sample) for sample in base] for base in bases]  # once, for all checkpoints
    seconds = np.zeros(3)
    for i in range(TIMED):
        own = effects[0, i].tolist()
        asked = [(i + step) % SAMPLES for step in range(6)]  # itself, and five others
        (found, verdicts), judging = timed(looped_judge, own, bases, salient_bases, asked, scale, base_scales)
        shared, graded = verdicts[0]
        (strengths, _), summing = timed(looped_summaries, own, found, verdicts)
        losses, removing = timed(looped_removal, float(v[0, i, -1]), found, shared)
        seconds += judging, summing, removing
        assert shared == set(zip(*np.nonzero(judged.generalizable[0, i])))
        assert all(math.isclose(judged.graded[0, i][at], value) for at, value in graded.items())
        assert math.isclose(np.abs(strengths[1]).sum(), np.abs(effects[0, i][judged.generalizable[0, i]]).sum())
        left = v[0, i, -1] - effects[0, i][judged.salient[0, i] & ~judged.generalizable[0, i]].sum()
        assert math.isclose(losses[0], removal.loss(left))
    return seconds * EPOCHS * SAMPLES / TIMED


def tables_of_04(judged, study):
    analysis.phases_of(judged, study)
    for epoch in judged.epochs[[EPOCHS // 2, -1]]:
        analysis.ratio_table(judged, epoch, study)
        analysis.order_table(judged, epoch)
    analysis.graded_table(judged, judged.epochs[-1])


def tables_of_05(judged, study):
    analysis.dynamics_table(judged, study)
    analysis.phases_of(judged, study)
    analysis.learned_table(judged)
    analysis.number_turn(judged, study)
    for epoch in judged.epochs[::3]:
        analysis.order_table(judged, epoch)


def tables_of_06(judged, study):
    removal.removal_table({"target": judged}, study, PLACEBOS)
    removal.contrasts_table({"target": judged}, study, PLACEBOS)


def main():
    torch.set_num_threads(1)
    print(hardware())
    study = Study.load("fashion-vgg")
    arguments = synthetic(np.random.default_rng(0))
    judged, judging = timed(analysis.judge, *arguments, chance_draws=5)
    tables = [timed(step, judged, study)[1] for step in (tables_of_04, tables_of_05, tables_of_06)]
    dynamics = timed(analysis.dynamics_table, judged, study)[1]
    looped = loops(arguments, judged)
    steps = ["judge", "tables of 04", "tables of 05", "H and N among them", "tables of 06", "all"]
    seconds = [judging, *tables[:2], dynamics, tables[2], judging + sum(tables)]
    rows = zip(steps, seconds, [looped[0], np.nan, np.nan, looped[1], looped[2], looped.sum()])
    table = pd.DataFrame(rows, columns=["step", "seconds", "loop_seconds"])
    table = table.assign(times_faster=table.loop_seconds / table.seconds, hardware=hardware())
    print(f"{judged.salient.sum(axis=(-2, -1)).mean():.0f} salient interactions a sample, H = "
          f"{judged.generalizable.sum() / judged.salient.sum():.2f} by number")  # fmt: skip
    print(table.drop(columns="hardware").round(2).to_string(index=False))
    RESULTS.parent.mkdir(exist_ok=True)
    table.to_csv(RESULTS, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
