"""The example in the docstring of every public name runs, and gives what it says."""

import doctest
import re

import numpy as np
import pytest
import torch

import symgen


@pytest.mark.parametrize("name", symgen.__all__)
def test_the_example_of_a_public_name_runs(name):
    public = getattr(symgen, name)
    examples = doctest.DocTestFinder(recurse=False).find(public, name, globs={"np": np, "torch": torch} | vars(symgen))
    assert examples[0].examples and len(examples[0].examples) < 9
    if name not in ("InputError", "Study"):  # an exception; settings, of which each has a text of its own
        assert re.search(r"^    (Parameters|Attributes)\n    -{10}", public.__doc__, re.MULTILINE)
    torch.manual_seed(0)
    result = doctest.DocTestRunner().run(examples[0])
    assert result.attempted and not result.failed
