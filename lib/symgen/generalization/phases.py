"""The phases of training (Appendix I, made computable): where they begin, how sure that is, and whether there are three."""

from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from jaxtyping import Float

from symgen.errors import InputError
from symgen.generalization.bootstrap import Bootstrap, power

CERTAIN = 0.95  # share of draws from which on something counts as seen


@dataclass(frozen=True)
class Phases:
    """Phase boundaries of one network, with bootstrap intervals over samples.

    Attributes
    ----------
    t1, t1_interval
        Epoch at which H peaks: phase 1 ends.
    t2, t2_interval
        The first checkpoint after t1 at which interactions that do not generalize dominate what is newly learned: phase 3
        begins. inf if that never comes.
    t2_found, second_seen
        The share of draws in which t2 comes; that in which a checkpoint lies between t1 and t2, at which H falls while what
        is newly learned still mostly generalizes.
    rise, fall
        H(t1) - H(t0), H(t1) - H(end). Their intervals choose t1 on the samples drawn and measure on those left out, so that
        picking the largest of noisy values is no evidence.
    excess_rise, excess_fall
        The same of H minus its chance level.
    n_phases
        How many are certain at the 95 % level: 3 if H rises and falls, by itself and above chance, and both a second and a
        third phase are seen; 2 if H rises and falls but one of these is not; 1 if it only rises; 0 otherwise.

    Examples
    --------
    >>> epochs, tens, ones = np.arange(3.0), np.full((3, 10), 10.0), np.ones((3, 10))
    >>> generalizable = np.outer([2, 4, 6], ones[0])  # of 10, in each of ten samples that are alike
    >>> phases = find_phases(epochs, generalizable, tens, chance=0 * ones, learned_generalizable=ones, learned_other=ones)
    >>> phases.n_phases, round(phases.rise, 3)
    (1, 0.4)
    >>> phases.verdict
    'one phase: H rises, and does not fall with certainty'
    """

    t1: float
    t1_interval: tuple[float, float]
    t2: float
    t2_interval: tuple[float, float]
    t2_found: float
    second_seen: float
    rise: float
    rise_interval: tuple[float, float]
    fall: float
    fall_interval: tuple[float, float]
    excess_rise: float
    excess_rise_interval: tuple[float, float]
    excess_fall: float
    excess_fall_interval: tuple[float, float]
    n_phases: int

    def __str__(self):
        """One sentence that says what was found."""
        t2 = "never comes" if np.isinf(self.t2) else f"is epoch {self.t2:g} {_bracket(self.t2_interval)}"
        return (
            f"{self.verdict}. H peaks at epoch {self.t1:g} {_bracket(self.t1_interval)}; "
            f"rises by {self.rise:z.2f} {_bracket(self.rise_interval)}, above chance by {self.excess_rise:z.2f} "
            f"{_bracket(self.excess_rise_interval)}; falls by {self.fall:z.2f} {_bracket(self.fall_interval)}, above chance "
            f"by {self.excess_fall:z.2f} {_bracket(self.excess_fall_interval)}. The first checkpoint after the peak at "
            f"which mostly non-generalizable interactions are learned {t2}"
        )

    @property
    def certainly_three(self) -> float:
        """1 with three phases, 0 without; NaN where neither is certain."""
        changes = self.rise_interval, self.fall_interval, self.excess_rise_interval, self.excess_fall_interval
        if any(high <= 0 for _, high in changes) or self.t2_found <= 1 - CERTAIN:
            return 0.0
        return 1.0 if self.n_phases == 3 else np.nan

    @property
    def verdict(self) -> str:
        """What was found, in a few words."""
        if self.n_phases == 3:
            return "three phases"
        if self.n_phases == 2:
            apart = "the second and the third are not told apart"
            return f"two phases: {'no certain onset of a third' if self.t2_found < CERTAIN else apart}"
        if self.n_phases == 1:
            fall = (
                "falls, but not certainly more than by chance"
                if self.fall_interval[0] > 0
                else "does not fall with certainty"
            )
            return f"one phase: H rises, and {fall}"
        if self.rise_interval[0] > 0:
            return "no phases: H rises, but not certainly more than by chance"
        if np.isnan(self.rise_interval[0]):
            return "no phases known: too few samples, or nothing salient, and so no intervals"
        return "no phases: H does not rise with certainty"


def _checked(epochs, *strengths):
    """Epochs and strengths as arrays, if they fit together; InputError otherwise."""
    epochs, *strengths = (np.asarray(array, float) for array in (epochs, *strengths))
    if epochs.ndim != 1 or not len(epochs) or not (np.diff(epochs) > 0).all():
        raise InputError(f"epochs = {epochs.tolist()}; expected those of the checkpoints, rising")
    shapes = [array.shape for array in strengths]
    if len(set(shapes)) > 1 or strengths[0].ndim != 2 or len(strengths[0]) != len(epochs):
        expected = f"(checkpoint, sample) of each, and {len(epochs)} checkpoints"
        raise InputError(f"strengths of shapes {shapes}; expected {expected}")
    return epochs, *strengths


def find_phases(
    epochs: Float[np.ndarray, "checkpoint"],
    generalizable: Float[np.ndarray, "checkpoint sample"],
    total: Float[np.ndarray, "checkpoint sample"],
    chance: Float[np.ndarray, "checkpoint sample"],
    learned_generalizable: Float[np.ndarray, "checkpoint sample"],
    learned_other: Float[np.ndarray, "checkpoint sample"],
    r: float = 1.0,
    draws: int = 1000,
    seed: int = 0,
) -> Phases:
    """Phases of one network from its per-sample strengths at each checkpoint (Appendix I).

    Of a comparison c, `generalizable, total, chance = c.strengths()` and
    `learned_generalizable, learned_other = c.newly_learned` are what is asked for.

    Parameters
    ----------
    epochs, generalizable, total, chance
        Of the checkpoints; salient strength that generalizes, all of it, and what generalizes by chance: H(t) by sums.
    learned_generalizable, learned_other, r
        Strength newly learned since the checkpoint before: delta_g(t) and delta_n(t); phase 3 has delta_g < r delta_n.
    draws, seed
        Of the bootstrap over samples.

    Raises
    ------
    InputError
        For epochs that do not rise, arrays that are not (checkpoint, sample), and an r, draws or a seed that cannot be.

    Examples
    --------
    >>> epochs, alike = np.array([0.0, 1.0, 2.0, 4.0, 8.0]), np.ones(10)  # ten samples that are alike
    >>> generalizable, total, chance = np.outer([2, 8, 7, 6, 5], alike), np.full((5, 10), 10.0), np.ones((5, 10))
    >>> learned_generalizable, learned_other = np.outer([0, 6, 2, 1, 1], alike), np.outer([0, 1, 1, 3, 3], alike)
    >>> phases = find_phases(epochs, generalizable, total, chance, learned_generalizable, learned_other)
    >>> phases.verdict, float(phases.t1), float(phases.t2)
    ('three phases', 1.0, 4.0)
    """
    epochs, *strengths = _checked(epochs, generalizable, total, chance, learned_generalizable, learned_other)
    if not isinstance(r, Real) or not 0 < r < np.inf:
        raise InputError(f"r = {r!r}; expected a finite number above 0")
    *of_h, delta_g, delta_n = (strength.T for strength in strengths)
    bootstrap, ends = Bootstrap(draws, seed), np.append(epochs, np.inf)
    top = power(*of_h, bootstrap).H.map(highest)
    begins = top.map(onset, bootstrap.sum(delta_g), r * bootstrap.sum(delta_n))
    estimates = {"t1": top.map(lambda t: epochs[t]), "t2": begins.map(lambda t: ends[t])}
    others = power(*of_h, replace(bootstrap, left_out=True))
    for by, curve in (("", others.H), ("excess_", others.excess)):
        height = curve.map(lambda c, t: np.take_along_axis(c, np.asarray(t)[..., None], axis=-1)[..., 0], top)
        estimates |= {f"{by}rise": height - curve[0], f"{by}fall": height - curve[-1]}
    rows = {name: estimate.row for name, estimate in estimates.items()}
    t2_found = float(np.mean(begins.draws < len(epochs)))
    second_seen = float(np.mean(begins.draws > top.draws + 1))
    rises, falls = (all(rows[f"{by}{way}"][1] > 0 for by in ("", "excess_")) for way in ("rise", "fall"))
    return Phases(
        **{name: value for name, (value, _, _) in rows.items()},
        **{f"{name}_interval": (low, high) for name, (_, low, high) in rows.items()},
        t2_found=t2_found,
        second_seen=second_seen,
        n_phases=int(rises) + int(rises and falls) + int(rises and falls and min(t2_found, second_seen) >= CERTAIN),
    )


def by_the_letter(
    H: Float[np.ndarray, "checkpoint"], N: Float[np.ndarray, "checkpoint"], top: int, third: int
) -> float:
    """Whether H and N do in every phase what Appendix I says of them, each from its beginning to its end: 1 or 0.

    In the first, H rises and N falls; in the second, H falls and N rises; so they do in the third. top, third: checkpoint
    numbers at which the first ends and the third begins, as many as there are where it never does. NaN where the third is
    right after the top: no checkpoint shows the second phase, and so nobody knows.
    """
    if top == 0 or third == len(H):
        return 0.0
    if third == top + 1:
        return np.nan
    turns, claimed = [0, top, third - 1, -1], np.array([1, -1, -1])  # the signs of H's changes; N's are the opposite
    return float((np.diff(H[turns]) * claimed > 0).all() and (np.diff(N[turns]) * claimed < 0).all())


def highest(curve: Float[np.ndarray, "*draw checkpoint"]):
    """Checkpoint number at which a curve is highest; where it is NaN, it has no height."""
    return np.where(np.isnan(curve), -np.inf, curve).argmax(axis=-1)


def onset(top, delta_g: Float[np.ndarray, "*draw checkpoint"], delta_n: Float[np.ndarray, "*draw checkpoint"]):
    """Checkpoint number of the first checkpoint after the top with delta_g < delta_n, or how many there are."""
    dominated = (np.arange(delta_g.shape[-1]) > np.asarray(top)[..., None]) & (delta_g < delta_n)
    return np.where(dominated.any(axis=-1), dominated.argmax(axis=-1), delta_g.shape[-1])


def _bracket(bounds):
    return f"[{bounds[0]:z.3g}, {bounds[1]:z.3g}]"
