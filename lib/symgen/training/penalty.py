"""A penalty on interactions that do not generalize, for any training loop (Appendix K)."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from symgen.errors import InputError, whole_number
from symgen.generalization import agreed, check_combine
from symgen.interactions import KINDS, and_interactions, merge_singletons, or_interactions, sparse_and_or

ZERO = 1e-6  # of the strongest interaction: weaker ones are zero but for rounding, whose sign must not steer a training


@dataclass(frozen=True)
class JudgedSample:
    """An item that may be penalised.

    Parameters
    ----------
    x, label
        As the game takes them.
    variables
        (variable,): those of the game; of sample i of an explanation `e.sample(i).variables`.
    baselines
        The baselines' salient interactions (baseline, kind, subset) on the same sample and variables, 0 where an interaction
        is not salient; only signs matter. From explanations of sample i by each of the judges:
        `np.stack([(e.effects * e.salient)[i] for e in judges])`.

    Examples
    --------
    >>> strange = np.zeros((1, 2, 8))  # a baseline without any salient interaction
    >>> JudgedSample(torch.zeros(3, 12, 12), label=3, variables=np.array([6, 7, 8]), baselines=strange).label
    3
    """

    x: Tensor | str
    label: int
    variables: np.ndarray
    baselines: Float[np.ndarray, "baseline kind subset"]


class Penalty:
    """Strength of the interactions that do not generalize, on a few samples of every few batches.

    In any training loop: `loss = cross_entropy(model(x[batch]), y[batch]) + penalty(batch)`.

    Parameters
    ----------
    game : ImageGame or TextGame
        On the network in training.
    samples : mapping of int to JudgedSample
        The items that may be penalised, by their number in the training set.
    weight : float
        Of the penalty beside the cross-entropy (nats per log-odds).
    per_batch : int
        Samples of a batch that are penalised; random ones, if batches are.
    every : int
        The penalty is taken at every such call, and is 0 at the others.
    combine, noise_bound, ridge
        As in `generalizable` and `sparse_and_or`.
    seen : tensor, optional
        The training inputs, if a masked cell is to take the mean map over the batch by the network as it is.

    Raises
    ------
    InputError
        For no samples, or none that could be found by their numbers; for a weight below 0, numbers of samples or steps below
        1, and a rule to combine that is none; in a call, for NaN or infinite outputs.

    Examples
    --------
    >>> from symgen.games import ImageGame
    >>> from symgen.training import models
    >>> game, x = ImageGame(models.build_model("small-vgg", 10, seed=1), "features.1"), torch.rand(3, 30, 30)
    >>> sample = JudgedSample(x, 3, np.array([6, 7, 8]), np.zeros((1, 2, 8)))  # nothing generalizes
    >>> penalty = Penalty(game, {0: sample}, weight=0.1, every=1)
    >>> bool(penalty(torch.tensor([0, 5])) > 0)
    True
    """

    def __init__(
        self, game, samples, *, weight: float, per_batch: int = 2, every: int = 4,
        combine: str = "any", noise_bound: float = 0.04, ridge: float = 0.5, seen: Tensor | None = None,
    ):  # fmt: skip
        if not isinstance(samples, Mapping) or not samples:
            what = "no samples" if isinstance(samples, Mapping) else f"samples is a {type(samples).__name__}"
            raise InputError(
                f"{what}; expected items of the training set, by their number: {{0: JudgedSample(..), ..}}"
            )
        if not isinstance(weight, Real) or not 0 <= weight < np.inf:
            raise InputError(f"weight = {weight}; expected a finite number, 0 or more")
        check_combine(combine)
        self.game, self.weight, self.seen = game, weight, seen
        self.samples = {
            whole_number(item, "an item of samples", "its number", least=0): one for item, one in samples.items()
        }
        self.per_batch = whole_number(per_batch, "per_batch", "a whole number, 1 or more", least=1)
        self.every = whole_number(every, "every", "a whole number, 1 or more", least=1)
        self.combine, self.solver = combine, {"noise_bound": noise_bound, "ridge": ridge}
        self._calls = 0
        _check_items(game, self.samples)

    def __call__(self, batch: Tensor) -> Tensor:
        """The penalty (nats) on a batch, given as the numbers of its items, with its gradient through v only."""
        self._calls += 1
        chosen = [self.samples[item] for item in batch.tolist() if item in self.samples][: self.per_batch]
        if self._calls % self.every or not chosen:
            return torch.zeros((), device=batch.device)
        if self.seen is not None:
            self.game.baseline = self.game.mean_map(self.seen[batch])
        v = torch.stack([self.game.log_odds_of(one.x, one.label, one.variables) for one in chosen])
        if not v.isfinite().all():
            raise InputError(
                "the network gives NaN or infinity on a masked sample: it has diverged; expected a smaller learning rate, "
                "or weight of the penalty"
            )
        baselines = np.stack([one.baselines for one in chosen], axis=1)  # (baseline, sample, kind, subset)
        lost = strength_to_lose(v, baselines, self.combine, **self.solver, rounding=self.game.rounding)
        return self.weight * lost.mean()


def _check_items(game, samples):
    """InputError for what is no game with a gradient, and for samples that are none, or whose arrays do not fit."""
    if not hasattr(game, "log_odds_of"):
        raise InputError(f"game = {type(game).__name__}; expected one with a gradient: an ImageGame or TextGame")
    for item, one in samples.items():
        if not isinstance(one, JudgedSample):
            raise InputError(f"sample {item} is of type {type(one).__name__}; expected a JudgedSample")
        n = len(one.variables)
        shape, expected = np.shape(one.baselines), (len(KINDS), 1 << n)
        if len(shape) != 3 or shape[1:] != expected:
            wanted = "(baseline, {}, {})".format(*expected)
            raise InputError(f"sample {item}: baselines have shape {shape}; expected {wanted} with its {n} variables")
    shapes = {np.shape(one.baselines): item for item, one in samples.items()}
    if len(shapes) > 1:
        (shape, item), (other, another), *_ = shapes.items()
        raise InputError(
            f"samples {item} and {another}: baselines have shapes {shape} and {other}; expected as many baselines, and "
            "as many variables, for each"
        )


def strength_to_lose(
    v: Float[Tensor, "sample subset"],
    baselines: Float[np.ndarray, "baseline sample kind subset"],
    combine: str = "any",
    **solver,
) -> Float[Tensor, "sample"]:
    """Strength (log-odds) of the interactions of v that do not generalize to the baselines, sum |I(S)| (1 - G(S)).

    baselines: their salient interactions, 0 elsewhere. `solver`: settings of `sparse_and_or`.
    """
    effects = held_interactions(v, **solver)
    values = effects.detach().cpu().numpy()
    lost = ~agreed(values, baselines, combine)
    lost &= np.abs(values) > ZERO * np.abs(values).max(axis=(1, 2), keepdims=True)
    return (effects.abs() * torch.as_tensor(lost, device=v.device)).sum(dim=(1, 2))


def held_interactions(v: Float[Tensor, "sample subset"], **solver) -> Float[Tensor, "sample kind subset"]:
    """Sparse interactions of v, as functions of v while gamma and the noise are held at what they are for this v.

    Then both halves of the model move with half of what v does, and every interaction is affine in v: its gradient is
    a constant, the Moebius transform of either half.
    """
    solved = sparse_and_or(v.detach(), **solver)
    half = (v - v.detach()) / 2
    moved = torch.stack(merge_singletons(and_interactions(half), or_interactions(half)), dim=1)
    moved[..., 0] = 0  # the empty set carries no interaction
    return solved.effects + moved
