# ruff: noqa: E402
"""Types and shapes are checked in every test: the library's annotations, at run time, by beartype and jaxtyping."""

import functools
import os
import shutil
import sys
import types
from importlib import import_module
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))  # whose oracles serve as those of the tests
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side
sys.modules.setdefault("rfc3987_syntax", None)  # as in the runner: a check of addresses that takes seconds to import

import jaxtyping
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import settings
from jupyter_client import AsyncKernelManager
from jupyter_core.utils import run_sync

for name in ("numba", "pandas", "pydantic", "scipy.optimize", "scipy.stats", "torchvision", "transformers", "xarray"):
    import_module(name)  # before the hook, which would compile them anew

jaxtyped = jaxtyping.jaxtyped


def checked(function=None, *, typechecker=None):
    """`jaxtyped` of what has shapes among its annotations; of plain types the type checker alone, which is faster."""
    if function is None:
        return functools.partial(checked, typechecker=typechecker)
    if isinstance(function, types.FunctionType):
        annotations = function.__annotations__.values()
        if not any(isinstance(of, str) or "jaxtyping" in str(of) for of in annotations):
            return typechecker(function) if annotations else function
    return jaxtyped(function, typechecker=typechecker)


jaxtyping.jaxtyped = checked
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
jaxtyping.install_import_hook("symgen", CHECKER).__enter__()

import tiny_project

from symgen import Study
from symgen.report import runner
from symgen.study import pipeline

torch.set_num_threads(1)
settings.register_profile("suite", max_examples=20, deadline=None, derandomize=True, database=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile("suite")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def left_alone():
    """No test leaves its figures, its style or its random weights to the next: which tests share a process is chance."""
    torch.manual_seed(0)
    with plt.rc_context():
        yield
    plt.close("all")


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window, for the tests of pages."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, which `make book` installs")
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("needs /usr/bin/chromium")
    with playwright.sync_playwright() as driver:
        yield driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])


def pytest_configure(config):
    config.addinivalue_line("markers", "xdist_group(name): these run in one process, if tests run side by side")


LONG = {
    f"test_{name}.py"
    for name in ("snakefile", "image_networks", "questions", "language_models", "faults", "jupyterlab")
}


def pytest_collection_modifyitems(items):
    """Long tests first: of processes side by side, none is to wait for the last test of another."""
    items.sort(key=lambda item: item.path.name not in LONG)


class Kernel(AsyncKernelManager):
    """A kernel for several notebooks, one after the other: it imports torch once."""

    def client(self, **options):
        self.last = super().client(**options)
        return self.last

    async def forget(self):
        """Be as at first to the next notebook; the last client, which nbclient keeps, goes."""
        await self.last.execute_interactive("%reset -f")
        self.last.stop_channels()


@pytest.fixture(scope="session")
def kernel():
    shared = Kernel(kernel_name="python3")
    yield shared
    if shared.has_kernel:
        run_sync(shared.shutdown_kernel)(now=True)


@pytest.fixture
def in_one_kernel(kernel, monkeypatch):
    """Notebooks that a test executes share a kernel with those of other tests."""
    papermill = runner._papermill()
    execute = papermill.execute_notebook

    def executed(*given, **options):
        try:
            execute(*given, **options, km=kernel)
        finally:
            run_sync(kernel.forget)()

    monkeypatch.setattr(papermill, "execute_notebook", executed)


@pytest.fixture
def tiny(tmp_path):
    """Overrides that make the embedded study a matter of seconds, in a folder of its own."""
    return tiny_project.SETTINGS | tiny_project.roots(tmp_path)


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """The same in the folder of all tests that only read what is computed: it is computed once."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    return tiny_project.SETTINGS | tiny_project.roots(folder / "shared")


@pytest.fixture
def copied(shared, tmp_path):
    """The same in a folder of its own, with a target and a baseline already there, for tests that damage or delete."""
    study = Study.load("fashion-vgg", shared)
    for role in ("target-91", "baseline-93"):
        pipeline.all_interactions(study, role)
    names = ("split-*", "samples-*", "target-91", "baseline-93")
    for path in (path for name in names for path in study.runs_dir.glob(name)):
        place = tmp_path / "runs" / study.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(path, place, ignore=shutil.ignore_patterns(".*")) if path.is_dir() else shutil.copy2(
            path, place
        )
    return shared | tiny_project.roots(tmp_path)
