"""Tiny sets in the layouts of the published ones; each image has a colour of its own, to be recognised by."""

import functools
import hashlib
import http.server
import io
import pickle
import threading
from contextlib import contextmanager

import numpy as np
from PIL import Image


def colour(*numbers):
    """A colour that tells images apart."""
    return tuple(np.random.default_rng(numbers).integers(0, 256, 3).tolist())


def jpeg(path, shade, size, mode="RGB", box=None):
    """An image of one shade, or black with a box of that shade: left, upper, width, height."""
    image = Image.new(mode, size, shade if box is None else 0)
    if box is not None:
        left, upper, width, height = box
        image.paste(shade, (left, upper, left + width, upper + height))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, "JPEG", quality=100, subsampling=0)


def tiny_imagenet(place, per_class=4, ids=("n03", "n01"), size=64):
    """Two classes of three that words.txt knows; in val each has half as many; the first image of all is grey."""
    folder = place / "tiny-imagenet-200"
    annotated = [("val_9.JPEG", "n02")]  # of a class that wnids.txt leaves out
    for number, name in enumerate(ids):
        files = [f"{name}_{i}.JPEG" for i in range(per_class)]
        for i, file in enumerate(files):
            grey = (number, i) == (0, 0)
            path = folder / "train" / name / "images" / file
            jpeg(path, 77 if grey else colour(number, i), (size, size), "L" if grey else "RGB")
        table = "".join(f"{file}\t0\t10\t63\t58\n" for file in files)
        (folder / "train" / name / f"{name}_boxes.txt").write_text(table)
        for i in range(per_class // 2):
            annotated.insert(0, (f"val_{number}{i}.JPEG", name))
            jpeg(folder / "val" / "images" / annotated[0][0], colour(number, i, 1), (size, size))
    (folder / "wnids.txt").write_text("\n".join(ids) + "\n")
    (folder / "words.txt").write_text("n01\tgoldfish, Carassius auratus\nn02\tbullfrog\nn03\tblack widow, spider\n")
    lines = "".join(f"{file}\t{name}\t0\t32\t44\t62\n" for file, name in annotated)
    (folder / "val" / "val_annotations.txt").write_text(lines)
    return folder


def cub(place, per_class=4, ids=(2, 10)):
    """Two classes of ten; the bird fills its box, everything around it is black."""
    folder = place / "CUB_200_2011"
    tables = {name: [] for name in ("images", "image_class_labels", "bounding_boxes", "train_test_split")}
    names = [f"{i} {i:03d}.Kind_of_bird_{i}" for i in range(1, 11)]
    for image, (kind, i) in enumerate(((kind, i) for kind in ids for i in range(per_class)), start=1):
        file, box = f"{names[kind - 1].split()[1]}/Bird_{i}.jpg", (8 + i, 16, 40, 24)
        jpeg(folder / "images" / file, colour(kind, i), (80 + 8 * i, 64), box=box)
        row = file, kind, " ".join(f"{edge:.1f}" for edge in box), i % 2
        for lines, value in zip(tables.values(), row):
            lines.append(f"{image} {value}")
    for name, lines in (tables | {"classes": names}).items():
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


def cifar10(place, monkeypatch, per_batch=20):
    """Six batches of random images, with their checksums in the place of the published ones."""
    from torchvision.datasets import CIFAR10

    rng = np.random.default_rng(0)
    folder = place / CIFAR10.base_folder
    folder.mkdir(parents=True)

    def pickled(name, content):
        (folder / name).write_bytes(packed := pickle.dumps(content))
        return hashlib.md5(packed).hexdigest()

    def batch(name):
        data = rng.integers(0, 256, (per_batch, 3072), dtype=np.uint8)
        return [name, pickled(name, {"data": data, "labels": [i % 10 for i in range(per_batch)]})]

    monkeypatch.setattr(CIFAR10, "train_list", [batch(f"data_batch_{i}") for i in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [batch("test_batch")])
    md5 = pickled("batches.meta", {"label_names": [f"class {i}" for i in range(10)]})
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": md5})
    return folder


WORDS = [
    "film",
    "plot",
    "cast",
    "scene",
    "story",
    "actor",
    "music",
    "script",
    "tone",
    "humour",
    "pace",
    "camera",
    "voice",
]
OPINION = (["awful", "dull", "tired", "weak"], ["fine", "warm", "bright", "clever"])


def opinions(count, words=12, seed=0):
    """Random sentences with their labels, 0 and 1 in turn: one word of each tells them apart."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        words_of_text = [*rng.permutation(WORDS)[: words - 1], rng.choice(OPINION[i % 2])]
        yield " ".join(rng.permutation(words_of_text)), i % 2


def sst2(place, count=60, words=12):
    """Sentences, and of each the phrase of its first half, in train.tsv; a few more in dev.tsv; test.tsv has no labels."""
    folder = place / "SST-2"
    folder.mkdir(parents=True, exist_ok=True)
    sentences = list(opinions(count, words))
    rows = [(part, label) for text, label in sentences for part in (text, " ".join(text.split()[: words // 2]))]
    for part, rows_of_part in (("train", rows), ("dev", list(opinions(count // 10, words, seed=1)))):
        lines = [f"{text} \t{label}\n" for text, label in rows_of_part]  # a blank at the end, as published
        (folder / f"{part}.tsv").write_text("".join(["sentence\tlabel\n", *lines]))
    (folder / "test.tsv").write_text("index\tsentence\n0\tuneasy mishmash\n")
    return folder


def ag_news(place, count=60, words=12):
    """Articles of four classes, each without a title or with one."""
    folder = place / "ag_news_csv"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "classes.txt").write_text("World\nSports\nBusiness\nSci/Tech\n")
    for part, size in (("train", count), ("test", count // 2)):
        texts = opinions(size, words, seed=len(part))
        lines = [f'"{i % 4 + 1}","{"" if i % 3 else "Title"}","{text}"\n' for i, (text, _) in enumerate(texts)]
        (folder / f"{part}.csv").write_text("".join(lines))
    return folder


@contextmanager
def served(folder):
    """Address at which the files of a folder can be fetched."""

    class Silent(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *message):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def tarred(path, files):
    """A tar archive of names and contents; its MD5."""
    import tarfile

    with tarfile.open(path, "w:gz") as opened:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            opened.addfile(entry, io.BytesIO(content))
    return hashlib.md5(path.read_bytes()).hexdigest()


def zipped(path, files):
    """A zip archive of names and contents; its MD5."""
    import zipfile

    with zipfile.ZipFile(path, "w") as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return hashlib.md5(path.read_bytes()).hexdigest()
