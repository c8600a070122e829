"""Studies of language models: prompts, training on all tokens, baselines of another architecture, fine-tuning."""

import json
import re

import numpy as np
import pytest
import torch

from symgen import Study, generalizable, salient, training
from symgen.__main__ import main
from symgen.generalization import compare, contrasts
from symgen.study import pipeline
from symgen.training import loop, models

SMALL = {
    "explain_classes": 1, "n_variables": 4, "tuning_from": 1, "tuning_size": 80, "tuning_validation_size": 30,
    "tuning_test_size": 120, "tuning_epochs": 2, "tuning_checkpoints": [0, 1, 2],
}  # fmt: skip


@pytest.fixture
def study(shared):
    return Study.load("snippets-lm", shared | SMALL)


@pytest.mark.parametrize("of", ["first domain", "domain of the fine-tuning"])
def test_a_prompt_ends_before_the_first_word_that_serves_and_its_variables_stand_in_it(study, of):
    study = study.tuned if of.endswith("tuning") else study
    kind, samples = pipeline.task(study), pipeline.ensure_samples(study)
    part = pipeline.ensure_split(study).set_index("item").part
    assert part[samples.item].map({"A": "training", "D": "testing"}).tolist() == samples.of.tolist()
    game, variables = kind.game(None), kind.variables(samples)
    assert variables.shape == (6, 4)
    for item, label, phrases in zip(samples.item, samples.label, variables):
        (prompt, word), text = kind.prompt(item), kind.data.texts[item]
        assert re.match(rf"{re.escape(prompt)}\s+{word}\b", text)
        places = [match.start() for match in re.finditer(r"(?<=\s)\w", text)]
        serving = [place for place in places if serves(kind, text[:place], re.match(r"\w+", text[place:])[0])]
        assert text[: serving[0]].rstrip() == prompt
        before, after = (kind.tokenizer(shown)["input_ids"] for shown in (prompt, f"{prompt} {word}"))
        assert after == [*before[:-1], label, before[-1]]  # one token, before the one that ends every text
        assert game.next_id(prompt, word) == label
        candidates = game.candidates(prompt)
        assert set(phrases) <= set(candidates) and [word for word in candidates if word in phrases] == phrases.tolist()


@pytest.mark.parametrize("family", ["penalty", "distilled"])
def test_the_penalty_and_distillation_are_of_classifiers(study, family):
    with pytest.raises(
        ValueError, match=f"a network of family '{family}' on prompts; expected a study of images or texts"
    ):
        pipeline.ensure_training(study, f"{family}-11")


def serves(kind, before, word):
    """Whether a word may be the one that comes next: four candidates before it, new, no stop word, a token of its own."""
    candidates = kind.game(None).candidates
    pieces = kind.tokenizer.tokenize(word)
    return (
        len(candidates(before)) >= 4
        and candidates(word) == [word]
        and word.lower() not in re.split(r"\W+", before.lower())
        and pieces == [word.lower()]
    )


def test_the_loss_is_that_of_every_token_given_those_before_it(study, monkeypatch):
    kind, split = pipeline.task(study), pipeline.ensure_split(study)
    items = split.item[split.part == "B-validation"][:10]
    inputs, labels = kind.examples(items)
    network = pipeline.untrained(study, 5).eval()
    for parameter in network.parameters():
        parameter.data *= 3  # far from even odds
    lost, right = [], []
    with torch.inference_mode():
        for item in items:
            ids = kind.tokenizer(kind.data.texts[item], truncation=True)["input_ids"]
            for end in range(1, len(ids)):
                z = network(torch.tensor([ids[:end]])).logits[0, -1].double()
                lost.append(-z.log_softmax(-1)[ids[end]].item())
                right.append(z.argmax().item() == ids[end])
    monkeypatch.setattr(loop, "EVALUATED", 7 * inputs[0].numel())  # seven prompts at a time, then three
    loss, accuracy = training.evaluate(network, inputs, labels)
    assert loss == pytest.approx(np.mean(lost), rel=1e-5) and accuracy == pytest.approx(np.mean(right))
    z, known = loop.rows(training.logits(network, inputs), labels)
    assert len(known) == len(lost)
    assert torch.nn.functional.cross_entropy(z, known).item() == pytest.approx(np.mean(lost), rel=1e-4)


def test_rows_leave_classifiers_alone_and_drop_what_is_padded():
    z, labels = torch.rand(3, 2), torch.tensor([1, 0, 1])
    assert all(a is b for a, b in zip(loop.rows(z, labels), (z, labels)))
    z = torch.arange(12.0).reshape(2, 3, 2)  # the batch is padded at a fourth position
    kept, known = loop.rows(z, torch.tensor([[0, 5, -1, -1], [6, -1, -1, -1]]))
    assert known.tolist() == [0, 5, 6] and kept.tolist() == [[0, 1], [2, 3], [6, 7]]


def test_training_lowers_the_loss_and_is_the_same_again(study, tmp_path):
    once = pipeline.ensure_training(study, "target-91")
    assert once.curves.epoch.tolist() == [0, 0.5, 1, 2]
    assert once.curves.test_loss.iloc[-1] < once.curves.test_loss.iloc[0] - 0.5
    again = pipeline.ensure_training(study.replace(runs_root=str(tmp_path / "again")), "target-91")
    for epoch in (0.0, 2.0):
        first, second = (trained.model(epoch).state_dict() for trained in (once, again))
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_baselines_have_an_architecture_of_their_own(study):
    names = {role: type(pipeline.ensure_training(study, role).model(checkpoint)).__name__ for role, checkpoint in
             (("target-91", 2.0), ("baseline-93", "best"))}  # fmt: skip
    assert names == {"target-91": "LlamaForCausalLM", "baseline-93": "GPT2LMHeadModel"}
    other = study.replace(baseline_architecture="gpt2-1x64")
    assert other.key("training", "target-91") == study.key("training", "target-91")
    assert other.key("training", "baseline-93") != study.key("training", "baseline-93")
    same = study.replace(baseline_architecture="llama-2x64"), study.replace(baseline_architecture="")
    assert len({one.key("training", "baseline-93") for one in same}) == 1  # by default that of the target


@pytest.mark.parametrize("architecture", ["gpt2-2x64", "llama-1x128"])
def test_a_language_model_looks_back_only_and_embeds_as_it_predicts(study, architecture):
    tokenizer = pipeline.task(study).tokenizer
    network = models.build_language_model(architecture, tokenizer, 16, seed=1).eval()
    assert network.get_input_embeddings().weight is network.get_output_embeddings().weight
    ids = torch.arange(10, 22)[None]
    changed = ids.clone()
    changed[0, 8:] += 50
    with torch.inference_mode():
        one, other = (network(given).logits[0] for given in (ids, changed))
    assert torch.allclose(one[:8], other[:8], atol=1e-5) and not torch.allclose(one[8:], other[8:], atol=1e-2)
    with pytest.raises(ValueError, match=r"expected gpt2-<layers>x<width> or llama-<layers>x<width>"):
        models.build_language_model("gpt3-2x64", tokenizer, 16, seed=1)


def test_v_is_the_log_odds_of_the_next_word_at_the_end_of_the_prompt(study):
    interactions = pipeline.ensure_interactions(study, "target-91", 2)
    kind, samples = pipeline.task(study), pipeline.ensure_samples(study)
    network = pipeline.ensure_training(study, "target-91").model(2)
    for v, item, label in zip(interactions.v.to_numpy(), samples.item, samples.label):
        ids = kind.tokenizer(kind.prompt(item)[0])["input_ids"][:-1]
        with torch.inference_mode():
            p = network(torch.tensor([ids])).logits[0, -1].double().softmax(-1)[label].item()
        assert v[-1] == pytest.approx(np.log(p / (1 - p)), abs=1e-4)


def test_fine_tuning_starts_from_the_very_weights_on_the_other_domain(study):
    tuned = study.tuned
    start = pipeline.ensure_training(tuned, "target-91").model(0).state_dict()
    expected = pipeline.ensure_training(study, "target-91").model(1).state_dict()
    end = pipeline.ensure_training(tuned, "target-91").model(2).state_dict()
    assert all(torch.equal(start[name], expected[name]) for name in expected)
    assert not all(torch.equal(start[name], end[name]) for name in expected)
    base = pipeline.ensure_training(tuned, "baseline-93").curves
    before = pipeline.ensure_training(study, "baseline-93").model("best")
    held_out = pipeline.part_data(tuned, "D")
    assert base.test_loss[0] == pytest.approx(training.evaluate(before, *held_out)[0], abs=1e-9)
    assert pipeline.task(tuned).tokenizer.get_vocab() == pipeline.task(study).tokenizer.get_vocab()


def test_tuned_targets_are_judged_by_baselines_tuned_on_other_texts(study):
    judged = pipeline.compare(study.tuned, "target-91")
    assert judged.epochs.tolist() == [0, 1, 2] and judged.effects.shape == (3, 6, 2, 16)
    split = pipeline.ensure_split(study.tuned)
    assert split.item.is_unique and split.part.value_counts()[["A", "B", "D"]].tolist() == [80, 80, 120]
    (mine,), theirs = (pipeline.effects_of(study.tuned, roles) for roles in (("target-91",), study.tuned.baselines))
    shared = salient(mine, study.tau_ratio) & generalizable(mine, theirs, study.tau_ratio)
    assert shared.any()
    np.testing.assert_array_equal(judged.generalizable[-1], shared)


def test_the_command_line_trains_and_extracts_fine_tuned_networks(study, shared, capsys):
    given = json.dumps(shared | SMALL)
    for command in ("train", "extract"):
        assert main([command, "snippets-lm", "baseline-95", "--tuned", "--overrides", given]) == 0
    assert pipeline.artefact_path("interactions", study.tuned, "baseline-95", "best").is_file()
    assert "baseline-95 best: 6 samples" in capsys.readouterr().out
    assert main(["train", "fashion-vgg", "target-1", "--tuned"]) == 1
    assert "study 'fashion-vgg' has no fine-tuning" in capsys.readouterr().err


def test_settings_of_the_fine_tuning_change_nothing_before_it(study):
    other = study.replace(tuning_learning_rate=0.1, tuning_epochs=3, tuning_size=70, tuning_from=2)
    for what in ("training", "values", "interactions"):
        assert other.key(what, "target-91", 1) == study.key(what, "target-91", 1)
    roles = ("target-91", "baseline-93")
    for change in ({"tuning_learning_rate": 0.1}, {"tuning_size": 70}, {"batch_size": 8}, {"train_size": 110}):
        changed = study.replace(**change).tuned
        assert all(changed.key("training", role) != study.tuned.key("training", role) for role in roles), change
    later = study.replace(tuning_from=2).tuned
    assert [later.key("training", role) == study.tuned.key("training", role) for role in roles] == [False, True]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("snippets-lm", {"tuning_from": 7}, "tuning_from = 7.0; expected one of the checkpoints"),
        ("snippets-lm", {"tuning_dataset": "movie-snippets"}, "holds no prompts, as movie-sentences does"),
        ("snippets-lm", {"tuning_dataset": "reviews"}, "dataset = 'reviews'; expected one of"),
        ("snippets-lm", {"tuning_checkpoints": [0, 99]}, "checkpoints go to epoch 99.0"),
        ("snippets-lm", {"tuning_checkpoints": [1, 2]}, "tuning_checkpoints = [1.0, 2.0]; expected 0, the network before"),
        ("snippets-lm", {"tuning_checkpoints": [0]}, "tuning_checkpoints = [0.0]; expected 0, the network before, and one"),
        ("snippets-lm", {"masking": "mask"}, "masking = 'mask' of prompts; expected one of mean-embedding, pad, unk"),
        ("snippets-lm", {"before": "fashion-vgg"}, "unknown setting 'before'"),
    ],
)  # fmt: skip
def test_an_impossible_fine_tuning_is_said_in_one_line(name, change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Study.load(name, change)


def test_a_study_without_another_domain_has_no_fine_tuning():
    with pytest.raises(ValueError, match="study 'fashion-vgg' has no fine-tuning; expected the setting tuning_dataset"):
        _ = Study.load("fashion-vgg").tuned


def test_what_fine_tuning_changes_by_hand(study):
    effects = np.zeros((2, 2, 2, 64))  # before and after; two samples, n = 6
    effects[0, :, 0, 0b000001], effects[0, :, 0, 0b111111] = 1.0, -2.0
    effects[1, :, 0, 0b000001], effects[1, :, 0, 0b111111] = 3.0, -1.0
    effects[1, :, 1, 0b000011] = 0.5
    base = np.zeros((1, 2, 2, 64))
    base[0, :, 0, 0b000001] = 1.0
    v = np.ones((2, 2, 64))
    v[..., 0] = 0
    judged = compare((v, effects), zip(v[:1], base), chance_draws=1, epochs=[0, 4])
    study = study.replace(n_variables=6)
    resampling = study.bootstrap, study.low_orders, study.high_orders
    table = contrasts.tuning_contrasts(
        {"target-91": judged, "target-92": judged}, {"at once": 0, "later": 4}, *resampling
    )
    value = table[table.role == "all"].set_index("quantity").value
    expected = {
        "low-order strength rises, later": 3.5 - 1, "high-order strength rises, later": 1 - 2,
        "share of low orders rises, later": 3.5 / 4.5 - 1 / 3, "H rises, later": 3 / 4.5 - 1 / 3,
        "H above chance rises, later": 0.0,  # the samples are alike: what generalizes does so on the other one as well
    }  # fmt: skip
    assert value[list(expected)].to_dict() == pytest.approx(expected)
    assert value.drop(list(expected)).index.str.endswith("at once").all() and not value.drop(list(expected)).any()
