"""Images in files: what is read is what is there, and what is missing or damaged is named; on made-up and on real sets."""

import dataclasses
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import made_up_sets
import numpy as np
import pytest
import torch
from tiny_project import ROOT
from torchvision.datasets import CIFAR10

from symgen.data import datasets, image_sets

SHARED = ROOT.parent / "shared" / "data"
FOLDERS = {"tiny-imagenet": "tiny-imagenet-200", "cub": "CUB_200_2011"}


@pytest.fixture
def place(tmp_path):
    for make in (made_up_sets.tiny_imagenet, made_up_sets.cub):
        make(tmp_path / "data")
    return tmp_path / "data"


def load(name, place, size=64, **options):
    return datasets.load_dataset(name, place, size=size, cache=place.parent / "cache", **options)


def shade(pixels):
    """The one colour of an image (channel, height, width)."""
    assert (pixels.float().std(dim=(1, 2)) < 2).all()
    return pixels.float().mean(dim=(1, 2)).tolist()


def test_tiny_imagenet_is_train_and_val_of_the_classes_listed(place):
    data = load("tiny-imagenet", place)
    assert data.pixels.shape == (12, 3, 64, 64) and data.pixels.dtype == torch.uint8
    assert data.classes == ("black widow", "goldfish") and data.labels.tolist() == [0] * 4 + [1] * 4 + [1, 1, 0, 0]
    assert shade(data.pixels[0]) == pytest.approx([77] * 3, abs=2)  # the grey one
    for position, arguments in ((3, (0, 3)), (5, (1, 1)), (8, (1, 1, 1)), (11, (0, 0, 1))):
        assert shade(data.pixels[position]) == pytest.approx(made_up_sets.colour(*arguments), abs=2)
    assert load("tiny-imagenet", place, size=16).pixels.shape == (12, 3, 16, 16)


def test_a_bird_is_cut_out_of_its_image_and_fills_a_square(place):
    data = load("cub", place, size=48)
    assert data.pixels.shape == (8, 3, 48, 48)
    assert data.classes == ("Kind of bird 2", "Kind of bird 10") and data.labels.tolist() == [0] * 4 + [1] * 4
    for position in range(8):
        image = (2, 10)[position // 4], position % 4
        middle = data.pixels[position, :, 4:-4, 4:-4]  # beside the compressed edges of the box
        assert shade(middle) == pytest.approx(made_up_sets.colour(*image), abs=3)


def test_a_box_that_leaves_the_image_ends_with_it(place):
    boxes = place / "CUB_200_2011" / "bounding_boxes.txt"
    boxes.write_text(boxes.read_text().replace("1 8.0 16.0 40.0 24.0", "1 20.0 20.0 400.0 20.0"))
    right = load("cub", place, size=32).pixels[0].float().mean(dim=(0, 1))  # 28 of the 60 columns left are the bird
    assert (right[:13] > 20).all() and (right[17:] < 20).all()


def test_cifar10_is_all_of_its_batches(tmp_path, monkeypatch):
    folder = made_up_sets.cifar10(tmp_path / "data", monkeypatch)
    data = load("cifar10", tmp_path / "data")
    last = pickle.loads((folder / "test_batch").read_bytes())["data"]
    assert data.pixels.shape == (120, 3, 32, 32) and data.classes[3] == "class 3"
    assert np.array_equal(data.pixels[100:].numpy(), last.reshape(20, 3, 32, 32))
    assert data.labels.tolist() == list(range(10)) * 12


def test_a_pickle_is_not_opened_before_all_have_their_checksums(tmp_path, monkeypatch):
    folder = made_up_sets.cifar10(tmp_path / "data", monkeypatch)

    class Harmful:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    (folder / "data_batch_1").write_bytes(pickle.dumps(Harmful()))
    digest = made_up_sets.hashlib.md5((folder / "data_batch_1").read_bytes()).hexdigest()
    with pytest.raises(ValueError, match=r"damaged data: data_batch_1 in .* does not have its checksum; unpack https"):
        load("cifar10", tmp_path / "data")
    # even where that one is as published, another is not
    monkeypatch.setattr(CIFAR10, "train_list", [["data_batch_1", digest], *CIFAR10.train_list[1:]])
    (folder / "test_batch").write_bytes(b"")
    with pytest.raises(ValueError, match="damaged data: test_batch"):
        load("cifar10", tmp_path / "data")
    (folder / "test_batch").unlink()
    with pytest.raises(ValueError, match="missing data: test_batch was looked for in"):
        load("cifar10", tmp_path / "data")
    assert not (tmp_path / "harm").exists()


TABLES = [
    ("tiny-imagenet", "wnids.txt"),
    ("tiny-imagenet", "words.txt"),
    ("tiny-imagenet", "train/n01/n01_boxes.txt"),
    ("tiny-imagenet", "val/val_annotations.txt"),
    ("cub", "images.txt"),
    ("cub", "image_class_labels.txt"),
    ("cub", "bounding_boxes.txt"),
    ("cub", "classes.txt"),
]
IMAGES = [("tiny-imagenet", "val/images/val_11.JPEG"), ("cub", "images/010.Kind_of_bird_10/Bird_3.jpg")]


@pytest.mark.parametrize(("name", "file"), TABLES + IMAGES)
def test_a_missing_file_is_named_with_where_it_was_looked_for_and_what_to_do(place, name, file):
    path = place / FOLDERS[name] / file
    path.unlink()
    message = f"missing data: {path.name} was looked for in {path.parent}; unpack http"
    with pytest.raises(ValueError, match="^" + re.escape(message)) as caught:
        load(name, place)
    assert f"in {place}, or set download: true" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "file"), [table for table in TABLES if table[1] not in ("wnids.txt",)])
@pytest.mark.parametrize("damage", ["empty", "binary", "last line cut", "a line twice"])
def test_a_damaged_table_is_named(place, name, file, damage):
    path = place / FOLDERS[name] / file
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    first_key = re.match(rb"[^ \t]+", lines[-1]).group()
    path.write_bytes(
        {
            "empty": b"",
            "binary": b"\x00\xff\xfe" * 50,
            "last line cut": b"".join(lines[:-1])
            + (b"" if file.endswith("_boxes.txt") and name != "cub" else first_key),
            "a line twice": whole + lines[0],
        }[damage]
    )
    if file.endswith("n01_boxes.txt") and damage == "last line cut":
        path.write_bytes(whole + b"\t0\t1\n")  # its only column that is read
    with pytest.raises(ValueError, match=rf"damaged data: {path.name} in .*; unpack http") as caught:
        load(name, place)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("image_class_labels.txt", "3 2\n", "image_class_labels.txt in .* holds no line for 3"),
        ("bounding_boxes.txt", "3 10.0 16.0 40.0 24.0\n", "bounding_boxes.txt in .* holds no line for 3"),
        ("classes.txt", "10 010.Kind_of_bird_10\n", "classes.txt in .* holds no line for 10"),
    ],
)
def test_a_table_that_leaves_out_an_image_or_a_class_is_named(place, file, line, message):
    path = place / "CUB_200_2011" / file
    assert line in path.read_text()
    path.write_text(path.read_text().replace(line, "", 1))
    with pytest.raises(ValueError, match=f"damaged data: {message}"):
        load("cub", place)


@pytest.mark.parametrize(("name", "file"), IMAGES)
@pytest.mark.parametrize("kept", [0, 300])
def test_a_damaged_image_is_named(place, name, file, kept):
    path = place / FOLDERS[name] / file
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=rf"damaged data: {path.name} in .* cannot be read as an image; unpack http"):
        load(name, place)


def test_an_empty_box_is_named(place):
    boxes = place / "CUB_200_2011" / "bounding_boxes.txt"
    boxes.write_text(boxes.read_text().replace("1 8.0 16.0 40.0 24.0", "1 8.0 16.0 0.0 24.0"))
    with pytest.raises(ValueError, match=r"Bird_0.jpg in .* holds nothing in its box \[8.0, 16.0, 0.0, 24.0\]"):
        load("cub", place)


def test_images_are_decoded_once_and_again_when_one_changes(place, monkeypatch):
    first = load("cub", place, size=16)
    decode = image_sets._decoded
    monkeypatch.setattr(image_sets, "_decoded", None)  # nothing is decoded again
    assert torch.equal(load("cub", place, size=16).pixels, first.pixels)
    copy = shutil.copytree(place, place.parent / "copy")  # its files have the times of the others
    assert torch.equal(load("cub", copy, size=16).pixels, first.pixels)
    with pytest.raises(TypeError):
        load("cub", place, size=17)
    monkeypatch.setattr(image_sets, "_decoded", decode)
    made_up_sets.jpeg(place / "CUB_200_2011" / "images" / "002.Kind_of_bird_2" / "Bird_1.jpg", (9, 9, 9), (90, 64))
    changed = load("cub", place, size=16)
    assert [torch.equal(a, b) for a, b in zip(first.pixels, changed.pixels)] == [True, False] + [True] * 6
    boxes = place / "CUB_200_2011" / "bounding_boxes.txt"
    boxes.write_text(boxes.read_text().replace("1 8.0 16.0 40.0 24.0", "1 8.0 16.0 70.0 24.0"))
    assert not torch.equal(load("cub", place, size=16).pixels[0], changed.pixels[0])


@pytest.fixture
def published(place, tmp_path, monkeypatch):
    """A made-up CUB that can be fetched; gives a function that publishes an archive of further files with it."""
    moved, origin = tmp_path / "moved", tmp_path / "origin"
    origin.mkdir()
    shutil.move(place / "CUB_200_2011", moved / "CUB_200_2011")
    files = {str(path.relative_to(moved)): path.read_bytes() for path in moved.rglob("*") if path.is_file()}

    def publish(further=None, md5=None):
        checksum = made_up_sets.tarred(origin / "CUB_200_2011.tgz", files | (further or {}))
        source = dataclasses.replace(image_sets.SOURCES["cub"], url=f"{url}/CUB_200_2011.tgz", md5=md5 or checksum)
        monkeypatch.setitem(image_sets.SOURCES, "cub", source)

    with made_up_sets.served(origin) as url:
        yield publish


def test_a_set_is_fetched_when_it_is_asked_for_and_not_there(place, published):
    published()
    with pytest.raises(ValueError, match=r"missing data: images.txt was looked for in .*CUB_200_2011; unpack http:"):
        load("cub", place, download=False)
    assert not (place / "CUB_200_2011").exists()
    assert load("cub", place, download=True).labels.tolist() == [0] * 4 + [1] * 4


def test_an_archive_without_its_checksum_is_not_unpacked(place, published):
    published(md5="0" * 32)
    with pytest.raises(ValueError, match=r"http:.* could not be fetched .*; fetch it yourself and unpack it in"):
        load("cub", place, download=True)
    assert not (place / "CUB_200_2011").exists()


@pytest.fixture(scope="session")
def real(tmp_path_factory):
    if not SHARED.is_dir():
        pytest.skip("the real images are not here: ../shared/data")
    if not shutil.which("zstd"):
        pytest.skip("the real images cannot be unpacked: zstd is not installed")
    place = tmp_path_factory.mktemp("real") / "data"
    command = ["bash", SHARED / "unpack.sh", place, "cifar10", "tiny-imagenet", "cub"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # its python3 needs numpy and Pillow
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"PATH": path})
    yield place
    shutil.rmtree(place.parent)


@pytest.mark.xdist_group("real images")
@pytest.mark.parametrize(
    ("name", "size", "shape", "least", "classes"),
    [
        ("cifar10", 32, (60000, 3, 32, 32), 6000, 10),
        ("tiny-imagenet", 64, (27500, 3, 64, 64), 550, 50),
        ("cub", 224, (543, 3, 224, 224), 41, 10),
    ],
)
def test_the_real_sets_are_read(real, name, size, shape, least, classes):
    data = load(name, real, size=size)
    assert data.pixels.shape == shape and len(data.classes) == classes == len(set(data.classes))
    assert torch.bincount(data.labels).min() == least
    inputs = data.inputs(range(0, len(data.labels), 9))
    assert inputs.mean(dim=(0, 2, 3)).abs().max() < 0.5 and (inputs.std(dim=(0, 2, 3)) - 1).abs().max() < 0.3
