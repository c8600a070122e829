"""Masked maps behind the cut, of all subsets, from those of few: a position sees only the cells in its receptive field.

If no position of a map sees two cells of one colour, these may be masked together: with k colours, 2^k masked inputs hold,
position by position, what all 2^n do. So the first layers behind the cut run for few of them.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from symgen.interactions import subset_matrix

MOST_BYTES = 1 << 30  # of the few maps of a stage
WRITTEN = 4  # multiplications that take about as long as it takes to write one byte of a map


class Patchwork:
    """The maps that a module gives for any subsets of the variables, put together from those of few.

    maps (subset of the colours, channel, height, width); fields (variable, position): where a variable is seen; colour
    (variable,): variables of one colour are seen nowhere together.
    """

    def __init__(
        self,
        module: nn.Module,
        maps: Float[Tensor, "few channel height width"],
        fields: Bool[np.ndarray, "variable position"],
        colour: Int[np.ndarray, "variable"],
    ):
        _, channels, height, width = maps.shape
        self.module, self.form, positions = module, (height, width, channels), height * width
        self.rows = maps.permute(0, 2, 3, 1).reshape(-1, channels)
        steps = fields * (positions << colour)[:, None]
        self.steps = torch.as_tensor(steps, dtype=torch.float64, device=maps.device)  # exact, and faster than integers
        self.first = torch.arange(positions, device=maps.device)

    def __call__(
        self, shown: Bool[np.ndarray, "subset variable"], room: Callable = Tensor.new_empty
    ) -> Float[Tensor, "subset channel height width"]:
        """Maps with the variables masked that are not shown, channels last, in memory that `room(like, shape)` gives."""
        steps = torch.tensor(shown, dtype=torch.float64, device=self.rows.device) @ self.steps
        rows = (steps.long() + self.first).flatten()
        out = room(self.rows, (len(rows), self.form[-1]))
        torch.index_select(self.rows, 0, rows, out=out)
        return out.view(-1, *self.form).permute(0, 3, 1, 2)


def colours(fields: Bool[np.ndarray, "variable position"]) -> Int[np.ndarray, "variable"]:
    """A colour for each variable, from 0: no position sees it together with another of its colour.

    Greedy, those first that share positions with the most others.

    Examples
    --------
    >>> colours(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], bool)).tolist()
    [1, 0, 1]
    """
    together = fields.astype(np.float32) @ fields.T.astype(np.float32) > 0
    colour = np.full(len(fields), -1)
    for variable in np.argsort(-together.sum(axis=1), kind="stable"):
        taken = set(colour[together[variable]].tolist())
        colour[variable] = next(number for number in count() if number not in taken)
    return colour


def few_subsets(colour: Int[np.ndarray, "variable"]) -> Bool[np.ndarray, "few variable"]:
    """Which variables are shown in each subset of the colours."""
    return subset_matrix(int(colour.max()) + 1)[:, colour]


@dataclass(eq=False)
class Stage:
    """A module through which everything goes that the network makes of the cut, and which gives maps.

    work: of one masked input from the cut to here, in multiplications. size: of its output, in bytes; largest: of the
    largest output from here on. seen: of a cell, at which positions of the output (position,). trusted: once it was tried.
    """

    module: nn.Module
    work: int
    size: int
    largest: int
    seen: dict[int, np.ndarray] = field(default_factory=dict)
    trusted: bool = False

    def fields(self, cells: list[int]) -> Bool[np.ndarray, "cell position"]:
        """Where each of the cells is seen."""
        return np.stack([self.seen[cell] for cell in cells])


class Point(NamedTuple):
    """A point on the way from the cut to the logits: a stage, or an end."""

    work: int  # of one masked input from the cut to here
    size: int  # of a map, in bytes
    masked: int  # inputs for which it is computed
    stage: Stage | None = None
    colour: np.ndarray | None = None


@dataclass
class Behind:
    """What lies behind the cut.

    stages: in their order. whole: work of one masked input behind the cut; before: of one image up to it, which a stage runs
    anew; size: bytes of a map at the cut.
    """

    stages: list[Stage]
    whole: int = 0
    before: int = 0
    size: int = 0

    def unseen(self, cells: list[int]) -> list[int]:
        """Those of the cells of which it is not known where they are seen."""
        return [cell for cell in cells if any(cell not in stage.seen for stage in self.stages)]

    def see(self, cells: list[int], run: Callable, maps: Float[Tensor, "cell channel height width"]) -> None:
        """Find where some cells are seen; no stages are left if the network refuses to say.

        maps: at the cut, NaN in one of the cells each, which spreads to all that depends on it.
        """

        def note(stage, module, inputs, output):
            where = output.isnan().any(dim=1).flatten(1).cpu().numpy()
            stage.seen |= dict(zip(cells, where, strict=True))

        with ExitStack() as hooks:
            for stage in self.stages:
                hooks.enter_context(stage.module.register_forward_hook(partial(note, stage)))
            if _unless_it_refuses(run, maps) is None:
                self.stages.clear()

    def path(self, cells: list[int]) -> list[tuple[Stage, Int[np.ndarray, "variable"]]]:
        """The stages, each with its colours, by which the maps of all subsets of some cells take the least work."""
        points = [Point(0, self.size, 1)]
        for stage in self.stages:
            colour = colours(stage.fields(cells))
            masked = len(few_subsets(colour))
            if masked * stage.size <= MOST_BYTES:
                points.append(Point(stage.work, stage.size, masked, stage, colour))
        points.append(Point(self.whole, 0, 1 << len(cells)))
        least = [(0, ())]  # work to reach each point, and the points on the way
        for point in points[1:]:
            least.append(min((work + self._work(points[i], point), (*on, i)) for i, (work, on) in enumerate(least)))
        return [(points[i].stage, points[i].colour) for i in least[-1][1][1:]]

    def _work(self, start, stop):
        """From one point to a later one: at the first, maps are put together, and one image is run up to it anew."""
        return stop.masked * (stop.work - start.work + WRITTEN * start.size) + self.before + start.work


def behind(
    model: nn.Module, cut: nn.Module, run: Callable, feature_map: Float[Tensor, "channel height width"]
) -> Behind:
    """What lies behind the cut, by one run of the network: no stages if it refuses a gradient.

    run(maps): the network's logits with these maps at the cut. Everything goes through a module if every way through the
    graph of the gradient does, from the logits back to the cut. A module that is called twice is no stage.
    """
    calls, outputs, work = Counter(), {}, 0

    def note(module, inputs, output):
        nonlocal work
        calls[module] += 1
        if not isinstance(output, Tensor) or not output.is_floating_point():
            return
        weight, size = getattr(module, "weight", None), output[0].numel() * output.element_size()
        if not any(module.children()):
            work += WRITTEN * size + (output[0].numel() * weight[0].numel() if getattr(weight, "ndim", 0) else 0)
        outputs.setdefault(module, (output.grad_fn, output.ndim, work, size))

    with torch.inference_mode(False), torch.enable_grad(), ExitStack() as hooks:
        begin = feature_map[None].clone().requires_grad_().clone()
        for module in model.modules():
            hooks.enter_context(module.register_forward_hook(note))
        if (logits := _unless_it_refuses(run, begin)) is None:
            return Behind([])
    everywhere, before = _on_every_way(logits.grad_fn, begin.grad_fn), outputs[cut][2]
    stages, largest = [], 0
    for module, (node, axes, done, size) in reversed(outputs.items()):
        largest = max(largest, size)
        if node in everywhere and axes == 4 and calls[module] == 1:
            stages.insert(0, Stage(module, done - before, size, largest))
    return Behind(stages, work - before, before, feature_map.numel() * feature_map.element_size())


def _unless_it_refuses(run, maps):
    """What a network gives; None where it refuses, in whatever way it likes, NaN, a gradient, or a batch of this size."""
    try:
        return run(maps)
    except Exception:
        return None


def _on_every_way(end, start):
    """Nodes of an autograd graph on every way from its end to its start: through them go as many ways as there are."""
    order, stack, met = [], [(end, False)], set()
    while stack:
        node, left = stack.pop()
        if left:
            order.append(node)  # after all that it leads to
        elif node not in met:
            met.add(node)
            stack.append((node, True))
            stack += [(following, False) for following in _following(node)]
    onward, since = {}, Counter({end: 1})  # how many ways lead from a node to the start, and to it from the end
    for node in order:
        onward[node] = 1 if node is start else sum(onward[following] for following in _following(node))
    for node in reversed(order):
        for following in _following(node):
            since[following] += since[node]
    return {node for node in order if since[node] * onward[node] == onward[end] > 0}


def _following(node):
    return [] if node is None else [following for following, _ in node.next_functions if following is not None]
