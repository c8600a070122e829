"""Settings as they stand in YAML: found, merged with what they extend, and turned into the types of their fields."""

import dataclasses
import difflib
import reprlib
import sys
import types
import typing
from functools import cache, lru_cache
from typing import Literal

import yaml

from symgen.errors import InputError
from symgen.store import project_root


class OneOfEachKey(yaml.SafeLoader):
    """Safe YAML in which no key stands twice: of its two values, one would be left out without a word."""

    def construct_mapping(self, node, deep=False):
        """A mapping; ConstructorError if a key stands twice."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise yaml.constructor.ConstructorError(None, None, f"{twice[0]!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


def read_overrides(overrides) -> dict:
    """Overrides as a dict, from a dict or from YAML text such as '{epochs: 3}'; ValueError for anything else."""
    if overrides is None or isinstance(overrides, str):
        return dict(_read(overrides or "", "overrides"))
    if not isinstance(overrides, dict):
        raise InputError(f"overrides = {reprlib.repr(overrides)}; expected a mapping of settings to values")
    return overrides


def filed(name, extending=()):
    """The settings in a study's file, over those of the study that it extends."""
    if name not in (known := study_names()):
        near = _nearest(str(name), known)
        raise InputError(f"no study named {reprlib.repr(name)}{near}; there are: {', '.join(known)}")
    if name in extending:
        raise InputError(f"studies/{name}.yaml extends itself, through {' and '.join(extending)}; expected another")
    path = project_root() / "studies" / f"{name}.yaml"
    settings = dict(_read(path.read_bytes(), f"studies/{name}.yaml"))
    if "extends" not in settings:
        return settings
    return filed(settings.pop("extends"), (*extending, name)) | settings


def study_names() -> list[str]:
    """The studies that have a file."""
    return sorted(path.stem for path in (project_root() / "studies").glob("*.yaml"))


@lru_cache(maxsize=256)  # the map asks for a study's file a thousand times
def _read(text, source):
    """A mapping from YAML, text or bytes; it is everybody's, so do not change it."""
    try:
        settings = yaml.load(text, OneOfEachKey)
    except Exception as error:  # YAMLError, and what its constructors let through: !!bool maybe, 2026-13-01, [[[[...
        fault = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{source} is no valid YAML: {fault}") from None
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise InputError(f"{source} holds a {type(settings).__name__}; expected a mapping of settings to values")
    return settings


def checked(cls, settings, source):
    """The settings with YAML's types turned into the fields' types; ValueError names the source and the key."""
    known, needed = _fields(cls)
    for key in settings:
        if key not in known:
            raise InputError(f"{source}: unknown setting {reprlib.repr(key)}{_nearest(str(key), known)}")
    if source.endswith(".yaml") and (absent := [key for key in needed if key not in settings]):
        raise InputError(f"{source}: the setting {absent[0]!r} is missing")
    return {key: _as_type(value, known[key], f"{source}: {key}") for key, value in settings.items()}


@cache
def _fields(cls):
    """The types of a study's settings by name, and which of them have no default."""
    hints = typing.get_type_hints(cls)
    own = [field for field in dataclasses.fields(cls) if field.name not in ("name", "before")]
    needed = [field.name for field in own if field.default is dataclasses.MISSING]
    return {field.name: hints[field.name] for field in own}, needed


def _as_type(value, hint, where):
    """The value as the type that a field wants: int, float, str, bool, a Literal, a tuple of one type, or None."""
    origin, shown = typing.get_origin(hint), reprlib.repr(value)
    if origin is types.UnionType:
        if value is None:
            return None
        return _as_type(value, next(h for h in typing.get_args(hint) if h is not type(None)), where)
    if origin is Literal:
        options = typing.get_args(hint)
        if value not in options:
            raise InputError(f"{where} = {shown}{_nearest(str(value), options)}; expected one of {', '.join(options)}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{where} = {shown}; expected a list")
        return tuple(_as_type(item, typing.get_args(hint)[0], where) for item in value)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not abs(value) <= sys.float_info.max:
            raise InputError(f"{where} = {shown}; expected a finite number")
        return float(value)
    if type(value) is not hint:
        hinted = " (write 1.0e-3: YAML reads 1e-3 as text)" if hint is float and isinstance(value, str) else ""
        raise InputError(f"{where} = {shown}; expected a value of type {hint.__name__}{hinted}")
    if hint is int and not abs(value) < 2**63:
        raise InputError(f"{where} = {shown}; expected a number of at most 63 bits")
    return value


def _nearest(word, known):
    """A hint with the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, [str(k) for k in known], n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
