"""Settings: what is wrong is named in one line; what a result depends on decides its key, and nothing else."""

import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from tiny_project import ROOT

from symgen import Study
from symgen.store import key_of
from symgen.study import VERSIONS


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"batchsize": 3}, "unknown setting 'batchsize'; did you mean 'batch_size'?"),
        ({"epochs": "many"}, "epochs = 'many'; expected a valid integer"),
        ({"epochs": True}, "epochs = True; expected a valid integer"),
        ({"learning_rate": "1e-3"}, "YAML reads 1e-3 as text"),
        ({"learning_rate": float("nan")}, "expected a finite number"),
        ({"masking": "men"}, "masking = 'men'; expected 'mean', 'zero', 'mask', 'pad', 'unk' or 'mean-embedding'"),
        ({"checkpoints": 3}, "checkpoints = 3; expected a valid list"),
        ({"checkpoints": [0, 100]}, "checkpoints go to epoch 100.0, training ends at epochs = 75"),
        ({"checkpoints": [1, 0]}, "expected 0, the untrained network, and further epochs in rising order"),
        ({"checkpoints": [1, 2, 75]}, "checkpoints = [1.0, 2.0, 75.0]; expected 0, the untrained network"),
        ({"n_variables": 26}, "n_variables = 26 of a grid of 5 x 5 = 25 cells"),
        ({"n_variables": 20}, "expected at most 16"),
        ({"low_up_to": 6}, "low_up_to = 6 and high_from = 6; expected high orders above the low ones"),
        ({"train_size": 0}, "train_size = 0; expected at least 1"),
        ({"ridge": 0}, "ridge = 0; expected greater than 0"),
        ({"noise_bound": -0.1}, "noise_bound = -0.1; expected at least 0"),
        ({"penalty_factors": [0.5, 1]}, "penalty_factors = [0.5, 1.0]; expected several above 0"),
        ({"penalty_factors": [3, 3]}, "penalty_factors = [3.0, 3.0]; expected several"),
        ({"penalty_factors": [-1]}, "penalty_factors.0 = -1; expected greater than 0"),
        ({"target_seeds": []}, "target_seeds is empty"),
        ({"target_seeds": [-1]}, "target_seeds.0 = -1; expected at least 0"),
        ({"target_seeds": [11, 22]}, "seed 22 stands in target_seeds and in baseline_seeds; expected another in one"),
        ({"second_seeds": [24]}, "seed 24 stands in second_seeds and in more_baseline_seeds"),
        ({"device": "gpu"}, "device = 'gpu'; expected auto, cpu, cuda, or cuda:<number>"),
        ({"device": "mps"}, "device = 'mps'; expected auto"),  # it has no float64
        ({"penalty_variables": 20}, "penalty_variables = 20; expected at most 16"),
        ({"more_variables": 17}, "more_variables = 17; expected at most 16"),
        (
            {"n_variables": 4, "more_variables": 5},
            "more_variables = 5; expected at least 6, from which notebook 08 counts",
        ),
        ({"dataset": "snippets"}, "study 'fashion-vgg': dataset = 'snippets'; expected one of fashion-mnist-6k, "),
        ({"tuning_dataset": "snippets"}, "study 'fashion-vgg': tuning_dataset = 'snippets'; expected one of "),
        ({"baseline_architecture": "resnet18"}, "baseline_architecture of images; expected none, since cut is one"),
        ({"init": "some/model"}, "init = 'some/model' of images; expected 'scratch'"),
        (
            {"augment": "crop-flip", "dataset": "movie-snippets", "masking": "mask", "other_masking": []},
            "augment = 'crop-flip' of texts; expected 'none'",
        ),
        ({"second_seeds": []}, "second_seeds is empty; expected at least one, whose network judges"),
        ({"batch_size": 512}, "fall on one step"),
        ({"other_masking": ["men"]}, "other_masking holds 'men' of images; expected of mean, zero"),
        ({"masking": "mask"}, "masking = 'mask' of images; expected one of mean, zero"),
        ({"more_baseline_seeds": [21]}, "a seed stands twice in baseline_seeds"),
        (
            {"dataset": "movie-snippets", "other_masking": []},
            "masking = 'mean' of texts; expected one of mask, pad, unk, mean-embedding",
        ),
        ({"tau_ratio": 0.5}, "tau_ratio = 0.5; expected less than 0.5, since notebook 08 doubles it"),
        ({"checkpoints": [0, 0.999, 4]}, "fall on one step"),  # 1 is an epoch at which losses are measured
        (5, "overrides = 5; expected a mapping"),
        ({"target_seeds": [1, 1]}, "a seed stands twice"),
        ({"validation_size": 0}, "baseline_checkpoint = 'best' needs validation_size > 0"),
        ("epochs: [", "overrides is no valid YAML, line 1: "),
        ("epochs: 3\n\tdecay: 1", "overrides is no valid YAML, line 2: found character"),
        ("epochs=3", "overrides holds a str; expected a mapping of settings to values, as {tau_ratio: 0.1}"),
        ("- epochs", "overrides holds a list; expected a mapping"),
        ("epochs: 80\nepochs: 90", "overrides is no valid YAML, line 2: 'epochs' stands twice"),
        ({"split_seed": 10**18}, "split_seed = 1000000000000000000; expected less than 1000000000000000000"),
        ({"learning_rate": 10**400}, "expected a valid number"),
    ],
)
def test_an_impossible_setting_is_said_in_one_line(overrides, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        Study.load("fashion-vgg", overrides)
    assert "\n" not in str(caught.value)


def test_losses_are_measured_at_every_epoch_at_first_and_then_ever_more_rarely():
    measured = Study.load("fashion-vgg", {"epochs": 20, "checkpoints": [0, 20]}).measured_epochs
    assert measured == (*range(9), 10, 11, 13, 16, 19, 20)


def test_seeds_of_networks_that_are_not_trained_may_be_any():
    assert Study.load("snippets-lm", {"target_seeds": [31]}).second_seeds == (31,)
    assert Study.load("fashion-vgg-quick", {"target_seeds": [23]}).more_baseline_seeds[0] == 23
    assert Study.load("fashion-vgg-quick", {"baseline_seeds": [23]}).more_baseline_seeds[0] == 23


def test_an_unknown_study_names_the_nearest():
    with pytest.raises(ValueError, match="no study named 'fashion-vg'; did you mean 'fashion-vgg'"):
        Study.load("fashion-vg")


def test_a_file_with_a_misspelt_or_missing_key_is_named(tmp_path, monkeypatch):
    (tmp_path / "studies").mkdir()
    text = (ROOT / "studies" / "fashion-vgg.yaml").read_text()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies" / "mine.yaml").write_text(text + "\nepoch: 3\n")
    with pytest.raises(ValueError, match=r"studies/mine.yaml: unknown setting 'epoch'; did you mean 'epochs'"):
        Study.load("mine")
    (tmp_path / "studies" / "mine.yaml").write_text(text.replace("epochs: 75", ""))
    with pytest.raises(ValueError, match=r"studies/mine.yaml: the setting 'epochs' is missing"):
        Study.load("mine")


def test_overrides_come_as_a_dict_or_as_yaml():
    assert Study.load("fashion-vgg", "epochs: 80") == Study.load("fashion-vgg", {"epochs": 80})
    assert Study.load("fashion-vgg", "") == Study.load("fashion-vgg")


def test_a_key_moves_with_what_it_depends_on_and_with_nothing_else():
    study = Study.load("fashion-vgg")

    def keys(study):
        return {
            "split": study.key("split"),
            "samples": study.key("samples"),
            "training": study.key("training", "target-11"),
            "baseline": study.key("training", "baseline-21"),
            "interactions": study.key("interactions", "target-11", 1.0),
        }

    def moved(**changes):
        before, after = keys(study), keys(study.replace(**changes))
        return {name for name in before if before[name] != after[name]}

    assert moved(split_seed=1) == {"split", "samples", "training", "baseline", "interactions"}
    assert moved(learning_rate=0.1) == {"training", "baseline", "interactions"}
    assert moved(explain_per_class=1) == {"samples", "interactions"}
    assert moved(ridge=2 * study.ridge) == {"interactions"}
    assert moved(baseline_on="D") == {"baseline"}
    assert moved(tau_ratio=0.1) == moved(target_seeds=[1]) == moved(threads=2) == moved(runs_root="elsewhere") == set()


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("fashion-vgg", "dcb21db1f6 f2703e1868 e636e1b9a9 30de2a5745 4eba7ad7a8 b5accf1bac c9ad7e5d8a"),
        ("snippets-bert", "d651194495 4700bc951d 5d55142122 4961ebda98 9dc67fb62e 24091a42c1 e10b4ca3a3"),
    ],
)
def test_settings_added_since_leave_the_keys_of_what_is_there_alone(name, keys):
    """Of what the settings say; versions, which a key holds as well, are raised by hand."""
    study = Study.load(name)

    def key(what, *of):
        return key_of({name: value for name, value in study.settings_of(what, *of).items() if name != "versions"})

    assert keys.split() == [
        study.digest(), key("split"), key("samples"), key("training", "target-11"), key("training", "penalty-11"),
        key("values", "target-11", 1.0), key("interactions", "baseline-21", "best"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "value", "stage"),
    [
        ("image_size", 32, "split"),
        ("stem", "small", "training"),
        ("augment", "crop-flip", "training"),
        ("precision", "bfloat16", "training"),
        ("init", "a/folder", "samples"),
    ],
)
def test_an_added_setting_is_part_of_the_keys_where_it_is_used(setting, value, stage):
    study = Study.load("snippets-bert" if setting == "init" else "fashion-vgg")
    changed = study.replace(**{setting: value})
    assert study.key(stage, "target-11") != changed.key(stage, "target-11") and study.digest() != changed.digest()
    assert changed.settings_of(stage, "target-11")[setting] == value


def test_a_raised_version_moves_what_rests_on_its_stage_and_nothing_else(monkeypatch):
    study = Study.load("fashion-vgg")
    of = {"split": (), "samples": (), "training": ("target-11",), "values": ("target-11", 1.0)}
    of |= {"interactions": ("target-11", 1.0), "answers": ("target-11",)}

    def keys():
        every = {what: study.key(what, *role) for what, role in of.items()}
        return every | {"penalty": study.key("training", "penalty-11")}

    def moved(stage):
        before = keys()
        with monkeypatch.context() as raised:
            raised.setitem(VERSIONS, stage, VERSIONS[stage] + 1)
            return {what for what, key in keys().items() if key != before[what]}

    assert moved("split") == {*VERSIONS}
    assert moved("samples") == {"samples", "values", "interactions", "penalty"}
    assert moved("training") == {"training", "penalty", "values", "interactions", "answers"}
    assert moved("values") == {"values", "interactions", "penalty"}
    assert moved("interactions") == {"interactions", "penalty"} and moved("penalty") == {"penalty"}
    assert moved("answers") == {"answers"}


def test_the_first_relu_is_known_of_the_papers_networks_and_a_cut_goes_before_it():
    def cut(architecture, before=""):
        return Study.load("fashion-vgg", {"architecture": architecture, "cut": before}).cut_at

    assert [cut(name) for name in ("vgg11", "vgg19_bn", "resnet18", "resnet101", "wide_resnet50_2", "resnext50_32x4d")] == [
        "features.1", "features.2", "relu", "relu", "relu", "relu"
    ]  # fmt: skip
    assert cut("vgg16", "features.3") == "features.3"
    with pytest.raises(ValueError, match="the setting 'cut' is missing"):
        cut("densenet121")


def test_changed_settings_get_a_folder_of_figures_of_their_own():
    study = Study.load("fashion-vgg")
    assert study.figures_dir.name == "fashion-vgg"
    assert study.replace(threads=2).figures_dir.name == "fashion-vgg"
    assert study.replace(tau_ratio=0.1).figures_dir.name.startswith("fashion-vgg+")


@pytest.mark.parametrize("role", ["target", "target-x", "teacher-1", ""])
def test_a_role_is_family_and_seed(role):
    with pytest.raises(ValueError, match="expected <family>-<seed>"):
        Study.load("fashion-vgg").role(role)


def test_conda_and_pip_ask_for_the_same():
    """environment.yml says nothing that pyproject.toml does not, and every dependency has one exact version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert conda[0] == "python" + project["requires-python"]
    assert conda[1:] == ["pip", {"pip": ["-c constraints.txt", "-e .[study,dev]"]}]
    lines = (ROOT / "constraints.txt").read_text().split()
    assert all(re.fullmatch(r"[\w.\-]+==[\w.+]+", line) for line in lines)
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    further = project["optional-dependencies"]
    asked = {*project["dependencies"], *further["study"], *further["dev"]}
    assert {re.split(">=", one)[0] for one in asked} <= pinned


def test_the_library_does_without_what_studies_and_notebooks_need():
    further = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["study"]
    code = f"""
import sys
sys.modules |= dict.fromkeys({further!r})  # as if they were not installed
import torch, symgen
game = symgen.ImageGame(torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.Flatten(), torch.nn.Linear(72, 2)), "0")
symgen.explain(game, torch.rand(3, 8, 8), 1, variables=3).plot()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_may_extend_another(monkeypatch, tmp_path):
    (tmp_path / "studies").mkdir()
    filed = (ROOT / "studies" / "fashion-vgg.yaml").read_text()
    (tmp_path / "studies" / "fashion-vgg.yaml").write_text(filed)
    (tmp_path / "studies" / "more.yaml").write_text("extends: fashion-vgg\nepochs: 80\n")
    (tmp_path / "studies" / "wrong.yaml").write_text("extends: fashion\n")
    (tmp_path / "studies" / "typo.yaml").write_text("extends: fashion-vgg\nepoch: 80\n")
    (tmp_path / "studies" / "loop.yaml").write_text("extends: round\n")
    (tmp_path / "studies" / "round.yaml").write_text("extends: loop\n")
    monkeypatch.chdir(tmp_path)
    more = Study.load("more")
    assert more.epochs == 80 and more.name == "more"
    assert more.train_size == Study.load("fashion-vgg").train_size
    with pytest.raises(ValueError, match=r"'fashion', which studies/wrong.yaml extends; did you mean 'fashion-vgg'\?"):
        Study.load("wrong")
    with pytest.raises(ValueError, match=r"studies/loop.yaml extends itself, through loop and round; expected another"):
        Study.load("loop")
    with pytest.raises(ValueError, match=r"studies/typo.yaml: unknown setting 'epoch'"):
        Study.load("typo")
