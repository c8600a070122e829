"""The library is rooms, and data flow one way: who may import from whom, how long a function may be, what is public."""

import ast
import importlib
import inspect
import json
import re

import pytest
from tiny_project import ROOT

import symgen

LIB = ROOT / "lib" / "symgen"
ORDER = ("errors | timing | store | interactions | data | games | plots | generalization | training | explain | study | "
         "report | __main__")  # fmt: skip
FLOOR = {room: floor for floor, room in enumerate(ORDER.split(" | "))}
FILES = sorted(path for path in LIB.rglob("*.py") if path != LIB / "__init__.py")  # which collects from all rooms
ROOMS = sorted(path.name for path in LIB.iterdir() if (path / "__init__.py").is_file())
LONGEST = 40
FLOORBOARDS = {"errors", "timing", "store", "__main__"}  # used by all, and the command line, which uses all
VAGUE = {"at", "found", "own", "said", "there", "told", "which"}  # names that say nothing of what they hold


def room_of(path):
    return path.relative_to(LIB).parts[0].removesuffix(".py")


def imported(text):
    """Modules of the library that a text imports, by their full names."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("symgen"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("symgen"):
            inside = node.module != "symgen"
            yield from [node.module] if inside else (f"symgen.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIB)))
def test_a_room_imports_from_earlier_rooms_alone_and_through_their_doors(path):
    room = room_of(path)
    for module in imported(path.read_text()):
        _, other, *inside = module.split(".")
        assert other in FLOOR, f"{module} is no room"
        if other != room:
            assert FLOOR[other] < FLOOR[room], module
            assert not inside, f"{module} is behind the door of {other}"


def test_every_module_is_in_a_room():
    assert {room_of(path) for path in FILES} == {*FLOOR}


def test_there_are_few_arrows_between_rooms():
    arrows = {(room_of(path), module.split(".")[1]) for path in FILES for module in imported(path.read_text())}
    assert len({(one, other) for one, other in arrows if one != other and not {one, other} & FLOORBOARDS}) <= 22


def bound(text):
    """Names that a text gives to things."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef):
            yield node.name


def test_seven_names_that_say_nothing_are_not_used():
    beside = (path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py"))
    code = {path: path.read_text() for path in (*FILES, *beside)}
    for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
        code[path] = "\n".join("".join(cell["source"]) for cell in cells)
    assert not [(path.name, name) for path, text in code.items() for name in bound(text) if name in VAGUE]


def lines(function):
    """Lines of a function, its docstring left out."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    documented = body and body is not function.body
    text = function.body[0].end_lineno - function.body[0].lineno + 1 if documented else 0
    return function.end_lineno - function.lineno + 1 - text


def test_no_function_is_longer_than_fits_the_eye():
    long = [
        f"{path.relative_to(LIB)}: {node.name}, {lines(node)} lines"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and lines(node) > LONGEST
    ]
    assert not long


def outside():
    """Code and pages outside the library in which a public name may be used."""
    for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"):
        cells = json.loads(path.read_text())["cells"]
        yield "\n".join("".join(cell["source"]) for cell in cells)
    pages = (ROOT / "README.md", ROOT / "Snakefile", *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.py"))
    yield from (path.read_text() for path in pages)


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_public_is_used_elsewhere(room):
    offered = vars(importlib.import_module(f"symgen.{room}")).items()
    public = {name for name, value in offered if name[0] != "_" and not inspect.ismodule(value)} - set(symgen.__all__)
    code = [path.read_text() for path in FILES if room_of(path) != room]
    texts = "\n".join([*code, *outside()])
    assert not [name for name in sorted(public) if not re.search(rf"\b{name}\b", texts)]
