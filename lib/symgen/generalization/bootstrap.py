"""Bootstrap intervals over samples, and over networks: every statistic of a study is a function of sums over samples."""

import numpy as np
from jaxtyping import Float

LEVEL = 0.95


def bootstrap_weights(n_samples: int, draws: int, seed: int = 0) -> Float[np.ndarray, "draw sample"]:
    """How often each sample is drawn, shape (draws, n_samples): rows sum to n_samples.

    Weighted sums over samples with these rows are the sums of resampled data: `weights @ per_sample`.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_samples, np.full(n_samples, 1 / n_samples), size=draws).astype(float)


def sample_weights(n_samples: int, draws: int, seed: int = 0) -> Float[np.ndarray, "draw sample"]:
    """`bootstrap_weights` below a row 0 that takes the samples as they are: by custom, draw 0 is the value itself."""
    return np.concatenate([np.ones((1, n_samples)), bootstrap_weights(n_samples, draws, seed)])


def interval(draws: Float[np.ndarray, "draw *rest"], level: float = LEVEL) -> Float[np.ndarray, "bound *rest"]:
    """Percentile interval of bootstrap draws, shape (2, ...); draws that are NaN (nothing to divide by) are left out."""
    tail = (1 - level) / 2
    if np.isnan(draws).all():
        return np.full((2, *draws.shape[1:]), np.nan)
    return np.nanquantile(draws, [tail, 1 - tail], axis=0, method="inverted_cdf")


def over_networks(draws: Float[np.ndarray, "network draw"], seed: int = 0) -> Float[np.ndarray, "draw"]:
    """Draws of the mean over networks, from each network's own draws of a statistic on the same resampled samples.

    Draw 0 takes the networks (and, by custom, the samples) as they are; in every other draw the networks are resampled
    too, so that an interval of the result covers both samples and seeds. NaN where a drawn network has none.
    """
    n_networks, n_draws = draws.shape
    taken = np.random.default_rng(seed).integers(n_networks, size=(n_networks, n_draws))
    taken[:, 0] = np.arange(n_networks)
    return np.take_along_axis(draws, taken, axis=0).mean(axis=0)


def by_network(draws: dict[str, Float[np.ndarray, "draw"]], seed: int = 0) -> list[tuple[str, float, float, float]]:
    """Rows (role, value, low, high) of a statistic: of each network by its draws, and, as `all`, of their mean.

    Draw 0 is the value on the samples as they are; the same samples are resampled for every network.
    """
    pooled = draws | {"all": over_networks(np.stack(list(draws.values())), seed)}
    return [(role, float(own[0]), *map(float, interval(own[1:]))) for role, own in pooled.items()]
