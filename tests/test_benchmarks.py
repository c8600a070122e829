"""Benchmarks take too long for a test; that what they name of the library is there is asked here."""

import ast
import importlib
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


def imported(tree):
    """What a file imports from symgen, by the name that it has there."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "symgen":
            module = importlib.import_module(node.module)
            for alias in node.names:
                if not hasattr(module, alias.name):
                    importlib.import_module(f"{node.module}.{alias.name}")  # a module, or an error
                names[alias.asname or alias.name] = getattr(module, alias.name)
        elif isinstance(node, ast.Import):
            names |= {
                alias.asname or alias.name: importlib.import_module(alias.name)
                for alias in node.names
                if alias.name == "symgen"
            }
    return names


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_asks_for_what_the_library_has(path):
    tree = ast.parse(path.read_text())
    names = imported(tree)
    asked = [
        (names[node.value.id], node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names
    ]
    assert not [f"{owner!r}.{name}" for owner, name in asked if not hasattr(owner, name)]
