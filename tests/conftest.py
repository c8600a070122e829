"""Shapes are checked in every test: jaxtyping's annotations, at run time, by beartype."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side

from jaxtyping import install_import_hook

install_import_hook("symgen", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))").__enter__()

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def tiny(tmp_path):
    """Overrides that make the embedded study a matter of seconds, in a folder of its own."""
    return {
        "train_size": 100, "validation_size": 50, "test_size": 100, "epochs": 2, "batch_size": 32,
        "checkpoints": [0, 0.5, 1, 2],
        "target_seeds": [91, 92], "baseline_seeds": [93, 94], "explain_classes": 2, "explain_per_class": 3,
        "n_variables": 5, "bootstrap_draws": 50, "chance_draws": 2,
        "runs_root": str(tmp_path / "runs"), "figures_root": str(tmp_path / "figures"),
    }  # fmt: skip
