"""The equations that notebooks spell out in a few lines of NumPy say what the library computes, on random input."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import linprog
from tiny_project import ROOT

import symgen
from symgen import generalization, interactions
from symgen.generalization import contrasts, dynamics, removal
from symgen.generalization.metrics import derangements
from symgen.report import claims
from symgen.training.penalty import strength_to_lose

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))


def tagged(path):
    """Cells of a notebook that hold an equation: their source, by tag."""
    cells = json.loads(path.read_text())["cells"]
    tags = [(tag, "".join(cell["source"])) for cell in cells for tag in cell["metadata"].get("tags", [])]
    return {tag: source for tag, source in tags if tag.startswith("equation-")}


CELLS = {(path.stem[:2], tag): source for path in NOTEBOOKS for tag, source in tagged(path).items()}


@pytest.fixture
def of():
    """What the cells of a notebook define, by the notebook's number."""

    def defined(number):
        names = {"np": np, "linprog": linprog}
        for (notebook, _), source in CELLS.items():
            if notebook == number:
                exec(source, names)
        return names

    return defined


def random_effects(rng, *shape, n=4):
    """Interactions (.., kind, set), a third of them; those of the empty set are 0, and so are ORs of one variable."""
    effects = rng.normal(size=(*shape, 2, 2**n)) * (rng.random((*shape, 2, 2**n)) < 1 / 3)
    effects[..., 0] = 0
    effects[..., 1, interactions.orders(n) < 2] = 0
    return effects


def log_odds(of, rng):
    z, label = 50 * rng.normal(size=7), 3
    return of["log_odds"](z, label), symgen.log_odds(torch.tensor(z), torch.tensor(label))


def theorem_1(of, rng):
    v = rng.normal(size=16)
    v -= v[0]  # the bias is none of the interactions
    mine = of["and_effects"](v), of["or_effects"](v)
    return mine, (symgen.and_interactions(v), symgen.or_interactions(v))


def reconstruction(of, rng):
    effects, bias = random_effects(rng), rng.normal()
    return of["logical_model"](*effects, bias), interactions.logical_model(effects, bias)


def fidelity(of, rng):
    v, effects = rng.normal(size=16), rng.normal(size=(2, 16)) * (interactions.orders(4) > 0)
    return [of["r2"](v, effects, v[0], k) for k in (1, 4, 9)], interactions.fidelity_curve(v, effects, v[0])[[0, 3, 8]]


def cross_entropy(of, rng):
    z, labels = 9 * rng.normal(size=(6, 9)), rng.integers(0, 9, 6)
    v, as_tensors = of["log_odds"](z, labels), (torch.tensor(z), torch.tensor(labels))
    library = torch.nn.functional.cross_entropy(*as_tensors).item()
    return [of["cross_entropy"](v), *v], [library, *symgen.log_odds(*as_tensors).numpy()]


def sparsest(of, rng):
    v = rng.normal(size=(3, 16))
    solved = symgen.sparse_and_or(v, noise_bound=0.04, ridge=1e-4)
    return [of["least_strength"](*one) for one in zip(v, solved.bound)], solved.l1 / (1 + 2e-5)


def mean_output(of, rng):
    v = rng.normal(size=(3, 16))
    return [of["mean_output"](one) for one in v], interactions.mean_outputs(v)


def generalizing(of, rng):
    effects, baselines = random_effects(rng, 5), random_effects(rng, 2, 5)
    mine = [(of["salient"](one), of["generalizable"](one, baselines[:, i])) for i, one in enumerate(effects)]
    return np.moveaxis(mine, 1, 0), (symgen.salient(effects), symgen.generalizable(effects, baselines))


def by_chance(of, rng):
    effects, baselines, v = random_effects(rng, 5), random_effects(rng, 2, 5), rng.normal(size=(5, 16))
    c = generalization.compare((v, effects), [(v, base) for base in baselines], chance_draws=4, seed=3)
    return of["by_chance"](effects, baselines, derangements(5, 4, np.random.default_rng(3))), c.chance[0]


def strengths(of, rng):
    effects, counted = random_effects(rng, 5), rng.random((5, 2, 16)) < 0.5
    return [of["by_order"](*each) for each in zip(effects, counted)], symgen.strength_by_order(effects, counted)


def ratio(of, rng):
    total = rng.normal(size=(5, 2, 5))
    part = total * rng.random(total.shape)
    orders = [range(1, 3), range(3, 5)]
    return [of["ratio_h"](part, total, of_orders) for of_orders in orders], [
        symgen.generalization_ratio(part, total, of_orders) for of_orders in orders
    ]


def graded(of, rng):
    effects, base = random_effects(rng, 5), random_effects(rng, 5)
    return of["graded"](effects, base), symgen.similarity(effects, base[None])


def jaccard(of, rng):
    strengths = rng.normal(size=(2, 2, 5))
    return of["jaccard"](*strengths), symgen.jaccard(*strengths)


def effective_number(of, rng):
    effects = random_effects(rng, 20, n=3)
    return [of["how_many"](one) for one in effects], symgen.effective_number(effects)


def newly_learned(of, rng):
    c = followed(rng)
    each = [(c.effects[:, i], c.salient[:, i], c.generalizable[:, i]) for i in range(len(c.of))]
    return np.moveaxis([of["newly"](*one) for one in each], 0, -1), c.newly_learned


def boundaries(of, rng):
    """Of many networks, so that a third phase comes in some, and in some does not."""
    ends = []
    for r in (0.3, 1, 3):
        for c in (followed(rng) for _ in range(10)):
            of_samples = *c.strengths(), *c.newly_learned
            mine = of["boundaries_of"](c.epochs, c.H, *np.mean(c.newly_learned, axis=-1), r)
            phases = symgen.find_phases(c.epochs, *of_samples, r=r, draws=2)
            ends.append((mine, (phases.t1, phases.t2)))
    assert 0 < sum(np.isinf(t2) for _, (_, t2) in ends) < len(ends)
    return np.moveaxis(ends, 1, 0)


def removed(of, rng):
    effects, counted = random_effects(rng, 6), rng.random((2, 6, 2, 16)) < 0.5
    v = rng.normal(size=6)
    mine = [of["without"](*one) for one in zip(v, effects, *counted)]
    return mine, symgen.removed_value(v, effects, counted[0] & ~counted[1])


def loss_of_removal(of, rng):
    v = np.append(10 * rng.normal(size=20), [-800, 800])
    return of["cross_entropy"](v), removal.loss(v)


def votes(of, rng):
    effects, baselines = random_effects(rng, 6), random_effects(rng, 4, 6)
    has_it = np.stack([symgen.generalizable(effects, base[None]) for base in baselines])
    rules = ("any", "majority", "all")
    return [of["combined"](has_it, rule) for rule in rules], [
        symgen.generalizable(effects, baselines, combine=rule) for rule in rules
    ]


def exponent(of, rng):
    effects = {n: random_effects(rng, 9, n=n) for n in (3, 4, 6)}
    counts = {n: symgen.salient(of_n).sum(axis=(1, 2)).mean() for n, of_n in effects.items()}
    table = contrasts.size_contrasts({"target": effects}, effects, 0.05, generalization.Bootstrap(2, 0))
    return of["exponent"](counts), table.value[table.quantity == "exponent p"].iloc[0]


def penalty(of, rng):
    v, baselines = rng.normal(size=(3, 16)), random_effects(rng, 2, 3)
    effects = symgen.sparse_and_or(v).effects
    mine = [of["to_lose"](one, baselines[:, i]) for i, one in enumerate(effects)]
    return mine, strength_to_lose(torch.tensor(v), baselines).numpy()


def compared(rng):
    effects, base = random_effects(rng, 6), random_effects(rng, 6)
    v = [interactions.logical_model(one, np.zeros(6)) for one in (effects, base)]
    return generalization.compare((v[0], effects), [(v[1], base)])


def followed(rng):
    """A comparison at six checkpoints."""
    effects, base = random_effects(rng, 6, 5), random_effects(rng, 5)
    v, v_base = (interactions.logical_model(one, np.zeros(one.shape[:-2])) for one in (effects, base))
    return generalization.compare((v, effects), [(v_base, base)], epochs=[0, 1, 2, 4, 8, 16])


def share_by_order(of, rng):
    c = compared(rng)
    shared, total, _ = (np.abs(part[0]).sum(axis=(0, 1))[1:] for part in c.by_sign)
    return of["share_by_order"](c.effects[0], c.salient[0], c.generalizable[0]), shared / total


def share_of_low(of, rng):
    c = compared(rng)
    low, total = (c.strengths(of_orders=orders)[1].sum() for orders in (range(1, 3), None))
    return of["share_of_low"](c.effects[0], c.salient[0], 2), low / total


def removed_first(of, rng):
    c, quantity = followed(rng), "removed that does not generalize - learned that does, share of both"
    losses = pd.DataFrame({"epoch": c.epochs, "test_loss": rng.random(len(c.epochs)) + (c.epochs == 0)})
    table = dynamics.tuning_removal_contrasts({"one": c}, {"one": losses}, generalization.Bootstrap(2, 0))
    lowest = int(losses.test_loss.argmin())
    mine = of["removed_less_learned"](c.effects, c.salient, c.generalizable, lowest)
    return mine, table[table.role == "one"].set_index("quantity").value[quantity]


def cancelling(of, rng):
    effects = rng.normal(size=(3, 5, 2, 16)) * (interactions.orders(4) > 0)
    v = interactions.logical_model(effects, np.zeros((3, 5)))
    comparison = generalization.compare((v, effects), [(v[0], effects[0])])
    table = dynamics.untrained_contrasts({"one": comparison}, generalization.Bootstrap(draws=10))
    library = table[(table.role == "one") & (table.quantity == "share that cancels")].value.to_numpy()
    return [of["share_that_cancels"](effects[0])], library


def verdict(of, rng):
    cases = [(*np.sort(rng.normal(0, 0.1, 2)), threshold, sesoi) for threshold in (0, 0.1) for sesoi in (0, 0.05)] * 5
    rule = {"quantity": "some", "of": "paper"}
    return [of["verdict"](*case) for case in cases], [
        claims.Statistic(threshold=threshold, sesoi=sesoi, **rule).decide(low, high).verdict
        for low, high, threshold, sesoi in cases
    ]


COMPARED = {
    ("00", "equation-1"): log_odds, ("00", "equation-theorem-1"): theorem_1, ("00", "equation-3"): reconstruction,
    ("00", "equation-15"): fidelity, ("02", "equation-loss"): cross_entropy, ("03", "equation-sparse"): sparsest,
    ("03", "equation-mean-output"): mean_output, ("04", "equation-5"): generalizing, ("04", "equation-6"): strengths,
    ("04", "equation-chance"): by_chance, ("04", "equation-8"): ratio, ("04", "equation-19"): graded,
    ("04", "equation-jaccard"): jaccard,
    ("05", "equation-9"): effective_number, ("05", "equation-newly-learned"): newly_learned,
    ("05", "equation-phases"): boundaries, ("05", "equation-cancels"): cancelling, ("06", "equation-12"): removed,
    ("06", "equation-cross-entropy"): loss_of_removal, ("08", "equation-13"): votes,
    ("08", "equation-exponent"): exponent, ("07", "equation-penalty"): penalty, ("09", "equation-share"): share_by_order,
    ("10", "equation-low-share"): share_of_low, ("10", "equation-removed-first"): removed_first,
    ("11", "equation-verdict"): verdict,
}  # fmt: skip


def test_every_equation_of_a_notebook_is_compared():
    assert set(CELLS) == set(COMPARED)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cell", COMPARED, ids="-".join)
def test_an_equation_in_a_notebook_is_what_the_library_computes(cell, seed, of):
    mine, library = (np.asarray(values) for values in COMPARED[cell](of(cell[0]), np.random.default_rng(seed)))
    if library.dtype.kind in "bU":
        assert np.array_equal(mine, library) and len(np.unique(library)) > 1  # more than one answer came up
    else:
        np.testing.assert_allclose(mine, library, rtol=1e-4, atol=1e-8)
