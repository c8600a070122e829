"""How the solver is compiled: two sets of flags, and a cache on disk that knows every source file of it.

Numba compiles a function when it is first called. Its cache on disk looks at the file of that function only, and would go
on running old code after an edit of a function that lies in another file and was inlined. Here, the cache of an entry
point is known by all the files of the solver.
"""

import hashlib
import inspect
import sys
from functools import cache
from pathlib import Path

from numba import njit
from numba.core import caching

# Sums may be reordered, which they need to be vectorised; NaN and infinity keep their meaning.
REORDERED = {"contract", "reassoc", "nsz", "arcp"}
# Inlined, always: otherwise a process that compiled the solver gave other last bits than one that loaded it from the cache.
OPTIONS = {"nogil": True, "error_model": "numpy", "forceinline": True}


def compiled(function):
    """A function that is compiled into the entry points that call it."""
    return njit(fastmath=REORDERED, **OPTIONS)(inspect.unwrap(function))  # tests wrap functions, to check shapes


def compiled_for_finite(function):
    """The same for loops that never see NaN or infinity: the largest of many numbers is then vectorised as well."""
    return njit(fastmath=True, **OPTIONS)(inspect.unwrap(function))


def entry_point(function):
    """A function that is called from Python: what it is compiled to is kept on disk, where anything can be written."""
    dispatcher = compiled(function)
    try:
        dispatcher._cache = _Cache(dispatcher.py_func)
    except RuntimeError:  # no folder can be written: compiled again in every process
        dispatcher._cache = _NoCache()
    return dispatcher


@cache
def _announce():
    """One line, once, before the first function that is not in the cache."""
    print(
        "symgen: compiling the solver, once for this machine if it can be kept; a minute or two",
        file=sys.stderr,
        flush=True,
    )


@cache
def _stamp():
    """Hash of all the source files of the solver."""
    sources = sorted(Path(__file__).parent.glob("_*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


class _Cache(caching.FunctionCache):
    """Stale as soon as any file of the solver has changed. It is in $NUMBA_CACHE_DIR, __pycache__, or the user's cache."""

    def __init__(self, function):
        super().__init__(function)
        self._cache_file._source_stamp = _stamp()
        self._cache_file._version += f" {_stamp()}"  # read first: types that are gone, as after a renaming, do not load

    def load_overload(self, sig, target_context):
        overload = super().load_overload(sig, target_context)
        if overload is None:
            _announce()
        return overload


class _NoCache(caching.NullCache):
    def load_overload(self, sig, target_context):
        _announce()
