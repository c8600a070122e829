"""The pipeline end to end on a tiny study: what is there is kept, what is not is computed, the same again."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from symgen import Study, fold_sums, generalizable, generalization, orders, reconstruct, training
from symgen.generalization import Comparison, compare, tables
from symgen.study import networks, pipeline, samples


@pytest.fixture
def study(shared):
    return Study.load("fashion-vgg", shared)


def modified(study):
    return {path: path.stat().st_mtime_ns for path in study.runs_dir.rglob("*") if path.is_file()}


def test_data_that_are_no_longer_those_that_were_split_are_refused(study, monkeypatch):
    split, data = pipeline.ensure_split(study), samples.load_data(study)
    assert split.label.tolist() == data.labels.tolist()
    for labels in (data.labels[:-1], data.labels.flip(0)):
        monkeypatch.setattr(samples, "load_data", lambda study, labels=labels: SimpleNamespace(labels=labels))
        with pytest.raises(ValueError, match="dataset 'fashion-mnist-6k': other items than those that were split"):
            pipeline.ensure_split(study)


def test_training_keeps_its_checkpoints_and_curves(study):
    trained = pipeline.ensure_training(study, "target-91")
    assert trained.curves.epoch.tolist() == [0, 0.5, 1, 2]
    first, last = (next(trained.model(epoch).parameters()) for epoch in (0.0, 2.0))
    assert not np.array_equal(first.detach(), last.detach())
    with pytest.raises(ValueError, match=r"has no checkpoint 3; there are: 0.0, 0.5, 1.0, 2.0"):
        trained.model(3)
    base = pipeline.ensure_training(study, "baseline-93")
    assert base.best == base.curves.epoch[base.curves.validation_loss.idxmin()]


def test_the_best_baseline_is_the_one_of_lowest_validation_loss(study):
    from symgen import training

    base = pipeline.ensure_training(study, "baseline-93")
    loss, _ = training.evaluate(base.model("best"), *pipeline.part_data(study, "B-validation"))
    assert loss == pytest.approx(base.curves.validation_loss.min(), abs=1e-9)


def test_the_best_is_chosen_among_the_epochs_at_which_all_networks_are_measured(study, monkeypatch):
    curves, kept = pd.DataFrame({"epoch": [0, 0.5, 1, 2], "validation_loss": [3.0, 1.0, 2.0, 2.0]}), {}
    assert networks.TrainedNetwork(study, "target-91", curves).best == 1
    monkeypatch.setattr(networks, "write", lambda path, weights, settings: kept.update({path: weights}))
    keeper, model = networks._Keeper(study, "target-91"), torch.nn.Linear(1, 1)
    for epoch, loss in curves.itertuples(index=False):
        model.weight.data.fill_(epoch)
        keeper.look(epoch, model, loss)
    keeper.end(model)
    names = ("best", "last", 0.0, 0.5, 1.0, 2.0)
    weights = [kept[networks.weights_path(study, "target-91", name)]["weight"].item() for name in names]
    assert weights == [1, 2, 0, 0.5, 1, 2]


def test_the_loss_gap_is_that_of_testing_less_training_and_curves_know_the_best(study):
    losses = {"train_loss": [2.0, 0.5, 0.1], "test_loss": [2.5, 1.5, 2.0], "validation_loss": [3.0, 1.0, 2.0]}
    trained = networks.TrainedNetwork(study, "target-91", pd.DataFrame({"epoch": [0.0, 1.0, 2.0]} | losses))
    assert pipeline.loss_gap(trained).loss_gap.tolist() == [0.5, 1.0, 1.9]
    table = pipeline.curves_table(trained)
    assert (table.best == 1).all() and table[table["set"] == "test"].loss.tolist() == losses["test_loss"]


def test_who_is_trained_on_what_and_chosen_by_what(study):
    roles = ("target-1", "baseline-1", "second-1", "shuffled-1", "penalty-1", "data-1")
    assert [samples.training_part(study, role) for role in roles] == ["A", "B", "C", "B", "A", "A+B"]
    assert samples.training_part(study.replace(baseline_on="D"), "baseline-1") == "D"
    chosen_by = ["B-validation"] * 2 + ["C-validation"] + ["B-validation"] * 3
    assert [samples.validation_part(study, role) for role in roles] == chosen_by


def test_a_network_is_judged_by_the_settings_of_its_study(study, monkeypatch):
    given = {}

    def compared(target, baselines, **options):
        given.update(options, baselines=baselines)
        return Comparison(xr.Dataset())

    monkeypatch.setattr(pipeline, "all_interactions", lambda study, role, checkpoints: (role, checkpoints))
    monkeypatch.setattr(pipeline, "ensure_interactions", lambda study, role, checkpoint: (role, checkpoint))
    monkeypatch.setattr(pipeline.generalization, "compare", compared)
    study = study.replace(tau_ratio=0.1, generalizes_to="all", chance_draws=3, analysis_seed=7)
    pipeline.compare(study, "target-91", checkpoints=(0.0, "best", "last"))
    expected = {"tau_ratio": 0.1, "combine": "all", "chance_draws": 3, "seed": 7, "epochs": [0, 2, 2]}
    assert {name: given[name] for name in expected} == expected
    assert given["baselines"] == [(base, "best") for base in study.baselines]
    assert given["of"].tolist() == pipeline.ensure_samples(study).of.tolist()
    monkeypatch.setattr(networks.TrainedNetwork, "best", 1.0)
    pipeline.compare(study, "target-91", checkpoints=("best", "last"))
    assert given["epochs"] == [1, 2]


def test_folded_interactions_are_compared_with_folded_ones(study):
    judged, folded = (pipeline.compare(study, "target-91", rewrite=form) for form in (None, generalization.folded))
    expected = fold_sums(*np.moveaxis(judged.effects, -2, 0))
    np.testing.assert_array_equal(folded.effects, np.stack(expected, axis=-2))
    bases = [
        pipeline.ensure_interactions(study, base, study.checkpoints_of(base)[-1]).effects for base in study.baselines
    ]
    bases = np.stack([np.stack(fold_sums(*np.moveaxis(base.to_numpy(), -2, 0)), axis=-2) for base in bases])
    last = generalizable(folded.effects[-1], bases, study.tau_ratio, combine=study.generalizes_to)
    np.testing.assert_array_equal(folded.generalizable[-1], last & folded.salient[-1])
    assert not np.array_equal(folded.generalizable, judged.generalizable)


def test_order_one_kept_as_and_and_as_or_has_half_in_each_and_the_same_outputs(study):
    judged, halved = (pipeline.compare(study, "target-91", rewrite=form) for form in (None, generalization.unmerged))
    single = orders(5) == 1
    np.testing.assert_allclose(halved.effects[..., 0, single], judged.effects[..., 0, single] / 2)
    np.testing.assert_allclose(halved.effects[..., 1, single], judged.effects[..., 0, single] / 2)
    assert np.array_equal(halved.effects[..., ~single], judged.effects[..., ~single])
    outputs = [reconstruct(c.effects[..., 0, :], c.effects[..., 1, :], 0.0) for c in (judged, halved)]
    np.testing.assert_allclose(*outputs, atol=1e-9)


def test_a_long_training_says_now_and_then_how_far_it_is(study, capsys, monkeypatch):
    quiet = study.replace(split_seed=6, runs_root=f"{study.runs_root}/quiet")
    pipeline.ensure_training(quiet, "baseline-92")
    few = capsys.readouterr().out.splitlines()
    monkeypatch.setattr(networks, "QUIET", 0.0)
    pipeline.ensure_training(quiet, "baseline-93")
    many = capsys.readouterr().out.splitlines()
    assert len(few) == 1 and len(many) == len(quiet.measured_epochs)


def test_masked_values_say_now_and_then_how_far_they_are_where_no_bar_is_shown(study, capsys, monkeypatch):
    table, game = samples.ensure_samples(study), pipeline.game_of(study, "baseline-93", "best")
    samples.masked_values(study, game, table, "these")
    assert "masked values" not in capsys.readouterr().out
    monkeypatch.setattr(samples, "QUIET", 0.0)
    samples.masked_values(study, game, table, "these")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"these: masked values of 1 of {len(table)} samples" and len(lines) == len(table)


def test_a_training_that_diverges_names_the_network_and_the_epoch_and_leaves_no_curves(study):
    wild = study.replace(learning_rate=1e30)
    with pytest.raises(
        ValueError,
        match=r"^target-91 of study 'fashion-vgg': its loss is NaN, or a weight is not finite, after epoch 0.5: .* smaller",
    ):
        pipeline.ensure_training(wild, "target-91")
    assert not networks.curves_path(wild, "target-91").exists()
    unseen = wild.replace(validation_size=0, baseline_checkpoint="last")  # no loss is measured on the way
    with pytest.raises(
        ValueError, match=r"^decay-91 of study 'fashion-vgg': its loss is NaN, or a weight is not finite, after epoch"
    ):
        pipeline.ensure_training(unseen, "decay-91")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"cut": "feature.1"},
            "setting 'cut' = 'feature.1': split_at = 'feature.1' is no submodule of SmallVGG; did you mean",
        ),
        (
            {"other_cut": "classifier"},
            r"setting 'other_cut' = 'classifier': split_at = 'classifier' gives \(1, 10\); expected a map",
        ),
        (
            {"cut": "features.12"},
            "setting 'cut' = 'features.12': grid = 5 on a feature map of 3 x 3; expected at most 3",
        ),
    ],
)
def test_a_wrong_cut_is_said_before_anything_is_trained(study, wrong, message, monkeypatch):
    monkeypatch.setattr(training, "train", None)
    with pytest.raises(ValueError, match=f"^target-91 of study 'fashion-vgg': {message}"):
        pipeline.ensure_training(study.replace(split_seed=5, **wrong), "target-91")


def test_a_cut_that_nothing_is_asked_at_may_be_any(study):
    asked, unasked = (samples.task(study.replace(ablation_per_class=n, other_cut="nowhere")) for n in (1, 0))
    network, inputs = asked.network(study.architecture, 1), asked.inputs([0])
    unasked.check_network(network, inputs)
    with pytest.raises(ValueError, match="setting 'other_cut' = 'nowhere': split_at = 'nowhere' is no submodule"):
        asked.check_network(network, inputs)


def test_interactions_rebuild_v_and_stay_in_the_noise_bound(study):
    interactions = pipeline.ensure_interactions(study, "target-91", 2.0)
    v, effects, noise = (interactions[name].to_numpy() for name in ("v", "effects", "noise"))
    assert effects.shape == (12, 2, 32) and v.shape == (12, 32)
    model = reconstruct(effects[:, 0], effects[:, 1], interactions.bias.to_numpy())
    np.testing.assert_allclose(model + noise, v, rtol=0, atol=1e-9 * np.abs(v).max())
    bound = study.noise_bound * np.abs(v[:, -1] - v[:, 0])
    assert (np.abs(noise).max(axis=1) <= bound * (1 + 1e-9)).all()
    assert (effects[:, :, 0] == 0).all() and interactions.gap.max() <= study.tol


def test_nothing_is_computed_twice_and_a_killed_run_ends_with_the_same(copied):
    study = Study.load("fashion-vgg", copied)
    first = pipeline.compare(study, "target-91")
    before = modified(study)
    pipeline.compare(study, "target-91")
    assert modified(study) == before
    # a run that was killed: the curves (written last) and one set of interactions are missing, another is cut short
    networks.curves_path(study, "target-91").unlink()
    pipeline.artefact_path("interactions", study, "target-91", 1.0).unlink()
    damaged = pipeline.artefact_path("interactions", study, "target-91", 2.0)
    damaged.write_bytes(damaged.read_bytes()[:1000])
    again = pipeline.compare(study, "target-91")
    for name in ("v", "effects", "salient", "generalizable", "chance", "graded"):
        assert np.array_equal(getattr(first, name), getattr(again, name)), name
    pd.testing.assert_frame_equal(*(tables.dynamics_table(c, study.bootstrap) for c in (first, again)))


def test_a_network_judged_by_itself_generalizes_wholly(study):
    interactions = pipeline.ensure_interactions(study, "target-91", 2.0)
    of = pipeline.ensure_samples(study).of.to_numpy()
    comparison = compare(interactions, [interactions], of=of)
    table = tables.dynamics_table(comparison, study.bootstrap)
    assert table.H[0] == pytest.approx(1) and table.H_chance[0] < 0.9
    assert table.H[0] == comparison.H and table.H_chance[0] == comparison.H_chance
    np.testing.assert_allclose(comparison.graded, comparison.salient)  # each effect is its own equal


def test_ratios_agree_with_the_metrics_and_lie_in_their_intervals(study):
    from symgen import generalization_ratio, strength_by_order

    judged = pipeline.compare(study, "target-91")
    resampling = study.bootstrap, study.low_orders, study.high_orders
    table = tables.ratio_table(judged, 2.0, *resampling).set_index(["samples", "quantity"])
    gen = strength_by_order(judged.effects[-1], judged.generalizable[-1])
    total = strength_by_order(judged.effects[-1], judged.salient[-1])
    assert table.value["all", "H"] == pytest.approx(generalization_ratio(gen, total))
    assert table.value["all", "H_low"] == pytest.approx(generalization_ratio(gen, total, (1, 2)))
    assert np.isnan(table.value["all", "H_high"])  # n = 5: there is no order 6
    known = table.dropna()
    assert ((known.low <= known.value + 1e-9) & (known.value <= known.high + 1e-9)).all()
    assert table.value["all", "H"] == pytest.approx(tables.dynamics_table(judged, study.bootstrap).H.iloc[-1])
    orders = judged.by_order(2.0)
    assert orders.generalizable.abs().sum() / orders.total.abs().sum() == pytest.approx(table.value["all", "H"])


def test_a_masked_cell_takes_the_mean_map_of_that_very_network_over_its_own_images(study):
    for role, part in (("target-91", "A"), ("baseline-93", "B")):
        checkpoint = study.checkpoints_of(role)[-1]
        network = pipeline.ensure_training(study, role).model(checkpoint)
        images, _ = pipeline.part_data(study, part)
        expected = network.features[:2](images).mean(dim=0).detach()
        baseline = pipeline.study_game(study, role, network).baseline
        np.testing.assert_allclose(baseline.numpy(), expected.numpy(), atol=1e-5)


def test_a_damaged_checkpoint_and_a_kill_while_it_is_made_again_leave_nothing_stale(copied, monkeypatch):
    study = Study.load("fashion-vgg", copied)
    role = "baseline-93"
    expected = pipeline.ensure_training(study, role).model("best").state_dict()
    best = networks.weights_path(study, role, "best")
    best.write_bytes(best.read_bytes()[:-4])
    evaluate = networks.training.losses

    def killed_at_the_second_look(*given):
        monkeypatch.setattr(networks.training, "losses", None)
        return evaluate(*given)

    monkeypatch.setattr(networks.training, "losses", killed_at_the_second_look)
    with pytest.raises(TypeError):
        pipeline.ensure_training(study, role)
    assert not best.exists()  # what was the best so far is not taken for it
    monkeypatch.undo()
    again = pipeline.ensure_training(study, role).model("best").state_dict()
    assert all(torch.equal(expected[name], again[name]) for name in expected)


def test_one_variable_is_enough(study):
    interactions = pipeline.ensure_interactions(study.replace(n_variables=1), "target-91", 2)
    assert interactions.effects.shape == (12, 2, 2)


def test_an_unknown_checkpoint_or_role_is_refused(study):
    with pytest.raises(ValueError, match="target-91 has no checkpoint 7"):
        pipeline.ensure_interactions(study, "target-91", 7)
    with pytest.raises(ValueError, match="expected <family>-<seed>"):
        pipeline.ensure_training(study, "teacher")
    with pytest.raises(ValueError, match="split_at = 'feature' is no submodule"):
        pipeline.ensure_interactions(study.replace(cut="feature"), "target-91", 2.0)


@pytest.fixture
def texts(shared):
    return Study.load("snippets-bert", shared | {"explain_classes": 2, "n_variables": 4, "explain_per_class": 2})


def test_a_text_study_learns_its_vocabulary_from_a_alone_and_masks_words(texts):
    kind, split = pipeline.task(texts), pipeline.ensure_split(texts)
    letters = {
        letter for item in split.item[split.part == "A"] for letter in kind.data.texts[item].lower() if letter.isalpha()
    }
    assert {piece for piece in kind.tokenizer.get_vocab() if len(piece) == 1 and piece.isalpha()} <= letters
    assert len(set(kind.tokenizer.get_vocab())) < 2000  # of 100 sentences
    samples = pipeline.ensure_samples(texts)
    game = kind.game(None)
    for text, words in zip(kind.samples(samples.item), kind.variables(samples)):
        assert set(words) <= set(game.candidates(text)) and len(set(words)) == 4
    interactions = pipeline.ensure_interactions(texts, "target-91", 2)
    network = pipeline.ensure_training(texts, "target-91").model(2)
    inputs, labels = kind.inputs(samples.item), torch.tensor(samples.label.to_numpy())
    from symgen import log_odds, training

    with torch.inference_mode():
        plain = log_odds(training.logits(network, inputs), labels)  # nothing masked: the whole text, with padding
    np.testing.assert_allclose(interactions.v[:, -1], plain, atol=1e-5)


def test_labels_are_shuffled_for_the_negative_control_alone(tiny, monkeypatch):
    study, given = Study.load("fashion-vgg", tiny), {}

    def spy(model, inputs, labels, **options):
        given[options["seed"]] = labels
        yield from (0, 1, 2)

    monkeypatch.setattr(networks.training, "train", spy)
    for role in ("baseline-93", "shuffled-95", "shuffled-96", "second-97"):
        pipeline.ensure_training(study, role)
    assert torch.equal(given[97], pipeline.part_data(study, "C")[1]) and not torch.equal(given[95], given[96])
    assert torch.equal(given[93], pipeline.part_data(study, "B")[1])
    assert not torch.equal(given[93], given[95]) and torch.equal(given[93].sort()[0], given[95].sort()[0])
    assert study.checkpoints_of("shuffled-95") == ("last",)


def test_other_solver_settings_use_the_same_masked_values(study, monkeypatch):
    first = pipeline.ensure_interactions(study, "baseline-93", "best")
    monkeypatch.setattr(pipeline, "study_game", None)  # no network is asked again
    other = pipeline.ensure_interactions(study.replace(ridge=5.0), "baseline-93", "best")
    assert np.array_equal(first.v, other.v) and not np.array_equal(first.effects, other.effects)


def test_another_variables_seed_draws_other_variables_of_the_same_samples(study):
    first, other = (pipeline.ensure_samples(study.replace(variables_seed=seed)) for seed in (0, 1))
    assert first.item.equals(other.item) and (first.variables != other.variables).any()


def test_learned_is_what_is_right_more_often_than_always_the_same_answer(study):
    roles = ("target-91", "baseline-93")
    table = pipeline.learned_table(pipeline.ensure_training(study, role) for role in roles).set_index("role")
    inputs, labels = pipeline.part_data(study, "D")
    same = np.unique(labels, return_counts=True)[1].max() / len(labels)
    for role, checkpoint in zip(roles, (2.0, "best")):  # a target in the end, others at their best
        z = training.logits(pipeline.ensure_training(study, role).model(checkpoint).eval(), inputs)
        accuracy = (z.argmax(dim=1) == labels).double().mean().item()
        row = table.loc[role]
        assert row.accuracy == pytest.approx(accuracy) and row["always the same"] == pytest.approx(same)
        assert row.learned == (accuracy > same + 0.05)


def test_a_baseline_that_judges_at_its_end_has_learned_what_it_knows_there(study):
    at_end = study.replace(baseline_checkpoint="last")
    trained = pipeline.ensure_training(at_end, "baseline-93")
    (best,) = np.flatnonzero(trained.curves.epoch == trained.best)
    curves = trained.curves.assign(test_accuracy=0.1)
    curves.loc[best, "test_accuracy"], curves.loc[curves.index[-1], "test_accuracy"] = 0.8, 0.2
    (row,) = pipeline.learned_table([replace(trained, curves=curves)]).itertuples()
    assert row.accuracy == 0.2


def test_nobody_judges_in_the_place_of_judges_that_are_not_there(study):
    with pytest.raises(ValueError, match="no network judges target-91; expected at least one"):
        pipeline.compare(study, "target-91", judges=())


@pytest.mark.parametrize(("accuracy", "learned"), [(0.649, False), (0.651, True)])
def test_learned_is_five_in_a_hundred_above_the_most_frequent_answer_of_those_that_count(
    study, monkeypatch, accuracy, learned
):
    labels = torch.tensor([0] * 6 + [1] * 4 + [-1] * 10)  # no label: nothing is asked of it
    monkeypatch.setattr(pipeline, "part_data", lambda study, part: (None, labels))
    trained = pipeline.ensure_training(study, "target-91")
    curves = trained.curves.assign(test_accuracy=[1.0] * (len(trained.curves) - 1) + [accuracy])
    (row,) = pipeline.learned_table([replace(trained, curves=curves)]).itertuples()
    assert row._3 == pytest.approx(0.6) and bool(row.learned) == learned


def test_what_vouches_for_interactions_is_one_row_a_checkpoint_that_is_there(study):
    some = pipeline.all_interactions(study, "target-91", checkpoints=study.ends)
    table = pipeline.certificate_table("target-91", some)
    assert table.epoch.tolist() == [0, 2] and (table.samples == 12).all() and (table.role == "target-91").all()
    assert (table.error < 1e-9).all() and (table.noise <= 1 + 1e-9).all() and (table.gap <= study.tol).all()
    worst = np.abs(some.noise[-1]).max(dim="subset") / some.bound[-1]
    assert table.noise[1] == pytest.approx(float(worst.max())) and table.gap[1] == float(some.gap[-1].max())
    wrong = some.assign(effects=some.effects * 1.1)
    assert (pipeline.certificate_table("target-91", wrong).error > 1e-5).all()


def test_judges_of_shuffled_labels_and_as_many_others_judge_at_their_end(study):
    assert pipeline.compared_by_shuffled(study.replace(ablation_per_class=0)) is None
    assert (
        pipeline.compared_by_shuffled(study.replace(ablation_per_class=1, shuffled_seeds=[])) is None
    )  # no such judges
    shuffling = study.replace(ablation_per_class=1, shuffled_seeds=[95], baseline_checkpoint="best")
    assert len(shuffling.baselines) > 1
    control = pipeline.compared_by_shuffled(shuffling, study.checkpoints[-1:])
    of, role = pipeline.ensure_samples(study).of.to_numpy(), "target-91"
    target = pipeline.ensure_interactions(shuffling, role, 2.0)
    for judged, name in zip(control, (shuffling.baselines[0], "shuffled-95")):
        assert tuple(judged) == study.targets and judged[role].epochs.tolist() == [2.0]
        judge = pipeline.ensure_interactions(shuffling, name, "last")
        expected = compare(target, [judge], tau_ratio=study.tau_ratio, chance_draws=study.chance_draws, of=of)
        assert np.array_equal(judged[role].generalizable, expected.generalizable)
    whole = pipeline.compared_by_shuffled(shuffling)
    assert all(judged[role].epochs.tolist() == list(study.checkpoints) for judged in whole)
    assert not np.array_equal(*(judged[role].generalizable for judged in control))


def test_fewer_samples_are_followed_through_training_than_are_asked_at_its_ends(study):
    assert study.ends == (0, 2) and study.replace(dynamics_per_class=0).dynamics.key("values") == study.key("values")
    assert study.replace(dynamics_per_class=9).dynamics.key("values") == study.key("values")  # no more than there are
    fewer = study.replace(dynamics_per_class=1).dynamics
    assert fewer.explain_per_class == 1 and pipeline.compare(fewer, "target-91").effects.shape[:2] == (
        4,
        2 * study.explain_classes,
    )


def test_seconds_to_judge_are_those_of_100_samples_when_all_is_read_and_compiled(study, monkeypatch):
    clock, calls = [0.0], []

    def slow(of, role, checkpoints):
        calls.append((role, checkpoints))
        clock[0] += 50 if len(calls) == 1 else 3  # the first reads
        return SimpleNamespace(data=SimpleNamespace(sizes={"sample": 12}))

    monkeypatch.setattr(pipeline, "compare", slow)
    monkeypatch.setattr(pipeline, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    assert pipeline.seconds_to_judge(study, "target-91") == 25
    assert calls == 2 * [("target-91", study.checkpoints[-1:])]
