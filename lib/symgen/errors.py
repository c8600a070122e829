"""The error for whatever a user can mend: a wrong name, value, shape or file; and the signals that end a run."""

import signal


class InputError(ValueError):
    """A ValueError whose one line names the thing, its value and what was expected; notebooks show only that line.

    Examples
    --------
    >>> from symgen import subset_index, and_interactions
    >>> and_interactions(np.zeros(3))
    Traceback (most recent call last):
    symgen.errors.InputError: v has 3 entries on its last axis; expected 2^n, one for each subset of n >= 1 variables
    """

    def _render_traceback_(self):  # asked for by IPython
        return [f"{type(self).__name__}: {self}"]


def handle_signals(handler) -> None:
    """Handle the signals that end a run, but those that whoever started it wants ignored (nohup, &)."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)
