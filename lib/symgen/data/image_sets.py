"""Images in files, in the layouts in which CIFAR-10, Tiny-ImageNet-200 and CUB-200-2011 are published, as one tensor.

All labelled images of a set are one pool: which of them are trained on is for the study's split to say, not
for the official one.
"""

import csv
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from tqdm import tqdm

from symgen.data.sources import Images, Source, damaged, fetching, read_table, readable
from symgen.errors import saying
from symgen.store import cached, file_state

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}  # of photographs (Appendix E.1)
DECODING = 1  # raise it when the same files give other pixels


@dataclass(frozen=True)
class Files:
    """Which images there are, before any is opened.

    paths: of each image. labels: (image,) from 0 on. classes: their names. boxes: what is cut out of each image,
    (image, 4): left, upper, width, height in pixels; None for the whole.
    """

    paths: list[Path]
    labels: np.ndarray
    classes: tuple[str, ...]
    boxes: np.ndarray | None = None


def read(name: str, place: Path, size: int, cache: Path, download: bool = False) -> Images:
    """A set looked for in the folder `place`.

    Images of Tiny-ImageNet and CUB are resized to `size` x `size` when they are first decoded, and kept so in the
    folder `cache` until one of their files changes. `download`: fetch the set from where it is published, if it is not
    there. InputError names a file that is missing or damaged, where it was looked for, and what to do.
    """
    if name == "cifar10":
        return _cifar10(place, download)
    with SOURCES[name].unpacked(place, download) as folder:
        files = SOURCES[name].reader(folder)
        settings = {"dataset": name, "size": size, "files": _state(files, folder), "version": DECODING}
        kept = cached(cache / f"{name}-{size}.safetensors", settings, lambda: {"pixels": _decoded(files, size)})
    return Images(kept["pixels"], torch.as_tensor(files.labels), files.classes, **IMAGENET)


def _cifar10(place, download):
    """torchvision's reader; its files are pickles, so none is opened before all have their published checksums."""
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity

    if download:
        with fetching(CIFAR10.url, place):
            CIFAR10(place, download=True)
    published = [*CIFAR10.train_list, *CIFAR10.test_list, (CIFAR10.meta["filename"], CIFAR10.meta["md5"])]
    with saying(after=f"; unpack {CIFAR10.url} in {place}, or set download: true"):
        for name, md5 in published:
            if not check_integrity(path := readable(place / CIFAR10.base_folder / name), md5):
                raise damaged(path, "does not have its checksum")
    parts = [CIFAR10(place, train=train) for train in (True, False)]
    pixels = torch.as_tensor(np.concatenate([part.data for part in parts])).permute(0, 3, 1, 2).contiguous()
    labels = torch.tensor([label for part in parts for label in part.targets])
    return Images(pixels, labels, tuple(parts[0].classes), **IMAGENET)


def _tiny_imagenet(folder):
    """All images of the classes in wnids.txt: a table lists those of each class in train, and one those in val."""
    ids = list(_table(folder / "wnids.txt", ["id"], "\t").index)
    words = _lines(folder / "words.txt", _table(folder / "words.txt", ["id", "words"], "\t").words, ids)
    listed = {name: _table(folder / "train" / name / f"{name}_boxes.txt", ["file"], "\t").index for name in ids}
    train = [(folder / "train" / name / "images" / file, name) for name, files in listed.items() for file in files]
    annotated = _table(folder / "val" / "val_annotations.txt", ["file", "id"], "\t").id
    val = [(folder / "val" / "images" / file, name) for file, name in annotated.items() if name in listed]
    paths, of_class = zip(*train, *val)
    labels = pd.Index(ids).get_indexer(of_class)
    return Files(list(paths), labels, tuple(name.split(",")[0] for name in words))


def _cub(folder):
    """All images of images.txt, each with one bird, in a box; the classes are those that have images."""
    images, classes, birds, boxes = (
        folder / f"{name}.txt" for name in ("images", "classes", "image_class_labels", "bounding_boxes")
    )
    files = _table(images, ["image", "file"]).file
    of_class = _lines(birds, _table(birds, ["image", "class_id"]).class_id, files.index)
    corners = _lines(boxes, _table(boxes, ["image", "x", "y", "width", "height"]), files.index)
    present, labels = np.unique(of_class, return_inverse=True)
    names = _lines(classes, _table(classes, ["class_id", "name"]).name, present)
    spelt = tuple(name.partition(".")[2].replace("_", " ") for name in names)
    return Files([folder / "images" / file for file in files], labels, spelt, corners.to_numpy())


def _table(path, columns, separator=" "):
    """The first columns of a table without a header, by the first of them; InputError if it cannot be read."""
    kinds = {name: NUMBER_COLUMNS.get(name, str) for name in columns}
    options = {"names": columns, "usecols": range(len(columns)), "dtype": kinds, "quoting": csv.QUOTE_NONE}
    table = read_table(path, sep=separator, **options)
    if not len(table) or table.isna().any(axis=None) or table[columns[0]].duplicated().any():
        raise damaged(path, "is empty, or has a line that is cut short or there twice")
    return table.set_index(columns[0])


def _lines(path, table, keys):
    """The lines of these keys, in their order; InputError if there is none for one."""
    absent = [key for key in keys if key not in table.index]
    if absent:
        raise damaged(path, f"holds no line for {absent[0]}")
    return table.loc[list(keys)]


NUMBER_COLUMNS = {"image": int, "class_id": int} | dict.fromkeys(("x", "y", "width", "height"), float)
SOURCES = {
    "tiny-imagenet": Source(
        "tiny-imagenet-200",
        "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        "90528d7ca1a48142e341f4ef8d21d0de",
        _tiny_imagenet,
    ),
    "cub": Source(
        "CUB_200_2011",
        "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
        "97eceeb196236b17998738112f37df78",
        _cub,
    ),
}


def _state(files, folder):
    """Hash of what decides the decoded pixels: every file's path, size and time of change (not number), and its box."""
    stats = [[os.path.relpath(path, folder), *file_state(readable(path))[:2]] for path in files.paths]
    boxes = None if files.boxes is None else files.boxes.tolist()
    return hashlib.sha256(json.dumps([stats, boxes]).encode()).hexdigest()


def _decoded(files, size):
    """Pixels (image, 3, size, size) uint8."""
    pixels = np.empty((len(files.paths), size, size, 3), np.uint8)
    boxes = [None] * len(pixels) if files.boxes is None else files.boxes
    each = zip(pixels, files.paths, boxes)
    for out, path, box in tqdm(each, desc="decoding", total=len(pixels), disable=None, leave=False):
        out[:] = _square(path, box, size)
    return torch.as_tensor(pixels).permute(0, 3, 1, 2).contiguous()


def _square(path, box, size):
    """One image, or what is in its box, resized to a square; a grey one gets three equal channels."""
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):  # not an image, cut short, or too large
        raise damaged(path, "cannot be read as an image") from None
    if box is not None:
        left, upper, width, height = box.round().astype(int).tolist()
        right, lower = min(left + width, image.width), min(upper + height, image.height)
        if not (0 <= left < right and 0 <= upper < lower):
            raise damaged(path, f"holds nothing in its box {box.tolist()}")
        image = image.crop((left, upper, right, lower))
    return image.resize((size, size), Image.Resampling.BILINEAR)
