"""On what a study runs."""

import time
from contextlib import contextmanager

import torch

from symgen.errors import InputError
from symgen.games import full_float32
from symgen.study.settings import Study


def device(study: Study) -> torch.device:
    """The device of a study's networks: its setting, or the accelerator if there is one."""
    if study.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if study.device != "cpu" and not (count := torch.cuda.device_count()) > (torch.device(study.device).index or 0):
        raise InputError(
            f"device = {study.device!r}, but PyTorch finds {count} GPUs; expected one of them, auto or cpu"
        )
    return torch.device(study.device)


def now(device: torch.device) -> float:
    """The time in seconds when whatever was asked of a device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


@contextmanager
def arithmetic(study: Study):
    """Sums in one order, by as many threads as the study says, in `full_float32`; a GPU convolves by one algorithm.

    Left to itself a GPU rounds what it convolves to ten bits, which would move masked values by a thousandth.
    """
    cudnn, threads = torch.backends.cudnn, torch.get_num_threads()
    before = cudnn.deterministic, cudnn.benchmark
    torch.set_num_threads(study.threads)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        with full_float32():
            yield
    finally:
        torch.set_num_threads(threads)
        cudnn.deterministic, cudnn.benchmark = before
