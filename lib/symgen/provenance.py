"""Which code computes what: a changed library asks for other artefacts, as a changed setting does.

The code behind an artefact is all of the library that its computation may call. It is found without running anything:
from the definitions that a piece of code names on to those that they name, while a method is looked up by its name in
every class reached so far (rapid type analysis; Bacon and Sweeney, 1996). So a changed plot concerns the notebooks that
draw it, and no training; a changed solver concerns interactions, and no masked values. What does not count: docstrings,
comments, layout, and the versions of other packages.
"""

import ast
import copy
import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

HERE, TOP = Path(__file__).parent, "__init__"
COMPUTES = {  # what `Study.settings_of` tells the settings of, and the functions that compute it
    "split": ("pipeline:ensure_split",),
    "samples": ("pipeline:ensure_samples", "pipeline:ensure_penalised"),
    "training": ("pipeline:ensure_training",),
    "values": ("pipeline:ensure_values",),
    "interactions": (
        "pipeline:ensure_interactions",
        "pipeline:ensure_penalised_effects",
        "language_models:ensure_interactions",
    ),
}
COMPUTES["extraction"] = COMPUTES["interactions"]
# where results are and by which settings they are known; a study's properties are told in those settings
BOOKKEEPING = {"errors", "layout", "limits", "provenance", "settings_files", "store", "study:Study", "study:digest_of"}
FOREIGN = {  # what studies of a modality never call
    "images": {"modalities:TextModality", "modalities:PromptModality", "language_models"},
    "texts": {"modalities:ImageModality", "modalities:PromptModality", "language_models"},
    "prompts": {"modalities:ImageModality"},
}


@cache
def code_of(what: str, modality: str, family: str = "") -> str:
    """Ten hex digits of the code that computes an artefact of a study.

    `what`: as in `Study.settings_of`. `family`: of the role; only that of `penalty` trains with the penalty.
    """
    penalty = set() if family == "penalty" else {"pipeline:study_penalty"}
    return code_behind(*COMPUTES[what], without=FOREIGN[modality] | penalty)


def code_behind(*roots: str, without=frozenset()) -> str:
    """Ten hex digits of the code that functions of the library, <module>:<function>, may call, as `closure` finds it."""
    return _digest(closure(roots, without))


def code_of_notebook(path: Path, modality: str) -> str:
    """Ten hex digits of the code of the library that a notebook uses on a study, the style of its figures included."""
    cells = [cell["source"] for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    tree = ast.parse("\n".join("".join(source) for source in cells))
    named, called = _named_in(tree, _Module("notebook", imports=_imports(tree)))
    return _digest(closure(named, FOREIGN[modality], called), (HERE / "plots" / "figures.mplstyle").read_text())


def closure(roots, without=frozenset(), called=frozenset()) -> set[str]:
    """All definitions of the library that may be used by those at the roots, themselves included.

    Names are <module>:<function, class or constant> and <module>:<class>.<method>. `without`: at which of these, or of
    modules, to stop. `called`: names of methods that are called from outside.
    """
    reached, methods, called, waiting = set(), {}, set(called), list(roots)
    while waiting:
        name = waiting.pop()
        module, own = name.split(":")
        if name in reached or {module, name} & (BOOKKEEPING | without):
            continue
        reached.add(name)
        methods |= {f"{module}:{own}.{short}": short for short in _module(module).methods[own]}
        named, attributes = _named_by(name)
        waiting += named
        called |= attributes
        waiting += [method for method, short in methods.items() if short in called or short.startswith("__")]
    return reached


@dataclass
class _Module:
    """Syntax trees of a module's definitions by name; names of each class's methods; what it imports of the library."""

    name: str
    definitions: dict = field(default_factory=lambda: defaultdict(list))
    methods: dict = field(default_factory=lambda: defaultdict(list))
    imports: dict = field(default_factory=dict)

    def find(self, name):
        """What a name of this module stands for: <module>:<definition>, a <module> of the library, or None of it."""
        if name in self.definitions:
            return f"{self.name}:{name}"
        if name in self.imports:
            module, *own = self.imports[name]
            return _module(module).find(*own) if own else module
        inside = name if self.name == TOP else f"{self.name}.{name}"
        return inside if _path(inside).is_file() else None


@cache
def _module(name):
    return _read(name, _path(name).read_text())


def _read(name, source):
    """A module from its source; definitions are those at its top, and methods of classes there."""
    tree = ast.parse(source)
    module = _Module(name, imports=_imports(tree))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            methods = [own for own in node.body if isinstance(own, ast.FunctionDef)]
            for own in methods:
                module.definitions[f"{node.name}.{own.name}"].append(own)
                module.methods[node.name].append(own.name)
            node = copy.copy(node)
            node.body = [own for own in node.body if own not in methods]
        for bound in _bound_by(node):
            module.definitions[bound].append(node)
    return module


def _imports(tree):
    """What a source imports of the library, anywhere in it: (module,) or (module, definition) by the name it gets."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "symgen":
            module = node.module.partition(".")[2] or TOP
            found |= {own.asname or own.name: (module, own.name) for own in node.names}
        if isinstance(node, ast.Import):
            found |= {own.asname or own.name: (TOP,) for own in node.names if own.name == "symgen"}
    return found


def _bound_by(node):
    """Names that a statement at the top of a module defines."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    return [own.id for own in ast.walk(node) if isinstance(own, ast.Name) and isinstance(own.ctx, ast.Store)]


def _trees(name):
    module, own = name.split(":")
    return _module(module).definitions[own]


@cache
def _named_by(name):
    """`_named_in` all the syntax trees of a definition."""
    found = [_named_in(tree, _module(name.split(":")[0])) for tree in _trees(name)]
    return [set().union(*sets) for sets in zip(*found)]


def _named_in(tree, module):
    """Definitions of the library that a syntax tree names, and the attributes that it asks other things for."""
    named, attributes = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            found = _meant(node, module)
            if found and ":" in found:
                named.add(found)
            elif isinstance(node, ast.Attribute):
                attributes.add(node.attr)
    return named, attributes


def _meant(node, module):
    """What an expression such as `pipeline.ensure_split` stands for, as `_Module.find` says it."""
    if isinstance(node, ast.Name):
        return module.find(node.id)
    if isinstance(node, ast.Attribute) and (of := _meant(node.value, module)) and ":" not in of:
        return _module(of).find(node.attr)
    return None


def _path(name):
    path = HERE / name.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _digest(names, *further):
    said = [(name, _said_by(name)) for name in sorted(names)]
    return hashlib.sha256(repr((said, further)).encode()).hexdigest()[:10]


@cache
def _said_by(name):
    return repr(_said(_trees(name)))


def _said(tree):
    """A syntax tree without remarks and what is empty, which differs between versions of Python."""
    if isinstance(tree, list):
        return [_said(own) for own in tree if not (isinstance(own, ast.Expr) and isinstance(own.value, ast.Constant))]
    if isinstance(tree, ast.AST):
        own = {name: _said(value) for name, value in ast.iter_fields(tree) if value is not None and value != []}
        return type(tree).__name__, own
    return tree
