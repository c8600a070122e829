"""Settings as they stand in YAML: read, merged with what they extend, checked, with one line for what is wrong."""

import difflib
import re
import reprlib
from functools import lru_cache

import yaml
from pydantic import ValidationError

from symgen.errors import InputError, first_line
from symgen.store import project_root

TYPES = {"int": "a value of type int", "float": "a value of type float", "string": "a value of type str"}
TYPES |= {"bool": "a value of type bool", "tuple": "a list"}


class OneOfEachKey(yaml.SafeLoader):
    """Safe YAML in which no key stands twice: of its two values, one would be left out without a word."""

    def construct_mapping(self, node, deep=False):
        """A mapping; ConstructorError if a key stands twice."""
        known = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in known:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
            known.add(key.value)
        return super().construct_mapping(node, deep)


def read_overrides(overrides) -> dict:
    """Overrides as a dict, from a dict or from YAML text such as '{epochs: 3}'; InputError for anything else."""
    if overrides is None or isinstance(overrides, str):
        return dict(_read(overrides or "", "overrides"))
    if not isinstance(overrides, dict):
        raise InputError(f"overrides = {reprlib.repr(overrides)}; expected a mapping of settings to values")
    return overrides


def settings_in_file(name, extending=()) -> dict:
    """The settings in a study's file, over those of the study that it extends."""
    if name not in (known := study_names()):
        near = _nearest(str(name), known)
        asking = f", which studies/{extending[-1]}.yaml extends" if extending else ""
        raise InputError(f"no study named {reprlib.repr(name)}{asking}{near}; there are: {', '.join(known)}")
    if name in extending:
        raise InputError(f"studies/{name}.yaml extends itself, through {' and '.join(extending)}; expected another")
    path = project_root() / "studies" / f"{name}.yaml"
    settings = dict(_read(path.read_bytes(), f"studies/{name}.yaml"))
    if "extends" not in settings:
        return settings
    return settings_in_file(settings.pop("extends"), (*extending, name)) | settings


def study_names() -> list[str]:
    """The studies that have a file."""
    return sorted(path.stem for path in (project_root() / "studies").glob("*.yaml"))


@lru_cache(maxsize=256)  # the map asks for a study's file a thousand times
def _read(text, source):
    """A mapping from YAML, text or bytes; it is everybody's, so do not change it."""
    try:
        settings = yaml.load(text, OneOfEachKey)
    except Exception as error:  # YAMLError, and what its constructors let through: !!bool maybe, 2026-13-01, [[[[...
        fault = getattr(error, "problem", "") or first_line(error)
        mark = getattr(error, "problem_mark", None)
        raise InputError(f"{source} is no valid YAML{f', line {mark.line + 1}' if mark else ''}: {fault}") from None
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        kind = type(settings).__name__
        raise InputError(f"{source} holds a {kind}; expected a mapping of settings to values, as {{epochs: 3}}")
    return settings


def checked(model, settings: dict, source: str, base: dict):
    """The model of `base` with `settings` over it; InputError in one line that names the source and the key."""
    known = [name for name in model.model_fields if name not in ("name", "before")]
    for key in settings:
        if key not in known:
            raise InputError(f"{source}: unknown setting {reprlib.repr(key)}{_nearest(str(key), known)}")
    try:
        return model(**(base | settings))
    except ValidationError as error:
        fault = error.errors()[0]
        if isinstance(cause := fault.get("ctx", {}).get("error"), InputError):
            raise cause from None
        raise InputError(f"{source}: {_message(fault, (base | settings).get(fault['loc'][0]))}") from None


def _message(fault, value):
    """A fault that pydantic found, in words."""
    key, kind, limits = fault["loc"][0], fault["type"], fault.get("ctx", {})
    if kind == "missing":
        return f"the setting {key!r} is missing"
    if kind == "literal_error":
        options = re.findall(r"'([^']*)'", limits["expected"])
        return f"{key} = {reprlib.repr(value)}{_nearest(str(value), options)}; expected one of {', '.join(options)}"
    expected = {"greater_than_equal": "at least", "greater_than": "more than", "less_than": "less than"}
    if kind in expected:
        (limit,) = limits.values()
        return f"{key} = {reprlib.repr(value)}; expected {expected[kind]} {limit}"
    if kind == "finite_number" or (kind == "float_type" and type(value) is int):
        return f"{key} = {reprlib.repr(value)}; expected a finite number"
    hint = " (write 1.0e-3: YAML reads 1e-3 as text)" if kind == "float_type" and isinstance(value, str) else ""
    return f"{key} = {reprlib.repr(value)}; expected {TYPES.get(kind.partition('_')[0], fault['msg'])}{hint}"


def _nearest(word, known):
    """A hint with the nearest known word, or nothing."""
    near = difflib.get_close_matches(word, [str(name) for name in known], n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""
