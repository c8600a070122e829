"""Data sets by name, read from disk with their checksum verified: images as bytes, labels as integers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from symgen.errors import InputError
from symgen.store import checksum


@dataclass(frozen=True)
class Images:
    """A labelled set of images.

    pixels: (image, channel, height, width) uint8, three channels. labels: (image,) int64. classes: their names.
    mean, std: of a pixel's brightness in [0, 1], by which the networks' inputs are standardised.
    """

    pixels: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    mean: float
    std: float

    def inputs(self, index, pad: int = 0) -> Tensor:
        """Standardised network inputs (len(index), 3, height + 2 pad, width + 2 pad), float32; the margin is black."""
        pixels = torch.nn.functional.pad(self.pixels[torch.tensor(np.asarray(index))], [pad] * 4)
        return (pixels.float() / 255 - self.mean) / self.std

    def pictures(self, index) -> np.ndarray:
        """The images to look at: (len(index), height, width, 3) uint8."""
        return self.pixels[torch.tensor(np.asarray(index))].permute(0, 2, 3, 1).numpy()


def load_dataset(name: str, folder: Path) -> Images:
    """The data set `name`, looked for in `folder`; ValueError for an unknown name, or data missing or damaged."""
    if name not in DATASETS:
        raise InputError(f"dataset = {name!r}; expected one of {', '.join(DATASETS)}")
    return DATASETS[name](folder)


def _fashion_mnist_6k(folder):
    path = verified(folder / "fashion_mnist_6k.npz", FASHION_MNIST_6K_SHA256, "it comes with the project, in data/")
    with np.load(path, allow_pickle=False) as archive:
        grey, labels = torch.as_tensor(archive["images"]), torch.as_tensor(archive["labels"]).long()
    classes = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
    return Images(grey[:, None].expand(-1, 3, -1, -1), labels, classes, mean=0.286, std=0.353)


def verified(path: Path, sha256: str, remedy: str) -> Path:
    """The path, if the file is there and has this checksum; ValueError that says where it was looked for otherwise."""
    if not path.is_file():
        raise InputError(f"missing data: {path.name} was looked for in {path.parent}; {remedy}")
    if checksum(path) != sha256:
        raise InputError(f"damaged data: {path.name} in {path.parent} does not have its checksum; {remedy}")
    return path


FASHION_MNIST_6K_SHA256 = "fb6cb141baee0214da003a91c35444546901018ad08c62f6761bee8f229fea55"
DATASETS = {"fashion-mnist-6k": _fashion_mnist_6k}
