"""What every picture owes its readers: words with its numbers, colours that all can tell apart, how much is behind it."""

from itertools import combinations, product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from PIL import Image

from symgen import plots
from symgen.plots import style
from symgen.plots.alt import _short, alt_text
from symgen.plots.style import COLOURS, OF_SAMPLES, shades, shades_of_models

VALUES = {"train": [2.3, 1.9, 1.2, 0.9, 0.6, 0.4, 0.25], "test": [2.3, 1.8, 1.1, 1.0, 1.3, 1.7, 2.1]}
LOSSES = pd.concat(
    pd.DataFrame({"role": "one", "epoch": [0, 1, 2, 4, 8, 16, 32], "set": name, "loss": values, "best": 4.0})
    for name, values in VALUES.items()
)
ORDERS = pd.DataFrame(
    {"panel": "first phase", "order": [1, 2, 1, 2], "sign": ["+", "+", "-", "-"],
     "total": [3.0, 2.0, -1.0, -2.0], "generalizable": [3.0, 1.0, 0.0, -2.0]}
)  # fmt: skip


# words
def test_a_saved_picture_says_its_numbers_and_is_always_the_same(tmp_path):
    for name in ("one", "two"):
        plots.save(plots.losses(LOSSES), LOSSES, tmp_path, name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert Image.open(tmp_path / "one.png").text["Description"] == (
        "one, cross-entropy (nats) by epoch: training from 2.3 to 0.25, lowest 0.25, highest 2.3 at 0; "
        "testing (held out) from 2.3 to 2.1, lowest 1, highest 2.3 at 0; lowest validation loss at 4. 1 network."
    )


def test_a_notebook_shows_a_figure_with_its_words_and_an_empty_one_not_at_all(monkeypatch):
    shell = SimpleNamespace(display_formatter=DisplayFormatter())
    with monkeypatch.context() as patched:
        patched.setattr("IPython.get_ipython", lambda: shell)
        style._describe_in_notebooks()
    shown = shell.display_formatter.formatters["image/png"]
    figure = plots.losses(LOSSES)
    _, metadata = shown(figure)
    assert metadata == {"alt": alt_text(figure)} and not shown(Figure())


def test_words_name_bars_few_marks_and_what_is_written_in_a_panel():
    text = alt_text(plots.order_strength(ORDERS, ranges={"H_low": range(1, 2)}, networks=3, samples=20))
    assert text == (
        "first phase, strength per sample (log-odds) by order: all, positive at most 3 at 1; generalizable, positive at "
        "most 3 at 1; all, negative at most -2 at 2; generalizable, negative at most -2 at 2; strength 8 H = 0.75 H_low = "
        "0.75. "
        "3 networks · 20 samples · H_low: orders 1 to 1 · below 0: negative effects."
    )
    curve = pd.DataFrame({"weight": [0.0, 0.3], "quantity": "accuracy", "value": 0.4, "low": 0.3, "high": 0.5})
    text = alt_text(plots.penalty_curve(curve, chosen=0.3, networks=5))
    assert text.startswith(
        "accuracy, share of items by weight of the penalty: mean over networks 0.4 at 0, 0.4 at 0.3."
    )
    assert text.endswith("weight of the study.")


def test_words_of_a_panel_take_the_names_at_an_axis_that_it_shares():
    rows = [(q, way, 0.1, 0.0, 0.2) for q in ("accuracy", "loss") for way in ("penalty", "distilled")]
    table = pd.DataFrame(rows, columns=["quantity", "arm", "value", "low", "high"]).assign(setting="all samples")
    first, second = (
        panel for panel in alt_text(plots.arms(table)).split(". ") if panel.startswith(("accuracy", "loss"))
    )
    assert "at penalty" in first and "at penalty" in second
    both = alt_text(plots.arms(pd.concat([table, table.assign(setting="few samples")])))  # where all samples are few
    assert "few training samples" in both and "all training samples" not in both


def test_words_that_are_parted_at_the_end_of_a_line_are_one_again():
    table = pd.DataFrame([("one", of, "removed", 0.1, 0.0, 0.2) for of in ("training", "testing")],
                         columns=["role", "of", "what", "loss", "low", "high"])  # fmt: skip
    text = alt_text(plots.removal(table.assign(effect=1.0, effect_low=0.0, effect_high=2.0)))
    assert "0.1 at non-generalizable" in text and "- " not in text.replace(" - ", "")


def test_numbers_have_three_digits_and_large_ones_no_power_of_ten():
    assert [_short(value) for value in (0.12345, 12.345, 999.4, 999.6, -1234.5)] == [
        "0.123", "12.3", "999", "1,000", "-1,234"
    ]  # fmt: skip


@pytest.mark.filterwarnings("error")
def test_what_has_no_value_is_left_out_without_a_warning():
    gaps = LOSSES.assign(loss=LOSSES.loss.where((LOSSES.epoch > 0) & (LOSSES.set == "test")))
    assert (
        "by epoch: testing (held out) 1.8 at 1, 1.1 at 2, 1 at 4, 1.3 at 8, 1.7 at 16, 2.1 at 32; lowest"
        in alt_text(plots.losses(gaps))
    )
    nothing = ORDERS.assign(total=0.0, generalizable=0.0)
    assert "none of it generalizes" in alt_text(plots.newly_learned(nothing))
    assert "H = none" in alt_text(plots.order_strength(nothing))
    assert "no orders" in alt_text(plots.order_strength(nothing, ranges={"H_high": range(6, 6)}))


def test_words_of_an_explained_text_are_one_sentence_and_its_interactions_are_named():
    table = pd.DataFrame({"kind": ["and", "or"], "variables": ["bad", "bad ∨ not"], "effect": [-2.0, 1.5]})
    shares = pd.DataFrame({"variable": [0, 1], "share": [-1.0, 0.5]})
    text = alt_text(plots.words(table, shares, ["this ", "is ", "not ", "as ", "bad "], [-1, -1, 1, -1, 0], "positive"))
    assert text.startswith("positive: this is not as bad. strongest interactions, ")
    cut = alt_text(plots.words(table, shares, ["well-", "known ", "film", ", 好", "书"], [-1, 1, 0, -1, -1], "it"))
    assert cut.startswith("it: well-known film, 好书. strongest")
    small = "1 network · 1 sample · colour: what a part contributes (log-odds), teal for the label, pink against it."
    assert text.endswith(f"effect on the log-odds of the label: effect -2 of bad, 1.5 of bad ∨ not. {small}")


# small print
def test_small_print_counts_the_networks_and_samples_and_says_what_bands_mean():
    epochs = [0.0, 1.0, 2.0]
    curves = pd.concat(
        pd.DataFrame(
            {"role": role, "epoch": epochs, "H": 0.5, "H_low95": 0.4, "H_high95": 0.6, "N": 9.0, "loss_gap": 0.1}
        )
        for role in ("one", "two", "three")
    )
    boundaries = pd.DataFrame({"role": ["one"], "t1": 1.0, "t2": np.inf, "n_phases": 0})
    figure = plots.dynamics(ORDERS.assign(epoch=0.0), curves, boundaries, samples=1200)
    (legend,) = figure.legends
    small = "3 networks · 1,200 samples · above: a scale each, negative effects below 0 · band: 95 %, over samples"
    assert legend.get_title().get_text() == small
    assert [line.get_label() for line in figure.axes[1].lines] == ["one", *["each of the 2 others"] * 2]
    for n_phases, lines in ((1, ""), (2, " · t1:"), (3, " · t1: H is highest, one · t2:")):
        drawn = plots.dynamics(
            ORDERS.assign(epoch=0.0), curves, boundaries.assign(t2=2.0, n_phases=n_phases), samples=1200
        )
        rest = drawn.legends[0].get_title().get_text().replace("\n", " ").removeprefix(small)
        assert rest.startswith(lines) and ("t2" in rest) == (n_phases == 3)
        assert [text.get_text() for text in drawn.axes[1].texts] == ["t1", "t2"][: n_phases - 1]
    many = pd.concat(curves.assign(role=curves.role + str(k), H=0.1 * k) for k in (1, 2))
    boundaries = boundaries.assign(role="one1")
    drawn = plots.dynamics(ORDERS.assign(epoch=0.0), many, boundaries).axes[1].lines  # thin ones, and their mean
    assert len(drawn) == 7 and np.allclose(drawn[-1].get_ydata(), 0.15)
    assert [line.get_label() for line in drawn if line.get_linestyle() == "-."] == ["one1"]
    learned = curves[["role", "epoch"]].assign(delta_g=1.0, delta_n=3.0)
    text = alt_text(plots.learned(learned, boundaries, samples=1))
    assert "3 networks · 1 sample " in text and text.endswith("steps: 1 to 1 epochs long: compare colours, not steps.")


def test_what_is_newly_learned_is_shown_by_its_share_its_mean_order_and_its_strength():
    (ax,) = plots.newly_learned(ORDERS, networks=2, samples=5).axes
    (text,) = ax.texts
    amount = ["newly learned: 8", "(log-odds per sample)"]
    assert text.get_text().splitlines() == [*amount, "0.75 of it generalizes", "mean order 1.5"]
    assert [bar.get_height() for bar in ax.patches] == [0.5, 0.5, 0.375, 0.375]


def test_no_share_is_given_of_orders_with_hardly_any_strength():
    orders = pd.DataFrame(
        {"panel": "end", "order": [1, 6], "sign": "+", "total": [99.5, 0.5], "generalizable": [0.4, 0.0]}
    )
    figure = plots.order_strength(orders, ranges={"H_low": range(1, 3), "H_high": range(6, 11)})
    assert figure.axes[0].texts[0].get_text().splitlines() == ["strength 100", "H < 0.01", "H_low < 0.01", "H_high = –"]
    assert "H_high: orders 6 to 10 · –: these orders hold less than 1 % of the strength" in alt_text(figure)


def test_gaps_over_training_stand_beside_those_on_more_samples():
    rows = [
        ("one", epoch, what, of, loss, loss - 0.1, loss + 0.1)
        for epoch in (0.0, 8.0)
        for what in ("before", "removed", "placebo", "reverse")
        for of, loss in (("training", 0.2), ("testing", 0.2 + epoch / 10))
    ]
    table = pd.DataFrame(rows, columns=["role", "epoch", "what", "of", "loss", "low", "high"])
    more = table[table.epoch == 8].assign(loss=lambda of: of.loss.where(of.of == "training", 0.5))
    lines = {line.get_label(): line.get_ydata() for line in plots.removal_dynamics(table, 40, more).axes[0].lines}
    np.testing.assert_allclose(lines["whole"], [0, 0.8])
    np.testing.assert_allclose(lines["whole, on more samples"], [0.3])
    large = more.assign(loss=more.loss.where(more.of == "training", 7.0))
    assert plots.removal_dynamics(table, 40, large).axes[0].get_ylim()[1] > 6.8
    assert "diamonds: the last epoch again, on 60 samples" in alt_text(plots.removal_dynamics(table, 40, more, 60))
    assert "whole, on more samples" not in alt_text(plots.removal_dynamics(table, 40))
    assert "whole, on more samples" not in alt_text(plots.removal_dynamics(table, 40, more, 40))  # as many are no more


def test_what_a_setting_changes_has_an_interval():
    moments = {f"{name}_{when}": 0.3 for name in ("H", "chance") for when in ("first", "best", "last")}
    moments |= {f"N_{when}": 20.0 for when in ("first", "least", "last")}
    moves = {
        f"excess_{name}{end}": v for name in ("rise", "fall") for end, v in (("", 0.2), ("_low", 0.1), ("_high", 0.4))
    }
    table = pd.DataFrame([{"variant": "as it is", "samples": 40, "n_phases": 2} | moments | moves])
    right = plots.sensitivity(table).axes[2]
    assert [line.get_segments()[0][:, 0].tolist() for line in right.collections] == [[0.1, 0.4]] * 2


def test_the_lowest_panel_of_each_column_says_its_orders():
    table = pd.concat(ORDERS.assign(panel=f"K = {k}") for k in range(1, 6))
    axes = plots.order_strength(table, name="H by others", judges="networks of part C").axes
    assert [ax.get_xlabel() for ax in axes] == ["", "", *["order"] * 3, ""]
    assert [ax.xaxis.get_tick_params()["labelbottom"] for ax in axes[:5]] == [False, False, True, True, True]
    assert axes[0].texts[0].get_text() == "strength 8\nH by others = 0.75"


@pytest.mark.parametrize("heights", [(1, 1, 2, 2, 2, 2), (2, 2, 1, 0.1, 0.1, 0.1)], ids=["high orders", "low orders"])
def test_no_bar_stands_behind_the_numbers_in_a_corner(heights):
    plots.use_style()
    rows = [("all", order, sign, height, height / 2) for sign in "+-" for order, height in enumerate(heights, start=1)]
    table = pd.DataFrame(rows, columns=["panel", "order", "sign", "total", "generalizable"])
    table[["total", "generalizable"]] *= np.where(table.sign == "-", -1, 1)[:, None]
    figure = plots.order_strength(table, ranges={"H_low": range(1, 3), "H_high": range(4, 7)})
    figure.draw_without_rendering()
    corner = figure.axes[0].texts[0].get_window_extent()
    assert not [bar for bar in figure.axes[0].patches if corner.overlaps(bar.get_window_extent())]


def test_a_band_of_a_share_stays_within_what_a_share_can_be():
    rows = [(weight, name, 0.5, -0.6, 1.1) for weight in (0.0, 0.3) for name in ("accuracy", "loss")]
    curve = pd.DataFrame(rows, columns=["weight", "quantity", "value", "low", "high"])
    bands = [ax.collections[0].get_datalim(ax.transData) for ax in plots.penalty_curve(curve, networks=2).axes]
    assert [(band.y0, band.y1) for band in bands] == [(0, 1), (0, 1.1)]


def test_a_loss_that_jumps_does_not_flatten_the_others():
    jumped = LOSSES.assign(loss=LOSSES.loss.where(LOSSES.epoch != 1, 1e4))
    assert [plots.losses(of).axes[0].get_yscale() for of in (LOSSES, jumped)] == ["linear", "symlog"]


def test_words_of_a_prompt_are_said_as_they_are_read():
    table = pd.DataFrame({"interaction": ["big ∧ ship"], "kind": "and", "effect": 0.2})
    outputs = pd.DataFrame({"rank": [0, 1], "v": [0.0, 1.0], "model": [0.0, 1.0], "k": 2})
    picture = plots.logical_model(table, outputs, "a big red ship", ["big", "ship"], "sank", [0.1, 0.2])
    assert "a big red ship → sank" in alt_text(picture)


def test_two_language_models_are_a_row_each_with_their_chance():
    rows = [
        (role, "the other", quantity, value, value - 0.1, value + 0.1, 0.2)
        for role, low in (("a", 0.6), ("b", 0.9))
        for quantity, value in (("H", 0.4), ("H_low", low), ("H_high", 0.1))
    ]
    table = pd.DataFrame(rows, columns=["role", "judged by", "quantity", "value", "low", "high", "chance"])
    figure = plots.judged_pairs(table, samples=80)
    (ax,) = figure.axes
    drawn = {line.get_label(): line.get_xdata().tolist() for line in ax.lines}
    assert drawn == {"low orders": [0.6, 0.9], "high orders": [0.1, 0.1]}
    assert alt_text(figure).endswith("by chance 0.2 at a, 0.2 at b. 2 networks · 80 prompts · bar: 95 %, over prompts.")
    unknown = alt_text(plots.judged_pairs(table.assign(chance=table.chance.where(table.role == "b"))))
    assert "low orders, by chance 0.2 at b; high orders, by chance 0.2 at b. 2 networks" in unknown
    none = alt_text(plots.judged_pairs(table.assign(value=table.value.where(table.role == "b"))))
    assert none.endswith("2 networks · bar: 95 %, over prompts · no point: they hold next to no strength.")
    photographs = alt_text(plots.judged_pairs(table, samples=1, of="photograph"))
    assert photographs.endswith("2 networks · 1 photograph · bar: 95 %, over photographs.")


def test_each_judge_has_the_rows_of_those_that_it_judges():
    rows = [(role, by, q, 0.5, 0.4, 0.6, 0.2) for role, by in ("ab", "ba") for q in ("H_low", "H_high")]
    table = pd.DataFrame(rows, columns=["role", "judged by", "quantity", "value", "low", "high", "chance"])
    axes = plots.judged_pairs(table).axes
    assert [[tick.get_text() for tick in ax.get_yticklabels()] for ax in axes] == [["a"], ["b"]]
    assert [ax.lines[0].get_ydata().tolist() for ax in axes] == [[pytest.approx(-0.17)]] * 2


# colours: thresholds were set before any colour was measured, in units of CIE Lab; about 2 can just be told apart
DIFFERENT, LIGHTER = 20, 15
SIGHTS = {  # what remains of linear red, green and blue: Machado, Oliveira and Fernandes (2009), severity 1
    "normal": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])  # of sRGB, D65
TOGETHER = [
    ("generalizable", "non-generalizable"), ("and", "or"), ("positive", "negative"), ("train", "test", "validation"),
    ("all samples", "few samples"), ("low orders", "high orders"), ("reproduced", "not reproduced", "undecided"),
    ("target", "chance"), ("generalizable", "chance"), ("low orders", "chance"), ("non-generalizable", "chance"),
]  # fmt: skip
IN_ORDER = {"epochs": shades(4), "models": shades_of_models(2)}
PAIRS = [((a, COLOURS[a]), (b, COLOURS[b])) for names in TOGETHER for a, b in combinations(names, 2)]
PAIRS += [
    ((f"{name} {i}", one), (i + 1, two))
    for name, of in IN_ORDER.items()
    for i, (one, two) in enumerate(zip(of, of[1:]))
]
# beside bars of ANDs and ORs, and no model is taken for training or testing samples
PAIRS_OF_MODELS = list(product(shades_of_models(2), [COLOURS["and"], COLOURS["or"], *OF_SAMPLES.values()]))


def lab(colour, sight):
    """CIE Lab of a colour as it is seen (CIE 15): lightness, green to red, blue to yellow."""
    srgb = np.array(to_rgb(colour))
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(SIGHTS[sight] @ linear, 0, 1)
    t = (TO_XYZ @ seen) / TO_XYZ.sum(axis=1)
    x, y, z = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def test_lab_has_the_values_that_are_known():
    np.testing.assert_allclose(lab("white", "normal"), [100, 0, 0], atol=0.01)
    np.testing.assert_allclose(lab("red", "normal"), [53.24, 80.09, 67.20], atol=0.05)
    assert np.linalg.norm(lab("#c00000", "deuteranopia") - lab("#6a6a00", "deuteranopia")) < DIFFERENT  # red and olive


@pytest.mark.parametrize(("one", "other"), PAIRS, ids=lambda of: str(of[0]))
def test_colours_side_by_side_are_told_apart_by_everybody_and_in_grey(one, other):
    for sight in SIGHTS:
        distance = np.linalg.norm(lab(one[1], sight) - lab(other[1], sight))
        assert distance >= DIFFERENT, f"{sight}: {distance:.0f}"
    assert abs(lab(one[1], "normal")[0] - lab(other[1], "normal")[0]) >= LIGHTER


@pytest.mark.parametrize(("one", "other"), PAIRS_OF_MODELS, ids=str)
def test_models_have_colours_of_their_own(one, other):
    for sight in SIGHTS:
        assert np.linalg.norm(lab(one, sight) - lab(other, sight)) >= DIFFERENT


@pytest.mark.parametrize("other", ["or", "reproduced", "not reproduced", "undecided"])
def test_the_colour_of_what_does_not_generalize_means_nothing_else(other):
    for sight in SIGHTS:
        assert np.linalg.norm(lab(COLOURS[other], sight) - lab(COLOURS["non-generalizable"], sight)) >= DIFFERENT


def test_h_by_judges_and_by_chance_are_told_apart():
    numbers = {"epoch": [0, 1] * 2, "H": [0.2, 0.6, 0.3, 0.3], "low": 0.1, "high": 0.7, "chance": [0.1, 0.2, 0.15, 0.1]}
    table = pd.DataFrame({"judged by": np.repeat(["true labels", "shuffled labels"], 2)} | numbers)
    figure = plots.by_judges(table, networks=3, samples=20)
    (ax,) = figure.axes
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.2, 0.6], [0.1, 0.2], [0.3, 0.3], [0.15, 0.1]]
    looks = {(line.get_linestyle(), line.get_markerfacecolor()) for line in ax.lines}
    assert len(looks) == 4 and [text.get_text() for text in figure.legends[0].get_texts()] == [
        "by true labels", "by true labels, by chance", "by shuffled labels", "by shuffled labels, by chance",
    ]  # fmt: skip
    assert "3 networks · 20 samples" in figure.legends[0].get_title().get_text()


def test_the_network_has_a_ring_for_one_variable_a_line_for_two_and_a_star_for_more():
    members = [(2,), (0, 1), (0, 1), (0, 1, 2), (0, 1, 2), (0, 3)]
    kinds, effects = ["and", "and", "or", "and", "or", "and"], [1.0, 2.0, -1.0, 0.5, 0.4, 1e-3]
    table = pd.DataFrame({"kind": kinds, "variables": "x", "effect": effects})
    (ax,) = plots.network(table, members, ["a", "b", "c", "d"]).axes
    lines = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    stars = [star for star in ax.collections if isinstance(star, LineCollection)]
    assert [line.get_linewidth() for line in lines] == pytest.approx([5, 2.7])  # the last one would be too faint
    assert [len(star.get_segments()) for star in stars] == [3, 3]
    middles = [star.get_segments()[0][0] for star in stars]
    assert not np.allclose(*middles), "an AND and an OR of the same variables lie on each other"
    (rings,) = (dots for dots in ax.collections if isinstance(dots, PathCollection))
    assert rings.get_linewidths() == pytest.approx([1, 1, 1 + 5 / 2, 1])
