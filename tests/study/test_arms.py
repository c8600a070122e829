"""Arms: each is trained as it says, what judges is what was extracted, contrasts are paired."""

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from torch import nn
from torch.nn import functional

from symgen import Study, sparse_and_or, training
from symgen.generalization import Comparison, Estimate, metrics
from symgen.generalization.comparison import AXES
from symgen.study import arms, networks, pipeline, samples
from symgen.study.settings import ARMS


@pytest.fixture
def study(shared):
    changes = {
        "target_seeds": [91],
        "second_seeds": [95],
        "penalty_variables": 4,
        "penalty_every": 1,
        "few_shot_size": 60,
    }
    return Study.load("fashion-vgg", shared | changes)


def weights(study, role, checkpoint="last"):
    return pipeline.ensure_training(study, role).model(checkpoint).state_dict()


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_plain_is_the_target_and_a_penalty_of_weight_0_is_plain(study):
    assert arms.roles(study, "plain") == study.targets  # trained once
    plain = weights(study, "target-91")
    assert same(plain, weights(study, "target-91", 2.0))
    assert same(plain, weights(study.replace(penalty_weight=0), "penalty-91"))
    assert not same(plain, weights(study, "penalty-91"))


def test_every_arm_is_trained_as_it_says(study, copied, monkeypatch):
    study, given = study.replace(runs_root=copied["runs_root"]), {}

    def spy(model, inputs, labels, **options):
        given[current] = (model, inputs, options)
        yield from range(study.epochs + 1)

    for base in study.baselines:
        networks.ensure_penalised_effects(study, base)
    networks.curves_path(study, "target-91").unlink(missing_ok=True)  # trained anew
    monkeypatch.setattr(networks.training, "train", spy)
    for current in ARMS:
        pipeline.ensure_training(study, arms.roles(study, current)[0])
    sizes = {arm: len(inputs) for arm, (_, inputs, _) in given.items()}
    assert sizes == dict.fromkeys(ARMS, 100) | {"data": 200}
    assert {arm for arm, (*_, options) in given.items() if "objective" in options} == {"penalty", "distilled"}
    ways = {arm: (options["optimizer"], options["weight_decay"]) for arm, (*_, options) in given.items()}
    assert ways == dict.fromkeys(ARMS, ("adam", 0.0)) | {"decay": ("adamw", study.decay)}
    z = torch.zeros(3, 10, requires_grad=True)
    drops = {
        arm: not torch.equal(*(model.train()(inputs[:9]) for _ in range(2)))
        for arm, (model, inputs, _) in given.items()
    }
    assert drops == dict.fromkeys(ARMS, False) | {"dropout": True}
    *_, options = given["penalty"]
    batch = torch.tensor([4, 1, 0])
    assert options["objective"](z, batch).item() > np.log(10)  # the cross-entropy of equal logits, and a penalty
    (_, inputs, options), labels = given["distilled"], pipeline.part_data(study, "A")[1]
    teachers = [pipeline.ensure_training(study, base).model("best") for base in study.baselines]
    soft = torch.stack([training.predicted(teacher, inputs) for teacher in teachers])
    expected = training.distillation(soft, labels, study.distillation)
    sure = torch.eye(10)[:3]
    assert options["objective"](sure, batch).item() == pytest.approx(expected(sure, batch).item())


def test_an_arm_hangs_on_its_own_settings_and_no_other_network_does(study):
    changes = {
        "penalty_weight": 3.0, "penalty_samples": 3, "penalty_every": 3, "penalty_variables": 3, "distillation": 0.3,
        "decay": 0.7, "dropout": 0.1, "tau_ratio": 0.1, "few_shot_size": 30,
    }  # fmt: skip
    moved = {key: set() for key in changes}
    for key, value in changes.items():
        other = study.replace(**{key: value})
        for family in ("target", *[arm for arm in ARMS if arm != "plain"], "baseline", "second"):
            if study.key("training", f"{family}-91") != other.key("training", f"{family}-91"):
                moved[key].add(family)
    others = {"distillation": {"distilled"}, "decay": {"decay"}, "dropout": {"dropout"}, "few_shot_size": set()}
    assert moved == {key: {"penalty"} for key in changes} | others


def test_what_the_penalty_is_told_is_a_fresh_extraction(study):
    items = samples.ensure_penalised(study)
    stored = networks.ensure_penalised_effects(study, "baseline-93").effects.to_numpy()
    assert items.position.tolist() == list(range(100)) and stored.shape == (100, 2, 16)
    inputs, labels = pipeline.part_data(study, "A")
    network = pipeline.ensure_training(study, "baseline-93").model("best")
    game = pipeline.study_game(study, "baseline-93", network)
    penalty = networks.study_penalty(study, network, inputs)
    for position in (0, 37, 99):
        cells = pipeline.task(study).variables(items)[position]
        solved = sparse_and_or(game.values(inputs[position], int(labels[position]), cells), tol=study.tol)
        fresh = solved.effects
        np.testing.assert_allclose(stored[position], fresh, atol=1e-3 * np.abs(fresh).max())
        one = penalty.samples[position]
        assert torch.equal(one.x, inputs[position]) and one.label == labels[position]
        assert np.array_equal(one.variables, cells)
        np.testing.assert_array_equal(one.baselines[0], stored[position] * metrics.salient(stored[position]))


def test_the_penalty_has_the_settings_of_its_study(study):
    changes = {"penalty_weight": 0.3, "penalty_samples": 3, "penalty_every": 5, "noise_bound": 0.1, "ridge": 0.7}
    study = study.replace(generalizes_to="all", **changes)
    network, (inputs, _) = pipeline.untrained(study, 0), pipeline.part_data(study, "A")
    baselines = np.zeros((2, len(samples.ensure_penalised(study)), 2, 16))
    penalty = networks.penalty_by(study, network, inputs, baselines)
    assert (penalty.weight, penalty.per_batch, penalty.every, penalty.combine) == (0.3, 3, 5, "all")
    assert (penalty.solver["noise_bound"], penalty.solver["ridge"]) == (0.1, 0.7)
    assert penalty.seen is inputs  # of whose batches masked cells take the mean map
    assert networks.penalty_by(study.replace(masking="zero"), network, inputs, baselines).seen is None


def test_every_baseline_tells_the_penalty_what_is_salient_by_the_threshold_of_the_study(study, monkeypatch, rng):
    effects = {base: rng.normal(size=(100, 2, 16)) for base in study.baselines}

    def of_baseline(study, base):
        return xr.Dataset({"effects": (("item", "kind", "subset"), effects[base])})

    monkeypatch.setattr(networks, "ensure_penalised_effects", of_baseline)
    network, (inputs, _) = pipeline.untrained(study, 0), pipeline.part_data(study, "A")
    penalty = networks.study_penalty(study.replace(tau_ratio=0.4), network, inputs)
    expected = [of[7] * metrics.salient(of[7], 0.4) for of in effects.values()]
    np.testing.assert_array_equal(penalty.samples[7].baselines, expected)


def test_texts_without_enough_words_are_not_penalised(shared):
    texts = Study.load("snippets-bert", shared | {"penalty_variables": 8, "explain_classes": 2, "n_variables": 4})
    items, kind = samples.ensure_penalised(texts), pipeline.task(texts)
    game = kind.game(None)
    split = pipeline.ensure_split(texts)
    items_of_a = split.item[split.part == "A"].to_numpy()
    enough = [i for i, text in enumerate(kind.samples(items_of_a)) if len(game.candidates(text)) >= 8]
    assert items.position.tolist() == enough and 0 < len(enough) < 100


def test_a_killed_training_ends_with_the_same_weights_and_damage_is_mended(study, copied, capsys):
    study = study.replace(runs_root=copied["runs_root"])
    expected = weights(study, "penalty-91")
    networks.curves_path(study, "penalty-91").unlink()
    last = networks.weights_path(study, "penalty-91", "last")
    last.write_bytes(last.read_bytes()[:1000])
    (damaged,) = (study.runs_dir / "baseline-93").glob("penalised-best-*.nc")
    damaged.write_bytes(damaged.read_bytes()[:1000])
    assert same(expected, weights(study, "penalty-91"))
    printed = capsys.readouterr().out
    assert f"set aside {damaged.name}.damaged" in printed


def test_the_best_is_the_one_of_lowest_loss_on_the_validation_part(study):
    trained = pipeline.ensure_training(study, "dropout-91")
    loss, _ = training.evaluate(trained.model("best"), *pipeline.part_data(study, "B-validation"))
    assert loss == pytest.approx(trained.curves.validation_loss.min(), abs=1e-9)
    assert list(trained.curves) == ["epoch", "validation_loss", "validation_accuracy", "seconds"]


def test_what_is_asked_for_is_all_that_the_comparison_reads(study, copied):
    study = study.replace(n_variables=3, penalty_variables=3, runs_root=copied["runs_root"])
    full = arms.settings_of(study)["all samples"]
    for other, role, checkpoints in arms.requirements(study):
        if other == full:
            for checkpoint in checkpoints:
                pipeline.ensure_interactions(other, role, checkpoint)
    for other, role in arms.compared(study):
        if other == full:
            arms.ensure_answers(other, role)
    before = {path: path.stat().st_mtime_ns for path in study.runs_dir.rglob("*")}
    for arm in ARMS:
        arms.measured(full, arm)
    assert {path: path.stat().st_mtime_ns for path in study.runs_dir.rglob("*")} == before


def test_settings_and_weights_in_which_arms_are_compared(study):
    assert [setting.train_size for setting in arms.settings_of(study).values()] == [100, 60]
    assert list(arms.settings_of(study.replace(few_shot_size=0))) == ["all samples"]
    all_are_few = study.replace(few_shot_size=study.train_size)
    assert len(set(arms.settings_of(all_are_few).values())) == 1  # nothing is computed twice
    assert list(arms.curve(study.replace(penalty_factors=[]))) == [0, study.penalty_weight]
    curve = arms.curve(study.replace(penalty_weight=0.12345, penalty_factors=[2]))
    assert list(curve) == [0, 0.12345, 0.247] and [arm for _, arm in curve.values()] == ["plain", "penalty", "penalty"]
    assert [one.penalty_weight for one, _ in curve.values()][1:] == [0.12345, 0.247]
    explained = {
        n: arms.settings_of(study.replace(explain_per_class=9, arms_per_class=n))["all samples"].explain_per_class
        for n in (0, 7)
    }
    assert explained == {0: 4, 7: 7}  # half of them, if nothing is said


def test_as_many_networks_are_trained_in_each_way_as_there_are_targets_or_as_are_asked_for(study):
    study = study.replace(target_seeds=[1, 2, 3])
    assert arms.roles(study, "plain") == ("target-1", "target-2", "target-3")
    fewer = study.replace(arms_networks=2)
    assert arms.roles(fewer, "plain") == ("target-1", "target-2") and arms.roles(fewer, "data") == ("data-1", "data-2")
    assert arms.roles(study, "decay") == ("decay-1", "decay-2") and arms.roles(fewer, "dropout") == ("dropout-1",)
    assert {one.arms_networks for one, _ in arms.curve(study).values()} == {2}
    two, one = ({"accuracy": [Estimate(0.5 + i, np.full(10, 0.5)) for i in range(count)]} for count in (2, 1))
    table = arms.contrasts_table({"plain": two, "penalty": two, "decay": one}, fewer, "some")
    assert table.role.tolist() == ["penalty-1", "penalty-2", "all", "decay-1", "all", "penalty-1", "all"]
    assert table.value.tolist() == [0.0] * 7  # networks of the same seed


def test_accuracy_and_loss_are_those_of_an_evaluation_on_d_and_h_that_of_the_metrics(study):
    measured = arms.measured(study, "plain")
    trained = pipeline.ensure_training(study, "target-91")
    for checkpoint, where in (("last", ""), ("best", " at best")):
        loss, accuracy = training.evaluate(trained.model(checkpoint), *pipeline.part_data(study, "D"))
        assert measured[f"loss{where}"][0].value == pytest.approx(loss)
        assert measured[f"accuracy{where}"][0].value == pytest.approx(accuracy)
    for name, family in (("H", study.baselines), ("H by others", ("second-95",))):
        judged = pipeline.compare(study, "target-91", judges=family, checkpoints=("last",))
        assert judged.epochs.tolist() == [2.0]
        gen, total = (np.abs(judged.effects[0])[chosen[0]].sum() for chosen in (judged.generalizable, judged.salient))
        assert measured[name][0].value == pytest.approx(gen / total)
        chance = (np.abs(judged.effects[0]) * judged.chance[0]).sum() / total
        assert measured[f"{name}, above chance"][0].value == pytest.approx(gen / total - chance)


def test_contrasts_are_paired_by_network_and_by_item(study, rng):
    study = study.replace(target_seeds=[1, 2, 3])
    plain = {name: [Estimate(rng.random(), rng.random(1000)) for _ in range(3)] for name in ("accuracy", "loss")}
    better = {"accuracy": [estimate + 0.1 for estimate in plain["accuracy"]]}
    better["loss"] = [estimate + more for estimate, more in zip(plain["loss"], (0.1, 0.2, 0.6))]
    worse = {name: [estimate - 0.2 for estimate in networks] for name, networks in plain.items()}
    measured = {"plain": plain, "penalty": better, "data": worse}
    table = arms.contrasts_table(measured, study, "some").set_index(["quantity", "role"])
    certain = table.loc[("some: accuracy, penalty - plain", "all"), ["value", "low", "high"]].astype(float)
    np.testing.assert_allclose(certain, 0.1)  # the same gain on whatever is drawn
    by_network = table.loc["some: loss, penalty - plain"].value
    np.testing.assert_allclose(by_network, [0.1, 0.2, 0.6, 0.3])
    assert by_network.index.tolist() == ["penalty-1", "penalty-2", "penalty-3", "all"]
    spread = table.loc[("some: loss, penalty - plain", "all")]
    half = 4.3027 * np.std([0.1, 0.2, 0.6], ddof=1) / np.sqrt(3)  # Student's of three networks: they differ as well
    assert (spread.low, spread.high) == pytest.approx((0.3 - half, 0.3 + half), rel=1e-4)
    np.testing.assert_allclose(table.loc["some: loss, penalty - data"].value, [0.3, 0.4, 0.8, 0.5])
    np.testing.assert_allclose(table.loc["some: loss, data - plain"].value, -0.2)
    assert not table.index.duplicated().any() and len(table) == 3 * 2 * 4
    values = arms.arms_table(measured).set_index(["arm", "quantity"])
    changes = arms.against_plain(arms.contrasts_table(measured, study, "some"))
    assert list(changes) == ["setting", "arm", "quantity", "value", "low", "high"]
    assert changes.arm.tolist() == ["penalty"] * 2 + ["data"] * 2 and set(changes.setting) == {"some"}
    assert changes.set_index(["arm", "quantity"]).value.tolist() == pytest.approx([0.1, 0.3, -0.2, -0.2])
    assert values.value["plain", "loss"] == pytest.approx(np.mean([estimate.value for estimate in plain["loss"]]))


def test_distillation_takes_the_labels_of_the_batch_and_the_mean_of_probabilities():
    # of the second item one teacher says 3/4, at temperature 2, and the other 1/2
    one, other = [[0.0, 9.0], [2 * np.log(3), 0.0]], [[0.0, 9.0], [0.0, 0.0]]
    objective = training.distillation(torch.tensor([one, other]), torch.tensor([1, 0]), share=0.25)
    hard, soft = np.log1p(np.exp(-2)), np.log1p(np.exp(-1)) + 0.375  # against 5/8
    z, batch = torch.tensor([[1.0, -1.0]]), torch.tensor([1])
    assert objective(z, batch).item() == pytest.approx(0.75 * hard + 0.25 * 4 * soft, rel=1e-6)


def test_dropout_is_that_of_the_model_or_put_before_its_linear_layers():
    network = nn.Sequential(nn.Linear(50, 50), nn.Dropout(0.1))
    training.add_dropout(network, 0.4)
    assert network[1].p == 0.4 and not network[0]._forward_pre_hooks
    bare = nn.Sequential(nn.Linear(1000, 1000, bias=False))
    nn.init.eye_(bare[0].weight)  # what enters comes out
    training.add_dropout(bare, 0.4)
    ones = torch.ones(1, 1000)
    torch.manual_seed(0)
    entered = bare(ones)
    assert 0.35 < (entered == 0).float().mean() < 0.45
    assert torch.allclose(entered[entered > 0], torch.tensor(1 / 0.6))  # what is left is scaled up
    assert torch.equal(bare.eval()(ones), ones)


def test_an_objective_of_cross_entropy_is_plain_training(study):
    inputs, labels = pipeline.part_data(study, "A")

    def trained(objective):
        network = pipeline.untrained(study, 3)
        list(
            training.train(
                network, inputs, labels, epochs=1, batch_size=32, learning_rate=1e-3, seed=3, objective=objective
            )
        )
        return network.state_dict()

    assert same(trained(None), trained(lambda z, batch: functional.cross_entropy(z, labels[batch])))


def test_strength_by_order_is_the_mean_over_networks(study, monkeypatch):
    effects = {"target-1": np.zeros((1, 1, 2, 4)), "target-2": np.zeros((1, 1, 2, 4))}
    effects["target-1"][..., 0, 3], effects["target-2"][..., 0, 3] = 2.0, 4.0

    def compared(study, role, judges, checkpoints):
        assert (judges, checkpoints) == (("second-95",), ("last",))  # never seen by the penalty
        of_role = effects[role]
        arrays = {
            "effects": of_role,
            "salient": of_role != 0,
            "generalizable": (of_role != 0) & (role == "target-1"),
            "chance": of_role * 0,
        }
        coords = {"epoch": [2.0], "of": ("sample", ["training"])}
        return Comparison(xr.Dataset({name: (AXES, array) for name, array in arrays.items()}, coords))

    monkeypatch.setattr(arms, "compare", compared)
    table = arms.orders_table(study.replace(target_seeds=[1, 2]), ("plain",))
    row = table[(table.panel == "plain") & (table.order == 2) & (table.sign == "+")].iloc[0]
    assert row.total == 3 and row.generalizable == 1


def test_the_cost_of_a_step_counts_the_steps_between(study):
    table = arms.step_times(study.replace(penalty_every=4), variables=(2, 3), samples=(1,), repeats=2)
    assert table.variables.tolist() == [2, 3] and (table[["penalty", "plain"]] > 0).all(axis=None)
    np.testing.assert_allclose(table.times_longer, 1 + table.penalty / table.plain / 4)
    pd.testing.assert_series_equal(table.samples, pd.Series([1, 1], name="samples"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"penalty_every": 0}, "penalty_every = 0; expected at least 1"),
        ({"penalty_weight": -1.0}, "penalty_weight = -1.0; expected at least 0"),
        ({"dropout": 1.0}, "dropout = 1.0; expected less than 1"),
        ({"distillation": 0.0}, "distillation = 0.0; expected greater than 0"),
    ],
)
def test_impossible_settings_are_refused(study, changes, message):
    with pytest.raises(ValueError, match=message):
        study.replace(**changes)


def test_another_seed_draws_other_variables_of_the_penalised(study):
    first, other = (samples.ensure_penalised(study.replace(variables_seed=seed)) for seed in (0, 1))
    assert first.item.equals(other.item) and (first.variables != other.variables).any()
