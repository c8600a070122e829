"""Labelled sets of images and texts, and where published ones are found, unpacked, and said to be damaged."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from symgen.errors import InputError, first_line, saying
from symgen.store import lock_at


@dataclass(frozen=True)
class Images:
    """A labelled set of images.

    pixels: (image, channel, height, width) uint8, three channels. labels: (image,) int64. classes: their names.
    mean, std: of each channel's brightness in [0, 1], by which the networks' inputs are standardised.
    """

    pixels: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def inputs(self, index, pad: int = 0) -> Tensor:
        """Standardised network inputs (len(index), 3, height + 2 pad, width + 2 pad), float32; the margin is black."""
        pixels = torch.nn.functional.pad(self.pixels[torch.tensor(np.asarray(index))], [pad] * 4)
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.mean, self.std))
        return (pixels.float() / 255 - mean) / std

    def pictures(self, index) -> np.ndarray:
        """The images to look at: (len(index), height, width, 3) uint8."""
        return self.pixels[torch.tensor(np.asarray(index))].permute(0, 2, 3, 1).numpy()


@dataclass(frozen=True)
class Texts:
    """A labelled set of texts.

    labels: (text,) int64. classes: their names. nested: whether some stand within others. answers: of texts that are
    questions.
    """

    texts: tuple[str, ...]
    labels: Tensor
    classes: tuple[str, ...]
    nested: bool = False
    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """Where a published set comes from: its folder, its archive with the MD5 known of it, and what reads the folder."""

    folder: str
    url: str
    md5: str
    reader: Callable[[Path], object]

    @contextmanager
    def unpacked(self, place: Path, download: bool) -> Iterator[Path]:
        """The set's folder in `place`, fetched if `download` says so; to what is wrong in it is added what to do."""
        folder = place / self.folder
        if download and not folder.is_dir():
            with lock_at(place / f".{self.folder}.lock"):  # who comes second finds it there
                if not folder.is_dir():
                    _download(self, place)
        with saying(after=f"; unpack {self.url} in {place}, or set download: true where there is no {self.folder} yet"):
            yield folder


def readable(path: Path) -> Path:
    """The path, if there is a file that can be read; InputError that says where it was looked for otherwise."""
    try:
        with open(path, "rb"):
            return path
    except FileNotFoundError:
        raise InputError(f"missing data: {path.name} was looked for in {path.parent}") from None
    except (OSError, ValueError) as error:  # no permission, a folder, a name that cannot be
        fault = getattr(error, "strerror", error)
        raise InputError(f"unreadable data: {path.name} in {path.parent}: {fault}") from None


def damaged(path: Path, fault: str) -> InputError:
    """The error for a file that is not what it should be."""
    return InputError(f"damaged data: {path.name} in {path.parent} {fault}")


def read_table(path: Path, **options) -> pd.DataFrame:
    """A table by `pandas.read_csv`; InputError in one line if it cannot be read."""
    readable(path)
    try:
        return pd.read_csv(path, **options)
    except (ValueError, OverflowError) as error:
        raise damaged(path, f"cannot be read: {first_line(error)}") from None


@contextmanager
def fetching(url: str, place: Path) -> Iterator[None]:
    """Says in one line what to do if a set cannot be fetched."""
    try:
        yield
    except Exception as error:  # a broken archive is an error of gzip, tarfile, zipfile, zlib, ...
        fault = first_line(error)
        raise InputError(f"{url} could not be fetched ({fault}); fetch it yourself and unpack it in {place}") from None


def _download(source, place):
    """The archive into `place`: unpacked if its checksum is the known one, with nothing written outside."""
    from torchvision.datasets.utils import download_and_extract_archive

    unpacked = place / f".{source.folder}"  # moved when it is whole
    with fetching(source.url, place):
        download_and_extract_archive(source.url, place, unpacked, md5=source.md5)
        os.replace(unpacked / source.folder, place / source.folder)
