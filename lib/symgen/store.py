"""Artefacts on disk: written whole, with the settings they were made with and a checksum, or not there at all."""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import pandas as pd
import xarray as xr
from filelock import FileLock
from safetensors.torch import load_file
from safetensors.torch import save as tensors_as_bytes

FORMAT = 3  # of what is written beside an artefact
ABSENT = "it is not there"
WRITTEN = "SYMGEN_WRITTEN"  # in the environment: the file in which figures and tables that are written are listed
SMALL = 4 << 20  # bytes of a dataset's file: smaller ones are kept in memory, a few of them


def project_root() -> Path:
    """The project's top folder: the nearest one above the working directory with `studies/*.yaml`, else the checkout."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if any((folder / "studies").glob("*.yaml")):
            return folder
    return Path(__file__).resolve().parents[2]


def cached(path: Path, settings: dict, compute: Callable[[], object]):
    """What `compute` gives: from disk, if it was made with these settings, else computed and put there.

    This is the one way in which anything that is computed is kept, and the one rule by which it counts as fresh.

    Parameters
    ----------
    path
        Where it goes, but for a key of the settings that is put into its name. The suffix says what it is: .csv a table,
        .nc an xarray dataset, .safetensors a dictionary of tensors.
    settings
        All that the result depends on, as JSON takes it; versions of the code that computes it included.
    compute
        Makes the result.
    """
    path = keyed(path, settings)
    if not fresh(path, settings):
        write(path, compute(), settings)
    return read(path)


def keyed(path: Path, settings: dict) -> Path:
    """The path with a key of the settings in its name."""
    return path.with_name(f"{path.stem}-{key_of(settings)}{path.suffix}")


def key_of(settings) -> str:
    """Ten hex digits that change whenever a setting does."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:10]


def fresh(path: Path, settings: dict) -> bool:
    """Whether the artefact is there, whole, and made with these settings; a damaged one is set aside, with a message."""
    if (fault := _fault(path, settings)) not in ("", ABSENT):
        with _write_lock(path):  # what was just being written is whole by now
            if (fault := _fault(path, settings)) not in ("", ABSENT):
                aside = path.with_name(path.name + ".damaged")
                os.replace(path, aside)
                _record(path).unlink()
                print(f"set aside {aside.name}: {fault}; computing it again", flush=True)
    return not fault


def read(path: Path):
    """A table, a dataset or a dictionary of tensors, by the file's suffix."""
    if path.suffix == ".csv":
        return _table(path, *file_state(path)).copy()
    if path.suffix == ".safetensors":
        return load_file(path)
    return read_dataset(path)


def read_dataset(path: Path) -> xr.Dataset:
    """A dataset from a netCDF file, whatever its suffix; netCDF4 says OSError, ValueError or RuntimeError of others."""
    state = file_state(path)
    return _dataset(path, *state).copy(deep=True) if state[0] < SMALL else xr.load_dataset(path, engine="netcdf4")


def as_netcdf(dataset: xr.Dataset) -> bytes:
    """The netCDF file of a dataset, with checksums of its numbers: a file that is damaged cannot be read."""
    numbers = [name for name, variable in dataset.variables.items() if variable.ndim and variable.dtype.kind != "O"]
    return bytes(dataset.to_netcdf(engine="netcdf4", encoding={name: {"fletcher32": True} for name in numbers}))


def write(path: Path, result, settings: dict) -> None:
    """Write an artefact and, beside it, `<path>.json` with settings, checksum and versions; atomically, in this order.

    An artefact without its JSON file counts as not written. OSError (a full disk, no permission) names the file and leaves
    nothing half-written.
    """
    content = _as_bytes(path, result)
    sha256 = hashlib.sha256(content).hexdigest()
    made_with = {name: version(name) for name in ("symgen", "torch", "numpy", "numba")}  # these decide the last digits
    record = {"format": FORMAT, "sha256": sha256, "settings": settings, "made with": made_with}
    with _write_lock(path):
        write_whole(path, content)
        write_whole(_record(path), json.dumps(record, indent=1, sort_keys=True).encode())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all: a temporary file beside it, flushed to disk, is renamed into its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@lru_cache(maxsize=16)  # split and samples, which everything asks for
def _table(path, *state):
    return pd.read_csv(path, dtype={"variables": str}, keep_default_na=False, na_values=[""])  # "null" is a word


@lru_cache(maxsize=64)  # judges, and networks that are compared in several ways
def _dataset(path, *state):
    return xr.load_dataset(path, engine="netcdf4")


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hex; the file is read again only when its size or its time of change is another."""
    return _checksum(path, *file_state(path))


def file_state(path: Path) -> tuple[int, int, int]:
    """Size, time of change (ns) and number of a file: one that is written anew has another number, whatever its time."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


@cache  # weights, of which every use asks whether they are whole, can have gigabytes
def _checksum(path, *state):
    with open(path, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _as_bytes(path, result):
    if path.suffix == ".csv":
        return result.to_csv(index=False).encode()
    if path.suffix == ".safetensors":
        return tensors_as_bytes(result)
    return as_netcdf(result)


def _record(path):
    return path.with_name(path.name + ".json")


@contextmanager
def _write_lock(path):
    """Held while an artefact and its record are written: another process that has made the same must not come between."""
    try:
        held = lock_at(path.with_name(".writing")).acquire()
    except OSError as error:
        raise _unwritten(path, error) from error
    with held:
        yield


def lock_at(path: Path) -> FileLock:
    """A lock between processes, also of other users who may write here: who comes second waits. It makes its folder."""
    return FileLock(path, mode=0o666)


def _unwritten(path, error):
    return OSError(error.errno, f"could not write {path.name}: {error.strerror or error}", str(path.parent))


def _fault(path, settings):
    """What is wrong with an artefact, or nothing."""
    try:
        sha256, record = checksum(path), json.loads(_record(path).read_bytes())
        if record["format"] != FORMAT:
            return f"it has format {record['format']}, this version reads {FORMAT}"
        if record["settings"] != json.loads(json.dumps(settings)):
            return "it was made with other settings"
        return "" if record["sha256"] == sha256 else "its checksum does not match"
    except FileNotFoundError:
        return ABSENT
    except (ValueError, LookupError, TypeError):
        return "its record cannot be read"
