"""The phases of training (Appendix I, made computable): where they begin, how sure that is, and whether there are three."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from symgen.intervals import bootstrap_weights, interval
from symgen.metrics import ratio


@dataclass(frozen=True)
class Phases:
    """Phase boundaries of one network, with bootstrap intervals over samples.

    t1: epoch at which H peaks (phase 1 ends); t2: first checkpoint after it at which non-generalizable interactions
    dominate what is newly learned (phase 3 begins), inf if that never comes. rise, fall: H(t1) - H(t0), H(t1) - H(end).
    Their intervals choose t1 on the samples drawn and measure on those left out, so that picking the largest of noisy
    values is no evidence. t2_found: share of draws in which t2 comes. n_phases: 3; 2 if t2 is not certain to come;
    1 if H does not fall with certainty after its rise; 0 if it does not rise with certainty either.
    """

    t1: float
    t1_interval: tuple[float, float]
    t2: float
    t2_interval: tuple[float, float]
    t2_found: float
    rise: float
    rise_interval: tuple[float, float]
    fall: float
    fall_interval: tuple[float, float]
    n_phases: int

    def __str__(self):
        """One sentence that says what was found."""
        found = {
            3: "three phases",
            2: "two phases: no certain onset of a third",
            1: "one phase: H rises, and does not fall with certainty",
            0: "no phases: H does not rise with certainty",
        }[self.n_phases]
        t2 = "never" if np.isinf(self.t2) else f"epoch {self.t2:g}"
        return (
            f"{found}; H peaks at epoch {self.t1:g} [{self.t1_interval[0]:g}, {self.t1_interval[1]:g}], "
            f"rises by {self.rise:.2f} [{self.rise_interval[0]:.2f}, {self.rise_interval[1]:.2f}], "
            f"falls by {self.fall:.2f} [{self.fall_interval[0]:.2f}, {self.fall_interval[1]:.2f}]; "
            f"new interactions are mostly non-generalizable from: {t2} [{self.t2_interval[0]:g}, {self.t2_interval[1]:g}]"
        )


def find_phases(
    epochs: Float[np.ndarray, "checkpoint"],
    generalizable: Float[np.ndarray, "checkpoint sample"],
    total: Float[np.ndarray, "checkpoint sample"],
    learned_generalizable: Float[np.ndarray, "checkpoint sample"],
    learned_other: Float[np.ndarray, "checkpoint sample"],
    r: float = 1.0,
    draws: int = 1000,
    seed: int = 0,
) -> Phases:
    """Phases of one network from its per-sample strengths at each checkpoint (Appendix I; science, section 6).

    generalizable, total: salient strength that generalizes, and all of it; their sums give H(t). learned_*: strength
    newly learned since the checkpoint before, which gives delta_g(t) and delta_n(t). t1 = argmax H; t2 = the first
    checkpoint after t1 with delta_g < r * delta_n.
    """
    epochs = np.asarray(epochs, float)
    n_samples = total.shape[1]
    weights = bootstrap_weights(n_samples, draws, seed)
    weights = np.concatenate([np.ones((1, n_samples)), weights])  # row 0: the samples as they are
    h = _h(weights, generalizable, total)
    first, onset = _boundaries(h, weights @ learned_generalizable.T, weights @ learned_other.T, r)
    ends = np.append(epochs, np.inf)

    left_out = (weights == 0).astype(float)
    left_out[0] = 1
    measured = _h(left_out, generalizable, total)
    at_peak = np.take_along_axis(measured, first[:, None], axis=1)[:, 0]
    rise, fall = at_peak - measured[:, 0], at_peak - measured[:, -1]
    rise_interval, fall_interval = _pair(interval(rise[1:])), _pair(interval(fall[1:]))
    t2_found = float(np.mean(onset[1:] < len(epochs)))
    rises, falls = rise_interval[0] > 0, fall_interval[0] > 0
    return Phases(
        t1=float(epochs[first[0]]),
        t1_interval=_pair(interval(epochs[first[1:]])),
        t2=float(ends[onset[0]]),
        t2_interval=_pair(interval(ends[onset[1:]])),
        t2_found=t2_found,
        rise=float(rise[0]),
        rise_interval=rise_interval,
        fall=float(fall[0]),
        fall_interval=fall_interval,
        n_phases=int(rises) + int(rises and falls) + int(rises and falls and t2_found >= 0.95),
    )


def _h(weights, generalizable, total):
    """H (draw, checkpoint) of weighted samples; where nothing is salient it counts as 0."""
    return np.nan_to_num(ratio(weights @ generalizable.T, weights @ total.T))


def _boundaries(h, delta_g, delta_n, r):
    """Checkpoint numbers (draw,) of t1, and of t2 or the number of checkpoints if it never comes."""
    first = h.argmax(axis=1)
    after = np.arange(h.shape[1]) > first[:, None]
    dominated = after & (delta_g < r * delta_n)
    return first, np.where(dominated.any(axis=1), dominated.argmax(axis=1), h.shape[1])


def _pair(bounds):
    return float(bounds[0]), float(bounds[1])
