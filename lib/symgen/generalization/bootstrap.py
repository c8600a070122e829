"""Bootstrap over samples and networks: every statistic of a study is a function of sums over samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.optimize import brentq
from scipy.special import betaincinv, chdtri, ndtr, stdtrit

from symgen.errors import InputError, whole_number
from symgen.generalization.metrics import ratio

LEVEL = 0.95
MANY_NETWORKS = 8  # from so many on, the interval over samples and networks needs no other below it
PLACES = 200  # equally likely values that stand for a distribution, where one is integrated over


def interval(draws: Float[np.ndarray, "draw *rest"], level: float = LEVEL) -> Float[np.ndarray, "bound *rest"]:
    """Percentile interval of draws, shape (2, ...); draws that are NaN (nothing to divide by) are left out."""
    tail = (1 - level) / 2
    known, bounds = ~np.isnan(draws).all(axis=0), np.full((2, *draws.shape[1:]), np.nan)
    if known.any():
        bounds[:, known] = np.nanquantile(draws[:, known], [tail, 1 - tail], axis=0, method="inverted_cdf")
    return bounds


@dataclass(frozen=True, eq=False)
class Estimate:
    """A statistic on the samples as they are, and bootstrap draws of it.

    `+ - * /` act on the value and on every draw, with other estimates of the same draws, numbers or arrays; a ratio is NaN
    where its divisor is 0. `estimate[i]` takes from the last axis.

    Parameters
    ----------
    value : float or array (...)
    draws : array (draw, ...)
    """

    value: np.ndarray | np.generic | float
    draws: np.ndarray

    __array_ufunc__ = None  # numpy leaves `array * estimate` to the estimate

    def map(self, function: Callable, *others) -> "Estimate":
        """A function of this and of others, of the values and of the draws alike; it must work on the last axes."""
        values, draws = ([getattr(x, name, x) for x in (self, *others)] for name in ("value", "draws"))
        return Estimate(function(*values), function(*draws))

    def __add__(self, other):
        return self.map(np.add, other)

    def __sub__(self, other):
        return self.map(np.subtract, other)

    def __mul__(self, other):
        return self.map(np.multiply, other)

    def __truediv__(self, other):
        return self.map(ratio, other)

    def __neg__(self):
        return self.map(lambda x: 0.0 - x)  # of 0 it is 0, not -0

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return self.map(lambda x: ratio(other, x))

    __radd__, __rmul__ = __add__, __mul__

    def __getitem__(self, index) -> "Estimate":
        return self.map(lambda x: x[..., index][()])

    def interval(self) -> tuple:
        """95 % percentile interval (low, high) of the draws, each of the shape of the value."""
        return tuple(interval(self.draws))

    @property
    def row(self) -> tuple[float, float, float]:
        """value, low and high of a number, as tables have them."""
        return float(self.value), *map(float, self.interval())

    def unbiased(self) -> "Estimate":
        """Less its bias, the mean of the draws less the value: resampling adds noise, and noise lowers a similarity."""
        known = (~np.isnan(self.draws)).sum(axis=0)
        bias = np.where(known, ratio(np.nansum(self.draws, axis=0), known) - self.value, 0.0)[()]
        return Estimate(self.value - bias, self.draws - 2 * bias)


def pooled(estimates: Sequence[Estimate], given: bool = False) -> tuple[float, float, float]:
    """The mean over networks of a number, with its 95 % interval over samples and networks: value, low, high.

    `estimates`: one a network, of the same draws of samples. The variance of the mean is that over samples, which all
    networks share, and that over networks, less what both count (Cameron, Gelbach and Miller, 2011). The interval is
    Student's, with the degrees of freedom that the variance over networks leaves (Satterthwaite), at least one less than
    there are networks: percentiles of three networks would cover 80 to 90 %. Few networks do not say well what freedom they
    leave: their interval is no narrower than the t interval over them. One network has the percentiles of its draws.
    NaN where a network has no value.

    `given`: the networks are these ones and no others, not some of many trainings: the interval is over samples alone.
    """
    if len(estimates) == 1:
        return estimates[0].row
    if given:
        return (sum(estimates) / len(estimates)).row
    values, draws = (np.stack([getattr(x, name) for x in estimates]) for name in ("value", "draws"))
    k, mean = len(values), float(values.mean())
    if not np.isfinite(mean):
        return np.nan, np.nan, np.nan
    over_samples = np.nanvar(draws.mean(axis=0))
    counted_twice = np.nanvar(draws - draws.mean(axis=0), axis=1).sum() / (k - 1) / k
    over_networks = values.var(ddof=1) / k
    variance = over_samples + max(over_networks - counted_twice, 0.0)
    freedom = (k - 1) * max(variance / over_networks, 1) ** 2 if over_networks else np.inf
    half = float(stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt(variance))
    if k < MANY_NETWORKS:
        half = max(half, float(stdtrit(k - 1, (1 + LEVEL) / 2) * np.sqrt(over_networks)))
    return mean, mean - half, mean + half


class OverStudies(NamedTuple):
    """The mean of an effect over studies, its 95 % interval, and that of the effect in one more study of their kind."""

    value: float
    low: float
    high: float
    next_low: float
    next_high: float


def over_studies(
    values: Float[np.ndarray, "study"],
    lows: Float[np.ndarray, "study"],
    highs: Float[np.ndarray, "study"],
    networks: Float[np.ndarray, "study"],
) -> OverStudies:
    """The mean of an effect over studies that may differ in it: random effects, from their values and 95 % intervals.

    A study's error is read off the width of its interval: Student's over its networks, that of a normal distribution for
    one network. How much variance is between studies is uncertain, with few of them very: each value that it may have
    counts as often as the squares about the mean allow (Viechtbauer, 2007), and both intervals are over all these values
    (generalized inference: Iyer, Wang and Mathew, 2004). Where errors are equal, and small beside what lies between
    studies, the interval of the mean is Student's. NaN of fewer than three studies, and where one has no error.
    """
    freedom = np.where(networks > 1, networks - 1, np.inf)
    k, errors = len(values), (highs - lows) / (2 * stdtrit(freedom, (1 + LEVEL) / 2))
    if k < 3 or not (np.isfinite(values).all() and (errors > 0).all()):
        return OverStudies(*[np.nan] * 5)
    squares = chdtri(k - 1, (np.arange(PLACES) + 0.5) / PLACES)  # as they may come out: of chi2, equally likely values
    between = _between(values, errors, squares)
    means, _, weights = _weighted(values, errors, between)
    of_mean, of_next = (
        [_quantile(means, np.sqrt(variance), tail) for tail in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)]
        for variance in (1 / weights, 1 / weights + between)
    )
    return OverStudies(float(means.mean()), *of_mean, *of_next)


def _weighted(values, errors, between):
    """For each variance between studies: their mean, the weighted squares about it, the sum of the weights."""
    weights = 1 / (errors**2 + between[:, None])
    means = (weights * values).sum(axis=1) / weights.sum(axis=1)
    return means, (weights * (values - means[:, None]) ** 2).sum(axis=1), weights.sum(axis=1)


def _between(values, errors, squares):
    """For each of `squares`, the variance between studies at which the weighted squares equal it; 0 if none is."""
    low, high = np.zeros_like(squares), ((values - values.mean()) ** 2).sum() / squares
    for _ in range(60):  # halvings, until no digit moves
        middle = (low + high) / 2
        more = _weighted(values, errors, middle)[1] > squares
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return high


def _quantile(means, deviations, share):
    """The value below which a share of a mixture of normal distributions lies."""
    ends = means.min() - 10 * deviations.max(), means.max() + 10 * deviations.max()
    return float(brentq(lambda x: ndtr((x - means) / deviations).mean() - share, *ends))


def exact_share(hits: int, n: int) -> tuple[float, float, float]:
    """A share with its 95 % interval by Clopper and Pearson: value, low, high; NaN of nothing."""
    if not n:
        return np.nan, np.nan, np.nan
    tail = (1 - LEVEL) / 2
    low = betaincinv(hits, n - hits + 1, tail) if hits else 0.0
    high = betaincinv(hits + 1, n - hits, 1 - tail) if hits < n else 1.0
    return hits / n, float(low), float(high)


@dataclass(frozen=True)
class Bootstrap:
    """How samples are resampled: the same draws of as many samples every time.

    Parameters
    ----------
    draws, seed : int
        How many draws, and what they are drawn from.
    left_out : bool
        Sum over the samples that a draw has left out, in place of those drawn.
    """

    draws: int = 1000
    seed: int = 0
    left_out: bool = False

    def __post_init__(self):
        whole_number(self.draws, "draws", "how many draws of the bootstrap, 1 or more", least=1)
        whole_number(self.seed, "seed", "a whole number, 0 or more", least=0)

    def weights(self, n_samples: int) -> Float[np.ndarray, "draw sample"]:
        """How often each draw takes each sample; weighted sums are the sums of resampled data."""
        if not n_samples:
            raise InputError("no samples to resample; expected at least one of the kind that was asked for")
        drawn = _drawn(n_samples, self.draws, self.seed)
        return (drawn == 0).astype(float) if self.left_out else drawn

    def sum(self, per_sample: np.ndarray) -> Estimate:
        """The sum over samples of an array (sample, ...)."""
        per_sample = np.asarray(per_sample, float)
        return Estimate(per_sample.sum(axis=0), np.tensordot(self.weights(len(per_sample)), per_sample, 1))

    def sum_over_pairs(self, per_pair: Float[np.ndarray, "sample sample"]) -> Estimate:
        """The sum over pairs (i, j) of samples; a draw that takes i a times and j b times counts the pair a · b times."""
        weights = self.weights(len(per_pair))
        return Estimate(per_pair.sum(), ((weights @ per_pair) * weights).sum(axis=1))

    def mean(self, per_sample: np.ndarray) -> Estimate:
        """The mean over samples of an array (sample, ...)."""
        return self.sum(per_sample) / self.sum(np.ones_like(per_sample, float))

    def mean_of_known(self, per_sample: np.ndarray) -> Estimate:
        """The mean over those samples whose entry is a number: NaN says that there is none, and of no sample it is NaN."""
        per_sample = np.asarray(per_sample, float)
        known = ~np.isnan(per_sample)
        return self.sum(np.where(known, per_sample, 0.0)) / self.sum(known)


@lru_cache(maxsize=8)
def _drawn(n_samples, draws, seed):
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n_samples, np.full(n_samples, 1 / n_samples), size=draws).astype(float)
    drawn.setflags(write=False)
    return drawn


class Power(NamedTuple):
    """Generalization power, what of it chance gives, and H above chance."""

    H: Estimate
    chance: Estimate
    excess: Estimate


def power(
    generalizable: Float[np.ndarray, "sample *rest"],
    total: Float[np.ndarray, "sample *rest"],
    chance: Float[np.ndarray, "sample *rest"],
    bootstrap: Bootstrap,
) -> Power:
    """H (Eq. 8) from strengths that generalize, all of them, and those that do by chance: ratios of sums over samples."""
    generalizable, total, chance = (bootstrap.sum(strength) for strength in (generalizable, total, chance))
    return Power(generalizable / total, chance / total, (generalizable - chance) / total)


def estimates_table(estimates: dict[str, dict[str, Estimate]], given: bool = False) -> pd.DataFrame:
    """Rows quantity, role, value, low, high from role -> quantity -> Estimate; role `all` is the mean over networks.

    `given` as in `pooled`.
    """
    rows = []
    for quantity in next(iter(estimates.values())):
        by_role = {role: quantities[quantity] for role, quantities in estimates.items()}
        rows += [(quantity, role, *estimate.row) for role, estimate in by_role.items()]
        rows.append((quantity, "all", *pooled(list(by_role.values()), given)))
    return pd.DataFrame(rows, columns=["quantity", "role", "value", "low", "high"])
