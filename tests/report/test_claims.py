"""Claims: rules that decide by intervals, from tables; every claim finds its statistics in the tables that are committed."""

from pathlib import Path

import pandas as pd
import pytest

from symgen.report import claims
from symgen.study.settings import Study

FIGURES = Path(__file__).parents[2] / "figures"


def table(**rows):
    columns = ["quantity", "role", "value", "low", "high"]
    return pd.DataFrame([(name, "all", *numbers) for name, numbers in rows.items()], columns=columns)


@pytest.mark.parametrize(
    ("low", "high", "above", "below"),
    [
        (0.1, 0.5, "reproduced", "not reproduced"),
        (-0.5, -0.1, "not reproduced", "reproduced"),
        (-0.1, 0.1, "inconclusive", "inconclusive"),
        (0.0, 0.5, "inconclusive", "inconclusive"),
        (float("nan"), float("nan"), "inconclusive", "inconclusive"),
    ],
)
def test_an_interval_decides_as_a_whole(low, high, above, below):
    assert claims.Part("x").verdict(low, high) == above
    assert claims.Part("x", below=0.0).verdict(low, high) == below


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ((1, 0.5, 2), (1, 0.5, 2), "reproduced"),
        ((1, 0.5, 2), (1, -0.5, 2), "inconclusive"),
        ((1, -0.5, 2), (-1, -2, -0.5), "not reproduced"),
    ],
)
def test_a_claim_is_as_good_as_its_worst_part(first, second, verdict):
    claim = claims.Claim("says", "paper", "some", (claims.Part("a"), claims.Part(r"b, K = \d+", control="a")))
    rows = claims.decided(claim, table(**{"a": first, "b, K = 5": second, "c": (0, 0, 0)}))
    assert [row["verdict"] for row in rows] == [verdict] * 2 and rows[1]["control"] == first[0]
    assert rows[1]["quantity"] == "b, K = 5" and rows[0]["rule"] == "> 0"


def test_a_statistic_that_is_not_there_is_named():
    claim = claims.Claim("says", "paper", "some", (claims.Part("missing"),))
    with pytest.raises(ValueError, match="0 rows of 'missing' over all networks; expected one"):
        claims.decided(claim, table(a=(1, 0, 2)))


def test_a_claim_is_asked_of_studies_that_have_what_it_needs(tmp_path):
    with_few = Study.load("snippets-bert", {"figures_root": str(tmp_path)})
    without = with_few.replace(few_shot_size=0)
    kinds = ("H", "H by others", "H by others, above chance", "accuracy")
    pairs = [f"all samples: {kind}, {arm} - plain" for kind in kinds for arm in ("penalty", "distilled")]
    for study in (with_few, without):
        study.figures_dir.mkdir()
        table(**dict.fromkeys(pairs, (1, 0.5, 2))).to_csv(study.figures_dir / "figK_contrasts.csv")
    assert set(claims.claims_table([without]).id) == {"K1", "K2, K3"}
    with pytest.raises(ValueError, match="0 rows of 'few samples: accuracy, penalty - plain'"):
        claims.claims_table([with_few])


def test_removal_is_judged_against_the_placebo_and_not_by_the_reverse(tmp_path):
    study = Study.load("snippets-bert", {"figures_root": str(tmp_path)})
    folder = study.figures_dir
    folder.mkdir()
    columns = [
        "role",
        "what",
        "quantity",
        "value",
        "low",
        "high",
        "placebo",
        "versus_placebo",
        "versus_low",
        "versus_high",
    ]
    good = {"training rise": (1, 0.5, 2), "testing change": (-1, -2, -0.5), "gap narrowed by": (2, 1, 3)}
    rows = [("all", "removed", name, *numbers, 0.3, 0.1, -0.2, 0.4) for name, numbers in good.items()]
    rows += [("all", "reverse", name, 0, 0, 0, 0, 0, 0, 0) for name in good]
    rows += [("target-1", "removed", name, 0, 0, 0, 0, 0, 0, 0) for name in good]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "fig04_contrasts.csv")
    other = Study.load("fashion-vgg", {"figures_root": str(tmp_path)})
    judged = claims.claims_table([other, study])
    assert set(judged.id) == {"F4"} and set(judged.study) == {"snippets-bert"}
    assert judged.part_verdict.tolist() == ["reproduced"] * 3 + ["inconclusive"]  # not certainly more than the placebo
    assert judged.control.tolist()[:3] == [0.3] * 3
    assert judged.quantity.iloc[3] == "gap narrowed by more than the placebo"
    (row,) = claims.readable(judged).itertuples()
    assert row.verdict == "inconclusive" and row.measured.startswith("training rise 1 [0.5, 2] (> 0); testing change")
    with pytest.raises(ValueError, match="no table of a claim in"):
        claims.claims_table([other])
    gathered = claims.gathered([other, study], "fig04_contrasts")
    assert set(gathered.study) == {"snippets-bert"}
    pd.testing.assert_frame_equal(gathered.drop(columns="study"), pd.read_csv(folder / "fig04_contrasts.csv"))
    with pytest.raises(ValueError, match=r"no fig03_dynamics\.csv in"):
        claims.gathered([other, study], "fig03_dynamics")


def test_the_committed_table_is_what_the_committed_tables_say():
    committed = pd.read_csv(FIGURES / "claims.csv")
    judged = claims.claims_table(claims.studies_beside(Study.load("fashion-vgg")))
    pd.testing.assert_frame_equal(judged, committed, check_exact=False, rtol=1e-4, check_dtype=False)
    assert set(committed.id) == set(claims.CLAIMS)


def test_a_scale_is_that_of_the_study_and_figures_without_a_study_are_left_alone(tmp_path):
    (tmp_path / "snippets-bert").mkdir()
    (tmp_path / "no-study").mkdir()
    changed = Study.load("fashion-vgg", {"figures_root": str(tmp_path), "epochs": 80, "target_seeds": [11]})
    first, other = claims.studies_beside(changed)
    assert first is changed and first.figures_dir.name.startswith("fashion-vgg+") and other.name == "snippets-bert"
    assert claims.scale_of(first) == "1 network, 1,000 images, 80 epochs, 40 + 40 samples"
    assert claims.scale_of(Study.load("smollm2")) == "a model as it is given, 8 variables"
