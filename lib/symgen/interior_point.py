"""An interior point for the sparse AND-OR problem, batched, with the noise bound on chosen subsets only."""

import math

import torch

from symgen.linear_map import live_entries, normal_matrix, pairs, phi, phi_t
from symgen.subsets import n_variables

FLOOR = 1e-10  # a bound below this share of the scale is treated as an equation


def primal_value(x, ridge):
    """||x||_1 + ridge / 2 ||x||_2^2 for each sample."""
    return (x.abs() + ridge / 2 * x * x).flatten(1).sum(1)


def dual_value(u, bound, y, pull, ridge):
    """Lower bound of every feasible `primal_value` from any y, given pull = Phi' y."""
    over = (pull.flatten(1).abs() - 1).clamp(min=0)
    return (u * y - bound * y.abs()).sum(1) - (over * over).sum(1) / (2 * ridge)


def descend(point, tol, allowed):
    """Newton steps until each sample's gap on its rows is below tol: x, y (lambda) and the steps used."""
    at = torch.arange(len(allowed), device=allowed.device)
    x, y = (a.clone() for a in point.solution())
    used = torch.zeros_like(allowed)
    while True:
        done = point.converged(tol) | (used[at] >= allowed[at])
        if done.any():
            x[at[done]], y[at[done]] = (a[done] for a in point.solution())
            at = at[~done]
            if not len(at):
                return x, y, used
            point.keep(~done)
        point.advance()
        used[at] += 1


class InteriorPoint:
    """Primal-dual predictor-corrector steps for a group of games, with the noise bound on chosen rows only.

    The problem is its own mirror image: a = (x, lambda) is paired with mid = (Phi' lambda - ridge x, u - Phi x), which
    stays within (1, bound), and a is positive (negative) only where mid is at its upper (lower) end. So a = plus - minus
    with plus * (edge - mid) and minus * (edge + mid) going to zero together.
    """

    PER_SAMPLE = ("rows", "both", "either", "pad", "goal", "bound", "plus", "minus", "up", "low", "length")

    def __init__(self, u, bound, x, y, rows, ridge, start):
        self.size, self.ridge, self.rows, self.pad = u.shape[1], ridge, rows, rows == 0
        self.both, self.either = pairs(rows)
        self.goal = u.gather(1, rows)
        self.bound = bound.clamp(min=FLOOR)
        self.length = torch.ones_like(u[:, 0])  # of the last step
        self.live = live_entries(n_variables(self.size), u.dtype, u.device).flatten()
        self._start(x.flatten(1), y.gather(1, rows), *start)

    def _start(self, x, y, product, margin):
        """A point well inside near a rough (x, lambda)."""
        a = torch.cat([x, y], 1)
        mid = torch.cat([self._pull(y) - self.ridge * x, self.goal - self._push(x)], 1)
        edge = torch.cat([torch.ones_like(x), self.bound.expand(y.shape)], 1)
        mid = mid.clamp(-(1 - margin) * edge, (1 - margin) * edge)
        self.up, self.low = edge - mid, edge + mid
        product = product * (edge / 1e-3).clamp(max=1)
        self.plus, self.minus = torch.maximum(a, product / self.up), torch.maximum(-a, product / self.low)
        self._measure()

    def _pull(self, y):
        """Phi' y for y on the chosen rows: (batch, m) to (batch, 2 * 2^n)."""
        whole = torch.zeros(len(y), self.size, dtype=y.dtype, device=y.device)
        return phi_t(whole.scatter_(1, self.rows, y)).flatten(1)

    def _push(self, x):
        """Phi x on the chosen rows: (batch, 2 * 2^n) to (batch, m)."""
        return phi(x.view(-1, 2, self.size)).gather(1, self.rows)

    def _halves(self, a):
        """The part of the interactions and the part of the rows."""
        return a[:, : 2 * self.size], a[:, 2 * self.size :]

    def _measure(self):
        """Residuals of both linear equations, and the products that go to zero."""
        self.x, self.y = self._halves(self.plus - self.minus)
        self.pull = self._pull(self.y)
        mid_x, mid_y = self._halves((self.low - self.up) / 2)
        self.rest_x = self.pull - self.ridge * self.x - mid_x
        self.rest_y = self.goal - self._push(self.x) - mid_y
        self.product_up, self.product_low = self.plus * self.up, self.minus * self.low
        self.late = (self.product_up + self.product_low).mean(1, keepdim=True) < 1e-8

    def converged(self, tol):
        """Whether the gap on the chosen rows is below tol, (batch,)."""
        primal = primal_value(self.x, self.ridge)
        gap = primal - dual_value(self.goal, self.bound, self.y, self.pull, self.ridge)
        exact = self.rest_y.abs().amax(1) <= 1e-6 * self.bound[:, 0].clamp(min=1e-3)
        spent = (self.product_up + self.product_low).amax(1) < 1e-15  # nothing is left to gain in float64
        return (gap.abs() <= tol * primal) & exact | spent | ~gap.isfinite()

    def solution(self):
        """X (batch, 2, 2^n) and lambda (batch, 2^n)."""
        whole = torch.zeros(len(self.y), self.size, dtype=self.y.dtype, device=self.y.device)
        return self.x.view(-1, 2, self.size), whole.scatter_(1, self.rows, self.y)

    def keep(self, which):
        """Go on with some samples only."""
        for name in self.PER_SAMPLE:
            setattr(self, name, getattr(self, name)[which])
        self._measure()

    def advance(self):
        """One predictor and one corrector step (Mehrotra) with the same factor."""
        self._factorise()
        centring = torch.where(self.length < 0.1, 0.5, 0)  # after a short step
        aim = -self.product_up, -self.product_low
        ways = self._direction(*aim)
        plus, minus, up, low = self._moved(*ways)
        ahead, now = (plus * up + minus * low).sum(1), (self.product_up + self.product_low).sum(1)
        share = ((ahead / now) ** 3).maximum(centring)
        target = (share * now / (2 * plus.shape[1]))[:, None]
        d_plus, d_minus, d_mid = ways
        d_mid = d_mid * torch.where(self.late, self.length[:, None] ** 2, 1)  # late, only as far as the predictor goes
        ways = self._direction(aim[0] + target + d_plus * d_mid, aim[1] + target - d_minus * d_mid)
        self.plus, self.minus, self.up, self.low = self._moved(*ways)
        self._measure()

    def _factorise(self):
        """Cholesky factor of the Newton matrix on the chosen rows."""
        self.slope = self.plus / self.up + self.minus / self.low
        slope_x, slope_y = self._halves(self.slope)
        self.shrink = self.live / (1 + self.ridge * slope_x)
        weight = (slope_x * self.shrink).view(-1, 2, self.size)
        matrix = normal_matrix(weight, self.both, self.either, self.rows)
        matrix.diagonal(dim1=1, dim2=2).mul_(1 + 1e-13).add_(torch.where(self.pad, 1, 1 / slope_y))
        self.factor, _ = torch.linalg.cholesky_ex(matrix)  # a failure shows in the gap

    def _direction(self, aim_up, aim_low):
        """Newton direction (plus, minus, mid) that changes the products by the aims and clears both residuals."""
        slope_x, slope_y = self._halves(self.slope)
        shift_x, shift_y = self._halves(aim_up / self.up - aim_low / self.low)
        dx = (shift_x + slope_x * self.rest_x) * self.shrink
        right = (self.rest_y + shift_y / slope_y - self._push(dx)).masked_fill(self.pad, 0)
        dy = torch.cholesky_solve(right[:, :, None], self.factor)[:, :, 0]
        pull = self._pull(dy)
        dx = dx + slope_x * self.shrink * pull
        d_mid = torch.cat([pull - self.ridge * dx + self.rest_x, (dy - shift_y) / slope_y], 1)
        return (aim_up + self.plus * d_mid) / self.up, (aim_low - self.minus * d_mid) / self.low, d_mid

    def _moved(self, d_plus, d_minus, d_mid):
        """(plus, minus, up, low) after the longest primal and the longest dual step that keep them positive."""
        outer_x, outer_y = self._halves(torch.minimum(_ratio(self.plus, d_plus), _ratio(self.minus, d_minus)))
        inner_x, inner_y = self._halves(torch.minimum(_ratio(self.up, -d_mid), _ratio(self.low, d_mid)))
        primal, dual = _longest(outer_x, inner_y), _longest(inner_x, outer_y)
        primal, dual = torch.where(
            self.late, torch.minimum(primal, dual), torch.stack([primal, dual])
        )  # keeps rest_x small
        self.length = torch.minimum(primal, dual)[:, 0]
        a = torch.cat([primal.expand_as(outer_x), dual.expand_as(outer_y)], 1)
        b = torch.cat([dual.expand_as(outer_x), primal.expand_as(outer_y)], 1)
        return self.plus + a * d_plus, self.minus + a * d_minus, self.up - b * d_mid, self.low + b * d_mid


def _ratio(value, way):
    """How far each value > 0 can go its way before it is zero."""
    return (-value / way).masked_fill(way >= 0, math.inf)


def _longest(one, other):
    """The longest step, at most 1, a little short of the first zero; (batch, 1)."""
    return (0.9995 * torch.minimum(one.amin(1), other.amin(1))).clamp(max=1)[:, None]
