"""From an image classifier and an image to v: the log-odds of its label with cells of a feature map masked."""

import math
import re
import warnings
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from symgen.errors import InputError, did_you_mean, first_line, whole_number
from symgen.games._base import (
    AGREES,
    LABEL,
    LOGITS,
    Game,
    agree,
    check_repeats,
    evaluating,
    floating_tensors,
    log_odds_of_labels,
    logits_of,
)
from symgen.games._fields import Patchwork, Rest, few_subsets, power_of_two, rest_of
from symgen.games.variables import cell_map, check_cells
from symgen.interactions import subset_matrix

# what a forward raises that does not take an image, and words that say so; a subclass is about something else, as memory
REFUSALS = {RuntimeError: "shape|size|channel|dimension", AssertionError: "image", ValueError: "image"}
# of masked maps made at a time; measured best, halved when memory runs out
CHUNK_BYTES = {"cpu": 1 << 24, "cuda": 1 << 31}
WORTH_A_PATH = 64  # subsets; for fewer, to find stages takes longer than it saves
SOME_SUBSETS, SOME_ROUNDINGS = 8, 4  # on which maps put together are tried, sample by sample; by which they may differ


class ImageGame(Game):
    """Masked values of any image classifier: grid cells of one of its feature maps are the input variables.

    Parameters
    ----------
    model : torch.nn.Module
        Returns logits (batch, label), two labels or more, or an object with an attribute `logits`.
    split_at : str
        Name of the submodule whose output, a map (batch, channel, height, width), is masked: the output of its first call,
        where the network calls it several times.
    grid : int
        Cells per side of the map.
    baseline : tensor, optional
        What a masked cell takes: images (image, c, h, w), or a list of them, whose `mean_map` it is; or a map (channel,
        height, width), a number a channel (channel, 1, 1), or one number; zero without. The mean is taken now: when the
        weights have changed, make the game anew, or set `game.baseline = game.mean_map(images)`.

    Raises
    ------
    InputError
        For a submodule that is not there, and, in `values`, for whatever does not fit.

    Warns
    -----
    UserWarning
        For a map that is not square, of a square image: its channels may come last.

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
        self._memory = None  # for masked maps
        # of maps of a size, found at the first call: how the rest of the network is run, and where few masked maps do
        self._plans: dict[torch.Size, _Plan] = {}
        self._rests: dict[tuple[int, torch.Size], Rest] = {}
        self.baseline = None if baseline is None else self._baseline_of(_stacked(baseline, "baseline"))

    def _baseline_of(self, given):
        """The map that is given, or the mean map of the images."""
        shape, dtype, images = tuple(given.shape), given.dtype, given.ndim == 4
        if not given.numel() or (images and not dtype.is_floating_point):
            raise InputError(f"baseline has shape {shape} of {dtype}; expected floats, one image or more")
        if not given.isfinite().all():
            raise InputError("baseline holds NaN or infinity; expected finite numbers")
        return self.mean_map(given) if images else given

    def mean_map(self, images, batch: int = 256) -> Float[Tensor, "channel height width"]:
        """Mean of the feature map over images, or a list of them, per channel and position: the value of a masked cell."""
        images = _stacked(images, "images")
        if images.ndim != 4 or not len(images) or not images.is_floating_point():
            raise InputError(
                f"images has shape {tuple(images.shape)} of {images.dtype}; expected floats (image, c, h, w)"
            )
        with evaluating(self.model), torch.inference_mode():
            total = sum(self._feature_map(part).double().sum(0) for part in images.split(batch))
        return (total / len(images)).to(self._like(images).dtype)

    def is_one(self, x) -> bool:
        """Whether this is one image, and no batch of them."""
        if not isinstance(x, Tensor | np.ndarray | list | tuple):
            raise InputError(f"x is a {type(x).__name__}; expected a tensor or an array, or a list of them")
        return not _is_list(x) and np.ndim(x) != 4

    def candidates(self, x=None) -> list[int]:
        """Numbers of all cells."""
        return list(range(self.grid**2))

    def log_odds_of(self, x: Float[Tensor, "channel height width"], label: int, variables) -> Float[Tensor, "subset"]:
        """v(x_S) of one sample for every subset, as `values` gives it, with its gradient in the model's parameters.

        All 2^n masked maps at once, so for small n; a masked cell's own value is a constant.
        """
        label, x = whole_number(label, "label", LABEL), self._one_image(_stacked(x, "x"))
        with evaluating(self.model):
            feature_map = self._feature_map(x)
            baseline = self._baseline_like(feature_map[0])
            with torch.no_grad():
                plan = self._plan(x, feature_map[0], baseline)
            cells = check_cells(variables, self.grid)
            of_cell = cell_map(*feature_map.shape[-2:], self.grid) == cells[:, None, None]  # (cell, height, width)
            hidden = np.einsum("sc,chw->shw", ~subset_matrix(len(cells)), of_cell)
            hidden = torch.as_tensor(hidden, device=x.device)[:, None]
            masked = torch.where(hidden, baseline, feature_map).contiguous(memory_format=torch.channels_last)
            return self._log_odds(self._run(x, plan, self._module, masked), [label], len(masked))[0]

    def _all_values(self, samples, labels, variables):
        return super()._all_values(_stacked(samples, "x"), labels, variables)

    def _of_one(self, x, labels, variables):
        cells = check_cells(variables, self.grid)
        x, labels = self._one_image(x), [whole_number(label, "label", LABEL) for label in labels]
        feature_map = self._feature_map(x)[0]
        baseline = self._baseline_like(feature_map)
        plan = self._plan(x, feature_map, baseline)
        if self._chunk is None:
            self._chunk = CHUNK_BYTES.get(x.device.type, 1 << 28)
        maps = self._furthest(x, plan, feature_map, baseline, cells)

        def evaluate(shown):
            return self._log_odds(self._run(x, plan, maps.module, maps(shown, self._room)), labels, len(shown)).cpu()

        return torch.cat(self._in_parts(subset_matrix(len(cells)), maps.row_bytes, evaluate), dim=1).numpy()

    def _one_image(self, x):
        """A batch of one image, of the model's own type and on its device."""
        if x.ndim != 3 or not x.is_floating_point():
            raise InputError(f"x has shape {tuple(x.shape)} of {x.dtype}; expected floats (channel, height, width)")
        return x.to(self._like(x))[None]

    def _furthest(self, image, plan, feature_map, baseline, cells):
        """The maps of all subsets as far behind the cut as those of few give them; at the cut if something is not as it was.

        Whatever goes wrong on the way: the network itself, run from the cut, says what it has to say.
        """
        at_cut = self._at_the_cut(feature_map, baseline, cells)
        if not plan.one_image or 1 << len(cells) < WORTH_A_PATH or not feature_map.isfinite().all():
            return at_cut
        try:
            maps = self._by_stages(at_cut, image, plan, feature_map, cells.tolist())
            agreed = True if maps is at_cut else self._agree(maps, at_cut, image, plan)
            if agreed is not False:
                return maps if agreed else at_cut
        except Exception:
            pass
        self._rests[self.grid, feature_map.shape] = Rest()  # never again
        return at_cut

    def _at_the_cut(self, feature_map, baseline, cells):
        """The maps of any subsets of the cells, put together from two: with all of these masked, and with none."""
        position = cell_map(*feature_map.shape[-2:], self.grid)
        hidden = torch.as_tensor(np.isin(position, cells), device=feature_map.device)
        both = torch.stack([torch.where(hidden, baseline, feature_map), feature_map])
        fields, colour = position.reshape(-1) == cells[:, None], np.zeros(len(cells), int)
        row_bytes = power_of_two(feature_map.numel() * feature_map.element_size())
        return Patchwork(self._module, both, fields, colour, row_bytes)

    def _by_stages(self, maps, image, plan, feature_map, cells):
        """Maps at the last stage of the path of least work, put together from few, which those of the stage before give."""
        run, key = partial(self._run, image, plan, self._module), (self.grid, feature_map.shape)
        if key not in self._rests:
            self._rests[key] = rest_of(self.model, self._module, run, feature_map)
        rest = self._rests[key]

        def filled(cell, number):
            of_cell = torch.as_tensor(cell_map(*feature_map.shape[-2:], self.grid) == cell, device=image.device)
            return torch.where(of_cell, number, feature_map)[None]

        rest.see(self.model, cells, run, feature_map, filled)
        for stage, colour in rest.path(cells, self._chunk):
            reach = partial(self._reach, maps, image, plan, stage.module)
            few = torch.cat(self._in_parts(few_subsets(colour), maps.row_bytes, reach))
            maps = Patchwork(stage.module, few, stage.fields(cells), colour, stage.row_bytes)
        return maps

    def _reach(self, maps, image, plan, module, shown):
        """What a module behind the maps gives, in memory of its own, with some subsets of the variables shown."""
        return self._run(image, plan, maps.module, maps(shown), module)

    def _agree(self, maps, at_cut, image, plan):
        """Whether the network gives the same from later maps as from the cut, for some subsets, small and large.

        None where what it gives from the cut is not finite, which says nothing of other images.
        """
        rng = np.random.default_rng(0)
        shown = rng.random((SOME_SUBSETS, len(maps.steps))) < np.linspace(0.05, 0.95, SOME_SUBSETS)[:, None]
        logits, expected = (self._run(image, plan, each.module, each(shown)) for each in (maps, at_cut))
        if not expected.isfinite().all():
            return None
        return agree(logits, expected, max(AGREES, SOME_ROUNDINGS * torch.finfo(expected.dtype).eps))

    def _room(self, maps, shape):
        """An uninitialised tensor like maps; on a CPU always the same memory, for fresh pages cost more than filling it."""
        if maps.is_cuda:
            return maps.new_empty(shape)
        if self._memory is None or self._memory.dtype != maps.dtype or len(self._memory) < math.prod(shape):
            self._memory = maps.new_empty(math.prod(shape))
        return self._memory[: math.prod(shape)].view(shape)

    def _log_odds(self, logits, labels, count):
        if len(logits) != count:
            raise InputError(
                f"the model's output has shape {tuple(logits.shape)} for {count} images; expected {LOGITS}"
            )
        return log_odds_of_labels(logits, labels, "label")

    def _baseline_like(self, one_map):
        if self.baseline is None:
            return torch.zeros_like(one_map)
        given, expected = torch.as_tensor(self.baseline), tuple(one_map.shape)
        try:
            if given.numel() == 1 or given.shape[-3:-2] == expected[:1]:  # else it may be an image
                return given.to(one_map).broadcast_to(expected)
        except RuntimeError:
            pass
        raise InputError(
            f"baseline has shape {tuple(given.shape)}; expected that of the map of x, {expected}, or ({expected[0]}, 1, 1), "
            "or one number: of images, game.mean_map(images), of one, game.mean_map(image[None]), as large as x"
        )

    # the two halves of the network, by hooks on the cut: any module works, whatever its forward looks like
    def _feature_map(self, x):
        """Output of the submodule at the cut, (batch, channel, height, width); the rest of the network does not run."""
        try:
            feature_map = self._until(self._module, x.to(self._like(x), copy=True))  # a forward may change it in place
        except tuple(REFUSALS) as error:
            _refuse(x, error)
        if not isinstance(feature_map, Tensor) or feature_map.ndim != 4:
            shape = tuple(getattr(feature_map, "shape", ())) or type(feature_map).__name__
            raise InputError(
                f"split_at = {self.split_at!r} gives {shape}; expected a map (batch, channel, height, width)"
            )
        (height, width), (high, wide) = x.shape[-2:], feature_map.shape[-2:]
        if height == width and abs(high - wide) > 1:
            warnings.warn(
                f"split_at = {self.split_at!r} gives {tuple(feature_map.shape[1:])} for a square image, and is taken for "
                "(channel, height, width); where channels come last, cut elsewhere",
                stacklevel=1,
            )
        return feature_map

    def _until(self, module, x):
        """Output of a submodule; what comes behind it does not run."""

        def stop(module, inputs, output):
            raise _Reached(output)

        with module.register_forward_hook(stop):
            try:
                self.model(x)
            except _Reached as reached:
                return reached.args[0]
        raise InputError(f"split_at = {self.split_at!r} is never run by the model's forward; name one that is")

    def _run(self, image, plan, module, masked, until=None):
        """Logits (batch, label) when the cut, or a module behind it, gives `masked`; or what a module behind that gives."""
        calls = []

        def replace(module, inputs, output):
            if not calls and len(output) != len(image):
                raise InputError(
                    f"split_at = {self.split_at!r} is run on {len(output)} of {len(image)} images at a time; expected a "
                    "model that runs it on all of a batch: give the network that is inside"
                )
            calls.append(1)
            return masked if len(calls) == 1 else output  # a shared ReLU runs again later

        masked = masked if plan.channels_last else masked.contiguous()
        with module.register_forward_hook(replace):
            image = image.expand(1 if plan.one_image else len(masked), *image.shape[1:]).clone()
            return self._until(until, image) if until else logits_of(self.model(image), 2, LOGITS)

    def _plan(self, image, feature_map, baseline):
        """The fastest way to run the rest of this network, found once for maps of one size."""
        if feature_map.shape not in self._plans:
            position = cell_map(*feature_map.shape[-2:], self.grid)
            every_second = torch.as_tensor(position % 2 == 0, device=feature_map.device)
            probe = torch.stack([feature_map, baseline, torch.where(every_second, feature_map, baseline)])
            plan = self._find_plan(image, probe)
            if plan is None:
                return PLAIN
            self._plans[feature_map.shape] = plan
        return self._plans[feature_map.shape]

    def _find_plan(self, image, probe):
        """The fastest way to run the rest of this network that agrees with the plainest one on some maps.

        None where these or their logits hold NaN or infinity, which says nothing of other images.
        """
        try:
            expected = self._run(image, PLAIN, self._module, probe.clone())
        except tuple(REFUSALS) as error:
            _refuse(image, error)
        check_repeats(probe[0], lambda: self._feature_map(image)[0])
        check_repeats(expected, lambda: self._run(image, PLAIN, self._module, probe.clone()))
        if not (probe.isfinite().all() and expected.isfinite().all()):
            return None
        pairs = ([0, 1], [1, 2], [2, 0])  # of two: a forward that squeezes loses the axis of one
        in_pairs = torch.stack([self._run(image, PLAIN, self._module, probe[pair])[0] for pair in pairs])
        if not agree(in_pairs, expected):
            raise InputError(
                "the model's output for an image depends on the other images of its batch, in evaluation mode, too; "
                "expected one that does not, such as batch normalisation with track_running_stats=True"
            )
        for plan in (_Plan(True, True), _Plan(True, False), _Plan(False, True)):
            try:
                logits = self._run(image, plan, self._module, probe.clone(memory_format=torch.channels_last))
            except Exception:  # a forward may refuse a layout or a batch size in any way it likes
                continue
            if agree(logits, expected):
                return plan
        return PLAIN

    def _like(self, x):
        """A tensor of the model's own floating type and device, or x where the model has none."""
        return next(floating_tensors(self.model), x)


@dataclass(frozen=True)
class _Plan:
    """How the rest of a network is run on masked maps.

    one_image: the network gets a single image, so that what lies before the cut costs next to nothing; from the cut on
    its batch is that of the maps, and what goes around the cut broadcasts. Where a forward fixes its batch size before
    the cut, it gets the image as often as there are maps. channels_last: layout of the maps, faster for convolutions;
    a forward that flattens with `view` needs the other.
    """

    one_image: bool
    channels_last: bool


PLAIN = _Plan(one_image=False, channels_last=False)


class _Reached(Exception):
    """The cut has been reached; its one argument is the output there."""


def _refuse(x, error):
    """Raise an error of a network's forward, in one line if the shape of its input is what it says."""
    fault = first_line(error)
    if type(error) not in REFUSALS or not re.search(REFUSALS[type(error)], fault):
        raise error
    fault = f"the model does not take x of shape {tuple(x.shape)}: {fault}"
    raise InputError(f"{fault}; expected images as it was trained on") from error


def _is_list(images):
    """Whether these are arrays or tensors in a list."""
    return isinstance(images, list | tuple) and any(isinstance(image, Tensor | np.ndarray) for image in images)


def _stacked(images, name):
    """A tensor, of a list if one is given."""
    try:
        if not _is_list(images):
            return torch.as_tensor(images)
        images = [torch.as_tensor(image) for image in images]
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name} is no tensor: {first_line(error)}; expected one, or a list of them") from None
    if len(shapes := {tuple(image.shape) for image in images}) > 1:
        raise InputError(f"{name} holds shapes {sorted(shapes)}; expected one shape")
    return torch.stack(images)


def _submodule(model, name):
    """The named submodule; InputError with the most similar name otherwise."""
    if not isinstance(model, nn.Module):
        raise InputError(f"model is a {type(model).__name__}; expected a torch.nn.Module")
    known = [known for known, _ in model.named_modules() if known]
    if not known:
        raise InputError(f"split_at = {name!r}: {type(model).__name__} has no submodules to cut at")
    if name not in known:
        leaves = [leaf for leaf, module in model.named_modules() if leaf and not list(module.children())]
        some = ", ".join(leaves[:6]) + ", .." * (len(leaves) > 6)
        kind, hint = type(model).__name__, did_you_mean(name, known)
        raise InputError(f"split_at = {name!r} is no submodule of {kind}{hint}; there are: {some}")
    return model.get_submodule(name)
