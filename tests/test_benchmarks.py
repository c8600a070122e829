"""Benchmarks take too long for a test; that what they name of the library is there is asked here."""

import ast
import re
from pathlib import Path

import pytest

BENCHMARKS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_asks_for_what_the_library_has(path):
    tree, names = ast.parse(path.read_text()), {}
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    of_library = [node for node in imports if re.match(r"(from|import) symgen\b", ast.unparse(node))]
    exec(compile(ast.Module(of_library, []), path, "exec"), names)
    asked = [
        (names[node.value.id], node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names
    ]
    assert not [f"{owner!r}.{name}" for owner, name in asked if not hasattr(owner, name)]
