"""README and docs tell the truth: their numbers are the tables', their commands and names exist, the example runs."""

import re
from pathlib import Path

import pandas as pd
import pytest
import torch
import torchvision
import yaml

import symgen
from symgen import Study
from symgen.report import readme as report

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = {path: path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}


def test_the_numbers_are_those_of_the_tables():
    assert set(report.PAGES) == {"claims", "results", "costs", "run", "scale", "settings"}
    for page, section in report.PAGES.values():
        assert section(ROOT) in PAGES[ROOT / page]


@pytest.mark.parametrize(
    ("page", "line"),
    [
        ("README.md", r"\| fashion-vgg, target-11 \| .*"),
        ("docs/costs.md", r"\| cub-vgg16 \| .*"),
        ("docs/settings.md", r"\| `epochs` \| .*"),
    ],
)
def test_numbers_that_are_not_the_tables_are_mended(tmp_path, page, line):
    for name in ("figures", "benchmarks"):
        (tmp_path / name).symlink_to(ROOT / name)
    for path, text in PAGES.items():
        (tmp_path / path.relative_to(ROOT)).parent.mkdir(exist_ok=True)
        (tmp_path / path.relative_to(ROOT)).write_text(text)
    whole = (tmp_path / page).read_text()
    broken = re.sub(line, "| 0.99 |", whole, count=1)
    assert broken != whole
    (tmp_path / page).write_text(broken)
    assert report.update_readme(tmp_path) and not report.update_readme(tmp_path)
    assert (tmp_path / page).read_text() == whole
    (tmp_path / page).write_text("nothing")
    with pytest.raises(ValueError, match=f"{Path(page).name} must hold the line"):
        report.update_readme(tmp_path)


def test_a_claim_is_said_with_both_verdicts_and_the_statistic_that_is_as_bad_as_the_first(tmp_path):
    shared = {
        "id": "F2",
        "claim": "low before high",
        "paper": "all",
        "study": "fashion-vgg",
        "scale": "one",
        "rule": "> 0",
    }
    rows = [
        shared | {"of": of, "quantity": quantity, "value": value, "low": value - 1, "high": value + 1, "part_verdict": part,
                  "verdict": verdict}
        for of, quantity, value, part, verdict in (
            ("paper", "a", 2, "reproduced", "undecided"),
            ("paper", "b", 0.5, "undecided", "undecided"),
            ("control", "c", -2, "not reproduced", "not reproduced"),
        )
    ]  # fmt: skip
    rows += [rows[0] | {"id": "L1", "verdict": "reproduced"}]
    (tmp_path / "figures").mkdir()
    pd.DataFrame(rows).to_csv(tmp_path / "figures" / "claims.csv", index=False)
    text = report.claims_text(tmp_path)
    assert "**undecided**: b 0.5 [-0.5, 1.5] > 0; beyond its control **not reproduced** |" in text
    assert "**reproduced**: a 2 [1, 3] > 0 |" in text and text.count("control") == 1


def test_the_page_of_settings_holds_every_setting_with_its_default():
    page = PAGES[ROOT / "docs" / "settings.md"]
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (needed|`[^|]+`) \|", page, flags=re.M)
    studies = [yaml.safe_load(path.read_text()) for path in (ROOT / "studies").glob("*.yaml")]
    names = {name for name, _ in rows}
    assert len(names) == len(rows) and names >= set().union(*studies) - {"extends"}
    study, settings = Study.load("fashion-vgg"), yaml.safe_load((ROOT / "studies" / "fashion-vgg.yaml").read_text())
    for name, default in rows:
        if name not in settings:
            value = getattr(study, name)
            assert yaml.safe_load(default.strip("`")) == (list(value) if isinstance(value, tuple) else value), name


def headings(path):
    """The anchors of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(page):
    links = [link for link in re.findall(r"\]\(([^)]+)\)", PAGES[page]) if not link.startswith("http")]
    assert links
    for link in links:
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


def test_every_page_and_every_notebook_is_linked():
    links = set(re.findall(r"\]\(([^)]+)\)", README))
    notebooks = {path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb") if ".failed" not in path.name}
    assert notebooks == {Path(link).name for link in links if link.startswith("notebooks/")}
    assert {f"docs/{path.name}" for path in PAGES if path.parent.name == "docs"} <= links


def test_the_studies_of_published_sets_are_those_that_there_are_with_their_parts():
    page, rows, parts = PAGES[ROOT / "docs" / "studies.md"], {}, ""
    for names, *_, cell in re.findall(r"^\| (`[^|]+`) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", page, flags=re.M):
        first, *others = re.findall(r"`([^`]+)`", names)
        parts = parts if cell == "the same" else cell
        rows |= dict.fromkeys([first, *(first.rsplit("-", 1)[0] + other for other in others)], parts)
    published = ("cifar10", "tiny-imagenet", "cub", "sst2", "ag-news")
    studies = {path.stem: Study.load(path.stem) for path in (ROOT / "studies").glob("*.yaml")}
    studies = {name: study for name, study in studies.items() if study.dataset in published}
    assert rows == {name: f"{study.train_size:,} / {study.test_size:,}" for name, study in studies.items()}


def test_every_target_of_make_is_there():
    named = set(re.findall(r"(?:`|^)make (\w+)", "\n".join(PAGES.values()), flags=re.M))
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.M))
    assert {"figures", "test", "lab"} <= named <= targets


def test_every_file_that_a_page_names_is_there():
    rooms = [ROOT, ROOT / "lib" / "symgen"]
    for page, text in PAGES.items():
        names = re.findall(r"[`( ]((?:[\w]+/)+\w+\.(?:py|ipynb|npz|yaml))\b", text)
        for name in names:
            assert any((folder / name).exists() for folder in (*rooms, page.parent)), (page.name, name)


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    images = torch.rand(8, 3, 30, 30)
    network = torchvision.models.resnet18(num_classes=5)
    itself = symgen.ImageGame(network, "relu", 5, images)
    given = {"network": network, "training_images": images, "image": images[0], "label": 2, "baseline_games": [itself]}
    exec(code, given)
    printed = capsys.readouterr().out
    salient = given["e"].salient.sum()
    assert f"salient: {salient} of 2036 interactions" in printed and "H = 1.00" in printed  # judged by itself: all
    assert symgen.load(tmp_path / "explanation.nc").salient.sum() == salient
