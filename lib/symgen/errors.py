"""The error for whatever a user can mend: a wrong name, value, shape or file."""


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
