"""Claims: rules that decide by intervals, from tables; every rule can end either way, and finds its statistic."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import planted
import pytest
import scipy.stats

from symgen import plots
from symgen.report import claims, results
from symgen.study.settings import Study

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "figures"
NAN = float("nan")


def table(**rows):
    columns = ["quantity", "role", "value", "low", "high"]
    return pd.DataFrame([(name, "all", *numbers) for name, numbers in rows.items()], columns=columns)


@pytest.fixture
def study(tmp_path):
    """A study with a folder for figures, whose networks have learned something."""
    study = Study.load("snippets-bert", {"figures_root": str(tmp_path)})
    study.figures_dir.mkdir()
    learned = {"role": ["target-1"], "always the same": [0.5], "learned": [True]}
    pd.DataFrame(learned).to_csv(study.figures_dir / "fig06_learned.csv", index=False)
    plain = {"arm": ["plain"], "quantity": ["accuracy"], "value": [0.56], "setting": ["few samples"]}
    pd.DataFrame(plain).to_csv(study.figures_dir / "figK_values.csv", index=False)
    return study


@pytest.fixture
def of_images(study):
    """One of images beside it."""
    return Study.load("fashion-vgg", {"figures_root": study.figures_root})


@pytest.fixture
def of_prompts(study):
    """One of a language model, which is tuned."""
    return Study.load("snippets-lm", {"figures_root": study.figures_root})


def claim(*statistics, name="some", **fields):
    words = {"says": "says", "means": "means", "paper": "paper"}
    return claims.Claim(**words, since="2026-01-01", table=name, statistics=statistics, **fields)


def statistic(quantity="a", of="paper", **fields):
    return claims.Statistic(quantity=quantity, of=of, **fields)


# rules
@pytest.mark.parametrize(
    ("low", "high", "verdict", "how"),
    [
        (0.01, 0.2, "reproduced", ""),  # above 0, and reaches 0.1
        (0.01, 0.1, "reproduced", ""),
        (0.01, 0.09, "not reproduced", "negligible"),  # above 0, but too little
        (-0.05, 0.09, "not reproduced", "negligible"),
        (-0.05, -0.01, "not reproduced", "contrary"),
        (-0.09, 0.0, "not reproduced", "negligible"),  # 0 itself is not contrary
        (-0.5, 0.0, "not reproduced", ""),  # it may be large, the other way
        (-0.1, 0.05, "not reproduced", ""),
        (0.0, 0.5, "undecided", ""),  # 0 itself is not above 0
        (-0.05, 0.1, "undecided", ""),
        (NAN, NAN, "not testable", ""),
        (0.2, np.inf, "not testable", ""),
    ],
)
def test_an_interval_decides_as_a_whole_and_has_to_reach_the_smallest_effect_of_interest(low, high, verdict, how):
    assert statistic(sesoi=0.1).decide(low, high)[:2] == (verdict, how)
    mirrored = statistic(sesoi=0.1, expected="below").decide(-high, -low)
    assert mirrored[:2] == (verdict, how)
    moved = statistic(sesoi=0.125, threshold=0.5)
    if how != "negligible" and np.isfinite(high) and high != 0.1 and low != -0.1:  # 0.1 is not 0.125
        assert moved.decide(low * 1.5 + 0.5, high * 1.5 + 0.5)[:2] == (verdict, how)


@pytest.mark.parametrize(
    ("low", "high", "above", "below"),
    [
        (0.6, 0.7, "reproduced", "not reproduced"),
        (0.3, 0.4, "not reproduced", "reproduced"),
        (0.4, 0.6, "undecided", "undecided"),
        (0.5, 0.6, "undecided", "undecided"),
    ],
)
def test_without_an_effect_of_interest_a_threshold_alone_decides(low, high, above, below):
    up, down = (statistic(threshold=0.5, expected=expected).decide(low, high) for expected in ("above", "below"))
    assert (up.verdict, down.verdict) == (above, below)
    assert {up.how, down.how} == ({"contrary", ""} if above != "undecided" else {""})


def test_an_interval_without_width_leaves_open_what_it_cannot_know():
    """Twenty samples of twenty; a fall from the checkpoint of the turn to itself."""
    sure, unsure = statistic(threshold=0.95), statistic(threshold=0.95, needs_width=True)
    assert sure.decide(1.0, 1.0).verdict == "reproduced" and unsure.decide(1.0, 1.0).verdict == "undecided"
    assert np.isnan(unsure.decide(1.0, 1.0).more) and unsure.decide(0.96, 1.0).verdict == "reproduced"
    fall = statistic(sesoi=0.1, needs_width=True)
    assert fall.decide(0.0, 0.0).verdict == "undecided" and fall.decide(-0.01, 0.0).verdict == "not reproduced"
    turns = {
        one.needs_width for name in ("F3a", "B2", "B3") for one in claims.claims()[name].statistics if one.of == "paper"
    }
    assert turns == {True}


@pytest.mark.parametrize(
    ("low", "high", "verdict", "how"),
    [
        (-0.04, 0.04, "reproduced", ""),
        (0.01, 0.04, "reproduced", ""),
        (-0.05, 0.0, "undecided", ""),
        (-0.1, 0.1, "undecided", ""),
        (0.02, 0.2, "undecided", ""),
        (0.05, 0.2, "undecided", ""),  # the threshold itself is not beyond it
        (0.06, 0.2, "not reproduced", "contrary"),
        (-0.2, -0.06, "not reproduced", "contrary"),
        (NAN, NAN, "not testable", ""),
    ],
)
def test_what_should_be_nothing_has_to_lie_within_the_threshold_of_0(low, high, verdict, how):
    assert statistic(threshold=0.05, expected="within").decide(low, high)[:2] == (verdict, how)
    moved = statistic(threshold=0.0625, center=1, expected="within").decide(1 + 1.25 * low, 1 + 1.25 * high)
    assert moved[:2] == (verdict, how)


@pytest.mark.parametrize(
    ("fields", "value", "half", "verdict"),
    [
        ({"sesoi": 0.1}, 0.2, 0.4, "reproduced"),
        ({"sesoi": 0.1}, 0.04, 0.3, "not reproduced"),
        ({"sesoi": 0.1}, -0.2, 0.35, "not reproduced"),
        ({}, 0.2, 0.5, "reproduced"),
        ({}, -0.2, 0.5, "not reproduced"),
        ({"threshold": 0.5, "expected": "below"}, 0.4, 0.5, "reproduced"),
        ({"threshold": 0.05, "expected": "within"}, 0.02, 0.06, "reproduced"),
        ({"threshold": 0.05, "expected": "within"}, -0.12, 0.14, "not reproduced"),
    ],
)
def test_so_many_times_the_samples_would_decide_what_is_undecided(fields, value, half, verdict):
    """Half-widths fall with the square root of how many there are: with that many, the very value is decided."""
    rule = statistic(**fields)
    undecided = rule.decide(value - half, value + half)
    assert undecided.verdict == "undecided" and undecided.more > 1
    for times, expected in ((1.01, verdict), (0.99, "undecided")):
        shorter = half / np.sqrt(undecided.more * times)
        assert rule.decide(value - shorter, value + shorter).verdict == expected


@pytest.mark.parametrize("networks", [2, 3, 10])
def test_over_few_networks_students_quantile_falls_as_well(networks):
    """With that many networks, of the same variance, the interval of their mean decides."""
    rule, value, deviation = statistic(sesoi=0.1), 0.2, 0.5 / np.sqrt(10 / networks)

    def half(n):
        return scipy.stats.t.ppf(0.975, n - 1) * deviation / np.sqrt(n)

    undecided = rule.decide(value - half(networks), value + half(networks), networks)
    assert undecided.verdict == "undecided"
    for times, expected in ((1.01, "reproduced"), (0.99, "undecided")):
        shorter = half(networks * undecided.more * times)
        assert rule.decide(value - shorter, value + shorter).verdict == expected
    assert undecided.more < rule.decide(value - half(networks), value + half(networks)).more


@pytest.mark.parametrize(
    ("hits", "networks", "verdict", "more"),
    [
        (7, 10, "undecided", 3),  # 14 of 20 leave 0.5 inside, 21 of 30 do not
        (3, 7, "undecided", None),
        (10, 10, "reproduced", None),
        (0, 10, "not reproduced", None),
        (0, 6, "not reproduced", None),
        (6, 6, "reproduced", None),
        (0, 5, "not testable", None),  # 0 of 5 and 5 of 5 leave 0.5 inside
        (3, 3, "not testable", None),
        (1, 1, "not testable", None),
    ],
)
def test_a_share_of_networks_is_decided_by_its_exact_interval_where_there_are_enough(hits, networks, verdict, more):
    rule = statistic(threshold=0.5, share_of_networks=True)
    decision = rule.decide_share(hits / networks, networks)
    assert decision.verdict == verdict
    if verdict == "undecided":
        n = int(networks * decision.more)
        inside = scipy.stats.binomtest(round(hits / networks * n), n, 0.5)
        assert inside.proportion_ci(0.95, "exact").low > 0.5 or inside.proportion_ci(0.95, "exact").high < 0.5
        assert more is None or decision.more == more
    else:
        assert np.isnan(decision.more)


def test_the_networks_of_a_table_are_counted_but_for_those_that_are_given(study):
    rows = [("a", role, 0.2, -0.8, 1.2) for role in ("target-1", "target-2", "target-3", "all")]
    rows += [("b", role, 0.2, -0.8, 1.2) for role in ("data-1", "data-2")]
    columns = ["quantity", "role", "value", "low", "high"]
    of_given = Study.load("smollm2-gemma3", {"figures_root": study.figures_root})
    of_given.figures_dir.mkdir()
    for one in (study, of_given):
        pd.DataFrame(rows, columns=columns).to_csv(one.figures_dir / "some.csv")
    of, rule = claim(statistic("a")), statistic("a")
    (trained,), (given,) = (claims.decisions(of, one) for one in (study, of_given))
    assert (trained["more"], given["more"]) == (rule.decide(-0.8, 1.2, 3).more, rule.decide(-0.8, 1.2).more)


def test_with_fewer_than_ten_samples_what_is_followed_through_training_is_not_tested(study):
    for each, verdict in ((3, "reproduced"), (2, "not testable")):  # of two classes, training and testing samples
        one = study.replace(dynamics_per_class=each)
        shutil.copytree(study.figures_dir, one.figures_dir)
        for name, expected in (("fig03_some", verdict), ("fig02_some", "reproduced")):
            table(a=(1, 0.5, 2)).to_csv(one.figures_dir / f"{name}.csv")
            (row,) = claims.decisions(claim(statistic("a"), name=name), one)
            assert row["verdict"] == expected


def test_where_the_value_is_the_threshold_no_number_decides():
    assert np.isinf(statistic().decide(-1, 1).more) and np.isinf(
        statistic(threshold=1, expected="within").decide(0, 2).more
    )
    assert np.isnan(statistic().decide(1, 2).more)


def test_a_rule_is_said_in_words():
    rules = {
        "> 0, reaches 0.05 more": {"sesoi": 0.05},
        "< 0.1, ours": {"expected": "below", "threshold": 0.1, "ours": True},
    }
    rules |= {"within 0.05 of 0": {"expected": "within", "threshold": 0.05}}
    rules |= {"within 0.15 of 1.05, ours": {"expected": "within", "threshold": 0.15, "center": 1.05, "ours": True}}
    for words, fields in rules.items():
        assert statistic(**fields).rule == words


# the file of claims
def test_the_file_of_claims_loads_and_every_statistic_has_a_rule_that_can_end_either_way():
    assert len(claims.claims()) >= 20
    for name, of in claims.claims().items():
        assert {part.of for part in of.statistics} <= {"paper", "control"} and any(
            p.of == "paper" for p in of.statistics
        ), name
        for part in of.statistics:
            assert not part.ours or part.threshold, (name, part.quantity)  # a threshold that is ours is one
            assert part.expected != "within" or part.threshold > 0
            edge = 2 * max(abs(part.threshold), part.sesoi, 1)
            ends = {
                part.decide(*bounds).verdict for bounds in ((-edge - 1, -edge), (0, 0), (edge, edge + 1), (-edge, edge))
            }
            inside = part.center + part.threshold / 2
            ends.add(part.decide(inside, inside).verdict)
            assert {"reproduced", "not reproduced", "undecided"} <= ends, (name, part.quantity)


def test_a_claim_with_an_unknown_field_or_side_is_refused():
    with pytest.raises(ValueError, match="extra"):
        statistic(treshold=0.5)
    with pytest.raises(ValueError, match="expected"):
        statistic(expected="beside")


@pytest.mark.parametrize("wanted", ["reproduced", "not reproduced", "undecided"])
@pytest.mark.parametrize("name", planted.PLANTED)
def test_from_samples_to_verdicts_a_claim_can_end_either_way(name, wanted, study, of_images, of_prompts):
    """Through comparisons, the function that makes the table, and the table on disk: every statistic, by what is planted."""
    learned = study.figures_dir
    study = next(one for one in (study, of_images, of_prompts) if claims.claims()[name].asks(one))
    if study.figures_dir != learned:
        shutil.copytree(learned, study.figures_dir)
    planted.table_of(name, wanted).to_csv(study.figures_dir / f"{claims.claims()[name].table}.csv", index=False)
    judged = claims.claims_table([study])
    judged = judged[judged.id == name]
    assert len(judged) == len(claims.claims()[name].statistics)
    assert dict(zip(judged.quantity, judged.part_verdict)) == dict.fromkeys(judged.quantity, wanted)
    assert set(judged.verdict) == {wanted}
    assert (judged.more > 1).all() if wanted == "undecided" else judged.more.isna().all()


def test_every_claim_is_planted_but_the_one_on_time():
    assert set(claims.claims()) - set(planted.PLANTED) == {"L1"}
    made = planted.table_of("F7", "undecided").query("role == 'all'")  # the same table
    for part in claims.claims()["L1"].statistics:
        assert made.quantity.str.fullmatch(part.quantity).sum() == 1, part.quantity


# from tables to verdicts
@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ((1, 0.5, 2), (1, 0.5, 2), "reproduced"),
        ((1, 0.5, 2), (1, -0.5, 2), "undecided"),
        ((1, -0.5, 2), (-1, -2, -0.5), "not reproduced"),
        ((-1, -2, -0.5), (NAN, NAN, NAN), "not testable"),
    ],
)
def test_a_claim_is_as_good_as_its_worst_statistic_in_each_column_by_itself(first, second, verdict, study):
    of = claim(statistic("a"), statistic(r"b, K = \d+"), statistic("c", of="control"))
    table(**{"a": first, "b, K = 5": second, "c": (1, 0.5, 2), "d": (0, 0, 0)}).to_csv(study.figures_dir / "some.csv")
    rows = claims.decisions(of, study)
    assert [(row["of"], row["verdict"]) for row in rows] == [("paper", verdict)] * 2 + [("control", "reproduced")]
    assert rows[1]["quantity"] == "b, K = 5" and rows[0]["rule"] == "> 0"


def test_a_statistic_that_is_not_there_is_named_unless_it_is_optional(study):
    table(a=(1, 0, 2)).to_csv(study.figures_dir / "some.csv")
    with pytest.raises(ValueError, match="0 rows of 'missing'; expected one"):
        claims.decisions(claim(statistic("missing")), study)
    (row,) = claims.decisions(claim(statistic("a"), statistic("missing", optional=True)), study)
    assert row["quantity"] == "a"


def test_networks_that_have_learned_nothing_are_not_asked_but_how_concise_and_how_fast_they_are_explained(study):
    pd.DataFrame({"role": ["a", "b"], "learned": [True, False]}).to_csv(study.figures_dir / "fig06_learned.csv")
    for name in ("some", "fig07_contrasts"):
        table(a=(1, 0.5, 2)).to_csv(study.figures_dir / f"{name}.csv")
    asked = [
        claim(statistic("a"), name=name).model_copy(update={"of_any_network": any_network})
        for name, any_network in (("some", False), ("fig07_contrasts", True))
    ]
    verdicts = [claims.decisions(one, study)[0]["verdict"] for one in asked]
    assert verdicts == ["not testable", "reproduced"]
    of_any = {name for name, one in claims.claims().items() if one.of_any_network}
    assert of_any == {name for name, one in claims.claims().items() if one.table == "fig07_contrasts"}
    (study.figures_dir / "fig06_learned.csv").unlink()  # figures that are older than the rules
    assert not claims.decisions(claim(statistic("a")), study)


def test_a_claim_on_few_samples_asks_whether_plain_training_learns_from_them(study):
    table(a=(1, 0.5, 2)).to_csv(study.figures_dir / "some.csv")
    asked, values = claim(statistic("a"), setting="few samples"), study.figures_dir / "figK_values.csv"
    assert claims.decisions(asked, study)[0]["verdict"] == "reproduced"
    plain = pd.read_csv(values)
    plain.assign(value=0.54).to_csv(values, index=False)  # always the same answer has 0.5
    assert claims.decisions(asked, study)[0]["verdict"] == "not testable"
    assert claims.decisions(claim(statistic("a")), study)[0]["verdict"] == "reproduced"
    assert {name for name, one in claims.claims().items() if one.setting} == {"K4"}
    plain.assign(setting="all samples").to_csv(values, index=False)  # of a run without few samples
    with pytest.raises(ValueError, match="snippets-bert: figK_values holds no training with few samples"):
        claims.decisions(asked, study)


@pytest.mark.parametrize(
    ("untrained", "numbers", "verdict", "how"),
    [
        (0.94, (0.06, 0.01, 0.11), "reproduced", ""),
        (0.96, (0.04, 0.01, 0.11), "not testable", ""),
        (1.0, (-0.01, -0.02, 0.01), "not testable", ""),
        (0.94, (-0.01, -0.02, 0.01), "not reproduced", "negligible"),
        (1.0, (-0.1, -0.2, -0.01), "not reproduced", "contrary"),
    ],
)
def test_where_there_is_no_room_for_the_effect_it_is_contrary_or_not_testable(untrained, numbers, verdict, how, study):
    less = statistic("a, less", sesoi=0.05, beside="a, untrained", best=1)
    table(**{"a, less": numbers, "a, untrained": (untrained,) * 3}).to_csv(study.figures_dir / "some.csv")
    row = claims.decisions(claim(less), study)[0]
    assert (row["verdict"], row["how"]) == (verdict, how)


def test_a_claim_is_asked_of_studies_that_have_what_it_needs(study):
    without = study.replace(few_shot_size=0)
    without.figures_dir.mkdir()
    kinds = ("H by others", "accuracy", "accuracy at best")
    pairs = [f"all samples: {kind}, penalty - {arm}" for kind in kinds for arm in ("plain", "distilled")]
    for one in (study, without):
        table(**dict.fromkeys(pairs, (1, 0.5, 2))).to_csv(one.figures_dir / "figK_contrasts.csv")
    shutil.copy(study.figures_dir / "fig06_learned.csv", without.figures_dir)
    assert set(claims.claims_table([without]).id) == {"K1", "K3"}  # of texts
    with pytest.raises(ValueError, match="0 rows of 'few samples: accuracy, penalty - plain'"):
        claims.claims_table([study])
    k = claims.claims()
    images = Study.load("fashion-vgg")
    assert k["K2"].asks(images) and not k["K3"].asks(images) and not k["K2"].asks(study)
    assert not k["K2"].asks(images.replace(few_shot_size=images.train_size))  # one number would count twice
    plainly = images.replace(penalty_weight=0, ablation_per_class=0)  # tables of an earlier run may still be there
    assert {name for name in k if k[name].asks(images) and not k[name].asks(plainly)} == {
        "F5", "T1", "Z", "B4", "K1", "K2", "K4"
    }  # fmt: skip
    tuned = Study.load("snippets-lm")
    plainly = tuned.replace(tuning_dataset="")
    assert {name for name in k if k[name].asks(tuned) and not k[name].asks(plainly)} == {"F12", "S1", "S2"}


def test_given_networks_need_no_table_that_says_they_have_learned(tmp_path):
    given = Study.load("smollm2-gemma3", {"figures_root": str(tmp_path)})
    given.figures_dir.mkdir()
    known = claims.claims()["F11"]
    numbers = {statistic.quantity: (1, 0.5, 2) for statistic in known.statistics}
    table(**numbers).to_csv(given.figures_dir / f"{known.table}.csv")
    assert set(claims.claims_table([given]).verdict) == {"reproduced"}


def removed(path):
    """A table of removal, in which all is as the claim says, but for what is left beyond the placebo."""
    good = {"training rise": (1, 0.5, 2), "testing change": (-1, -2, -0.5), "gap narrowed by": (2, 1, 3)}
    good = {f"{name}, share of the gap": numbers for name, numbers in good.items()} | {"effect apart": (1, 0.5, 2)}
    rows = [("all", "removed", name, *numbers, 0.3, 0.1, -0.2, 0.4) for name, numbers in good.items()]
    rows += [("all", "reverse", name, 0, 0, 0, 0, 0, 0, 0) for name in good]
    rows += [("target-1", "removed", name, 0, 0, 0, 0, 0, 0, 0) for name in good]
    columns = [
        "role",
        "what",
        "quantity",
        "value",
        "low",
        "high",
        "placebo",
        *(f"versus_{x}" for x in ("placebo", "low", "high")),
    ]
    pd.DataFrame(rows, columns=columns).to_csv(path / "fig04_contrasts.csv")


def test_removal_is_judged_against_the_placebo_and_not_by_the_reverse(study):
    removed(study.figures_dir)
    other = study.replace(learning_rate=0.5)
    judged = claims.claims_table([other, study])
    assert set(judged.id) == {"F4"} and set(judged.study) == {study.figures_dir.name}
    assert judged.part_verdict.tolist() == ["reproduced"] * 3 + ["undecided", "reproduced"]
    beyond = judged.iloc[3]
    assert beyond.quantity == "gap narrowed by, share of the gap, more than the placebo"
    assert (beyond.of, beyond.value, beyond.low, beyond.high) == ("control", 0.1, -0.2, 0.4)
    assert beyond.more == pytest.approx((0.3 / 0.1) ** 2, rel=0.01)
    assert judged.groupby("of").verdict.first().to_dict() == {"paper": "reproduced", "control": "undecided"}
    with pytest.raises(ValueError, match="no table of a claim in"):
        claims.claims_table([other])
    gathered = claims.tables_of([other, study], "fig04_contrasts")
    assert set(gathered.study) == {study.figures_dir.name}
    pd.testing.assert_frame_equal(
        gathered.drop(columns="study"), pd.read_csv(study.figures_dir / "fig04_contrasts.csv")
    )
    with pytest.raises(ValueError, match=r"no fig03_dynamics\.csv in"):
        claims.tables_of([other, study], "fig03_dynamics")


def test_claims_are_read_in_both_columns_with_what_would_decide_them(study):
    removed(study.figures_dir)
    numbers = {"seconds a set of interactions": (70, 65, 75), "seconds to judge 100 samples": (1, 1, 1)}
    numbers |= {"R2 of the salient ones": (0.99, 0.98, 1), "share of all interactions needed": (0.05, 0.04, 0.06)}
    numbers["share of all interactions needed, less untrained"] = (0.1, 0.1, 0.1)
    table(**numbers).to_csv(study.figures_dir / "fig07_contrasts.csv")
    judged = claims.claims_table([study])
    readable = claims.readable(judged)
    rows = readable.set_index("id")
    assert rows.index.tolist() == ["F4", "F7", "L1"] and rows.paper["L1"] == "60 s, 8 to 14 s"
    assert (rows.verdict["F4"], rows.beyond["F4"]) == ("reproduced", "undecided")
    words = rows.loc["F4", "control"]
    assert (
        "more than the placebo 0.10 [-0.20, 0.40] (> 0, reaches 0.1 more): undecided, half-width 0.3, about 9 times"
        in words
    )
    assert rows.loc["F4", "measured"].startswith(
        "training rise, share of the gap 1.0 [0.5, 2.0] (> 0, reaches 0.1 more): rep"
    )
    assert rows.loc["F7", "control"].endswith("not reproduced, contrary")
    assert (rows.verdict["L1"], rows.beyond["L1"], rows.loc["L1", "control"]) == ("not reproduced", "–", "–")
    (ax,) = plots.claims(readable).axes
    assert len(ax.patches) == 5  # two halves a claim, but for the one without a control


def test_effects_are_the_rows_of_the_table_that_they_name():
    """On the committed table: whoever renames a statistic is told, and no number is lost on the way to the picture."""
    of_claims = pd.read_csv(FIGURES / "claims.csv")
    effects = claims.effects(of_claims)
    assert effects.effect.unique().tolist() == list(claims.EFFECTS)
    assert effects.groupby("effect").of.unique().map(set).eq({"paper", "control"}).all()
    key = ["study", "of", "value", "low", "high"]
    assert len(effects.merge(of_claims, on=key).drop_duplicates([*key, "effect"])) == len(effects)
    accuracy = effects[effects.effect == "the penalty raises the accuracy"]
    assert set(accuracy.sesoi) == {0.0125, 0.022}  # of images and of texts
    nothing = of_claims.assign(part_verdict="not testable")
    assert claims.effects(nothing).empty
    means = claims.mean_effects(effects)
    axes = [ax for ax in plots.effects(effects, means).axes if ax.has_data()]
    for marker, table in (("o", effects), ("D", means)):
        drawn = [x for ax in axes for line in ax.lines if line.get_marker() == marker for x in line.get_xdata()]
        assert len(axes) == len(claims.EFFECTS)
        assert sorted(x for x in drawn if not np.isnan(x)) == sorted(table.value.dropna())  # of two studies, no mean


def test_means_of_effects_are_over_the_studies_that_have_an_interval_of_them():
    effects = pd.DataFrame({"effect": "a", "of": ["paper"] * 4 + ["control"] * 2, "value": [1.0, 2, 3, 9, 1, 2]})
    effects = effects.assign(low=effects.value - 0.5, high=effects.value + 0.5, networks=10)
    effects.loc[3, ["low", "high"]] = 9.0  # no resampling moves it
    effects.loc[6] = effects.loc[0].replace({"a": "b"})  # and another one, without a control
    both = claims.mean_effects(effects)
    means = both[both.effect == "a"].set_index("of")
    assert means.studies.to_dict() == {"paper": 3, "control": 2} and means.value["paper"] == 2
    assert means.next_low["paper"] < means.low["paper"] < 1 < 3 < means.high["paper"] < means.next_high["paper"]
    row, other = results.readable_means(both).itertuples(index=False)
    assert row[:2] == ("a", "3, 2") and row[2].startswith("2.0 [") and row[-2:] == ("none", "none")
    assert other == ("b", "1", "none", "none", "none", "none")
    nothing = claims.mean_effects(effects.iloc[:0])
    assert nothing.empty and list(results.readable_means(nothing))[:2] == ["effect", "studies"]


@pytest.mark.parametrize(("learned", "verdicts"), [(True, ("reproduced", "undecided")), (False, ("not testable",) * 2)])
def test_claims_in_brief_ask_the_networks_themselves_whether_they_have_learned(learned, verdicts, study, monkeypatch):
    table(**{"H_low - H_high": (0.5, 0.4, 0.6), "above chance": (0.1, -0.1, 0.3)}).to_csv(
        study.figures_dir / "fig02_contrasts.csv"
    )
    (study.figures_dir / "fig06_learned.csv").unlink()  # of a notebook that may run later
    asked = []
    monkeypatch.setattr(claims.pipeline, "ensure_training", lambda study, role: asked.append(role))

    def learned_table(networks):
        return pd.DataFrame({"learned": [True, learned]}).assign(asked=len(list(networks)))

    monkeypatch.setattr(claims.pipeline, "learned_table", learned_table)
    lines = claims.in_brief(study, "F2", "K2", "F10").splitlines()  # K2 is asked of images alone
    assert lines[:6] == [
        "- **F2** · the paper says: low orders generalize better than high ones (all 6 pairs)",
        f"    - as the paper measures it: **{verdicts[0]}**. H_low - H_high: 0.50 [0.40, 0.60]",
        f"    - against its control: **{verdicts[1]}**. above chance: 0.10 [-0.10, 0.30]",
        "- **F10** · the paper says: the graded measure gives the same picture by order (2 pairs); no table yet",
        "",
        claims.BRIEFLY,
    ]
    rules = [line.split(" | ") for line in lines if line.startswith("| F")]
    assert [row[1:3] for row in rules] == [
        [name, "> 0, reaches 0.05 more"] for name in ("H_low - H_high", "above chance")
    ]
    assert [row[3].startswith(verdict) for row, verdict in zip(rules, verdicts)] == [True, True]
    assert asked == [*study.targets, *study.baselines]


def test_whose_claim_it_is_is_said():
    assert claims.claims()["K1"].gain == pytest.approx(0.11) and np.isnan(claims.claims()["F2"].gain)
    assert all(claim.later in claim.paper for claim in claims.claims().values())
    later = {name: claim.source for name, claim in claims.claims().items() if claim.later}
    assert later == dict.fromkeys(("S1", "S2"), "a later paper (arXiv 2605.17967)")


def test_the_committed_table_is_what_the_committed_tables_say():
    committed = pd.read_csv(FIGURES / "claims.csv").fillna({"how": ""})
    judged = claims.claims_table(claims.studies_beside(Study.load("fashion-vgg")))
    pd.testing.assert_frame_equal(judged, committed, check_exact=False, rtol=1e-4, check_dtype=False)
    assert set(committed.id) == set(claims.claims())


def test_a_scale_is_that_of_the_study_and_figures_without_a_study_are_left_alone(tmp_path):
    (tmp_path / "snippets-bert").mkdir()
    (tmp_path / "no-study").mkdir()
    changed = Study.load("fashion-vgg", {"figures_root": str(tmp_path), "epochs": 80, "target_seeds": [11]})
    first, other = claims.studies_beside(changed)
    assert first is changed and first.figures_dir.name.startswith("fashion-vgg+") and other.name == "snippets-bert"
    assert claims.scale_of(first) == "1 network, 1,000 images, 80 epochs, 80 + 80 samples, 20 + 20 followed, drawn anew"
    assert claims.scale_of(Study.load("smollm2")) == "a model as it is given, 8 variables"
    assert claims.scale_of(Study.load("smollm2-gemma3")) == "2 models as they are given, 8 variables"
