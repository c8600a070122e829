"""The error for whatever a user can mend: a wrong name, value, shape or file; and the signals that end a run."""

import difflib
import math
import operator
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """A ValueError whose one line names the thing, its value and what was expected; notebooks show only that line.

    Examples
    --------
    >>> from symgen import and_interactions
    >>> and_interactions(np.zeros(3))
    Traceback (most recent call last):
    symgen.errors.InputError: v has 3 entries on its last axis; expected 2^n, one for each subset of n >= 1 variables
    """

    def _render_traceback_(self):  # asked for by IPython
        return [f"{type(self).__name__}: {self}"]


def did_you_mean(word, known: Iterable) -> str:
    """A hint with the known word that is most like a word, or nothing."""
    near = difflib.get_close_matches(str(word), map(str, known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def first_line(error: Exception) -> str:
    """What an error says, in one line; its name where it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def whole_number(value, name: str, expected: str, least: float = -math.inf, most: float = math.inf) -> int:
    """The value as an int; InputError, with its name and what was expected, for all but whole numbers in these bounds."""
    try:
        number = None if isinstance(value, bool) else operator.index(value)  # of numpy's and torch's as well
    except TypeError:
        number = None
    if number is None or not least <= number <= most:
        raise InputError(f"{name} = {value!r}; expected {expected}")
    return number


@contextmanager
def saying(before: str = "", after: str = "") -> Iterator[None]:
    """Puts words before and after what is wrong: where it happened, or what to do about it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{before}{error}{after}") from None


def handle_signals(handler) -> None:
    """Handle the signals that end a run, but those that whoever started it wants ignored (nohup, &)."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)
