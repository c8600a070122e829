"""Settings as they stand in YAML: read, merged with what they extend, checked, with one line for what is wrong."""

import reprlib
from functools import lru_cache

import yaml
from pydantic import ValidationError

from symgen.errors import InputError, did_you_mean, first_line
from symgen.store import project_root


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
    """Overrides as a dict, from a dict or from YAML text such as '{tau_ratio: 0.1}'; InputError for anything else."""
    if overrides is None or isinstance(overrides, str):
        return dict(_read(overrides or "", "overrides"))
    if not isinstance(overrides, dict):
        raise InputError(f"overrides = {reprlib.repr(overrides)}; expected a mapping of settings to values")
    return overrides


def settings_in_file(name, extending=()) -> dict:
    """The settings in a study's file, over those of the study that it extends."""
    if name not in (known := study_names()):
        asking = f", which studies/{extending[-1]}.yaml extends" if extending else ""
        unknown = f"no study named {reprlib.repr(name)}{asking}{did_you_mean(name, known)}"
        here = ", ".join(known) if known else "none: studies run in a checkout of the project, or below it"
        raise InputError(f"{unknown}; there are: {here}")
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
        raise InputError(f"{source} holds a {kind}; expected a mapping of settings to values, as {{tau_ratio: 0.1}}")
    return settings


def checked(model, settings: dict, source: str, base: dict):
    """The model of `base` with `settings` over it; InputError in one line that names the source and the key."""
    known = [name for name in model.model_fields if name not in ("name", "before")]
    for key in settings:
        if key not in known:
            raise InputError(f"{source}: unknown setting {reprlib.repr(key)}{did_you_mean(key, known)}")
    try:
        return model(**(base | settings))
    except ValidationError as error:
        fault = error.errors()[0]
        if isinstance(cause := fault.get("ctx", {}).get("error"), InputError):
            raise cause from None
        raise InputError(f"{source}: {_message(fault)}") from None


def _message(fault):
    """A fault that pydantic found, in words."""
    key, value = ".".join(map(str, fault["loc"])), fault["input"]
    if fault["type"] == "missing":
        return f"the setting {key!r} is missing"
    as_text = fault["type"] == "float_type" and isinstance(value, str)
    hint = " (write 1.0e-3: YAML reads 1e-3 as text)" if as_text else ""
    expected = fault["msg"].replace("Input should be", "expected").replace("greater than or equal to", "at least")
    return f"{key} = {reprlib.repr(value)}; {expected.replace('tuple', 'list')}{hint}"
