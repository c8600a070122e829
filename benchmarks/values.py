"""Masked evaluation: what `ImageGame.values` costs, against a plain forward pass of the part after the cut.

    python benchmarks/values.py

For each network: seconds per sample for all 1,024 masked inputs, against a forward pass of the layers after the cut on
1,024 maps in the same layout and chunks, and against masking one input at a time as a plain loop would.
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torchvision
from hardware import hardware

from symgen import ImageGame, draw_cells
from symgen.training import models

RESULTS = Path(__file__).parent / "results" / "values.csv"
NETWORKS = {
    "small-vgg, 30 px": (lambda: models.build_model("small-vgg", 10, 0), "features.1", 30),
    "vgg11, 32 px": (lambda: torchvision.models.vgg11(num_classes=10), "features.1", 32),
}


def rest_of(network, maps):
    """Forward pass of torchvision's VGG after features.1."""
    return network.classifier(torch.flatten(network.avgpool(network.features[2:](maps)), 1))


@torch.inference_mode()
def plain_forward(network, feature_map, chunk):
    """Seconds for 1,024 maps through the part after the cut, in chunks."""
    maps = feature_map.expand(1024, -1, -1, -1).contiguous(memory_format=torch.channels_last)
    start = time.perf_counter()
    for part in maps.split(chunk):
        rest_of(network, part)
    return time.perf_counter() - start


@torch.inference_mode()
def one_at_a_time(network, image, subsets=32):
    """Seconds for 1,024 masked inputs, each through the whole network, from the time of a few."""
    start = time.perf_counter()
    for _ in range(subsets):
        network(image[None])
    return (time.perf_counter() - start) * 1024 / subsets


def measure(name, repeats=9):
    build, split_at, size = NETWORKS[name]
    torch.manual_seed(0)
    network = build().eval().to(memory_format=torch.channels_last)  # as the study runs its networks
    image = torch.rand(3, size, size)
    game = ImageGame(network, split_at)
    cells = draw_cells(10, 5, np.random.default_rng(0))
    game.values(image, 0, cells)  # warm-up: finds the plan and the chunk
    values, plain = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        game.values(image, 0, cells)
        values.append(time.perf_counter() - start)
        plain.append(plain_forward(network, game.mean_map(image[None]), game._chunk))
    best = min(values)
    return {
        "network": name, "seconds": best, "plain_forward": min(plain), "ratio_to_plain": best / min(plain),
        "speedup_over_loop": one_at_a_time(network, image) / best, "chunk": game._chunk,
    }  # fmt: skip


def main():
    print(hardware())
    table = pd.DataFrame([measure(name) for name in NETWORKS]).assign(hardware=hardware())
    print(table.drop(columns="hardware").round(3).to_string(index=False))
    RESULTS.parent.mkdir(exist_ok=True)
    table.to_csv(RESULTS, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
