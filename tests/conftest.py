"""Shapes are checked in every test: jaxtyping's annotations, at run time, by beartype."""

import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))  # whose oracles serve as those of the tests
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side

from jaxtyping import install_import_hook

install_import_hook("symgen", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))").__enter__()

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import tiny_project  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

torch.set_num_threads(1)
settings.register_profile("suite", max_examples=20, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile("suite")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def tiny(tmp_path):
    """Overrides that make the embedded study a matter of seconds, in a folder of its own."""
    roots = {"runs_root": str(tmp_path / "runs"), "figures_root": str(tmp_path / "figures")}
    return tiny_project.SETTINGS | roots
