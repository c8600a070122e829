"""The phases of training (Appendix I, made computable): where they begin, how sure that is, and whether there are three."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from symgen.generalization.bootstrap import interval, sample_weights
from symgen.generalization.metrics import ratio

CERTAIN = 0.95  # share of draws from which on something counts as seen


@dataclass(frozen=True)
class Phases:
    """Phase boundaries of one network, with bootstrap intervals over samples.

    t1: epoch at which H peaks (phase 1 ends); t2: first checkpoint after it at which non-generalizable interactions
    dominate what is newly learned (phase 3 begins), inf if that never comes. rise, fall: H(t1) - H(t0), H(t1) - H(end).
    Their intervals choose t1 on the samples drawn and measure on those left out, so that picking the largest of noisy
    values is no evidence; excess_rise, excess_fall: the same of H minus its chance level. t2_found: share of draws in
    which t2 comes; second_seen: share in which a checkpoint lies between t1 and t2, at which H falls while what is newly
    learned still mostly generalizes.

    n_phases counts what is certain at the 95 % level: 3 if H rises and falls, by itself and above chance, and both a
    second and a third phase are seen; 2 if H rises and falls but one of these is not; 1 if it only rises; 0 otherwise.
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
            f"rises by {self.rise:.2f} {_bracket(self.rise_interval)}, above chance by {self.excess_rise:.2f} "
            f"{_bracket(self.excess_rise_interval)}; falls by {self.fall:.2f} {_bracket(self.fall_interval)}, above chance "
            f"by {self.excess_fall:.2f} {_bracket(self.excess_fall_interval)}. The first checkpoint after the peak at which "
            f"mostly non-generalizable interactions are learned {t2}"
        )

    @property
    def verdict(self) -> str:
        """What was found, in a few words."""
        if self.n_phases == 2 and self.t2_found < CERTAIN:
            return "two phases: no certain onset of a third"
        if self.n_phases == 2:
            return "two phases: no certain second one between the peak and the third"
        return {
            3: "three phases",
            1: "one phase: H rises, and does not fall with certainty",
            0: "no phases: H does not rise with certainty",
        }[self.n_phases]


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
    """Phases of one network from its per-sample strengths at each checkpoint (Appendix I; science, section 6).

    generalizable, total: salient strength that generalizes, and all of it; their sums give H(t). chance: what of it
    generalizes by chance (mean over derangements). learned_*: strength newly learned since the checkpoint before, which
    gives delta_g(t) and delta_n(t). t1 = argmax H; t2 = the first checkpoint after t1 with delta_g < r * delta_n.
    """
    epochs = np.asarray(epochs, float)
    weights = sample_weights(total.shape[1], draws, seed)
    first = peak(generalizable, total, weights)
    onset = _onset(first, weights @ learned_generalizable.T, weights @ learned_other.T, r)
    ends = np.append(epochs, np.inf)
    measured = {}
    for name, values in turns(generalizable, total, chance, draws, seed).items():
        measured |= {name: float(values[0]), f"{name}_interval": _pair(interval(values[1:]))}
    t2_found = float(np.mean(onset[1:] < len(epochs)))
    second_seen = float(np.mean(onset[1:] > first[1:] + 1))
    rises, falls = (all(measured[f"{by}{way}_interval"][0] > 0 for by in ("", "excess_")) for way in ("rise", "fall"))
    return Phases(
        t1=float(epochs[first[0]]),
        t1_interval=_pair(interval(epochs[first[1:]])),
        t2=float(ends[onset[0]]),
        t2_interval=_pair(interval(ends[onset[1:]])),
        t2_found=t2_found,
        second_seen=second_seen,
        **measured,
        n_phases=int(rises) + int(rises and falls) + int(rises and falls and min(t2_found, second_seen) >= CERTAIN),
    )


def turns(
    generalizable: Float[np.ndarray, "checkpoint sample"],
    total: Float[np.ndarray, "checkpoint sample"],
    chance: Float[np.ndarray, "checkpoint sample"],
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, Float[np.ndarray, "draw"]]:
    """Draws of rise, fall, excess_rise and excess_fall as `Phases` has them; draw 0 takes the samples as they are."""
    weights = sample_weights(total.shape[1], draws, seed)
    first, left_out = peak(generalizable, total, weights), samples_left_out(weights)
    rise, fall = turn(left_out, generalizable, total, first)
    excess_rise, excess_fall = turn(left_out, generalizable - chance, total, first)
    return {"rise": rise, "fall": fall, "excess_rise": excess_rise, "excess_fall": excess_fall}


def peak(generalizable, total, weights) -> np.ndarray:
    """Checkpoint number (draw,) at which H peaks, samples weighted (draw, sample); where nothing is salient, H has none."""
    h = ratio(weights @ generalizable.T, weights @ total.T)
    return np.where(np.isnan(h), -np.inf, h).argmax(axis=1)


def samples_left_out(weights):
    """Weights (draw, sample) of the samples that each draw has left out; draw 0 keeps the samples as they are."""
    left_out = (weights == 0).astype(float)
    left_out[0] = 1
    return left_out


def turn(weights, part, whole, at):
    """How far part / whole (checkpoint, sample) lies at a checkpoint above its start and above its end: two (draw,).

    `weights` (draw, sample) say which samples are measured, `at` (draw,) at which checkpoint.
    """
    curve = ratio(weights @ part.T, weights @ whole.T)
    there = np.take_along_axis(curve, at[:, None], axis=1)[:, 0]
    return there - curve[:, 0], there - curve[:, -1]


def _onset(first, delta_g, delta_n, r):
    """Checkpoint numbers (draw,) of t2, or the number of checkpoints if it never comes."""
    dominated = (np.arange(delta_g.shape[1]) > first[:, None]) & (delta_g < r * delta_n)
    return np.where(dominated.any(axis=1), dominated.argmax(axis=1), delta_g.shape[1])


def _bracket(bounds):
    return f"[{bounds[0]:.3g}, {bounds[1]:.3g}]"


def _pair(bounds):
    return float(bounds[0]), float(bounds[1])
