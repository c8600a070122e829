"""Choice of input variables: which cells of an image's grid, or words of a text, are masked (Appendix A.1, Fig. 8-9)."""

from functools import cache
from itertools import pairwise
from unicodedata import normalize

import numpy as np
import regex as re  # its letters have their marks, which other scripts write as signs of their own
from jaxtyping import Int

from symgen.errors import InputError
from symgen.interactions import check_n

UNSPACED = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"  # signs of scripts without spaces between words
LETTER = r"[\w\p{No}]"  # or digit, also a small one, as in CO₂
WORD = f"{LETTER}+"
SPACED = f"(?:(?![{UNSPACED}]){LETTER})"  # letters and digits of the other scripts


@cache
def english_stop_words() -> frozenset[str]:
    """scikit-learn's list of words that say little; it is imported here, since that takes a second of every start."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return ENGLISH_STOP_WORDS


def candidate_words(prompt: str) -> list[str]:
    """Words that may be variables, once each, in their order: no stop words, single letters or mere punctuation.

    Nor words inside others, which share their tokens, as there are in scripts without spaces.
    """
    words = list(filter(is_telling, dict.fromkeys(re.findall(WORD, prompt))))
    return [word for word in words if not any(word != other and places_of(word, other) for other in words)]


def is_telling(word: str, stop_words=None) -> bool:
    """Whether a word may be a variable: no stop word, single letter, or word without a letter or digit."""
    stop_words = english_stop_words() if stop_words is None else stop_words
    return len(normalize("NFC", word)) > 1 and any(map(str.isalnum, word)) and word.lower() not in stop_words


def draw_cells(n: int, grid: int, rng: np.random.Generator) -> Int[np.ndarray, "variable"]:
    """n different cells of a grid x grid map, drawn at random, in rising order; cell = row * grid + column.

    Parameters
    ----------
    n
        How many, 1 to 16.
    grid
        Cells a side.
    rng
        What they are drawn from.

    Raises
    ------
    InputError
        For more cells than there are, or than can be explained.

    Examples
    --------
    >>> draw_cells(4, grid=5, rng=np.random.default_rng(0)).tolist()
    [6, 12, 14, 18]
    """
    if check_n(n) > grid * grid:
        raise InputError(f"n = {n} variables; expected at most {grid * grid}, the cells of a {grid} x {grid} grid")
    return np.sort(rng.choice(grid * grid, size=n, replace=False))


def some_of(candidates, n: int, rng: np.random.Generator) -> list:
    """n of the candidates, drawn at random, in their order."""
    return [candidates[i] for i in np.sort(rng.choice(len(candidates), n, replace=False))]


def draw_words(n: int, candidates: list[int], rng: np.random.Generator) -> Int[np.ndarray, "variable"]:
    """n different words of the candidates, drawn at random, in rising order.

    Parameters
    ----------
    n
        How many, 1 to 16.
    candidates
        Numbers of words that may be variables.
    rng
        What they are drawn from.

    Raises
    ------
    InputError
        For more words than there are, or than can be explained.

    Examples
    --------
    >>> draw_words(2, [1, 4, 6, 9], np.random.default_rng(0)).tolist()
    [6, 9]
    """
    if check_n(n) > len(candidates):
        raise InputError(f"n = {n} variables; expected at most {len(candidates)}, the words that may be variables")
    return np.sort(rng.choice(candidates, size=n, replace=False))


def places_of(phrase: str, text: str) -> list[tuple[int, int]]:
    """Where a phrase stands in a text, (first, last) characters: whole words, written as there.

    In scripts without spaces between words, any part of the text is whole.
    """
    if phrase not in text:
        return []
    before = rf"(?<!{SPACED})" if re.match(SPACED, phrase) else ""
    after = rf"(?!{SPACED})" if re.match(SPACED, phrase[-1]) else ""
    return [match.span() for match in re.finditer(before + re.escape(phrase) + after, text)]


def pieces_of(words: list[str], variables) -> tuple[list[str], Int[np.ndarray, "piece"]]:
    """A text in pieces, each with the space that follows it, and the variable of each, -1 for none.

    variables: numbers of words; or phrases, where pieces are words, cut where a phrase begins or ends inside one, and, in
    scripts without spaces, at every sign of no phrase.
    """
    pieces, ends = [f"{word} " for word in words], np.cumsum([len(word) + 1 for word in words])
    if not isinstance(variables[0], str):
        variable_of = np.full(len(words), -1)
        variable_of[np.asarray(variables, int)] = np.arange(len(variables))
        return pieces, variable_of
    text = "".join(pieces)
    of_letter = np.full(len(text), -1)
    for i, phrase in enumerate(variables):
        for first, last in places_of(phrase, text) or places_of(" ".join(phrase.split()), text):
            of_letter[first:last] = i
    turns = 1 + np.flatnonzero(np.diff(of_letter))
    letters = {edge for edge in turns if text[edge] != " " and text[edge - 1] != " "}
    signs = {match.start() for match in re.finditer(f"[{UNSPACED}]", text) if of_letter[match.start()] < 0}
    edges = sorted({0, *ends, *letters, *signs})
    return [text[a:b] for a, b in pairwise(edges)], of_letter[edges[:-1]]


def check_phrases(variables) -> list[str]:
    """The variables, if they are different words or phrases; InputError otherwise."""
    if isinstance(variables, str) or not all(isinstance(name, str) and name.strip() for name in variables):
        raise InputError(f"variables = {variables!r}; expected a list of words or phrases")
    check_n(len(variables))
    return different(variables)


def different(variables) -> list:
    """The variables as a list, if they are different ones; InputError names one that is repeated otherwise."""
    variables = list(variables)
    if twice := [name for name in variables if variables.count(name) > 1]:
        raise InputError(f"variables hold {twice[0]!r} more than once; expected different ones")
    return variables


def check_cells(variables, grid: int) -> Int[np.ndarray, "variable"]:
    """The cells as an integer array; InputError names those that are repeated or outside the grid."""
    return check_variables(variables, "cell", grid * grid, f"on a {grid} x {grid} grid")


def check_variables(variables, what: str, count: int, where: str) -> Int[np.ndarray, "variable"]:
    """Variables as an integer array; InputError names those that are repeated or not among the `count` cells or words."""
    try:
        numbers = np.asarray(variables)
    except ValueError:  # lists of several lengths
        numbers = np.array(None)
    if numbers.ndim != 1 or not np.issubdtype(numbers.dtype, np.integer):
        remedy = ", from 0: game.words(x) has the words" if what == "word" else ""
        raise InputError(f"variables = {variables!r}; expected a list of {what} numbers{remedy}")
    check_n(len(numbers))
    outside = numbers[(numbers < 0) | (numbers >= count)]
    if outside.size:
        raise InputError(f"variables hold the {what} {outside[0]}; expected 0 to {count - 1} {where}")
    return np.array(different(numbers.tolist()), np.int64)


def cell_map(height: int, width: int, grid: int) -> Int[np.ndarray, "height width"]:
    """Cell number of every position of a map; rows and columns are shared out as evenly as they can be."""
    if min(height, width) < grid:
        raise InputError(f"grid = {grid} on a feature map of {height} x {width}; expected at most {min(height, width)}")
    rows = np.arange(height) * grid // height
    columns = np.arange(width) * grid // width
    return rows[:, None] * grid + columns


def cell_boxes(cells, height: int, width: int, grid: int) -> list[tuple[slice, slice]]:
    """Rows and columns of some cells of a `cell_map`."""
    position = cell_map(height, width, grid)
    places = [np.nonzero(position == cell) for cell in cells]
    return [(slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1)) for y, x in places]
