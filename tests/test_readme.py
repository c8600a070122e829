"""The README tells the truth: its numbers are the tables', its commands and names exist, its example runs."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

import symgen
from symgen.report import readme as report

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_numbers_are_those_of_the_tables():
    assert all(section(ROOT) in README for section in report.SECTIONS.values()) and len(report.SECTIONS) == 4


def test_numbers_that_are_not_the_tables_are_mended(tmp_path):
    for name in ("figures", "benchmarks"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "README.md").write_text(
        re.sub(r"\| fashion-vgg, target-11 \| .*", "| fashion-vgg, target-11 | 0.99 |", README)
    )
    assert report.update_readme(tmp_path) and not report.update_readme(tmp_path)
    assert (tmp_path / "README.md").read_text() == README
    (tmp_path / "README.md").write_text("nothing")
    with pytest.raises(ValueError, match="must hold the line"):
        report.update_readme(tmp_path)


def test_every_link_and_every_notebook_is_there():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]
    assert links and all((ROOT / link).exists() for link in links)
    notebooks = {path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb") if ".failed" not in path.name}
    assert notebooks == {Path(link).name for link in links if link.startswith("notebooks")}


def test_the_studies_of_published_sets_are_those_that_there_are_with_their_parts():
    from symgen.study.settings import Study

    rows, said = {}, ""
    for names, *_, parts in re.findall(r"^\| (`[^|]+`) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", README, flags=re.M):
        first, *others = re.findall(r"`([^`]+)`", names)
        said = said if parts == "the same" else parts
        rows |= dict.fromkeys([first, *(first.rsplit("-", 1)[0] + other for other in others)], said)
    published = ("cifar10", "tiny-imagenet", "cub", "sst2", "ag-news")
    studies = {path.stem: Study.load(path.stem) for path in (ROOT / "studies").glob("*.yaml")}
    studies = {name: study for name, study in studies.items() if study.dataset in published}
    assert rows == {name: f"{study.train_size:,} / {study.test_size:,}" for name, study in studies.items()}


def test_every_target_of_make_is_there():
    named = set(re.findall(r"(?:`|^)make (\w+)", README, flags=re.M))
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.M))
    assert {"figures", "test", "lab"} <= named <= targets


def test_the_example_runs(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    torch.manual_seed(0)
    images = torch.rand(8, 3, 30, 30)
    given = {
        "network": torchvision.models.resnet18(num_classes=5), "training_images": images, "image": images[0], "label": 2,
    }  # fmt: skip
    before, after = code.split("base = ")
    exec(before, given)
    given["found_on_baselines"] = [given["found"]]
    exec("base = " + after, given)
    said = capsys.readouterr().out
    found = given["found"]
    salient = symgen.salient(np.stack([found.i_and, found.i_or])).sum()
    assert f"{salient} salient interactions" in said and f"generalizable: {salient}" in said  # judged by itself: all
