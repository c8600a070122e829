"""The error for whatever a user can mend: a wrong name, value, shape or file."""


class InputError(ValueError):
    """A ValueError whose one line names the thing, its value and what was expected; notebooks show only that line."""

    def _render_traceback_(self):  # asked for by IPython
        return [f"{type(self).__name__}: {self}"]
