"""From a network and a sample to v: the log-odds of its label on all 2^n masked inputs."""

import math
import re
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from symgen.errors import InputError, first_line, nearest, whole_number
from symgen.games._base import LOGITS, evaluating, finite, floating_tensors, log_odds_of_labels, quiet, rounding_of
from symgen.games.variables import cell_boxes, cell_map, check_cells
from symgen.interactions import subset_matrix

# masked maps made at a time; measured best, halved when memory runs out
CHUNK_BYTES = {"cpu": 1 << 24, "cuda": 1 << 31}


class ImageGame:
    """Masked values of any image classifier: grid cells of one of its feature maps are the input variables.

    Parameters
    ----------
    model : torch.nn.Module
        Returns logits (batch, label), two labels or more, or an object with `.logits`.
    split_at : str
        Name of the submodule whose output, a map (batch, channel, height, width), is masked.
    grid : int
        Cells per side of the map.
    baseline : tensor, optional
        What a masked cell takes: images (image, c, h, w), or a list of them, whose `mean_map` it is; or a map (channel,
        height, width), or anything that broadcasts to it; zero without.

    Raises
    ------
    InputError
        For a submodule that is not there, and, in `values`, for whatever does not fit.

    Examples
    --------
    >>> network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(10))
    >>> images = torch.rand(5, 3, 12, 12)
    >>> game = ImageGame(network, split_at="1", grid=5, baseline=images)
    >>> game.values(images[0], label=3, variables=[6, 7, 8]).shape
    (8,)
    """

    def __init__(self, model: nn.Module, split_at: str, grid: int = 5, baseline=None):
        self.model, self.split_at = model, split_at
        self.grid = whole_number(grid, "grid", "how many cells the map has a side, such as 5", least=1)
        self._module = _submodule(model, split_at)
        self._chunk = None  # masked maps at a time, found at the first call
        self._memory = None  # for masked maps
        self._plans = {}  # how the rest of the network is run, found at the first call with maps of a size
        self.baseline = None if baseline is None else _stacked(baseline, "baseline")
        if self.baseline is not None:
            shape, dtype, images = tuple(self.baseline.shape), self.baseline.dtype, self.baseline.ndim == 4
            if not self.baseline.numel() or (images and not dtype.is_floating_point):
                raise InputError(f"baseline has shape {shape} of {dtype}; expected floats, one image or more")
            self.baseline = self.mean_map(self.baseline) if images else self.baseline

    @property
    def rounding(self) -> float:
        """Relative precision of v."""
        return rounding_of(self.model)

    def mean_map(self, images: Float[Tensor, "image c h w"], batch: int = 256) -> Float[Tensor, "channel height width"]:
        """Mean of the feature map over images, per channel and position: the value of a masked cell."""
        with quiet(self.model):
            total = sum(self._feature_map(part).double().sum(0) for part in images.split(batch))
        return (total / len(images)).to(self._like(images).dtype)

    def values(self, x, label, variables) -> np.ndarray:
        """v(x_S) for every subset S of the variables, float64.

        Only the given cells are ever masked. The part of the network before the cut runs once a sample; the masked maps
        run through the rest in chunks, several samples side by side.

        Parameters
        ----------
        x : floats, (channel, height, width) or (sample, channel, height, width)
            The image, or several, which may be a list.
        label : int, or integers
            One a sample; several labels of one image are evaluated in one pass.
        variables : integers, (n,) or (sample, n)
            Numbers of cells, row * grid + column; variable i of a subset is the i-th.

        Returns
        -------
        array, (2^n,), (label, 2^n) or (sample, 2^n)

        Raises
        ------
        InputError
            For labels or cells out of range, shapes that do not fit, and NaN or infinite outputs.
        """
        one, x = self.is_one(x), _stacked(x, "x")
        if x.ndim != (3 if one else 4) or not x.is_floating_point():
            raise InputError(
                f"x has shape {tuple(x.shape)} of {x.dtype}; "
                "expected floats (channel, height, width), or (sample, channel, height, width)"
            )
        labels = np.asarray(label)
        if one:
            x, labels, variables = x[None], np.atleast_1d(labels)[None], [variables]
        if not np.issubdtype(labels.dtype, np.integer) or not (one or labels.shape == (len(x),)):
            raise InputError(
                f"label has shape {np.shape(label)} of {labels.dtype}; expected an integer a sample, ({len(x)},)"
            )
        v = self._checked_values(x, labels.reshape(len(x), -1), variables)
        if not one:
            return v[:, 0]
        return v[0] if np.ndim(label) else v[0, 0]

    def is_one(self, x) -> bool:
        """Whether this is one image, and no batch of them."""
        return not _is_list(x) and np.ndim(x) != 4

    def candidates(self, x=None) -> list[int]:
        """Numbers of all cells."""
        return list(range(self.grid**2))

    def _checked_values(self, x, labels, variables):
        """v (sample, label, 2^n) from labels (sample, label)."""
        cells = [check_cells(one, self.grid) for one in variables]
        if len(cells) != len(x) or len({len(numbers) for numbers in cells}) != 1:
            sizes = [len(numbers) for numbers in cells]
            raise InputError(f"variables: lists of {sizes} cells; expected {len(x)} of one length, one a sample")
        with quiet(self.model):
            return finite(self._all_values(x, torch.tensor(labels), np.stack(cells)))

    def log_odds_of(self, x: Float[Tensor, "channel height width"], label: int, variables) -> Float[Tensor, "subset"]:
        """v(x_S) of one sample for every subset, as `values` gives it, with its gradient in the model's parameters.

        All 2^n masked maps at once, so for small n; a masked cell's own value is a constant.
        """
        x = x.to(self._like(x))[None]
        with evaluating(self.model):
            feature_map = self._feature_map(x)
            baseline = self._baseline_like(feature_map[0])
            with torch.no_grad():
                plan = self._plan(x, feature_map[0], baseline)
            position = cell_map(*feature_map.shape[-2:], self.grid)
            shown = _shown(check_cells(variables, self.grid), position).to(x.device)
            masked = torch.where(shown[:, None], feature_map, baseline).contiguous(memory_format=torch.channels_last)
            return self._log_odds(masked, x, [int(label)], plan)[0]

    def _all_values(self, x, labels, cells):
        """v (sample, label, 2^n): all masked maps of all samples, chunk by chunk."""
        x = x.to(self._like(x))
        labels = labels.to(x.device)
        maps = self._feature_map(x)  # (sample, channel, height, width)
        baseline = self._baseline_like(maps[0])
        plan = self._plan(x[:1], maps[0], baseline, pooled=True)
        bypass = self._bypassed(x, torch.stack([maps[0], baseline]))
        if self._chunk is None:
            room = CHUNK_BYTES.get(maps.device.type, 1 << 28) // (maps[0].numel() * maps.element_size())
            self._chunk = 1 << max(0, room.bit_length() - 1)
        if plan.pool:
            maps, baseline = plan.pool(maps), plan.pool(baseline[None])[0]
        boxes = [cell_boxes(numbers, *maps.shape[-2:], self.grid) for numbers in cells.tolist()]
        maps, baseline = maps.permute(0, 2, 3, 1), baseline.permute(1, 2, 0)  # channels last

        def evaluate(samples, first, count):
            masked = self._room(maps, (len(samples), count, *baseline.shape))
            for out, sample in zip(masked, samples):
                _fill_masked(out, maps[sample], baseline, boxes[sample], first)
            of_rows = labels[samples.start : samples.stop].repeat_interleave(count, dim=0).T
            image = x[samples.start : samples.start + 1]
            values = self._log_odds(masked.flatten(0, 1).permute(0, 3, 1, 2), image, of_rows, plan)
            return values.view(-1, len(samples), count).movedim(0, 1).cpu()

        n_subsets = 1 << cells.shape[1]
        v = torch.full((*labels.shape, n_subsets), torch.nan, dtype=torch.float64)
        blocks = self._blocks(len(x), n_subsets, bypass)
        while blocks:
            samples, first, count = blocks.pop()
            try:
                v[samples.start : samples.stop, :, first : first + count] = evaluate(samples, first, count)
            except RuntimeError as error:
                if "memory" not in str(error).lower() or self._chunk == 1:
                    raise
                self._chunk //= 2
                blocks = self._blocks(len(x), n_subsets, bypass)
                blocks = [block for block in blocks if v[block[0].start, 0, block[1]].isnan()]
        return v.numpy()

    def _room(self, maps, shape):
        """An uninitialised tensor like maps; on a CPU always the same memory, for fresh pages cost more than filling it."""
        if maps.is_cuda:
            return maps.new_empty(shape)
        if self._memory is None or self._memory.dtype != maps.dtype or len(self._memory) < math.prod(shape):
            self._memory = maps.new_empty(math.prod(shape))
        return self._memory[: math.prod(shape)].view(shape)

    def _blocks(self, n_samples, n_subsets, bypass):
        """Parts of the work that fit into a chunk: whole samples side by side, or some subsets of one sample."""
        group = 1 if bypass else max(1, self._chunk // n_subsets)  # what goes around the cut is one sample's
        samples = [range(start, min(start + group, n_samples)) for start in range(0, n_samples, group)]
        count = min(self._chunk, n_subsets)
        return [(side_by_side, first, count) for side_by_side in samples for first in range(0, n_subsets, count)]

    def _log_odds(self, masked, image, labels, plan):
        logits = self._rest(masked, image, plan)
        if logits.ndim != 2 or len(logits) != len(masked) or logits.shape[1] < 2:
            raise InputError(
                f"the model's output has shape {tuple(logits.shape)} for {len(masked)} images; expected {LOGITS}"
            )
        return log_odds_of_labels(logits, labels, "label")

    def _baseline_like(self, one_map):
        if self.baseline is None:
            return torch.zeros_like(one_map)
        try:
            return torch.as_tensor(self.baseline).to(one_map).broadcast_to(one_map.shape)
        except RuntimeError:
            shape = tuple(torch.as_tensor(self.baseline).shape)
            raise InputError(f"baseline has shape {shape}; expected that of the map, {tuple(one_map.shape)}") from None

    # the two halves of the network, by hooks on the cut: any module works, whatever its forward looks like
    def _feature_map(self, x):
        """Output of the submodule at the cut, (batch, channel, height, width); the rest of the network does not run."""

        def stop(module, inputs, output):
            raise _Reached(output)

        with _hooked(self._module, stop):
            try:
                self.model(x.to(self._like(x), copy=True))  # a forward may change its input in place
            except _Reached as reached:
                feature_map = reached.output
            except RuntimeError as error:
                raise _refused(x, error) from error
            else:
                raise InputError(f"split_at = {self.split_at!r} is never run by the model's forward; name one that is")
        if not isinstance(feature_map, Tensor) or feature_map.ndim != 4:
            shape = tuple(getattr(feature_map, "shape", ())) or type(feature_map).__name__
            raise InputError(
                f"split_at = {self.split_at!r} gives {shape}; expected a map (batch, channel, height, width)"
            )
        return feature_map

    def _rest(self, masked, image, plan):
        """Logits when the cut, or the pooling behind it, gives `masked` instead, (batch, label)."""
        calls = []

        def replace(module, inputs, output):
            calls.append(1)
            return masked if len(calls) == 1 else output  # a shared ReLU runs again later

        masked = masked if plan.channels_last else masked.contiguous()
        with _hooked(plan.pool or self._module, replace):
            output = self.model(image.expand(1 if plan.one_image else len(masked), *image.shape[1:]).clone())
        logits = getattr(output, "logits", output)
        if not isinstance(logits, Tensor):
            raise InputError(
                f"the model's output is a {type(output).__name__}; expected logits, or an object with .logits"
            )
        return logits

    def _plan(self, image, feature_map, baseline, pooled=False):
        """The fastest way to run the rest of this network, pooled maps or not, found once for maps of one size."""
        key = pooled, feature_map.shape
        if key not in self._plans:
            position = cell_map(*feature_map.shape[-2:], self.grid)
            every_second = torch.as_tensor(position % 2 == 0, device=feature_map.device)
            probe = torch.stack([feature_map, baseline, torch.where(every_second, feature_map, baseline)])
            self._plans[key] = self._find_plan(image, probe, self._pooling(position) if pooled else None)
        return self._plans[key]

    def _find_plan(self, image, probe, pool):
        """The fastest way to run the rest of this network that agrees with the plainest one on some maps."""
        try:
            expected = self._rest(probe.clone(), image, PLAIN)
        except RuntimeError as error:
            raise _refused(image, error) from error
        if not torch.equal(expected.nan_to_num(), self._rest(probe.clone(), image, PLAIN).nan_to_num()):
            raise InputError("the model's output changes from call to call; expected no randomness in evaluation mode")
        ways = [(True, True), (True, False), (False, True)]
        for plan in [_Plan(*way, module) for module in dict.fromkeys((pool, None)) for way in ways]:
            maps = plan.pool(probe) if plan.pool else probe
            try:
                logits = self._rest(maps.clone(memory_format=torch.channels_last), image, plan)
            except Exception:  # a forward may refuse a layout or a batch size in any way it likes
                continue
            if logits.shape == expected.shape and torch.allclose(logits, expected, rtol=1e-3, atol=1e-3):
                return plan
        return PLAIN

    def _pooling(self, position):
        """The max pooling that comes next in the cut's `nn.Sequential`, if its windows lie within cells; else None.

        A masked map, pooled, is the pooled map, masked in the same cells: a smaller one, pooled once a sample.
        """
        container = self.model.get_submodule(self.split_at.rpartition(".")[0])
        parts = list(container.children()) if type(container) is nn.Sequential else [self._module]
        behind = next((b for a, b in pairwise(parts) if a is self._module), None)
        if type(behind) is not nn.MaxPool2d or behind.return_indices:
            return None
        cells = torch.as_tensor(position, dtype=torch.float)[None]
        most, least = behind(cells)[0].numpy(), -behind(-cells)[0].numpy()
        fits = min(most.shape) >= self.grid and np.array_equal(most, least)
        return behind if fits and np.array_equal(most, cell_map(*most.shape, self.grid)) else None

    def _bypassed(self, images, probe):
        """Whether it shows in the output which of the images it is, even where the maps at the cut are the same."""
        if len(images) == 1:
            return False
        first, *others = (self._rest(probe.clone(), image[None], PLAIN).nan_to_num() for image in images)
        return any(not torch.equal(other, first) for other in others)

    def _like(self, x):
        """A tensor of the model's own floating type and device, or x where the model has none."""
        return next(floating_tensors(self.model), x)


@dataclass(frozen=True)
class _Plan:
    """How the rest of a network is run on masked maps.

    one_image: the network gets a single image, so that what lies before the cut costs next to nothing; from the cut on
    its batch is that of the maps, and what goes around the cut broadcasts. Where a forward fixes its batch size before
    the cut, it gets the image as often as there are maps. channels_last: layout of the maps, faster for convolutions;
    a forward that flattens with `view` needs the other. pool: the module whose output is replaced, in place of the cut's.
    """

    one_image: bool
    channels_last: bool
    pool: nn.Module | None = None


PLAIN = _Plan(one_image=False, channels_last=False)


class _Reached(Exception):
    """The cut has been reached; carries its output."""

    def __init__(self, output):
        super().__init__()
        self.output = output


@contextmanager
def _hooked(module, hook):
    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _shown(cells, position):
    """Which positions of a map are not masked, for every subset of the cells: (subset, height, width)."""
    of_cell = position == cells[:, None, None]  # (cell, height, width)
    return ~torch.as_tensor(np.einsum("sc,chw->shw", ~subset_matrix(len(cells)), of_cell))


def _fill_masked(out, feature_map, baseline, boxes, first):
    """Write one sample's masked maps into `out` (subset, height, width, channel), for the subsets from `first` on.

    The number of subsets is a power of two that divides `first`: then a variable is either kept in all of them, or in
    none, or in every second run of 2^i, which is a view, and no map is written twice but where variables are.
    """
    start, count = feature_map.clone(), len(out)
    for i, (rows, columns) in enumerate(boxes):
        if not first >> i & 1:
            start[rows, columns] = baseline[rows, columns]
    out.copy_(start.expand_as(out))
    for i, (rows, columns) in enumerate(boxes):
        if 1 << i < count:
            out.view(-1, 2, 1 << i, *feature_map.shape)[:, 1, :, rows, columns] = feature_map[rows, columns]


def _refused(x, error):
    """An error of a network's forward, in one line if the shape of its input is what it says."""
    fault = first_line(error)
    if type(error) is not RuntimeError or not re.search(r"shape|size|channel|dimension", fault):
        return error
    return InputError(
        f"the model does not take x of shape {tuple(x.shape)}: {fault}; expected images as it was trained on"
    )


def _is_list(images):
    """Whether these are arrays or tensors in a list."""
    return isinstance(images, list | tuple) and any(isinstance(image, Tensor | np.ndarray) for image in images)


def _stacked(images, name):
    """A tensor, of a list if one is given."""
    try:
        images = [torch.as_tensor(image) for image in images] if _is_list(images) else torch.as_tensor(images)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is no tensor: {error}; expected one, or a list of them") from None
    if isinstance(images, list) and len(shapes := {tuple(image.shape) for image in images}) > 1:
        raise InputError(f"{name} holds shapes {sorted(shapes)}; expected one shape")
    return torch.stack(images) if isinstance(images, list) else images


def _submodule(model, name):
    """The named submodule; InputError with the nearest name otherwise."""
    if not isinstance(model, nn.Module):
        raise InputError(f"model is a {type(model).__name__}; expected a torch.nn.Module")
    known = [known for known, _ in model.named_modules() if known]
    if not known:
        raise InputError(f"split_at = {name!r}: {type(model).__name__} has no submodules to cut at")
    if name not in known:
        near = nearest(str(name), known)
        raise InputError(f"split_at = {name!r} is no submodule of {type(model).__name__}; the nearest is {near!r}")
    return model.get_submodule(name)
