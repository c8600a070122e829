"""What a training step costs by layout of the maps and, on a GPU, by precision; and what that does to the loss.

    python benchmarks/training.py

Networks of the image studies, random images in small batches, the least of a few repeats; on a CPU one thread and its own
time, so that other work on the machine counts little.
"""

import time
from itertools import product
from pathlib import Path

import pandas as pd
import torch
from hardware import hardware
from torch.nn import functional

from symgen import Study
from symgen.training.loop import train
from symgen.training.models import build_model

RESULTS = Path(__file__).parent / "results" / "training.csv"
STUDIES = {"fashion-vgg": (30, 10), "cifar10-vgg11": (32, 10), "fewshot-resnet18": (32, 10),
           "tiny-imagenet-resnet50": (64, 200)}  # side of the images, classes  # fmt: skip
LAYOUTS = {"contiguous": torch.contiguous_format, "channels last": torch.channels_last}
STEPS, REPEATS, BATCH = 3, 3, 16
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PRECISIONS = ("float32", "bfloat16") if DEVICE == "cuda" else ("float32",)


def now():
    if DEVICE == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def steps(study, side, classes, layout, precision):
    """Milliseconds a step, and the loss on the images of the steps after them."""
    torch.manual_seed(0)
    n = STEPS * BATCH
    images, labels = torch.rand(n, 3, side, side), torch.randint(classes, (n,))
    images = images.to(DEVICE).contiguous(memory_format=LAYOUTS[layout])
    model = build_model(study.architecture, classes, 1, stem=study.stem)
    model = model.to(DEVICE, memory_format=LAYOUTS[layout])
    went = train(model, images, labels.to(DEVICE), epochs=1, batch_size=BATCH, optimizer="sgd",
                 learning_rate=1e-3, seed=1, precision=precision, stops=(0.0, 1.0))  # fmt: skip
    next(went)
    start = now()
    next(went)
    spent = now() - start
    with torch.inference_mode():
        loss = functional.cross_entropy(model.eval()(images[:BATCH]), labels[:BATCH].to(DEVICE))
    return 1000 * spent / STEPS, loss.item()


def main():
    torch.set_num_threads(1)
    print(hardware())
    rows = []
    for (name, sizes), layout, precision in product(STUDIES.items(), LAYOUTS, PRECISIONS):
        measured = [steps(Study.load(name), *sizes, layout, precision) for _ in range(REPEATS)]
        rows.append((name, layout, precision, min(ms for ms, _ in measured), measured[0][1]))
        print(*rows[-1])
    table = pd.DataFrame(rows, columns=["study", "layout", "precision", "ms a step", "loss after"])
    plain = table.groupby("study")["ms a step"].transform("first")
    table["x faster"] = plain / table["ms a step"]
    print(table.round(3).to_string(index=False))
    table.assign(hardware=hardware()).to_csv(RESULTS, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
