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

MOST_BYTES = 1 << 28  # of the few maps of a stage
HUGE = 1000.0  # times the largest number of a map
WRITTEN = 4  # multiplications that take about as long as it takes to write one byte of a map


class Patchwork:
    """The maps that a module gives for any subsets of the variables, put together from those of few.

    maps (subset of the colours, channel, height, width); fields (variable, position): where a variable is seen; colour
    (variable,): variables of one colour are seen nowhere together. row_bytes: of the largest output from here on.
    """

    def __init__(
        self,
        module: nn.Module,
        maps: Float[Tensor, "few channel height width"],
        fields: Bool[np.ndarray, "variable position"],
        colour: Int[np.ndarray, "variable"],
        row_bytes: int,
    ):
        _, channels, height, width = maps.shape
        self.module, self.row_bytes = module, row_bytes
        self.form, positions = (height, width, channels), height * width
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
    """A module behind the cut that gives a map, and through which everything goes that the network makes of the cut.

    work: of one masked input from the cut to here, in multiplications. map_bytes: of its output; row_bytes: of the largest
    output from here on. seen: of a cell, at which positions of the output (position,).
    """

    module: nn.Module
    work: int
    map_bytes: int
    row_bytes: int
    seen: dict[int, np.ndarray] = field(default_factory=dict)

    def fields(self, cells: list[int]) -> Bool[np.ndarray, "cell position"]:
        """Where each of the cells is seen."""
        return np.stack([self.seen[cell] for cell in cells])


class Point(NamedTuple):
    """A point on the way from the cut to the logits: a stage, or an end."""

    work: int  # of one masked input from the cut to here
    map_bytes: int
    row_bytes: int
    masked: int  # inputs for which it is computed
    stage: Stage | None = None
    colour: np.ndarray | None = None


@dataclass
class Rest:
    """What lies behind the cut, its stages in their order.

    whole: work of one masked input; up_to_the_cut: of one image, which each run from a stage repeats; map_bytes: of the map
    at the cut.
    """

    stages: list[Stage] = field(default_factory=list)
    whole: int = 0
    up_to_the_cut: int = 0
    map_bytes: int = 0

    def see(
        self, model: nn.Module, cells: list[int], run: Callable, feature_map: Float[Tensor, "c h w"], filled: Callable
    ) -> None:
        """Find where some cells are seen: wherever a stage's output is another when a cell holds another number.

        run(map): the network. filled(cell, number): the map at the cut with a number in a cell, or one for each channel. NaN
        spreads to all that depends on it, but through comparisons. Those are decided by huge numbers, of one sign or the
        other, in all channels alike or not. KeyError where a huge number leads around a stage.
        """
        if not (new := [cell for cell in cells if any(cell not in stage.seen for stage in self.stages)]):
            return
        most, like = torch.finfo(feature_map.dtype).max, feature_map[:, :1, :1]
        huge = torch.full_like(like, min(HUGE * float(feature_map.abs().max().clamp(min=1)), most))
        mixed = huge * torch.where(torch.arange(len(like), device=like.device) % 2 == 0, 1, -1)[:, None, None]
        numbers = (torch.full_like(like, torch.nan), huge, -huge, mixed, -mixed)
        buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]  # some networks keep what they see
        try:
            usual = self._outputs(run, feature_map[None])
            for cell in new:
                for number in numbers:
                    outputs = self._outputs(run, filled(cell, number))
                    for stage, output, before in zip(self.stages, outputs, usual):
                        changed = (output != before).any(dim=0).flatten().cpu().numpy()
                        stage.seen[cell] = stage.seen.get(cell, False) | changed
        finally:
            for buffer, before in buffers:
                buffer.copy_(before)

    def _outputs(self, run, maps):
        """What each stage gives, of one image."""
        outputs = {}

        def note(stage, module, inputs, output):
            outputs[stage] = output[0].clone()  # a layer behind it may change it in place

        with ExitStack() as hooks:
            for stage in self.stages:
                hooks.enter_context(stage.module.register_forward_hook(partial(note, stage)))
            run(maps)
        return [outputs[stage] for stage in self.stages]

    def path(self, cells: list[int], chunk: int) -> list[tuple[Stage, Int[np.ndarray, "variable"]]]:
        """The stages, each with its colours, by which the maps of all subsets of some cells take the least work.

        chunk: how many bytes of masked inputs are computed at a time.
        """
        points = [Point(0, self.map_bytes, power_of_two(self.map_bytes), 1)]
        for stage in self.stages:
            colour = colours(stage.fields(cells))
            masked = 2 << int(colour.max())
            if masked * stage.map_bytes <= MOST_BYTES:
                points.append(Point(stage.work, stage.map_bytes, stage.row_bytes, masked, stage, colour))
        points.append(Point(self.whole, 0, 0, 1 << len(cells)))
        least = [(0, ())]  # work to reach each point, and the points on the way
        for stop in points[1:]:
            ways = (
                (work + self._work(points[i], stop, max(1, chunk // points[i].row_bytes)), (*on, i))
                for i, (work, on) in enumerate(least)
            )
            least.append(min(ways))
        return [(points[i].stage, points[i].colour) for i in least[-1][1][1:]]

    def _work(self, start, stop, at_a_time):
        """From one point to a later one: at the first, maps are put together; one image is run up to it for each part."""
        parts = -(-stop.masked // at_a_time)
        of_each = stop.work - start.work + WRITTEN * start.map_bytes
        return stop.masked * of_each + parts * (self.up_to_the_cut + start.work)


def rest_of(
    model: nn.Module, cut: nn.Module, run: Callable, feature_map: Float[Tensor, "channel height width"]
) -> Rest:
    """What lies behind the cut, by one run of the network.

    run(maps): the network's logits with these maps at the cut. Everything goes through a module if every way through the
    graph of the gradient does, from the logits back to the cut. A module that is called twice is no stage. No network has
    stages that reads its maps at computed places, which NaN would send anywhere.
    """
    modules = [module for module in model.modules() if not isinstance(module, torch.jit.ScriptModule)]  # without hooks
    if any("deform" in type(module).__name__.lower() for module in modules):
        return Rest()
    calls, outputs, work = Counter(), {}, 0

    def note(module, inputs, output):
        nonlocal work
        calls[module] += 1
        if not isinstance(output, Tensor) or not output.is_floating_point() or not output.ndim:
            return None
        weight, size = getattr(module, "weight", None), output[0].numel() * output.element_size()
        if isinstance(weight, Tensor) or next(module.children(), None) is None:
            work += WRITTEN * size + (output[0].numel() * weight[0].numel() if getattr(weight, "ndim", 0) else 0)
        output = output.clone()  # a node of its own: around a module that gives what it got, other ways may lead
        outputs.setdefault(module, (output.grad_fn, output.ndim == 4 and len(output) == 1, work, size))
        return output

    with torch.inference_mode(False), torch.enable_grad(), ExitStack() as hooks:
        begin = feature_map[None].clone().requires_grad_().clone()
        start = begin.grad_fn  # an in-place layer would give it another
        for module in modules:
            hooks.enter_context(module.register_forward_hook(note))
        everywhere = _on_every_way(run(begin).grad_fn, start)
    up_to_the_cut, stages, largest = outputs[cut][2], [], 1
    for module, (node, is_map, done, size) in reversed(outputs.items()):
        largest = max(largest, size)
        if node in everywhere and is_map and calls[module] == 1:
            stages.insert(0, Stage(module, done - up_to_the_cut, size, power_of_two(largest)))
    return Rest(stages, work - up_to_the_cut, up_to_the_cut, feature_map.numel() * feature_map.element_size())


def power_of_two(size):
    """The least power of two that is as large: so parts are powers of two as well, and none of a single row is left over."""
    return 1 << (size - 1).bit_length()


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
