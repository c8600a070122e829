"""Settings as they stand in YAML: found, merged with what they extend, and turned into the types of their fields."""

import dataclasses
import difflib
import types
import typing
from pathlib import Path
from typing import Literal

import yaml

from symgen.errors import InputError


def project_root() -> Path:
    """The project's top folder: the nearest one above the working directory that holds `studies`, else the checkout."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "studies").is_dir():
            return folder
    return Path(__file__).resolve().parents[2]


def read_overrides(overrides) -> dict:
    """Overrides as a dict, from a dict or from YAML text such as '{epochs: 3}'; ValueError for anything else."""
    if overrides is None or isinstance(overrides, str):
        return _read(overrides or "", "overrides")
    if not isinstance(overrides, dict):
        raise InputError(f"overrides = {overrides!r}; expected a mapping of settings to values")
    return overrides


def filed(name):
    """The settings in a study's file, over those of the study that it extends."""
    path = project_root() / "studies" / f"{name}.yaml"
    if not path.is_file():
        known = study_names()
        raise InputError(f"no study named {name!r}{_nearest(name, known)}; there are: {', '.join(known)}")
    settings = _read(path.read_text(), f"studies/{name}.yaml")
    extended = settings.pop("extends", None)
    return filed(extended) | settings if extended else settings


def study_names() -> list[str]:
    """The studies that have a file."""
    return sorted(path.stem for path in (project_root() / "studies").glob("*.yaml"))


def _read(text, source):
    """A mapping from YAML text."""
    try:
        settings = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"{source} is no valid YAML: {str(error).splitlines()[0]}") from None
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise InputError(f"{source} holds a {type(settings).__name__}; expected a mapping of settings to values")
    return settings


def checked(cls, settings, source):
    """The settings with YAML's types turned into the fields' types; ValueError names the source and the key."""
    hints = typing.get_type_hints(cls)
    known = {f.name: hints[f.name] for f in dataclasses.fields(cls) if f.name not in ("name", "before")}
    for key in settings:
        if key not in known:
            raise InputError(f"{source}: unknown setting {key!r}{_nearest(str(key), known)}")
    missing = [
        f.name for f in dataclasses.fields(cls) if f.name in known and f.default is dataclasses.MISSING
    ]  # fmt: skip
    if source.endswith(".yaml") and (absent := [key for key in missing if key not in settings]):
        raise InputError(f"{source}: the setting {absent[0]!r} is missing")
    return {key: _as_type(value, known[key], f"{source}: {key}") for key, value in settings.items()}


def _as_type(value, hint, where):
    """The value as the type that a field wants: int, float, str, bool, a Literal, a tuple of one type, or None."""
    origin = typing.get_origin(hint)
    if origin is types.UnionType:
        if value is None:
            return None
        return _as_type(value, next(h for h in typing.get_args(hint) if h is not type(None)), where)
    if origin is Literal:
        options = typing.get_args(hint)
        if value not in options:
            raise InputError(
                f"{where} = {value!r}{_nearest(str(value), options)}; expected one of {', '.join(options)}"
            )
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{where} = {value!r}; expected a list")
        return tuple(_as_type(item, typing.get_args(hint)[0], where) for item in value)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not abs(value) < float("inf"):
            raise InputError(f"{where} = {value!r}; expected a finite number")
        return float(value)
    if type(value) is not hint:
        hinted = " (write 1.0e-3: YAML reads 1e-3 as text)" if hint is float and isinstance(value, str) else ""
        raise InputError(f"{where} = {value!r}; expected a value of type {hint.__name__}{hinted}")
    return value


def _nearest(word, known):
    """A hint with the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, [str(k) for k in known], n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
