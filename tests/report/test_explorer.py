"""The explorer says what the tables and the artefacts say, in one file, and does what a reader asks of it."""

import base64
import json
import re

import numpy as np
import pandas as pd
import pytest
import tiny_project

from symgen import Study, plots
from symgen.errors import InputError
from symgen.generalization import tables
from symgen.interactions import KINDS, members, subset_index
from symgen.report import explorer
from symgen.study import pipeline

pytestmark = pytest.mark.xdist_group("explorer")  # one page, one browser


def contents(page):
    """The data of a page."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)[1])


@pytest.fixture(scope="module")
def study(shared, tmp_path_factory):
    """The tiny study, with the tables that the page is made from in a folder of their own."""
    study = Study.load("fashion-vgg", shared | {"figures_root": str(tmp_path_factory.mktemp("figures"))})
    role = study.targets[0]
    comparison = pipeline.compare(study.dynamics, role)
    losses = pipeline.loss_gap(pipeline.ensure_training(study, role))
    curves = tables.dynamics_table(comparison, study.bootstrap).merge(losses, on="epoch").assign(role=role)
    phases = tables.phases_table({role: tables.phases_of(comparison, study.bootstrap)})
    for name, table in {"dynamics": curves, "phases": phases}.items():
        plots.save_table(table, study.figures_dir, f"fig03_{name}")
    return study


@pytest.fixture(scope="module")
def path(study):
    return explorer.write_explorer([study])


@pytest.fixture(scope="module")
def shown(path):
    """What the page knows of the study."""
    return contents(path.read_text())["studies"][0]


@pytest.fixture(scope="module")
def curves(study):
    return pd.read_csv(study.figures_dir / "fig03_dynamics.csv")


@pytest.fixture(scope="module")
def comparison(study):
    return pipeline.compare(study.dynamics, study.targets[0])


def places(study, shown):
    """Where the samples that are shown stand among those that are followed."""
    items = pipeline.ensure_samples(study.dynamics).query("of == 'testing'").reset_index().set_index("item")["index"]
    return [items[sample["item"]] for sample in shown["samples"]]


def test_the_page_is_one_small_file_that_loads_nothing(path):
    text = path.read_text()
    assert path.name == "explorer.html" and len(text.encode()) < 2_000_000
    assert not re.findall(r"(?:https?:)?//\w[\w.-]*\.\w+", text)  # no other host at all
    loaded = re.findall(r"""(?:src|srcset|href)=["']([^"']*)""", re.sub(r"<a [^>]*>", "", text))
    assert all(address.startswith(("data:", "${")) for address in loaded)
    assert not re.findall(r"@import|url\(|fetch\(|XMLHttpRequest|import\(|<iframe|@@DATA@@", text)


def test_its_curves_are_those_of_the_tables(shown, curves):
    assert shown["epochs"] == curves.epoch.tolist()
    assert set(shown["curves"]) == set(explorer.CURVES)
    for name, values in shown["curves"].items():
        np.testing.assert_allclose(np.array(values, float), curves[name], rtol=1e-5)


def test_its_phases_are_those_of_the_table(study, shown):
    row = pd.read_csv(study.figures_dir / "fig03_phases.csv").iloc[0]
    assert shown["phases"]["verdict"] == row.verdict
    for name in ("t1", "t2"):
        assert shown["phases"][name] == (row[name] if np.isfinite(row[name]) else None)


def test_strength_by_order_is_that_of_the_artefacts_and_gives_H(shown, comparison, curves):
    for orders, epoch, h in zip(shown["orders"], comparison.epochs, curves.H, strict=True):
        table = comparison.by_order(epoch).set_index("sign")
        for sign in "+-":
            for name, values in orders[sign].items():
                np.testing.assert_allclose(values, table[name][sign], rtol=1e-5)
        total, generalizable = (sum(np.abs(orders[s][name]).sum() for s in "+-") for name in ("total", "generalizable"))
        assert generalizable / total == pytest.approx(h, rel=1e-4)


def test_samples_are_those_of_which_the_network_is_surest(study, shown, comparison, monkeypatch):
    followed = pipeline.ensure_samples(study.dynamics)
    testing = followed.assign(v=comparison.v[-1, :, -1]).query("of == 'testing'")
    surest = {testing["item"][rows.v.idxmax()] for _, rows in testing.groupby("label")}
    assert len(surest) < len(testing) == len(shown["samples"])
    monkeypatch.setattr(explorer, "SHOWN", len(surest))
    assert {sample["item"] for sample in explorer._samples(study.dynamics, comparison, followed)} == surest
    classes = pipeline.load_data(study).classes
    labels = testing.set_index("item").label
    assert all(sample["label"] == classes[labels[sample["item"]]] for sample in shown["samples"])


def test_outputs_and_interactions_are_those_of_the_artefacts(study, shown, comparison):
    v, effects, salient, generalizable = (
        getattr(comparison, name) for name in ("v", "effects", "salient", "generalizable")
    )
    for sample, place in zip(shown["samples"], places(study, shown)):
        levels = np.frombuffer(base64.b64decode(sample["v"]), "<u2").reshape(v[:, place].shape)
        low, step = np.array(sample["scale"]).T[..., None]
        assert np.all(np.abs(low + step * levels - v[:, place]) <= step)
        assert sample["salient"] == salient[:, place].sum(axis=(1, 2)).tolist()
        known = {(one["kind"], tuple(one["variables"])): one for one in sample["interactions"]}
        for (kind, variables), one in known.items():
            here = (slice(None), place, KINDS.index(kind), subset_index(variables))
            np.testing.assert_allclose(one["effects"], effects[here], rtol=1e-5, atol=1e-12)
            assert one["states"] == "".join(map(str, salient[here].astype(int) + generalizable[here]))
        for t in range(len(v)):  # the strongest of every checkpoint are there
            strength = np.abs(effects[t, place] * salient[t, place])
            kind, subset = np.unravel_index(strength.argmax(), strength.shape)
            assert strength.max() == 0 or (KINDS[kind], members(int(subset))) in known


@pytest.mark.parametrize(("name", "called"), [("snippets-bert", "variable_names"), ("snippets-lm", "variables")])
def test_words_of_texts_know_their_variables(name, called, tmp_path):
    settings = tiny_project.SETTINGS | tiny_project.roots(tmp_path) | {"explain_classes": 1}
    study = Study.load(name, settings | ({"tuning_dataset": ""} if name == "snippets-lm" else {}))
    samples, kind = pipeline.ensure_samples(study), pipeline.task(study)
    for inputs, names in zip(explorer._inputs(study, kind, samples), getattr(kind, called)(samples)):
        assert len(inputs["words"]) == len(inputs["variables"])
        for i, variable in enumerate(names):
            words = [word for word, of in zip(inputs["words"], inputs["variables"]) if of == i]
            assert words and all(str(variable).lower() in word.lower() for word in words)
        json.dumps(inputs)


def test_what_is_missing_is_said_in_one_line(study, tmp_path):
    empty = study.replace(runs_root=str(tmp_path / "runs"))
    with pytest.raises(
        InputError, match=r"'fashion-vgg' has no interactions .*; `make figures STUDY=fashion-vgg` makes it$"
    ):
        explorer.write_explorer([empty])
    assert not list(tmp_path.rglob("*.nc"))  # nothing was computed instead
    with pytest.raises(InputError, match=r"fig03_dynamics\.csv is missing .*`make figures`"):
        explorer.write_explorer([study.replace(figures_root=str(tmp_path / "figures"))])


def test_tables_of_another_run_are_refused(study, curves, tmp_path):
    other = study.replace(figures_root=str(tmp_path))
    plots.save_table(curves.assign(H=curves.H + 0.01), other.figures_dir, "fig03_dynamics")
    phases = pd.read_csv(study.figures_dir / "fig03_phases.csv")
    plots.save_table(phases, other.figures_dir, "fig03_phases")
    with pytest.raises(InputError, match="figures and artefacts are of different runs"):
        explorer.write_explorer([other])


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        (explorer.EMBEDDED, explorer.EMBEDDED),
        (explorer.EMBEDDED[1:2], explorer.EMBEDDED[1:2]),
        ((), explorer.EMBEDDED[:1]),
    ],
)
def test_without_a_name_the_page_has_the_embedded_studies_that_were_run(present, expected, monkeypatch):
    monkeypatch.setattr(explorer, "_missing", lambda study: study.name not in present)
    assert [study.name for study in explorer.studies_to_show([])] == list(expected)
    assert [study.name for study in explorer.studies_to_show(["snippets-lm", "fashion-vgg"])] == [
        "snippets-lm",
        "fashion-vgg",
    ]


def test_the_committed_page_shows_samples_of_the_embedded_data_alone():
    page = (tiny_project.ROOT / "figures" / "explorer.html").read_text()
    assert {study["name"] for study in contents(page)["studies"]} == set(explorer.EMBEDDED)


# in a browser
@pytest.fixture
def page(browser, path):
    """The page as a reader has it, at a width of 1,280; nothing may go wrong in it."""
    page, faults = browser.new_page(viewport={"width": 1280, "height": 900}), []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(path.as_uri())
    yield page
    page.close()
    assert not faults


def number_on(page, name):
    """A number on the page, by its id."""
    return float(page.inner_text(f"#{name}").replace("−", "-").replace("+", ""))


def test_arrow_keys_move_through_the_training(page, curves):
    page.focus("#slider")
    page.keyboard.press("Home")
    for t, row in enumerate(curves.itertuples()):
        assert page.input_value("#slider") == str(t)
        assert f"epoch {row.epoch:g}" in page.inner_text("#when")
        numbers = {"H": row.H, "H_chance": row.H_chance, "train_loss": row.train_loss, "test_loss": row.test_loss}
        assert {name: number_on(page, name) for name in numbers} == pytest.approx(numbers, abs=0.0051)
        assert number_on(page, "N") == pytest.approx(row.N, abs=0.051)
        assert number_on(page, "gap") == pytest.approx(row.loss_gap, abs=0.0051)
        page.keyboard.press("ArrowRight")
    page.focus("#play")  # the keys move it from elsewhere, too
    page.keyboard.press("ArrowLeft")
    assert page.input_value("#slider") == str(len(curves) - 2)


def test_a_sample_that_is_chosen_shows_its_interactions_and_their_sum(page, shown):
    page.focus("#slider")
    page.keyboard.press("End")
    button = page.locator("#samples button").nth(1)
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    sample, t = shown["samples"][1], len(shown["epochs"]) - 1
    shown_ones = [one for one in sample["interactions"] if one["states"][t] != "0"]
    shown_ones = sorted(shown_ones, key=lambda one: -abs(one["effects"][t]))[: explorer.STRONGEST]
    effects = [float(text.replace("−", "-")) for text in page.locator("#list .effect").all_inner_texts()]
    assert effects == pytest.approx([one["effects"][t] for one in shown_ones], abs=0.0051)
    assert page.locator("#list li b").all_inner_texts() == [one["kind"].upper() for one in shown_ones]
    marks = [text[0] for text in page.locator("#list button > span:last-child").all_inner_texts()]
    assert marks == ["✕✓"[int(one["states"][t]) - 1] for one in shown_ones]
    assert number_on(page, "none") + number_on(page, "adds") + number_on(page, "rest") == pytest.approx(
        number_on(page, "v"), abs=0.021
    )
    low, step = sample["scale"][t]
    assert number_on(page, "v") == pytest.approx(low + step * levels(sample, t)[-1], abs=0.0051)


def levels(sample, t):
    return np.frombuffer(base64.b64decode(sample["v"]), "<u2").reshape(len(sample["scale"]), -1)[t]


def test_an_interaction_outlines_its_cells_and_a_hidden_cell_changes_the_output(page, shown):
    sample = shown["samples"][0]
    row = page.locator("#list button").last
    row.click()
    names = page.locator("#list [aria-pressed=true] .names").inner_text()
    inside = [int(number) for number in re.findall(r"\d+", names)]
    assert page.locator("#input svg > g[pointer-events=none]").count() == len(inside) > 0
    t = int(page.input_value("#slider"))
    part = page.locator(f"#input [data-variable='{inside[0]}']")
    part.focus()
    page.keyboard.press("Enter")
    assert part.get_attribute("aria-pressed") == "true" and page.locator("#show").is_visible()
    low, step = sample["scale"][t]
    hidden = low + step * levels(sample, t)[-1 - (1 << inside[0])]
    assert number_on(page, "v") == pytest.approx(hidden, abs=0.0051)
    page.click("#show")
    assert part.get_attribute("aria-pressed") == "false"


def test_the_focus_stays_in_the_list_when_an_interaction_leaves_it(page, shown):
    listed = "[...document.querySelectorAll('#list button')].map((row) => row.dataset.key)"
    for sample in range(len(shown["samples"])):
        page.locator("#samples button").nth(sample).click()
        keys = [page.evaluate(f"go({t}); {listed}") for t in range(len(shown["epochs"]))]
        for t, (before, after) in enumerate(zip(keys, keys[1:])):
            for key in set(before) - set(after):
                page.evaluate(f"go({t})")
                page.focus(f"#list [data-key='{key}']")
                page.keyboard.press("ArrowRight")
                assert page.evaluate("Boolean(document.activeElement.closest('#list, #slider'))")
                return
    pytest.fail("no interaction of the tiny study ever leaves the list")


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_its_place(page, shown, width):
    page.set_viewport_size({"width": width, "height": 800})
    for t in range(len(shown["epochs"])):
        page.evaluate(f"go({t})")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not page.evaluate(
            "[...document.querySelectorAll('#list .effect')].filter((e) => e.scrollWidth > e.clientWidth).length"
        )
