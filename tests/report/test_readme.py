"""README and docs tell the truth: their numbers are the tables', their links lead somewhere, the example runs."""

import json
import re
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import symgen
from symgen import Study, plots
from symgen.errors import InputError
from symgen.report import claims, costs, results
from symgen.report import readme as report
from symgen.report._markdown import interval

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = {path: path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
NOTEBOOKS = {
    path: "\n".join("".join(cell["source"]) for cell in json.loads(path.read_text())["cells"])
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
}
IDEA = pd.DataFrame(  # interactions on a picture
    {"kind": ["or", "and", "and", "and"], "variables": ["0 ∨ 2", "1", "0 ∧ 1 ∧ 2", "1 ∧ 2"],
     "effect": [2.0, -1.0, 0.5, 0.25], "generalizable": [True, False, True, True], "cells": "3 7 24", "item": 5, "v": 1.25,
     "bias": -0.5}
)  # fmt: skip


@pytest.fixture
def project(tmp_path):
    """The pages and the tables of this project, in a folder of its own."""
    for pattern in ("figures/**/*.csv", "benchmarks/results/*.csv", "docs/*.md", "README.md", "notebooks/[0-9]*.ipynb"):
        for path in ROOT.glob(pattern):
            copy = tmp_path / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    IDEA.to_csv(tmp_path / "figures" / "fashion-vgg" / f"{report.IDEA}.csv", index=False)
    return tmp_path


@pytest.mark.parametrize("name", report.PAGES)
def test_the_numbers_are_those_of_the_tables(name):
    page, section = report.PAGES[name]
    assert section(ROOT) in PAGES[ROOT / page]


def test_what_one_cites_is_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    assert f"version = {{{version}}}" in README


LINES = {  # of each page, one that is computed
    "README.md": (r"\| \[Low orders.*", r"\| \[05_three_phase_dynamics\].*"),
    "docs/results.md": (r"\| fashion-vgg, target-11 \| .*",),
    "docs/claims.md": (r"\| fashion-vgg \(10\) \| .*",),
    "docs/costs.md": (r"\| cub-vgg16 \| .*",),
    "docs/settings.md": (r"\| `epochs` \| .*",),
}


def test_what_is_not_the_tables_is_mended(project):
    assert all((project / page).read_text() == PAGES[ROOT / page] for page in LINES)
    report.update_readme(project)  # the picture is of another table here, and says other numbers
    whole = {page: (project / page).read_text() for page in LINES}
    for page, lines in LINES.items():
        assert re.sub(r"\. In numbers: [^]]*", "", whole[page]) == re.sub(
            r"\. In numbers: [^]]*", "", PAGES[ROOT / page]
        )
        broken = whole[page]
        for line in lines:
            broken, count = re.subn(line, "| 0.99 |", broken, count=1)
            assert count
        (project / page).write_text(broken)
    assert report.update_readme(project)
    assert {page: (project / page).read_text() for page in LINES} == whole
    assert not report.update_readme(project)


@pytest.mark.parametrize("page", LINES)
def test_a_page_without_its_marks_is_named(project, page, monkeypatch):
    monkeypatch.setattr(report, "draw_idea", lambda root: None)
    (project / page).write_text("nothing")
    with pytest.raises(ValueError, match=f"{Path(page).name} must hold the line"):
        report.update_readme(project)


def typed(page):
    """A page without what is computed, code, and addresses of links."""
    text = re.sub(r"<!-- (\w+): written by.*?<!-- end of \1 -->", "", PAGES[ROOT / page], flags=re.S)
    return re.sub(r"```.*?```|\. In numbers: [^]]*|\]\([^)]+\)", "", text, flags=re.S)


@pytest.mark.parametrize("page", ["README.md", "docs/results.md", "docs/claims.md", "docs/rules.md"])
def test_no_result_is_typed_by_hand(page):
    numbers = set(re.findall(r"\d+\.\d+|\d+(?= ?%)", typed(page)))
    assert numbers <= {"95", "3.11", "6.6"}  # of intervals, of Python, of .venv
    assert "6.6 GB" in (ROOT / "Makefile").read_text() and ">=3.11" in (ROOT / "pyproject.toml").read_text()


def test_the_readme_is_two_screens_long():
    above = README[: README.index("## The notebooks")]
    assert len(re.sub(r"!\[.*\n|\]\([^)]+\)", "", above)) < 6000  # letters that are seen


# what was found
YES, OPEN, NO, MUTE = claims.VERDICTS


@pytest.mark.parametrize(
    ("verdicts", "text"),
    [
        ([YES, YES, NO], "reproduced, 2 of 3"),
        ([NO, NO, NO], "not reproduced, 3 of 3"),
        ([YES, "–", "–"], "reproduced"),
        ([NO, MUTE], "not reproduced"),
        ([NO, MUTE, MUTE], "not reproduced; not testable in 2"),
        ([YES, OPEN, MUTE, OPEN], "undecided, 2 of 3"),
        ([YES, NO, MUTE, MUTE, MUTE], "1 reproduced, 1 not reproduced; not testable in 3"),
        ([YES, MUTE, MUTE, MUTE], "reproduced; not testable in 3"),
        ([NO, YES], "1 reproduced, 1 not reproduced"),
        ([NO, YES, OPEN, YES], "2 reproduced, 1 undecided, 1 not reproduced"),
        ([MUTE, "–"], "not testable"),
        (["–", "–"], "no control"),
    ],
)
def test_a_verdict_is_that_of_more_than_half_of_the_studies_that_can_tell(verdicts, text):
    assert results.in_most(pd.Series(verdicts)) == text


def claims_of(root, studies, names, verdict=YES):
    """A made-up figures/claims.csv: each claim in each study, measured twice and once against its control."""
    parts = [("paper", "a", 2.0, YES, verdict), ("paper", "b", 0.5, verdict, verdict), ("control", "c", -2.0, NO, NO)]
    rows = [
        {"id": name, "claim": f"{name} holds", "paper": "all", "study": study, "networks": n,
         "scale": f"{n} networks, 9 images", "of": of, "quantity": what,
         "value": value, "low": value - 1, "high": value + 1, "unknown": 0, "rule": "> 0",
         "part_verdict": part, "how": "contrary" if part == NO else "", "more": 3.0, "verdict": whole}
        for name in names
        for n, study in enumerate(studies, start=2)
        for of, what, value, part, whole in parts
    ]  # fmt: skip
    (root / "figures").mkdir()
    pd.DataFrame(rows).to_csv(root / "figures" / "claims.csv", index=False)


@pytest.mark.parametrize("n_studies", [1, 2, 5])
def test_the_answer_is_a_row_for_each_main_claim_and_a_sentence_on_the_others(tmp_path, n_studies):
    studies = [f"study-{i}" for i in range(n_studies)]
    main = [name for name, one in claims.claims().items() if one.main]
    claims_of(tmp_path, studies, list(claims.claims()))
    first, _, *lines, _, last = results.answer_text(tmp_path).strip().split("\n")
    where = "(`study-0`)" if n_studies == 1 else f"in {n_studies} studies"
    assert first.startswith(
        f"{len(claims.claims())} claims were tested on {sum(range(2, n_studies + 2))} small networks {where}."
    )
    count = f", {n_studies} of {n_studies}" * (n_studies > 1)
    each = [
        f"| [{name} holds](docs/claims.md#{name.lower()}) | reproduced{count} | – | not reproduced{count} |"
        for name in main
    ]
    assert lines == [
        "| claim | as the paper measures it | with ten networks | against its control |",
        "|---|---|---|---|",
        *each,
    ]
    others = len(claims.claims()) - len(main)
    counts = f"{others} reproduced ({others} not against their control)"
    everything = "([all](docs/results.md#at-a-glance))"
    assert last == f"The other {others}, as the paper measures them: {counts} {everything}."
    assert len(results.verdicts_text(tmp_path).strip().split("\n")) == 2 + len(claims.claims())


def turns_of(folder, networks):
    """A table of turns: of each network, whether H rises and falls with certainty, in all rows but the last one."""
    names = ["H rises", "H falls", "H rises above chance", "H falls above chance", "N falls"]
    rows = [(name, role, 0.1 if sure and name != missing else -0.1)
            for role, (sure, missing) in ({"all": (True, "")} | networks).items() for name in names]  # fmt: skip
    pd.DataFrame(rows, columns=["quantity", "role", "low"]).to_csv(folder / "fig03_contrasts.csv", index=False)


def course_of(folder, phases, **changed):
    """Tables of two networks, a and b, that are followed; of b, phase 1 learns the other kind."""
    epochs = [0, 1, 2, 4]
    learning = pd.DataFrame(
        {"role": np.repeat(list("ab"), 4), "epoch": epochs * 2, "delta_g": [0, 3, 1, 1, 0, 1, 1, 1],
         "delta_n": [0, 1, 2, 3, 0, 2, 2, 2]}
    )  # fmt: skip
    curves = pd.DataFrame(
        {"role": np.repeat(list("ab"), 4), "epoch": epochs * 2, "total": [1, 4, 6, 9, 1, 4, 6, 9],
         "generalizable": [0, 2, 2, 2, 0, 1, 1, 1], "H_chance": [0.1, 0.1, 0.2, 0.1] * 2} | changed
    )  # fmt: skip
    folder.mkdir(parents=True)
    phases = pd.DataFrame({"role": list("ab"), "t1": 1.0, "t2": [2.0, np.inf]} | phases)
    for name, table in {"phases": phases, "learning": learning, "dynamics": curves}.items():
        table.to_csv(folder / f"fig03_{name}.csv", index=False)


def test_networks_that_were_followed_are_counted_by_what_is_certain(tmp_path):
    claims_of(tmp_path, ["one", "two"], ["F2"])
    one, two = (tmp_path / "figures" / name for name in ("one", "two"))
    course_of(one, {"n_phases": [0, 2]})
    course_of(two, {"n_phases": [3, 1]})
    turns_of(one, {"a": (True, "N falls"), "b": (True, "H falls")})
    turns_of(two, {"a": (True, "H rises above chance"), "b": (False, "")})
    first = results.answer_text(tmp_path).split("\n")[0]
    assert (
        " 4 of these networks were followed through training. H certainly rises and falls, also above chance, in 2 if "
        "[their own samples](docs/results.md#the-phases) say where it peaks, in 1 if other networks do. Three phases are "
        "certain in 1. The table gives "
    ) in first


def test_the_answer_says_by_how_much_removal_narrows_the_gap_over_all_studies(tmp_path):
    claims_of(tmp_path, ["one", "two", "three"], ["F4"])
    path = tmp_path / "figures" / "claims.csv"
    table = pd.read_csv(path)
    names = {
        "paper": "gap narrowed by, share of the gap",
        "control": "gap narrowed by, share of the gap, more than the placebo",
    }
    table = table.drop_duplicates(["study", "of"]).assign(quantity=table.of.map(names), part_verdict=YES)
    table = table.assign(low=table.value - 0.1, high=table.value + 0.1)
    table.to_csv(path, index=False)
    by = {of: f"{100 * rows.value.iloc[0]:.0f}" for of, rows in table.groupby("of")}
    first = results.answer_text(tmp_path).split("\n")[0]
    assert f" On average over 3 studies, removal narrows the loss gap by {by['paper']} % [" in first
    assert re.search(rf"\], {by['control']} points \[.+\] more than a placebo\.", first)
    table[table.study != "one"].to_csv(path, index=False)  # two studies have no mean
    assert "removal" not in results.answer_text(tmp_path).split("\n")[0]


def test_claims_that_are_not_alike_in_most_studies_are_counted_by_themselves(tmp_path):
    claims_of(tmp_path, ["one", "two"], ["F2", "F10", "L1"])
    path = tmp_path / "figures" / "claims.csv"
    table = pd.read_csv(path)
    table.loc[(table.study == "two") & (table.id != "L1"), "verdict"] = NO
    table.to_csv(path, index=False)
    others = "1 reproduced (1 not against their control), 1 without a majority"
    assert f"The other 2, as the paper measures them: {others} ([all]" in results.answer_text(tmp_path)
    row = "| [F10 · F10 holds](claims.md#f10) | 1 reproduced, 1 not reproduced | – | not reproduced, 2 of 2 |"
    assert row in results.verdicts_text(tmp_path)
    table.assign(networks=table.networks.where(table.study == "two", 10)).to_csv(path, index=False)
    row = "| [F2 holds](docs/claims.md#f2) | 1 reproduced, 1 not reproduced | reproduced | not reproduced, 2 of 2 |"
    assert row in results.answer_text(tmp_path)
    row = "| [F10 · F10 holds](claims.md#f10) | 1 reproduced, 1 not reproduced | reproduced | not reproduced, 2 of 2 |"
    assert row in results.verdicts_text(tmp_path)


def test_statistics_that_are_reproduced_by_a_hair_are_named(tmp_path):
    """Within a tenth of its interval's width of the threshold, on the side on which it is expected; and no other verdict."""
    rows = [
        ("F2", "one", "paper", "H_low - H_high", 0.001, 0.1, YES),
        ("F2", "two", "paper", "H_low - H_high", 0.02, 0.1, YES),
        ("F2", "three", "paper", "H_low - H_high", -0.001, 0.1, "undecided"),
        ("F2", "four", "paper", "H_low - H_high", 0.001, 0.1, "not testable"),
        ("F4", "one", "control", "gap narrowed by, share of the gap, more than the placebo", 0.005, 0.2, YES),
        ("L1", "one", "paper", "seconds a set of interactions", 20, 59, YES),
        ("S2", "two", "paper", "end of removal - lowest held-out loss, checkpoints", -0.95, 0.9, YES),
    ]
    (tmp_path / "figures").mkdir()
    columns = ["id", "study", "of", "quantity", "low", "high", "verdict"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "figures" / "claims.csv", index=False)
    text = results.close_text(tmp_path)
    assert text.startswith(
        "There are 6 verdicts, and 1 that are not testable; together they rest on 7 statistics. Of the 5 "
    )
    assert "5 that are reproduced, 4 are so only just" in text
    of_paper = (
        "as the paper measures it, [F2](claims.md#f2) in one, [L1](claims.md#l1) in one, [S2](claims.md#s2) in two"
    )
    assert text.endswith(f": {of_paper}; against its control, [F4](claims.md#f4) in one.\n")


def test_a_share_of_networks_says_of_how_many_it_is_not_known(tmp_path):
    claims_of(tmp_path, ["one"], ["F3d"])
    path = tmp_path / "figures" / "claims.csv"
    pd.read_csv(path).assign(networks=8, unknown=[7, 3, 0], value=[2.0, np.nan, 1.0]).to_csv(path, index=False)
    text = results.claims_text(tmp_path)
    assert "| a | 2.0 [1.0, 3.0] (of 1 network; not known of 7) | > 0 |" in text and text.count("not known of") == 1


def test_a_claim_is_shown_with_both_verdicts_and_every_statistic(tmp_path):
    claims_of(tmp_path, ["one", "two"], ["F2"], OPEN)
    text = results.claims_text(tmp_path)
    assert "## F2\n\nF2 holds. The paper: all." in text and "| two | 3 networks, 9 images |" in text
    assert text.strip().split("\n")[-3:] == [
        "| two (3) | as the paper measures it: **undecided** | a | 2.0 [1.0, 3.0] | > 0 | reproduced |",
        "|  |  | b | 0.5 [-0.5, 1.5] | > 0 | "
        "undecided, half-width 1, about 3 times the samples and networks would decide it |",
        "|  | against its control: **not reproduced** | c | -2.0 [-3.0, -1.0] | > 0 | not reproduced, contrary |",
    ]


def test_what_another_run_changed_is_counted_and_shown(tmp_path):
    of_both = {
        "study": "one", "id": ["F2", "F2", "F5", "L1"], "of": ["paper", "paper", "control", "paper"],
        "quantity": list("abcd"),
        "value_earlier": [2.0, 1.0, 3.0, 9.0], "low_earlier": [1.0, 0.5, 2.0, 9.0], "high_earlier": [3.0, 1.5, 4.0, 9.0],
        "value": [2.5, 1.6, 2.0, 8.0], "low": [2.0, 1.2, 1.0, 8.0], "high": [3.0, 2.0, 3.0, 8.0],
        "verdict_earlier": [OPEN, OPEN, NO, YES], "part_verdict_earlier": [YES, OPEN, OPEN, YES],
        "verdict": [YES, YES, NO, YES], "part_verdict": [YES, YES, NO, YES],
    }  # fmt: skip
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    pd.DataFrame(of_both).to_csv(tmp_path / "benchmarks" / "results" / "rerun.csv", index=False)
    first, *rows = results.rerun_text(tmp_path).strip().split("\n")
    assert first == "- `one`: 2 of 3 values lie in the interval of the earlier run, and 1 of 3 verdicts changed."
    changed = "as the paper measures it: undecided → reproduced"
    assert rows[-2:] == [
        f"| one | [F2](claims.md#f2) | b | 1.0 [0.5, 1.5] | 1.6 [1.2, 2.0] | {changed} |",
        "| one | [F5](claims.md#f5) | c | 3.0 [2.0, 4.0] | 2.0 [1.0, 3.0] | against its control: not reproduced |",
    ]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (1.04, "about 1.1 times the samples and networks would decide it"),
        (20.0, "about 20 times the samples and networks would decide it"),
        (77.0, "it would take more than 20 times the samples and networks"),
        (np.inf, "it would take more than 20 times the samples and networks"),
    ],
)
def test_what_would_decide_is_said_as_far_as_it_means_anything(more, text):
    assert claims.what_decides(more) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.3, 0.26, 0.34), "0.30 [0.26, 0.34]"),
        ((0.062, 0.0035, 0.12), "0.062 [0.004, 0.120]"),  # 0.00 would leave open on which side of 0 it is
        ((2.4, -2.84, 7.5), "2.4 [-2.8, 7.5]"),
        ((18.2, 18.1, 18.3), "18 [18, 18]"),
        ((0.0, 0.0, 0.0), "0 [0, 0]"),
        ((0.5, -np.inf, 1e-9), "0.5000 [-inf, 0.0000]"),
        ((-1e-9, -0.4, 0.4), "0.0000 [-0.4000, 0.4000]"),
        ((np.nan, np.nan, np.nan), "none"),
        ((0.39, np.nan, np.nan), "0.39 [none]"),
    ],
)
def test_a_number_and_its_interval_have_as_many_decimals(numbers, text):
    assert interval(*numbers) == text


def test_networks_in_which_phases_were_found_are_counted(tmp_path):
    table = pd.DataFrame({"role": list("abc"), "n_phases": [3, 1, 0], "t1": 1.0, "t2": [4.0, 2.0, np.inf]})
    names = ["three phases, by the letter"] * 4 + ["t2"]
    shares = pd.DataFrame({"quantity": names, "role": [*"abc", "all", "a"], "value": [1, np.nan, 0, 0.5, 1]})
    for name in ("other", "fashion-vgg", "fashion-vgg+changed"):
        (tmp_path / "figures" / name).mkdir(parents=True)
        table.to_csv(tmp_path / "figures" / name / "fig03_phases.csv", index=False)
        shares.to_csv(tmp_path / "figures" / name / "fig03_shares.csv", index=False)
        turns_of(tmp_path / "figures" / name, {"a": (True, "N falls"), "b": (True, ""), "c": (True, "H rises")})
    rows = results.phases_text(tmp_path).strip().split("\n")[2:]
    assert rows == ["| fashion-vgg | 3 | 2 | 2 | 1 | 1 | 1 of 2 | 2 |", "| other | 3 | 2 | 2 | 1 | 1 | 1 of 2 | 2 |"]


@pytest.mark.parametrize("section", [results.networks_text, results.phases_text, results.learned_text])
def test_a_study_without_one_of_its_tables_is_named_in_one_line(tmp_path, section):
    (tmp_path / "figures" / "one").mkdir(parents=True)
    pd.DataFrame({"role": ["a"], "n_phases": 1, "t1": 1.0, "t2": 2.0}).to_csv(
        tmp_path / "figures" / "one" / "fig03_phases.csv", index=False
    )
    with pytest.raises(InputError, match=r"fig03_\w+.csv is missing in one/; `make figures` makes the tables"):
        section(tmp_path)


def test_networks_that_learn_as_the_appendix_says_are_counted(tmp_path):
    course_of(tmp_path / "figures" / "one", {})  # of b, phase 1 learns the other kind, and t2 never comes
    fallen = {"total": [3, 4, 6, 9] * 2, "generalizable": [0, 2, 2, 2] * 2}  # the rest is 3 before training, then 2
    course_of(tmp_path / "figures" / "two", {}, **fallen)
    rows = results.learned_text(tmp_path).strip().split("\n")[2:]
    assert rows == [
        "| one | 2 | 1 | 1 | 0.29 | 0.14 | 0 | 2 | 1 → 2.5 → 7.5 |",
        "| two | 2 | 1 | 1 | 0.29 | 0.14 | 2 | 0 | 3 → 2 → 7 |",
    ]


def test_the_answer_in_short_is_what_the_tables_say():
    """Whoever runs the studies again and finds another answer has to write another sentence."""
    short = (
        "**In short**: low orders generalize better. H often rises and falls, but three phases are rarely certain. If "
        "what does not generalize is taken out, the loss gap narrows on average; a placebo may do the same. A penalty on "
        "what does not generalize raises H no more than learning from judges' answers does."
    )
    assert short in README
    table = pd.read_csv(ROOT / "figures" / "claims.csv").drop_duplicates(["id", "study", "of"])
    verdicts = table[table.verdict != "not testable"].groupby(["id", "of"]).verdict
    share = {(name, of): rows.value_counts(normalize=True) for (name, of), rows in verdicts}
    assert all(share["F2", of]["reproduced"] > 0.5 for of in ("paper", "control"))
    assert set(share["K1", "control"].index) == {"not reproduced"}
    sentence = r" (\d+) of these networks were .+ in (\d+) if .+, in (\d+) if .+ Three phases are certain in (\d+)\."
    networks, least, most, phases = map(int, re.search(sentence, README).groups())  # own samples are on the safe side
    assert 0.3 * networks < least and most < networks and phases < 0.1 * networks
    means = pd.read_csv(ROOT / "figures" / "effects_mean.csv").set_index(["effect", "of"])
    alone, beyond = (means.loc["removal narrows the gap", of] for of in ("paper", "control"))
    assert alone.low > 0 and beyond.low < 0 < beyond.high


def test_settings_are_counted_by_what_is_certain_with_as_many_samples(tmp_path):
    variants = ["as it is", "a", "b", "sums at order 1", "as it is, fewer samples", "c", "of another number of samples"]
    table = pd.DataFrame(
        {"variant": variants, "samples": [40, 40, 40, 40, 20, 20, 10], "n_phases": [2, 3, 0, 3, 1, 2, 1]}
    )
    (tmp_path / "figures" / "one").mkdir(parents=True)
    table.to_csv(tmp_path / "figures" / "one" / "fig05_sensitivity.csv", index=False)
    rows = results.sensitivity_text(tmp_path).strip().split("\n")[2:]
    assert rows == [
        "| one | 40 | 2 | 2 | 1 | 1 | 1 |",
        "| one | 20 | 1 | 1 | 1 | 1 | 0 |",
        "| one | 10 | – | 1 | 1 | 0 | 0 |",
    ]


def test_the_numbers_of_claims_stand_beside_what_other_judges_give(tmp_path):
    folder = tmp_path / "figures" / "one"
    folder.mkdir(parents=True)
    less = "less that by judges of shuffled labels"
    quantities = ["H_low - H_high", "H_low - H_high, above chance", f"H_low - H_high, {less}", "H rises"]
    of_choices = {"value": 0.5, "least": [0.41, 0.21, 0.11, 0.31], "most": [0.59, 0.29, 0.19, 0.39]}
    of_choices |= {"sd": [0.05, 0.04, 0.03, np.nan]}
    pd.DataFrame({"quantity": quantities} | of_choices).to_csv(folder / "fig05_choices.csv", index=False)
    for name, rows in {
        "fig02": ["H_low - H_high", "by chance", "above chance", less],
        "fig03": ["H rises", "N falls"],
    }.items():
        numbers = {"value": 0.5, "low": 0.4, "high": 0.6}
        claimed = [pd.DataFrame({"quantity": rows, "role": role} | numbers) for role in ("target-1", "all")]
        claimed[0].value = 9.0
        pd.concat(claimed).to_csv(folder / f"{name}_contrasts.csv", index=False)
    assert results.choices_text(tmp_path).strip().split("\n")[2:] == [
        "| one | H_low - H_high | 0.50 [0.40, 0.60] | 0.41 to 0.59 | 0.050 | 0.50 [0.36, 0.64] |",
        "| one | H_low - H_high, above chance | 0.50 [0.40, 0.60] | 0.21 to 0.29 | 0.040 | 0.50 [0.37, 0.63] |",
        f"| one | H_low - H_high, {less} | 0.50 [0.40, 0.60] | 0.11 to 0.19 | 0.030 | 0.50 [0.38, 0.62] |",
        "| one | H rises | 0.50 [0.40, 0.60] | 0.31 to 0.39 | none | 0.50 [none] |",
    ]
    table = pd.read_csv(folder / "fig02_contrasts.csv")
    table[table.quantity != less].to_csv(folder / "fig02_contrasts.csv", index=False)  # run again without these judges
    assert [row.split(" | ")[1] for row in results.choices_text(tmp_path).strip().split("\n")[2:]] == [
        "H_low - H_high", "H_low - H_high, above chance", "H rises",
    ]  # fmt: skip


def test_what_the_page_says_of_other_baselines_holds():
    turns = []
    for study in ("fashion-vgg", "snippets-bert"):
        tables = {
            name: pd.read_csv(ROOT / "figures" / study / f"{name}.csv") for name in ("fig05_choices", "fig03_contrasts")
        }
        claimed = tables["fig03_contrasts"].query("role == 'all'").set_index("quantity")
        for row in tables["fig05_choices"].itertuples():
            if row.quantity in claimed.index:
                half = (claimed.high - claimed.low)[row.quantity] / 2
                turns.append(np.hypot(half, 1.96 * row.sd) / half)
    assert len(turns) == 12 and 1.15 < min(turns) < 1.25 and 1.6 < max(turns) < 1.75  # a fifth to two thirds wider
    rows = [row.split(" | ") for row in results.choices_text(ROOT).strip().split("\n")[2:]]
    sure = {(row[0].strip("| "), row[1]): float(re.search(r"\[(\S+),", row[5])[1]) > 0 for row in rows}
    less = "less that by judges of shuffled labels"
    unsure = {("snippets-bert", f"{name}, {less}") for name in ("H_low - H_high", "H falls")}
    assert len(sure) == 18 and {row for row, yes in sure.items() if not yes} == unsure


def test_sums_at_order_one_stand_beside_the_study_as_it_is(tmp_path):
    numbers = {"H_first": [0.51, 0, 0.21], "H_best": [0.52, 0, 0.22], "H_last": [0.53, 0, 0.23]}
    numbers |= {"chance_first": [0.31, 0, 0.11], "chance_best": [0.32, 0, 0.12], "chance_last": [0.33, 0, 0.13]}
    numbers |= {"N_first": [30.4, 1, 20.0], "N_least": [20, 1, 9], "N_last": [40, 1, 31]}
    table = pd.DataFrame({"variant": ["as it is", "another", "sums at order 1"], "samples": 40} | numbers)
    (tmp_path / "figures" / "one").mkdir(parents=True)
    path = tmp_path / "figures" / "one" / "fig05_sensitivity.csv"
    table.to_csv(path, index=False)
    assert results.sums_text(tmp_path).strip().split("\n")[2:] == [
        "| one | as the solver has them | 0.51 → 0.52 → 0.53 | 0.31 → 0.32 → 0.33 | 30 → 20 → 40 |",
        "| one | at order 1 | 0.21 → 0.22 → 0.23 | 0.11 → 0.12 → 0.13 | 20 → 9 → 31 |",
    ]
    table.head(2).to_csv(path, index=False)  # of an earlier run
    assert results.sums_text(tmp_path).count("\n") == 2


def test_the_dynamics_of_a_network_stand_in_a_row(tmp_path):
    turns = {"t1": [1.0], "t1_low": [1.0], "t1_high": [2.0], "t2": [np.inf], "t2_low": [4.0], "t2_high": [np.inf]}
    phases = pd.DataFrame({"role": ["a"], "verdict": ["one phase"]} | turns)
    course = {"epoch": [0, 1, 2, 4], "H": [0.1, 0.5, 0.4, 0.2], "H_chance": [0.1, 0.2, 0.2, 0.1], "N": [30, 25, 20, 40]}
    curve = pd.DataFrame(course | {"train_loss": [2.3, 2.0, 1.0, 0.1], "role": "a"})
    (tmp_path / "figures" / "one").mkdir(parents=True)
    phases.to_csv(tmp_path / "figures" / "one" / "fig03_phases.csv", index=False)
    curve.to_csv(tmp_path / "figures" / "one" / "fig03_dynamics.csv", index=False)
    (row,) = results.networks_text(tmp_path).strip().split("\n")[2:]
    numbers = "0.10 → 0.50 → 0.20 | 0.10 → 0.20 → 0.10 | 2.30 → 2.00 → 0.10 | 30 → 20 (2) → 40 | 1 [1, 2] | never"
    assert row == f"| one, a | {numbers} | one phase |"
    path = tmp_path / "figures" / "one" / "fig03_dynamics.csv"
    curve.assign(H=np.nan, N=np.nan).to_csv(path, index=False)  # outputs that never vary
    assert "| nan → nan (0) → nan |" in results.networks_text(tmp_path)


def test_a_command_takes_its_core_seconds_over_its_cores(tmp_path):
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    table = pd.DataFrame({"stage": list("abc"), "seconds": [60.0, 180.0, 600.0], "share": 0.5, "cores": 2})
    commands = ["make figures, alone", "make figures, alone", "make figures STUDY=other"]
    table = table.assign(command=commands, hardware="a chip, 2 cores")
    slower = table.head(2).assign(seconds=600.0, hardware="Some(R) other Processor, 2 cores")
    pd.concat([table, slower]).to_csv(tmp_path / "benchmarks" / "results" / "run.csv", index=False)
    row = "| make figures | 2 (a chip), 10 (Some other) |"
    assert costs.commands_text(tmp_path).splitlines() == ["| command | minutes on 2 cores |", "|---|---|", row]
    assert costs.times_text(tmp_path).splitlines()[2:] == [
        "| make figures | 2 | a chip, 2 cores, alone |",
        "| make figures STUDY=other | 5 | a chip, 2 cores |",
        "| make figures | 10 | Some(R) other Processor, 2 cores, alone |",
    ]
    assert costs.run_text(tmp_path).count("\n") == 6 and "| b | 180 | 50% |" in costs.run_text(tmp_path)


def test_a_notebook_is_listed_as_it_says_itself(tmp_path):
    (tmp_path / "notebooks").mkdir()
    path = tmp_path / "notebooks" / "03_what.ipynb"
    repeats = "*Repeats Figures 7 and 12 of the paper (Equations 3 and 4), Table 1 and Appendix K.*"
    says = f"# What\n\n{repeats}\n\n**Question.** Is it?\n\n**Reads** all. **Time** a day.\n\nMore."
    path.write_text(json.dumps({"cells": [{"source": says}]}))
    assert report.notebooks_text(tmp_path).endswith(
        "| [03_what](notebooks/03_what.ipynb) | Is it? | 7, 12, Table 1, App. K | a day |\n"
    )
    path.write_text(json.dumps({"cells": [{"source": "# What"}]}))
    with pytest.raises(ValueError, match=r"03_what.ipynb must say \*Repeats"):
        report.notebooks_text(tmp_path)


# the picture
@pytest.mark.parametrize(
    ("n_phases", "t2_found", "named"),
    [
        (3, 1.0, ["phase 1", "2", "phase 3"]),
        (2, 1.0, ["phase 1", "phases 2 and 3, not told apart"]),
        (2, 0.5, ["phase 1", "phase 2"]),
        (1, 1.0, ["phase 1, whose end is not certain"]),
        (0, 0.0, ["no phase is certain"]),
    ],
)
def test_the_picture_shows_the_strongest_interactions_on_their_cells_and_phases_that_are_certain(
    n_phases, t2_found, named
):
    curve = pd.DataFrame({"epoch": [0, 2, 8, 16], "H": [0.2, 0.6, 0.5, 0.3], "H_chance": 0.1})
    picture = np.full((28, 28, 3), 200, np.uint8)
    with plots.in_style():
        first = {"t1": 2.0, "t2": 8.0, "t2_found": t2_found, "n_phases": n_phases}
        boundaries = pd.DataFrame([first, {"t1": 4.0, "t2": 8.0, "t2_found": 1.0, "n_phases": 3}])
        figure = plots.idea(IDEA, picture, 5, curve, boundaries, judges=2)
    above, below = figure.axes
    texts = [text.get_text() for text in above.texts]
    assert [text for text in texts if "\n" in text and text[0] in "AOoi"] == [
        "its\noutput\n+1.2", "OR of\n2 cells\n+2.0", "AND of\n3 cells\n+0.5", "one\ncell\n−1.0"
    ]  # fmt: skip
    assert {"those 3\nhidden\n−0.5", "the\nrest\n+0.2"} <= {*texts}
    assert sum(text.endswith(("2 other networks has them", "these has them")) for text in texts) == 2
    assert f"certain in {1 + (n_phases == 3)} of 2 networks" in figure.get_supxlabel()
    whole, first, *_ = above.images
    assert len(above.images) == 4 and len(above.patches) == 3 + 2 + 3 + 1
    shown = np.asarray(first.get_array())
    assert (shown[0, 17] == 200).all() and (shown[27, 27] == 200).all() and (shown[8, 14] > 240).all()  # cells 3, 24, 7
    assert (np.asarray(whole.get_array()) == 200).all()
    assert [text.get_text() for text in below.texts][: len(named)] == named


def test_the_picture_is_drawn_from_the_tables_and_always_the_same(project):
    path = project / "figures" / "fashion-vgg" / f"{report.IDEA}.png"
    drawn = []
    for _ in range(2):
        report.draw_idea(project)
        drawn.append(path.read_bytes())
    assert drawn[0] == drawn[1] and drawn[0].startswith(b"\x89PNG")


def test_the_numbers_of_a_picture_end_with_a_sentence_or_with_dots(tmp_path):
    page, words = tmp_path / "page.md", "H from 0.1 to 0.2, lowest 0.1"
    for text, end in ((f"{words}. " * 30, words), (f"{words}; " * 30, "…")):
        Image.new("L", (1, 1)).save(tmp_path / "one.png", pnginfo=described_by(text))
        page.write_text("![A line](one.png)")
        numbers = re.fullmatch(r"!\[A line\. In numbers: (.*)\]\(one\.png\)", report.with_numbers(page))[1]
        assert numbers.endswith(end) and len(numbers) <= report.MOST_LETTERS


def described_by(text):
    info = PngInfo()
    info.add_text("Description", text)
    return info


def test_pictures_on_a_page_say_the_numbers_of_their_files_after_their_own_words(tmp_path):
    table = pd.DataFrame({"weight": [0, 1], "quantity": "loss", "value": [1.5, 0.5], "low": 0.4, "high": 1.6})
    plots.save(plots.penalty_curve(table), table, tmp_path, "one")
    page = tmp_path / "page.md"
    page.write_text("Before. ![The loss](one.png) After.")
    text = report.with_numbers(page)
    assert text.startswith("Before. ![The loss. In numbers: loss, nats by weight of the penalty") and text.endswith(
        ") After."
    )
    page.write_text(text)
    assert report.with_numbers(page) == text


# the other pages
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
    """The anchors of the headings of a page, or of a notebook, where letters stay large."""
    if path.suffix == ".ipynb":
        cells = [cell for cell in json.loads(path.read_bytes())["cells"] if cell["cell_type"] == "markdown"]
        titles = re.findall(r"^#+ (.+)$", "\n".join("".join(cell["source"]) for cell in cells), flags=re.M)
        return {title.replace(" ", "-") for title in titles}
    titles = re.findall(r"^#+ (.+)$", path.read_text(), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES | NOTEBOOKS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(page):
    text = (PAGES | NOTEBOOKS)[page]
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("http")]
    assert links
    for link in links:
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


def test_every_picture_is_described_in_words():
    pictures = [picture for text in PAGES.values() for picture in re.findall(r"!\[([^\]]*)\]\(", text)]
    assert len(pictures) >= 4 and all(len(words.split()) >= 8 for words in pictures)
    assert not any("<img" in text for text in PAGES.values())


def test_the_glossary_explains_each_term_once():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", PAGES[ROOT / "docs" / "glossary.md"], flags=re.M)
    terms = [
        term.strip() for names, meaning in rows if names.strip("-") for term in names.split(", ") if names != "term"
    ]
    assert len(terms) == len(set(terms))
    needed = (
        "interaction AND OR salient generalizable judge baseline chance placebo H N order t1 t2 SESOI control verdict"
    )
    assert {*needed.split(), "by the letter", "with certainty", "shuffled labels"} <= set(terms)


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
    named = set(re.findall(r"(?:`|^)make ([\w-]+)", "\n".join(PAGES.values()), flags=re.M))
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    assert {"figures", "test", "lab"} <= named <= targets


def test_every_file_that_a_page_names_is_there():
    rooms, count = [ROOT, ROOT / "lib" / "symgen"], 0
    for page, text in PAGES.items():
        names = re.findall(r"[`( ]((?:[\w]+/)+\w+\.(?:py|ipynb|npz|yaml))\b", text)
        count += len(names)
        for name in names:
            assert any((folder / name).exists() for folder in (*rooms, page.parent)), (page.name, name)
    assert count > 20


def test_the_ten_lines_run_as_they_stand(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.S)
    assert len([line for line in code.split("\n") if line]) == 10
    monkeypatch.chdir(tmp_path)
    defined = {}
    exec(code, defined)
    printed = capsys.readouterr().out
    assert (tmp_path / "explanation.png").stat().st_size > 10_000
    salient = defined["e"].salient.sum(axis=(1, 2)).mean()
    assert f"salient: {salient:.4g} (" in printed and re.search(r"H = 0\.\d\d, by chance 0\.\d\d", printed)


class Convolution(torch.nn.Module):
    """A network with a submodule called relu."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.relu, self.last = torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Linear(4 * 144, 5)

    def forward(self, x):
        return self.last(self.relu(self.first(x)).flatten(1))


def test_a_network_is_followed_while_it_trains_as_the_page_says(tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs" / "own_network.md").read_text()
    section = page[page.index("## A network while it trains") : page.index("## Ready-made models")]
    code, picture, several = re.findall(r"```python\n(.*?)```", section, flags=re.S)
    monkeypatch.chdir(tmp_path)
    checkpoints = {epoch: f"epoch{epoch}.pt" for epoch in (0, 5, 9)}
    for epoch, path in checkpoints.items():
        torch.save(Convolution(epoch).state_dict(), path)
    given = {"network": Convolution(1), "other": Convolution(2), "checkpoints": checkpoints}
    images = torch.rand(4, 3, 14, 14, generator=torch.Generator().manual_seed(0))
    names = given | {"images": images, "labels": [1, 2, 3, 4]}
    exec(code, names)
    h, chance, phases = capsys.readouterr().out.strip().split("\n", 2)
    assert h.count(".") == chance.count(".") == 3 and "phase" in phases
    exec("import matplotlib.pyplot as plt\nplt.figure()\n" + picture, names)
    drawn = {line.get_label(): line.get_ydata() for line in names["plt"].gca().lines}
    np.testing.assert_array_equal(drawn["H"], names["c"].H)
    np.testing.assert_array_equal(drawn["by chance"], names["c"].H_chance)
    exec(several, names)
    printed = capsys.readouterr().out
    assert all(f"in epoch {epoch}" in printed for epoch in checkpoints) and printed.count("and ") > 2
    assert all((frame.effect == names["strongest"].effect).all() for frame in names["frames"].values())


def test_a_network_that_returns_several_things_is_wrapped_as_the_page_says():
    page = (ROOT / "docs" / "own_network.md").read_text()
    (code,) = re.findall(r"```python\n(class LabelsAlone.*?)```", page, flags=re.S)

    class Two(Convolution):
        def forward(self, x):
            return super().forward(x), x

    names = {"torch": torch, "sg": symgen, "network": Two(1), "images": torch.rand(4, 3, 14, 14)}
    exec(code, names)
    v = names["game"].values(names["images"][0], 1, [1, 2, 3])
    plain = symgen.ImageGame(Convolution(1), "relu", 5, names["images"])
    np.testing.assert_allclose(v, plain.values(names["images"][0], 1, [1, 2, 3]))


def test_a_row_of_a_table_is_explained_as_the_page_says(capsys):
    page = (ROOT / "docs" / "own_network.md").read_text()
    (code,) = re.findall(r"```python\n(import torch\n.*?)```", page, flags=re.S)
    names = {}
    exec(code, names)
    assert len(capsys.readouterr().out.strip().splitlines()) == 6
    row, means, network = names["table"][0].clone(), names["table"].mean(dim=0), names["network"]
    row[[1, 2, 3, 4, 5]] = means[[1, 2, 3, 4, 5]]  # the first column alone is known
    assert names["e"].data.v[0, 1].item() == pytest.approx(network(row[None]).item(), abs=1e-6)


def test_the_page_of_names_has_every_public_name_once():
    page = (ROOT / "docs" / "api.md").read_text()
    assert sorted(re.findall(r"^\.\. auto\w+:: (\w+)(?:\(\))?$", page, flags=re.M)) == sorted(symgen.__all__)
