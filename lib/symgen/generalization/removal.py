"""The loss of a network without some of its interactions, against a placebo (Eq. 11-12; science, section 9)."""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from symgen.errors import InputError
from symgen.generalization.bootstrap import interval, over_networks, sample_weights
from symgen.generalization.comparison import Judged
from symgen.interactions import n_variables, orders

OF = ("training", "testing")
QUANTITIES = (
    "training rise", "testing change", "gap before", "gap after", "gap narrowed by",
    "effect on training", "effect on testing", "effect apart",
)  # fmt: skip
SMALLER_IS_MORE = ("testing change", "gap after", "effect on testing")  # what the claim says goes down, or stays small


def loss(v: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """Cross-entropy -log sigmoid(v) (nats) of a label with log-odds v (Eq. 11)."""
    return np.logaddexp(0, -v)


def placebo_strength(
    strength: Float[np.ndarray, "*batch interaction"],
    order: Int[np.ndarray, "*batch interaction"],
    removed: Bool[np.ndarray, "*batch interaction"],
    draws: int,
    rng: np.random.Generator,
) -> Float[np.ndarray, "draw *batch interaction"]:
    """How much strength each of many placebos takes of each interaction, between 0 and all of it.

    Of every order a placebo takes as much as `removed` has there: interactions of that order in random order until
    the strength is reached, of the last one a part.
    """
    if draws < 1:
        raise InputError(f"draws = {draws} placebos; expected at least 1")
    queue = (order + rng.random((draws, *order.shape))).argsort(axis=-1)  # order by order, at random within one
    queued = np.take_along_axis(strength[None], queue, axis=-1)
    ahead = queued.cumsum(axis=-1) - queued
    of_order = np.eye(order.max(initial=0) + 1)[order]  # (..., interaction, order)
    whole, wanted = (np.einsum("...i,...io->...o", x, of_order) for x in (strength, strength * removed))
    stop = np.take_along_axis(whole.cumsum(axis=-1) - whole + wanted, np.sort(order), axis=-1)
    taken = np.empty_like(queued)
    np.put_along_axis(taken, queue, np.clip(stop - ahead, 0, queued), axis=-1)
    return taken


def placebo_effects(
    effects: Float[np.ndarray, "sample kind subset"],
    salient: Bool[np.ndarray, "sample kind subset"],
    removed: Bool[np.ndarray, "sample kind subset"],
    draws: int = 100,
    seed=0,
) -> Float[np.ndarray, "draw sample"]:
    """Signed effect (log-odds) of random sets of salient interactions as strong, order by order, as the `removed` ones."""
    flat = salient.reshape(len(salient), -1)
    place = np.argsort(~flat, axis=-1, kind="stable")[:, : flat.sum(axis=-1).max()]  # the salient ones first

    def gathered(x):
        return np.take_along_axis((x * salient).reshape(flat.shape), place, axis=-1)  # (sample, place), padded with 0

    own = gathered(effects)
    order = gathered(orders(n_variables(effects.shape[-1])))
    taken = placebo_strength(np.abs(own), order, gathered(removed), draws, np.random.default_rng(seed))
    return np.einsum("dsp,sp->ds", taken, np.sign(own))


def removal_table(judged: dict[str, Judged], study, draws: int = 100) -> pd.DataFrame:
    """Loss (nats) before and after removal (Fig. 4), over training: role, epoch, of, what, loss and its interval.

    what: before; removed (without the salient interactions that do not generalize); placebo (for these, mean over
    draws); reverse (without those that generalize). effect: mean signed effect of what is removed (log-odds).
    """
    rows = []
    for role, own in judged.items():
        weights = {of: _weights(own, of, study) for of in OF}
        for t, epoch in enumerate(own.epochs):
            for what, outcome in _outcomes(own, t, draws, study.analysis_seed).items():
                for of in OF:
                    means = outcome[:, own.of == of] @ weights[of].T  # (loss or effect, draw)
                    (low, effect_low), (high, effect_high) = interval(means.T[1:])
                    value, effect = means[:, 0]
                    rows.append((role, epoch, of, what, value, low, high, effect, effect_low, effect_high))
    columns = ["role", "epoch", "of", "what", "loss", "low", "high", "effect", "effect_low", "effect_high"]
    return pd.DataFrame(rows, columns=columns)


def _outcomes(judged, t, draws, seed):
    """Loss and effect (2, sample) at checkpoint number t: before, removed, placebo, reverse."""
    v, effects, sets = judged.v[t, :, -1], judged.effects[t], _removed_sets(judged, t)
    placebo = placebo_effects(effects, judged.salient[t], sets["removed"], draws, [seed, t])
    effect = {
        "before": np.zeros_like(v)[None],
        "removed": _effect(effects, sets["removed"])[None],
        "placebo": placebo,
        "reverse": _effect(effects, sets["reverse"])[None],
    }
    return {what: np.stack([loss(v - own), own]).mean(axis=1) for what, own in effect.items()}


def contrasts_table(judged: dict[str, Judged], study, draws: int = 100) -> pd.DataFrame:
    """What removal does at the last checkpoint, and whether it does more than the placebo: role, what, quantity.

    what: removed or reverse, each with a placebo of its own. Losses and gaps (testing - training) in nats, effects in
    log-odds; `effect apart` is the effect on training samples less that on testing samples. role `all` is the mean over
    networks. value, low, high; placebo (mean over draws); versus_*: value - placebo, resampled together; p: how rarely
    a draw of the placebo does at least as much, (1 + such draws) / (1 + draws), on the samples as they are.
    """
    rows = []
    for what in ("removed", "reverse"):
        found = [_contrasts(own, what, study, draws) for own in judged.values()]
        own, placebo, by_draw = (np.stack(part) for part in zip(*found))  # (network, quantity, draw)
        for q, quantity in enumerate(QUANTITIES):
            for r, role in enumerate(judged):
                rows.append((role, what, quantity, *_compared(own[r, q], placebo[r, q], by_draw[r, q], quantity)))
            pooled = (over_networks(part[:, q], study.analysis_seed) for part in (own, placebo))
            rows.append(("all", what, quantity, *_compared(*pooled, by_draw[:, q].mean(axis=0), quantity)))
    columns = ["role", "what", "quantity", "value", "low", "high", "placebo"]
    return pd.DataFrame(rows, columns=[*columns, "versus_placebo", "versus_low", "versus_high", "p"])


def _contrasts(judged, what, study, draws):
    """QUANTITIES (quantity, draw): of the removal and of the mean placebo, resampled; and of each placebo by itself."""
    t = len(judged.epochs) - 1
    v, effects, removed = judged.v[t, :, -1], judged.effects[t], _removed_sets(judged, t)[what]
    placebo = placebo_effects(effects, judged.salient[t], removed, draws, [study.analysis_seed, t])
    own, fake = (
        np.stack(np.broadcast_arrays(loss(v), loss(v - effect), effect))
        for effect in (_effect(effects, removed), placebo)
    )  # (before or after or effect, [placebo,] sample)
    samples = []
    for of in OF:
        chosen, weights = judged.of == of, _weights(judged, of, study)
        resampled = (x[:, chosen] @ weights.T for x in (own, fake.mean(axis=1)))
        samples.append((*resampled, fake[..., chosen].mean(axis=-1)))
    return tuple(_quantities(*pair) for pair in zip(*samples))


def _quantities(training, testing):
    """QUANTITIES (quantity, draw) from loss before, loss after and effect (3, draw) on each kind of samples."""
    rise, change = training[1] - training[0], testing[1] - testing[0]
    before, after, effects = testing - training
    return np.stack([rise, change, before, after, before - after, training[2], testing[2], -effects])


def _compared(own, placebo, by_draw, quantity):
    """One row of the table of contrasts, from draws whose first takes the samples as they are."""
    versus = np.round(own - placebo, 12) + 0.0  # rounding is no difference, and nor is -0
    sign = -1 if quantity in SMALLER_IS_MORE else 1
    as_much = np.sum(sign * (by_draw - own[0]) > -1e-12)
    p = (1 + as_much) / (1 + len(by_draw))
    return own[0], *interval(own[1:]), placebo[0], versus[0], *interval(versus[1:]), p


def verdict(quantity: str, low: float, high: float) -> str:
    """What an interval says of a claim that a quantity (of QUANTITIES) is above 0, or below 0 where smaller is more."""
    if quantity in SMALLER_IS_MORE:
        low, high = -high, -low
    return "certain" if low > 0 else "the reverse" if high < 0 else "not certain"


def sentence(row) -> str:
    """A row of the table of contrasts in words: what removal does, and by how much it does more than the placebo."""
    unit = "log-odds" if row.quantity.startswith("effect") else "nats"
    alone, against = (verdict(row.quantity, *pair) for pair in ((row.low, row.high), (row.versus_low, row.versus_high)))
    return (
        f"{row.role}: {row.quantity} {row.value:z.2f} {unit} [{row.low:z.2f}, {row.high:z.2f}], {alone}; placebo "
        f"{row.placebo:z.2f}, difference {row.versus_placebo:z.2f} [{row.versus_low:z.2f}, {row.versus_high:z.2f}], "
        f"{against} (p = {row.p:z.2f})"
    )


def _removed_sets(judged: Judged, t: int) -> dict[str, Bool[np.ndarray, "sample kind subset"]]:
    """What is removed at checkpoint number t: the salient interactions that do not generalize, or those that do."""
    return {"removed": judged.salient[t] & ~judged.generalizable[t], "reverse": judged.generalizable[t]}


def _effect(effects, removed):
    """Signed effect (sample,) of the removed interactions: what Eq. 12 takes off v."""
    return np.einsum("...ks,...ks->...", effects, removed)


def _weights(judged, of, study):
    """Bootstrap weights (draw, sample), rows of sum 1, of the training or of the testing samples, each drawn by itself.

    Row 0 takes the samples as they are; the same study has the same weights for every network.
    """
    n_samples = int(judged.chosen(of).sum())
    if not n_samples:
        raise InputError(f"no {of} samples among those judged; removal compares training with testing samples")
    return sample_weights(n_samples, study.bootstrap_draws, 2 * study.analysis_seed + OF.index(of)) / n_samples
