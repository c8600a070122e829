"""What units ask for grows with their work; divided or whole, they make the same files."""

import json

import pytest
import xarray as xr

from symgen import Study
from symgen.__main__ import main
from symgen.study import resources


def limits(study, roles, which=None, attempt=1):
    return {
        name: limit(None, attempt) if callable(limit) else limit
        for name, limit in resources.resources(study, roles, which).items()
    }


def test_operations_of_a_forward_pass_counted_by_hand():
    # small-vgg on 30 x 30: five convolutions of 3 x 3 on maps of 30, 15, 15, 7 and 7, then 288 -> 64 -> 200
    maps = [(30, 3, 8), (15, 8, 16), (15, 16, 16), (7, 16, 32), (7, 32, 32)]
    by_hand = sum(2 * side**2 * 9 * read * made for side, read, made in maps) + 2 * (288 * 64 + 64 * 200)
    found = resources.forward(Study.load("fashion-vgg"))
    assert found.operations == by_hand and found.read == 3 * 30 * 30
    # a BERT of two layers of 64 reads 64 tokens: four products of 64 x 64 and two of 64 x 256 a layer and token
    assert resources.forward(Study.load("snippets-bert")).operations == 64 * 2 * 2 * (4 * 64**2 + 2 * 64 * 256)


def test_work_is_proportional_to_what_is_done(tiny):
    study = Study.load("fashion-vgg", tiny)
    once = resources.forward(study).operations
    assert resources.training_work(study, "target-91") == 2 * (4 * 100 + 50 + 100) * once
    assert resources.training_work(study, "data-91") == 2 * (4 * 200 + 50 + 100) * once
    assert resources.masking_work(study) == 12 * 32 * once


def test_limits_grow_with_the_attempt_and_ask_for_the_gpu_that_the_study_names():
    study = Study.load("cifar10-vgg11")
    first, second = (limits(study, study.targets[:1], attempt=attempt) for attempt in (1, 2))
    assert second == {name: 2 * limit for name, limit in first.items()} and set(first) == {"mem_mb", "runtime"}
    on_gpu = limits(study.replace(device="cuda"), study.targets[:1])
    assert on_gpu["gpu"] == 1 and on_gpu["runtime"] < first["runtime"] and on_gpu["mem_mb"] == first["mem_mb"]
    larger = Study.load("tiny-imagenet-resnet101")
    assert all(limit > first[name] for name, limit in limits(larger, larger.targets[:1]).items())


def test_short_units_share_a_process_and_long_ones_are_divided(tiny, monkeypatch):
    study = Study.load("fashion-vgg", tiny)  # two targets of four checkpoints, baselines of one
    roles = study.targets[:1] + study.baselines
    assert resources.units(study, roles) == [(roles, slice(None))]
    monkeypatch.setattr(resources, "LONGEST", 2.5 * resources._seconds(study))
    parts = [(("target-91",), slice(0, 2)), (("target-91",), slice(2, 4))]
    assert resources.units(study, roles) == [*parts, *(((role,), slice(None)) for role in study.baselines)]
    marks = [layout.extracted_mark(study, "target-91", which) for _, which in parts]
    assert len({*marks, layout.extracted_mark(study, "target-91")}) == 3


def test_a_role_in_parts_makes_the_same_files_as_whole(tiny, tmp_path):
    made = []
    for number, parts in enumerate([["0:4"], ["2:4", "0:2"]]):
        own = tiny | {"runs_root": str(tmp_path / str(number)), "target_seeds": [91]}
        for part in parts:
            assert (
                main(["extract", "fashion-vgg", "target-91", "--checkpoints", part, "--overrides", json.dumps(own)])
                == 0
            )
        runs = Study.load("fashion-vgg", own).runs_dir
        made.append({path.relative_to(runs): path for path in runs.rglob("*.nc")})
    whole, divided = made
    assert whole.keys() == divided.keys() and len(whole) == 8  # values and interactions at four checkpoints
    timed = ["seconds_values", "seconds_solving"]
    for name in whole:
        one, other = (xr.load_dataset(own[name]).drop_vars(timed, errors="ignore") for own in made)
        assert one.identical(other)


@pytest.mark.parametrize("text", ["1", "a:b", "1:2:3"])
def test_checkpoints_are_a_range_of_positions(text, capsys):
    with pytest.raises(SystemExit):
        main(["extract", "fashion-vgg", "target-11", "--checkpoints", text])
    assert "argument --checkpoints: invalid" in capsys.readouterr().err
