"""On what a benchmark ran, in one line for its table."""

import os
import platform
from pathlib import Path

import torch


def hardware() -> str:
    """Processor, cores, accelerator if any, PyTorch's version and threads."""
    cpuinfo = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        if cpuinfo.is_file()
        else []
    )
    processor = names[0] if names else platform.processor() or platform.machine()
    accelerator = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    threads = f"{torch.get_num_threads()} thread{'s' * (torch.get_num_threads() > 1)}"
    return f"{processor}, {os.cpu_count()} cores{accelerator}; torch {torch.__version__}, {threads}"
