"""A rough solution of the sparse AND-OR problem by ADMM in float32: where an exact solver starts."""

from functools import lru_cache

import torch
from torch import nn

from symgen.linear_map import live_entries, normal_matrix, pairs, phi, phi_t
from symgen.subsets import n_variables

DENSE = 11  # variables up to which a dense inverse of Phi Phi' is the fastest
ROUGH_STEPS, RELAXATION, NOISE_WEIGHT = 400, 1.7, 3.0


def rough_start(u, bound, ridge):
    """Rough x (batch, 2, 2^n) and lambda, and for each subset |noise at the proximal step| / bound: above 1 if active.

    ADMM in float32 on x and the noise s, between the proximal step and the projection on Phi x + s = u, with
    over-relaxation and a step size of each sample that balances both residuals.
    """
    u, bound = u.float(), (bound / NOISE_WEIGHT).float().clamp(min=1e-12)
    project = _projector(n_variables(u.shape[1]), u.device)
    x = x_dual = torch.zeros(len(u), 2, u.shape[1], device=u.device)
    s = s_dual = torch.zeros_like(u)
    step = torch.full((len(u), 1), 50.0, device=u.device)
    for k in range(1, ROUGH_STEPS + 1):
        x_free, s_free = x - x_dual, s - s_dual
        x_near = nn.functional.softshrink(x_free * step[:, None], 1.0) / (step[:, None] + ridge)
        s_near = s_free.clamp(-bound, bound)
        x_mix, s_mix = torch.lerp(x, x_near, RELAXATION), torch.lerp(s, s_near, RELAXATION)
        change = project(phi(x_mix) + NOISE_WEIGHT * s_mix - u)
        pull = phi_t(change)
        x_old, x, s = x, x_mix - pull, s_mix - NOISE_WEIGHT * change
        x_dual, s_dual = x_dual + pull, s_dual + NOISE_WEIGHT * change
        if k % 20 == 0 and k <= 0.8 * ROUGH_STEPS:
            factor = _balance(x_near - x, x, x - x_old, x_dual)
            step, x_dual, s_dual = step * factor, x_dual / factor[:, None], s_dual / factor
    return x_near.double(), -(s_dual * step).double() / NOISE_WEIGHT, (s_free.abs() / bound).double()


def _balance(primal, x, dual, x_dual):
    """Factor for the step size, (batch, 1): the square root of the ratio of the two relative residuals, 0.2 to 5."""
    primal, x, dual, x_dual = (
        a.flatten(1).norm(dim=1, keepdim=True).clamp(min=1e-10) for a in (primal, x, dual, x_dual)
    )
    return (primal / x * x_dual / dual).sqrt().clamp(0.2, 5)


def _projector(n, device):
    """The function r -> (Phi Phi' + NOISE_WEIGHT^2)^-1 r, float32: a dense inverse if small, else conjugate gradients."""
    if n <= DENSE:
        inverse = _dense_inverse(n, device)
        return lambda r: r @ inverse
    return lambda r: _conjugate_gradients(lambda y: phi(phi_t(y)) + NOISE_WEIGHT**2 * y, r, 15)


@lru_cache(maxsize=4)
def _dense_inverse(n, device):
    """(Phi Phi' + NOISE_WEIGHT^2)^-1 in float32, (2^n, 2^n)."""
    rows = torch.arange(1 << n, device=device)[None]
    matrix = normal_matrix(live_entries(n, torch.float64, device)[None], *pairs(rows), rows)[0]
    matrix.diagonal().add_(NOISE_WEIGHT**2)
    return torch.linalg.inv(matrix).float()


def _conjugate_gradients(matrix, r, steps):
    """An approximate solution of matrix(y) = r, (batch, 2^n)."""
    y, way, size = torch.zeros_like(r), r, (r * r).sum(1, keepdim=True)
    for _ in range(steps):
        image = matrix(way)
        length = size / (way * image).sum(1, keepdim=True).clamp(min=1e-30)
        y, r = y + length * way, r - length * image
        before, size = size, (r * r).sum(1, keepdim=True)
        way = r + size / before.clamp(min=1e-30) * way
    return y
