"""Samples of networks in which a claim holds, or does not: what the tables of the claims are made from in tests."""

import numpy as np
import pandas as pd
import xarray as xr

from symgen.generalization import Bootstrap, baselines, compare, contrasts, dynamics, tables
from symgen.generalization.removal import contrasts_table as removal_contrasts
from symgen.interactions import orders, reconstruct
from symgen.study import arms
from symgen.study.settings import ARMS, Study

BOOTSTRAP, LOW, HIGH = Bootstrap(draws=200), range(1, 3), range(3, 5)
ORDER = orders(4)


def random_effects(rng, n, signs=None, share=0.4, where=True):
    """Interactions (sample, kind, subset) of four variables, a share of all; signs (sample,) or random ones."""
    strength = rng.uniform(0.5, 1.5, size=(n, 2, 16)) * (rng.random((n, 2, 16)) < share) * where * (ORDER > 0)
    return strength * (rng.choice([-1, 1], size=strength.shape) if signs is None else np.reshape(signs, (-1, 1, 1)))


def path(low, high=None):
    """Amplitude (epoch, 1, 1, subset) from that of low and of high orders at each checkpoint."""
    low, high = np.broadcast_arrays(low, low if high is None else high)
    return np.where(ORDER <= 2, low[:, None], high[:, None])[:, None, None]


def network(seed, n, shared, private, signs=(None, None), apart=True, base=1.0, strangers=False):
    """A target with what its baseline knows times `shared`, and what it has alone times `private`, (epoch, 1, 1, subset).

    All networks are asked about the same samples. `apart`: what it has alone are others than those that are known.
    """
    known = random_effects(np.random.default_rng(0), n, signs[0])
    rng = np.random.default_rng(seed)
    alone = random_effects(rng, n, signs[1], 0.9, known == 0) if apart else random_effects(rng, n, signs[1])
    effects = shared * known + private * alone
    theirs = known * base
    theirs = np.roll(theirs, 1, axis=0) if strangers else theirs
    v, base_v = (reconstruct(x[..., 0, :], x[..., 1, :], np.zeros(x.shape[:-2])) for x in (effects, theirs))
    of = np.where(np.arange(n) % 4 < 2, "training", "testing")
    return compare((v, effects), [(base_v, theirs)], chance_draws=3, epochs=np.arange(len(effects)), of=of)


def of_orders(holds, seed, n):
    """Low orders are shared and high ones are not, or the other way round; also as judged by strangers."""
    shared, alone = ([1.0], [0.1]), ([0.1], [1.0])
    shared, alone = (shared, alone) if holds else (alone, shared)
    return tuple(network(seed, n, path(*shared), path(*alone), strangers=by) for by in (False, True))


def of_turns(holds, seed, n, strangers=False):
    """H rises to a peak and N falls, and back; or H falls and N rises, and back, but for a little before that."""
    if holds:
        shared, alone = [0.2, 0.6, 1, 0.8, 0.4], [1, 0.4, 0.1, 0.5, 1]
    else:
        shared, alone = [1, 1, 0.6, 0.2, 0.6, 1], [0.11, 0.1, 0.5, 1, 0.5, 0.11]
    return network(seed, n, path(shared), path(alone), strangers=strangers)


def of_the_gap(holds, seed, n):
    """After the peak of H, what a network has alone comes and goes, and the loss gap with it; or against it."""
    alone = np.array([1, 0.1, 0.75, 0.2, 0.45, 0.3, 0.9, 0.6, 1.0])
    gap = alone - 0.1 if holds else 1.1 - alone
    losses = pd.DataFrame({"epoch": np.arange(9.0), "loss_gap": gap * (1 + seed / 100)})
    return network(seed, n, path([0.2] + [1.0] * 8), path(alone)), losses


def of_phases(holds, seed, n):
    """Three phases; or H that is highest before training, and no onset of a third."""
    shared, alone = ([0.1, 1, 1.6, 1.6], [0.5, 0.1, 0.3, 1.2]) if holds else ([2, 1, 1.6, 1.6], [0.1, 0.1, 0.3, 0.3])
    return network(seed, n, path(shared), path(alone))


def of_learning(holds, seed, n, strangers=False):
    """Low orders that are shared, then high ones that are not; or high ones, then low ones that are shared more."""
    if holds:
        shared, alone = path([0, 1, 1, 1], [0, 0, 0.2, 0.2]), path([0.3, 0.3, 0.3, 0.3], [0, 0, 1, 1])
    else:
        shared, alone = path([0, 0, 0.55, 0.55], [0, 0.9, 0, 0]), path([0.2, 0.2, 0.65, 0.65], [0, 1, 1, 1])
    return network(seed, n, shared, alone, strangers=strangers)


def before_training(holds, seed, n):
    """High orders of either sign that are nobody else's; or low ones of one sign that are shared."""
    if holds:
        return network(seed, n, path([0.0]), path([0.2], [1.0]), apart=False)
    return network(seed, n, path([1.0], [0.1]), path([0.1]), signs=(np.ones(n), np.ones(n)))


def of_removal(holds, seed, n):
    """What does not generalize helps on training samples and harms on testing ones; or the other way round."""
    side = np.where(np.arange(n) % 4 < 2, 1.0, -1.0)
    signs = (np.ones(n), side) if holds else (side, -side)
    return network(seed, n, path([0.15]), path([(0.12 if holds else 0.06) + 0.001 * seed]), signs=signs)


def of_growth(holds, seed, n):
    """Every one of five baselines has another part of what is known; or all of them the same."""
    known, rng = random_effects(np.random.default_rng(0), n), np.random.default_rng(seed)
    parts = rng.random((5, *known.shape)) < 0.3
    return baselines.votes(known, known * (parts if holds else parts[[0] * 5]))


def of_the_grade(holds, seed, n):
    """A baseline that differs by as much at all orders, of which it has the low ones; or by more at low ones, of all."""
    if holds:
        return network(seed, n, path([1.0], [0.1]), path([0.1], [1.0]), base=1.5)
    return network(seed, n, path([1.0]), path([0.2]), base=np.where(ORDER <= 2, 0.15, 1.0))


def of_two_families(holds, seed, n):
    """Families that have the same of a target, and besides what it has not, at other orders each; or that share nothing."""
    known, rng = random_effects(np.random.default_rng(0), n), np.random.default_rng(seed)
    if holds:
        junk = [random_effects(rng, n, share=0.9, where=(known == 0) & side) for side in (ORDER <= 2, ORDER > 2)]
        families = [(known + of)[None] for of in junk]
    else:
        families = [(known * side)[None] for side in (ORDER <= 2, ORDER > 2)]
    return tuple(baselines.votes(known, family) for family in families)


def of_the_model(holds, seed, n):
    """v that two interactions explain, from noise and many before training; or that in the end."""
    rng, effects, noise = np.random.default_rng(seed), np.zeros((2, n, 2, 16)), np.zeros((2, n, 16))
    effects[..., 0, 3], effects[..., 0, 5] = rng.uniform(1, 2, size=(2, n))
    effects[0 if holds else 1] = random_effects(rng, n)
    noise[0 if holds else 1] = rng.normal(size=(n, 16))
    return explained(effects, noise)


def of_conditions(holds, seed, n):
    """What is shown adds up, where before it took away until all was shown; or it does so no longer; but in one sample."""
    rng, effects = np.random.default_rng(seed), np.zeros((2, n, 2, 16))
    adds_up = np.array([(np.arange(n) % 4 > 0) & (not holds), (np.arange(n) > 0) == holds])
    effects[:, :, 0, [1, 2, 4, 8]] = np.where(adds_up, 1, -1)[..., None] * rng.uniform(1, 2, size=(2, n, 4))
    effects[:, :, 0, 15] = np.where(adds_up, 0, 20)
    return explained(effects, np.zeros((2, n, 16)))


def of_tuning(holds, seed, n):
    """What a network has alone goes, then what is shared comes; or shared high orders go, and all else comes at once."""
    if holds:
        shared, alone, lowest = path([0.1, 0.2, 0.3, 1, 1]), path([1, 0.5, 0.1, 0.1, 0.1]), 2
    else:
        shared, alone, lowest = (
            path([0.1, 1, 1.2, 1.4, 1.6], [0.4, 0.3, 0.2, 0.2, 0.2]),
            path([0.1, 0.6, 0.7, 0.8, 0.9]),
            4,
        )
    losses = pd.DataFrame({"epoch": np.arange(5.0), "test_loss": np.abs(np.arange(5.0) - lowest)})
    return network(seed, n, shared, alone), losses


def of_tuned(holds, seed, n):
    """Up to the checkpoint in the middle, low orders that are shared come and high ones of its own go; or the other way."""
    shared, alone = path([0.2, 0.5, 1.0], [0.1, 0.1, 0.1]), path([0.1, 0.1, 0.1], [1.0, 0.6, 0.2])
    back = slice(None) if holds else slice(None, None, -1)
    return network(seed, n, shared[back], alone[back])


def of_arms(holds, seed, n):
    """Ways to train: the penalty alone has a high accuracy, and an H near 1; or it alone has low ones."""
    rng, measured = np.random.default_rng(seed), {}
    for arm in ARMS:
        good = (arm == "penalty") == holds
        right = (rng.random(n) < (0.9 if good else 0.6)).astype(float)
        h = network(seed, n, path([1.0 if good else 0.3]), path([0.1])).power(BOOTSTRAP)[0][0]
        measured[arm] = {"accuracy": BOOTSTRAP.mean(right), "accuracy at best": BOOTSTRAP.mean(right), "H by others": h}
    return measured


def of_recurrence(holds, seed, n):
    """Of two classes, one interaction is shared and every sample of the first has it, another one comes and goes; or not."""
    rng, label = np.random.default_rng(seed), np.arange(n) % 2
    effects, known = np.zeros((1, n, 2, 16)), np.zeros((n, 2, 16))
    steady, now_and_then = ((0, 3), (1, 5)) if holds else ((1, 5), (0, 3))
    effects[0, :, *steady] = np.where(label, rng.choice([-1, 1], size=n), 1)
    effects[0, :, *now_and_then] = rng.choice([-1, 0, 1], size=n)
    known[:, 0, 3] = effects[0, :, 0, 3]
    v, base_v = (reconstruct(x[..., 0, :], x[..., 1, :], np.zeros(x.shape[:-2])) for x in (effects, known))
    of = np.where(np.arange(n) % 4 < 2, "training", "testing")
    return compare((v, effects), [(base_v, known)], chance_draws=2, epochs=[0.0], of=of), label


def of_sizes(holds, seed, n):
    """As many salient interactions as variables; or as many as subsets, a few more or less."""
    rng, by_n = np.random.default_rng(seed), {}
    for size in (4, 5, 6):
        by_n[size] = np.zeros((n, 2, 1 << size))
        several = np.arange(1, (1 << size) if not holds else size + 1)
        by_n[size][:, 0, several] = rng.uniform(1, 2, size=(n, len(several)))
    return by_n


def explained(effects, noise):
    """Interactions as a study keeps them."""
    bias = np.full(effects.shape[:2], 0.5)
    return xr.Dataset(
        {"v": (("epoch", "sample", "subset"), reconstruct(effects[..., 0, :], effects[..., 1, :], bias) + noise),
         "effects": (("epoch", "sample", "kind", "subset"), effects), "bias": (("epoch", "sample"), bias),
         "seconds_values": ("epoch", [1.0, 1.0]), "seconds_solving": ("epoch", [1.0, 1.0])}
    )  # fmt: skip


def recurrence_table(of):
    label = next(iter(of.values()))[1]
    return contrasts.recurrence_contrasts(_each(of, 0), np.tile(np.arange(4), (len(label), 1)), label, BOOTSTRAP)


def size_table(of):
    random = {n: np.ones((len(effects), 2, 1 << n)) * (orders(n) > 0) for n, effects in of["target-1"].items()}
    random = {n: effects * (orders(n) <= 2) for n, effects in random.items()}
    return contrasts.size_contrasts(of, random, 0.05, BOOTSTRAP)


def phases_table(of):
    return dynamics.phase_contrasts(of, {role: tables.phases_of(c, BOOTSTRAP) for role, c in of.items()})


def tuning_table(of):
    return dynamics.tuning_removal_contrasts(_each(of, 0), _each(of, 1), BOOTSTRAP)


def tuned_table(of):
    return contrasts.tuning_contrasts(of, {"at the lowest held-out loss": 2.0}, BOOTSTRAP, LOW, HIGH)


def arms_table(of):
    """In both settings, of as many target seeds as there are networks."""
    study = Study.load("fashion-vgg", {"target_seeds": list(range(1, len(of) + 1))})
    arms_of = {arm: [network[arm] for network in of.values()] for arm in ARMS}
    by_arm = {arm: {name: [one[name] for one in networks] for name in networks[0]} for arm, networks in arms_of.items()}
    return pd.concat(arms.contrasts_table(by_arm, study, setting) for setting in arms.settings_of(study))


def by_strangers(make):
    """Networks as their judge sees them, and as strangers do."""
    return lambda holds, seed, n: tuple(make(holds, seed, n, strangers) for strangers in (False, True))


def controlled(contrasts_of):
    """The table of such networks, with strangers for the judges of shuffled labels."""
    return lambda of: contrasts_of(_each(of, 0), BOOTSTRAP, control=(_each(of, 0), _each(of, 1)))


def _each(of, i):
    return {role: parts[i] for role, parts in of.items()}


def order_table(of):
    return contrasts.order_contrasts(_each(of, 0), BOOTSTRAP, LOW, HIGH, (_each(of, 0), _each(of, 1)))


def pair_table(of):
    return contrasts.pair_contrasts(_each(of, 0), _each(of, 0), BOOTSTRAP, LOW, HIGH, _each(of, 1))


# claim -> what makes a network of it, and the function that makes its table of networks by role
PLANTED = {
    "F2": (of_orders, order_table),
    "F3a": (of_turns, lambda of: dynamics.turn_contrasts(of, BOOTSTRAP)),
    "F3b": (by_strangers(of_turns), controlled(dynamics.turn_contrasts)),
    "F3c": (of_the_gap, lambda of: dynamics.gap_contrasts(_each(of, 0), _each(of, 1), BOOTSTRAP)),
    "F3d": (of_phases, phases_table),
    "F3e": (by_strangers(of_learning), controlled(dynamics.learned_contrasts)),
    "F3f": (before_training, lambda of: dynamics.untrained_contrasts(of, BOOTSTRAP)),
    "F4": (of_removal, lambda of: removal_contrasts(of, BOOTSTRAP, draws=20)),
    "F5": (of_growth, lambda of: contrasts.growth_contrasts(of, BOOTSTRAP, LOW, HIGH)),
    "F7": (of_the_model, lambda of: contrasts.faithfulness_contrasts(of, dict.fromkeys(of, 1.0), 0.05, BOOTSTRAP)),
    "F10": (of_the_grade, lambda of: contrasts.graded_contrasts(of, BOOTSTRAP, LOW, HIGH)),
    "F11": (of_orders, pair_table),
    "T1": (of_two_families, lambda of: contrasts.crossvalidation_contrasts(of, "any", BOOTSTRAP)),
    "F12": (of_tuned, tuned_table),
    "S1": (of_tuning, tuning_table),
    "S2": (of_tuning, tuning_table),
    "Z": (of_recurrence, recurrence_table),
    "B4": (of_sizes, size_table),
    **{name: (of_arms, arms_table) for name in ("K1", "K2", "K3", "K4")},
    **{name: (of_conditions, lambda of: contrasts.conditions_contrasts(of, BOOTSTRAP)) for name in ("B1", "B2", "B3")},
}
TRUTHS = {"reproduced": True, "not reproduced": False}


def table_of(name, wanted):
    """The table of a claim from which a verdict should come: two networks that disagree, on few samples, leave it open.

    A share of the networks (F3d) is left open by half of eight.
    """
    make, table = PLANTED[name]
    if wanted == "undecided":
        return table({f"target-{seed}": make(seed % 2 > 0, seed, 12) for seed in range(1, 9 if name == "F3d" else 3)})
    return table({f"target-{seed}": make(TRUTHS[wanted], seed, 160) for seed in range(1, 9)})
