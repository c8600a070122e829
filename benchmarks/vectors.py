"""Values v over all 2^n subsets to measure a solver on: planted functions, a small VGG's masked digits, a BERT's texts.

Everything is made again from a seed. `games(n, samples)` is the mixture that the tables are measured on.
"""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from symgen import Study
from symgen.interactions.subsets import orders, subset_matrix
from symgen.interactions.transforms import reconstruct
from symgen.study import pipeline

CUTS = {"untrained": 0, "early": 2, "peak": 8, "late": 60}  # epochs trained: dense, mixed, and overfitted interactions


def planted(n: int, samples: int, terms: int = 12, noise: float = 0.3, noise_bound: float = 0.04, seed: int = 0):
    """(v, i_and, i_or), each (samples, 2^n): `terms` AND and OR interactions each, plus noise inside the bound."""
    rng = np.random.default_rng(seed)
    i_and, i_or = np.zeros((2, samples, 1 << n))
    for k in range(samples):
        for table, smallest in ((i_and, 1), (i_or, 2)):
            chosen = rng.choice(np.flatnonzero(orders(n) >= smallest), terms, replace=False)
            table[k, chosen] = rng.choice([-1, 1], terms) * rng.uniform(0.5, 2, terms)
    clean = reconstruct(i_and, i_or, rng.normal(size=samples))
    bound = noise * noise_bound * abs(clean[:, -1] - clean[:, 0])
    wiggle = bound[:, None] * rng.uniform(-1, 1, clean.shape)
    wiggle[:, [0, -1]] = 0
    return clean + wiggle, i_and, i_or


def digits_vgg(n: int, samples: int, epochs: int, seed: int = 0) -> np.ndarray:
    """Log-odds of the true class of masked digits under a small VGG trained for `epochs`, shape (samples, 2^n), float64."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    x, y = _digits()
    head, tail = _vgg()
    _train(nn.Sequential(head, tail), x[:400], y[:400], epochs)
    with torch.no_grad():
        maps = head(x[:400])
        rows = []
        for k in range(samples):
            cells = np.sort(rng.choice(25, n, replace=False))
            rows.append(_log_odds(tail, maps[k], maps.mean(0), cells, y[k], n))
    return np.stack(rows)


def games(n: int, samples: int, seed: int = 0) -> dict[str, np.ndarray]:
    """The measured mixture: `samples` vectors of each kind, easy (planted) and hard (a network, untrained to overfitted)."""
    kinds = {"planted": planted(n, samples, min(12, 1 << (n - 1)), seed=seed)[0]}
    return kinds | {f"vgg {name}": digits_vgg(n, samples, epochs, seed) for name, epochs in CUTS.items()}


def texts(n: int, samples: int) -> np.ndarray:
    """Log-odds of masked sentences under the first target of `snippets-bert` at the end of training, (samples, 2^n)."""
    study = Study.load("snippets-bert", {"n_variables": n})
    role = study.targets[0]  # trained if it is not there yet
    return pipeline.ensure_values(study, role, study.checkpoints_of(role)[-1]).v.to_numpy()[:samples]


def white_noise(n: int, samples: int, seed: int = 0) -> np.ndarray:
    """Nothing but noise, (samples, 2^n): every row matters."""
    return np.random.default_rng(seed).normal(size=(samples, 1 << n))


def _digits():
    """Scikit-learn's digits as standardised 30 x 30 images, and their classes."""
    images, classes = load_digits(return_X_y=True)
    x = torch.tensor(images.reshape(-1, 1, 8, 8) / 16, dtype=torch.float32)
    x = nn.functional.interpolate(x, (30, 30), mode="bilinear")
    return (x - x.mean()) / x.std(), torch.tensor(classes)


def _vgg():
    """A small VGG without batch norm, cut after its first ReLU."""

    def conv(i, o):
        return [nn.Conv2d(i, o, 3, padding=1), nn.ReLU()]

    head = nn.Sequential(*conv(1, 8))
    pool = nn.MaxPool2d(2, ceil_mode=True)
    tail = [pool, *conv(8, 16), *conv(16, 16), pool, *conv(16, 32), *conv(32, 32), pool]
    return head, nn.Sequential(*tail, nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10))


def _train(net, x, y, epochs):
    """Adam on cross-entropy, batches of 50."""
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(50):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x[batch]), y[batch]).backward()
            optimiser.step()


def _log_odds(tail, feature_map, mean_map, cells, label, n):
    """v of one sample over all subsets: a masked 6 x 6 cell of the map takes the mean map."""
    grid = torch.zeros(1 << n, 25, dtype=torch.bool)
    grid[:, cells] = torch.tensor(~subset_matrix(n))
    masked = grid.reshape(-1, 1, 5, 5).repeat_interleave(6, 2).repeat_interleave(6, 3)
    rows = []
    for part in masked.split(1024):
        z = tail(torch.where(part, mean_map, feature_map)).double()
        others = torch.cat([z[:, :label], z[:, label + 1 :]], 1)
        rows.append(z[:, label] - others.logsumexp(1))
    return torch.cat(rows).numpy()
