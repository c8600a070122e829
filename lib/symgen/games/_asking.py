"""What `explain` asks any game: variables to explain by, v of every sample, and what pictures need."""

import reprlib
from collections.abc import Sequence
from numbers import Number

import numpy as np
import torch
from jaxtyping import Float

from symgen.errors import InputError, first_line, saying, whole_number
from symgen.games._base import ROUNDING, as_lists, labels_of
from symgen.games.variables import different, some_of
from symgen.interactions import MAX_VARIABLES


def check_game(game) -> None:
    """InputError unless it has `values`; a network alone says neither what is masked, nor by what."""
    if isinstance(game, type) or not callable(getattr(game, "values", None)):
        what = getattr(game, "__name__", type(game).__name__)
        raise InputError(
            f"game = {what}; expected an object with values(x, label, variables), such as "
            "ImageGame(network, split_at=...), TextGame or CausalLMGame"
        )


def samples_of(game, x, label) -> tuple:
    """Whether x is one sample; the samples and the labels, as many of each."""
    one = game.is_one(x) if hasattr(game, "is_one") else not isinstance(x, list)
    _, labels = labels_of(label)
    samples = [x] * len(labels) if one else x
    if not hasattr(samples, "__len__"):
        raise InputError(f"x is a {type(x).__name__}; expected a sample, or a list of them")
    if len(labels) != len(samples) or not labels:
        counts = f"{len(samples)} samples and {len(labels)} labels"
        numbers = isinstance(x, list) and not hasattr(game, "is_one")
        single = f", such as [{labels[0]!r}] * {len(samples)}" if len(labels) == 1 < len(samples) else ""
        remedy = ": a list holds several samples; one of numbers is an array" if numbers else single
        raise InputError(f"{counts}; expected as many of each, and at least one{remedy}")
    rows = len(x) if isinstance(x, tuple) or getattr(x, "ndim", 0) > 1 else 0
    if rows == len(labels) > 1 and one and not hasattr(game, "is_one"):
        raise InputError(
            f"x is a {type(x).__name__} of {rows}, and there are as many labels; expected a list of samples"
        )
    return one, samples, labels


def variables_of(game, samples, variables, seed: int, one: bool) -> list:
    """The variables of each sample, given or drawn; one: whether the samples are one and the same."""
    variables = as_lists(variables)
    if isinstance(variables, int):
        rng = np.random.default_rng(whole_number(seed, "seed", "a whole number, 0 or more", least=0))
        if one:
            return [_draw(game, samples[0], variables, rng)] * len(samples)
        drawn = []
        for i, x in enumerate(samples):
            with saying(f"sample {i}: " if len(samples) > 1 else ""):
                drawn.append(_draw(game, x, variables, rng))
        return drawn
    if not isinstance(variables, Sequence) or isinstance(variables, str) or not variables:
        raise InputError(f"variables = {reprlib.repr(variables)}; expected how many, or a list of them")
    variables = [as_lists(each) for each in variables]
    are_lists = {isinstance(each, Sequence) and not isinstance(each, str) for each in variables}
    if len(are_lists) > 1:
        raise InputError(f"variables = {variables!r}; expected one list, or a list for each sample")
    lists = variables if True in are_lists else [variables] * len(samples)
    for row in lists:
        different(row)
    sizes = sorted({len(row) for row in lists})
    if len(sizes) > 1 or len(lists) != len(samples) or not 2 <= sizes[0] <= MAX_VARIABLES:
        expected = f"2 to {MAX_VARIABLES}, as many for each of {len(samples)} sample(s)"
        raise InputError(f"variables: {len(lists)} list(s) of {', '.join(map(str, sizes))}; expected {expected}")
    if one and hasattr(game, "is_one") and any(list(row) != list(lists[0]) for row in lists):  # one pass for all labels
        raise InputError(
            f"variables: {len(lists)} different lists for one sample; expected the same for all its labels"
        )
    return lists


def _draw(game, x, n, rng):
    """n of the game's candidates for variables of a sample, in their order."""
    if not hasattr(game, "candidates"):
        raise InputError(f"variables = {n}, but the game has no candidates to draw from; expected a list of variables")
    candidates = different(game.candidates(x))
    most = min(len(candidates), MAX_VARIABLES)
    if most < 2:
        raise InputError(
            f"a sample has {len(candidates)} candidate(s) for variables; expected 2 or more, or a list of variables"
        )
    if not 2 <= n <= most:
        listed = f"{len(candidates)} candidates, {reprlib.repr(candidates)}"
        expected = f"2 to {most}" if most > 2 else "2"
        raise InputError(f"variables = {n}; expected {expected}, or a list of variables: there are {listed}")
    return some_of(candidates, n, rng)


def values_of(game, samples, labels, variables, one: bool) -> tuple[Float[np.ndarray, "sample subset"], float]:
    """v, and how precise it is: as the game says (`rounding`), else as a network is that computes in float32."""
    if hasattr(game, "is_one"):
        asked = (samples[0], labels, variables[0]) if one else (samples, labels, variables)
        v = [_numbers(row) for row in game.values(*asked)]
    else:
        v = [_numbers(game.values(*each)) for each in zip(samples, labels, variables)]
    expected = (2 ** len(variables[0]),)
    if wrong := [np.shape(row) for row in v if np.shape(row) != expected]:
        each = ", of each label" if hasattr(game, "is_one") else ""
        raise InputError(f"the game's values have shape {wrong[0]}; expected {expected}, one for every subset{each}")
    v = np.asarray(v, float)
    if len(wrong := np.flatnonzero(~np.isfinite(v).all(axis=1))):
        remedy = "expected finite numbers: keep probabilities away from 0 and 1 before you take log-odds"
        raise InputError(f"the game's values hold NaN or infinity, in sample {wrong[0]}; {remedy}")
    return v, getattr(game, "rounding", ROUNDING)


def _numbers(values):
    """What a game gives as an array of numbers; InputError for anything else."""
    values = [_detached(each) for each in values] if isinstance(values, list | tuple) else _detached(values)
    try:
        return np.asarray(values).astype(float, casting="same_kind")
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"the game's values are no real numbers: {first_line(error)}; expected an array of 2^n"
        ) from None


def _detached(value):
    """A tensor without its gradient, where numpy can read it; anything else as it is."""
    return value.detach().double().cpu() if isinstance(value, torch.Tensor) else value


def pictured(game, samples, variables) -> dict:
    """Arrays and names for pictures, of what the game knows: parts of an xarray dataset."""
    names, result = variables, {}
    if hasattr(game, "grid"):
        names = [range(len(row)) for row in variables]
        images = [np.asarray(torch.as_tensor(x).detach().float().cpu()) for x in samples]
        if wrong := [image.shape for image in images if image.ndim != 3 or image.shape != images[0].shape]:
            expected = "images (channel, height, width), all of one shape"
            raise InputError(f"the game has a grid, and x has shape {wrong[0]}; expected {expected}")
        result = {"image": (("sample", "channel", "height", "width"), np.stack(images))}
    elif hasattr(game, "words"):
        words = [game.words(x) for x in samples]
        padded = [text + [""] * (max(map(len, words)) - len(text)) for text in words]
        result = {"words": (("sample", "word"), np.array(padded, object))}
        names = [[text[i] if not isinstance(i, str) else i for i in row] for text, row in zip(words, variables)]
    return result | {"names": (("sample", "variable"), np.array([_distinct(row) for row in names], object))}


def _distinct(names):
    """The names, of which one that stands again gets its count: film, actors, film (2)."""
    names = [str(name) for name in names]
    counts = [names[:i].count(name) + 1 for i, name in enumerate(names)]
    return [name if count == 1 else f"{name} ({count})" for name, count in zip(names, counts)]


def as_array(values) -> np.ndarray:
    """One axis: an array of numbers if all are; else of objects, each as it is."""
    values = list(values)
    numbers = all(isinstance(each, Number | np.bool_) for each in values)
    return np.array(values) if numbers else np.fromiter(values, object)
