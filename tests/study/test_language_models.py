"""Models that are given: folders, prompts, and notebook 09 on two tiny models with different tokenizers."""

import json

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file
from tiny_language_models import CONFIGS, bytes_tokenizer
from tiny_project import ROOT

from symgen import Study, generalizable, interactions, salient
from symgen.data import load_dataset
from symgen.data.prompts import question_prompts, squad_prompts, written_prompts
from symgen.games import candidate_words
from symgen.generalization import contrasts, tables
from symgen.report import claims, runner
from symgen.study import pairs, pipeline
from symgen.study.jobs import jobs, networks_of
from symgen.study.networks import weights_path
from symgen.training import build_tokenizer, load_model

ROLES = ["target-1", "baseline-1"]
LONGER = "the other, 10 longer prompts of 6 variables"
SENTENCE = "The old harbour of the town was built by Norman fishermen. It has burned twice since 1204!"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A Llama that reads bytes and a Qwen2 that reads words, drawn at random, as they would be given."""
    folder, texts = tmp_path_factory.mktemp("models"), [SENTENCE, *(entry["prompt"] for entry in written())]
    for name, tokenizer in (("Llama", bytes_tokenizer()), ("Qwen2", build_tokenizer(texts, 1, 200))):
        torch.manual_seed(len(name))
        config = CONFIGS[name]()
        config.vocab_size, config.max_position_embeddings, config.initializer_range = 1000, 200, 0.3
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder


def written():
    return written_prompts("written") + written_prompts("longer")


@pytest.fixture
def given(folders, tmp_path):
    """Overrides by which these are a study, with a question in the format of SQuAD."""
    answers = [{"text": "Norman fishermen", "answer_start": SENTENCE.index("Norman")}]
    asked = {"question": "Who built the harbour of the town?", "answers": answers}
    stopped = {"question": "What burned twice?", "answers": [{"text": "the town", "answer_start": 19}]}
    squad = {"data": [{"paragraphs": [{"context": SENTENCE, "qas": [asked, stopped, asked]}]}]}
    (tmp_path / "data" / "squad").mkdir(parents=True)
    (tmp_path / "data" / "squad" / "dev.json").write_text(json.dumps(squad))
    return {
        "target_model": str(folders / "Llama"), "baseline_model": str(folders / "Qwen2"),
        "baseline_masking": "mean-embedding", "explain_per_class": 1, "n_variables": 5, "high_from": 4,
        "bootstrap_draws": 20, "chance_draws": 2, "data_root": str(tmp_path / "data"),
        "runs_root": str(tmp_path / "runs"), "figures_root": str(tmp_path / "figures"),
    }  # fmt: skip


def load_prompts(study):
    return pipeline.task(study).prompts(pipeline.ensure_samples(study))


def test_a_model_in_a_folder_is_loaded_as_it_was_saved(folders):
    model, tokenizer = load_model(str(folders / "Llama"))
    again = transformers.LlamaForCausalLM.from_pretrained(folders / "Llama")
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values()))
    assert not model.training and tokenizer.is_fast and model.dtype == torch.float32


def test_what_is_not_there_is_named_and_never_fetched(tmp_path):
    with pytest.raises(ValueError, match=r"missing model: Qwen2.5-7B was looked for in .*models; put .*download: true"):
        load_model("data/models/Qwen2.5-7B")
    (tmp_path / "config.json").write_text('{"model_type": "of tomorrow"}')
    with pytest.raises(ValueError, match=r"model '.*' cannot be loaded: .*of tomorrow.*; expected config.json"):
        load_model(str(tmp_path))
    with pytest.raises(
        ValueError, match=r"missing model: tiny.gguf comes with the package no_such_package; `make llm`"
    ):
        load_model("no_such_package/tiny.gguf")


def test_a_question_becomes_the_sentence_that_answers_it_and_the_question():
    def squad(text, question="Who?"):
        asked = {"question": question, "answers": [{"text": text, "answer_start": SENTENCE.index(text)}]}
        return {"data": [{"paragraphs": [{"context": SENTENCE, "qas": [asked]}]}]}

    (made,) = squad_prompts(squad("Norman fishermen"))
    prompt = "The old harbour of the town was built by Norman fishermen. Who? Answer:"
    assert made == {"prompt": prompt, "next_word": "Norman"}
    (made,) = squad_prompts(squad("1204"))
    assert made == {"prompt": "It has burned twice since 1204! Who? Answer:", "next_word": "1204"}
    assert squad_prompts(squad("1204", "why " * 40)) == []  # too long
    unanswered = squad("1204")
    unanswered["data"][0]["paragraphs"][0]["qas"][0]["answers"] = []  # as version 2 of the format has some
    assert squad_prompts(unanswered) == []


def test_a_file_that_is_not_in_the_format_of_squad_is_named(tmp_path):
    (tmp_path / "train.json").write_text('{"data": [{"title": "a town"}]}')
    with pytest.raises(ValueError, match=r"train.json is not in the format of SQuAD: KeyError\('paragraphs'\)"):
        question_prompts(tmp_path)


def test_prompts_hold_their_variables_and_are_the_same_every_time(given):
    study = Study.load("smollm2", given)
    prompts = load_prompts(study)
    assert prompts.source.tolist() == ["written"] * 12 + ["squad"]  # one question, as explain_per_class says
    every = load_prompts(study.replace(explain_per_class=9))
    assert every.next_word.tolist()[12:] == ["Norman"] * 2  # an answer that begins with a stop word is left out
    assert prompts.variables.map(len).eq(5).all() and prompts.variables.map(set).map(len).eq(5).all()
    for row in prompts.itertuples():
        assert set(row.variables) <= set(candidate_words(row.prompt))
    again = load_prompts(study)
    assert again.equals(prompts) and not load_prompts(study.replace(variables_seed=1)).equals(prompts)
    wider = load_prompts(study.replace(n_variables=9))
    assert 0 < len(wider) < 12 and wider.variables.map(len).eq(9).all()  # those that have words enough
    shown = pipeline.task(study).shown_prompts(pipeline.ensure_samples(study))
    assert shown.next_word.tolist() == ["settings", "transformer"] and shown.variables.map(len).tolist() == [10, 10]


def test_networks_judge_each_other_on_prompts_alone():
    with pytest.raises(ValueError, match="study 'fashion-vgg' holds images; expected one of language models"):
        pairs.judged(Study.load("fashion-vgg"))


def test_lines_of_prompts_keep_their_own_variables(given, tmp_path):
    (tmp_path / "data" / "unilaw").mkdir()
    line = {"prompt": "合同自成立时生效，但是法律另有规定", "next_word": "的", "variables": ["合同", "成立"]}
    (tmp_path / "data" / "unilaw" / "prompts.jsonl").write_text(json.dumps(line) + "\n")
    study = Study.load("smollm2", given | {"dataset": "unilaw", "n_variables": 2})
    row = load_prompts(study).iloc[-1]
    assert row.source == "unilaw" and row.variables == ["合同", "成立"] and row.next_word == "的"
    with pytest.raises(ValueError, match=r"variables 合同 \| 成立 of the prompt '合同.*expected n_variables = 5"):
        load_prompts(study.replace(n_variables=5))


def test_next_words_are_kept_as_they_are_written(given, tmp_path):
    (tmp_path / "data" / "unilaw").mkdir()
    words = ["null", "07", "true", "1.50"]
    lines = [{"prompt": "one two three", "next_word": word, "variables": ["one", "two"], "sample": 9} for word in words]
    (tmp_path / "data" / "unilaw" / "prompts.jsonl").write_text("\n".join(map(json.dumps, lines)))
    study = Study.load("smollm2", given | {"dataset": "unilaw", "n_variables": 2})
    for _ in range(2):  # drawn, and read
        assert pipeline.ensure_samples(study).label.tolist()[-4:] == words


def test_another_prompt_is_another_job(given, tmp_path):
    study = Study.load("smollm2", given)
    before = {job.name for job in jobs(study)}
    assert {job.name for job in jobs(study)} == before
    (tmp_path / "data" / "squad" / "dev.json").unlink()
    assert not before & {job.name for job in jobs(study)}


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("\xff", "Invalid JSON"),
        ('{"prompt": "a"', "Invalid JSON: EOF while parsing an object"),
        ('["a"]', "Input should be an object"),
        ('{"prompt": "a"}', "next_word Field required"),
        ('{"prompt": 5, "next_word": "b"}', "prompt Input should be a valid string"),
        ('{"prompt": "a b", "next_word": "c", "variables": "ab"}', "variables Input should be a valid array"),
    ],
)
def test_a_line_that_is_no_prompt_is_named(given, tmp_path, line, fault):
    (tmp_path / "data" / "unilaw").mkdir()
    good = json.dumps({"prompt": "one two", "next_word": "three"})
    (tmp_path / "data" / "unilaw" / "prompts.jsonl").write_bytes(f"{good}\n{line}\n".encode("latin-1"))
    with pytest.raises(ValueError, match=f"damaged data: .*prompts.jsonl, line 2: {fault}"):
        load_prompts(Study.load("smollm2", given | {"dataset": "unilaw"}))


def test_given_models_judge_each_other_and_nothing_is_computed_twice(given, monkeypatch):
    study = Study.load("smollm2", given)
    judged = pipeline.compare(study, "target-1")
    game, prompts = pipeline.game_of(study, "target-1", "given"), load_prompts(study)
    first = prompts.iloc[0]
    np.testing.assert_allclose(judged.v[0, 0], game.values(first.prompt, first.next_word, first.variables), atol=1e-5)
    assert judged.effects.shape == (1, 13, 2, 32) and judged.salient.any()
    model = interactions.by_definition(judged.effects[0], judged.v[0, :, 0])
    bound = study.noise_bound * np.abs(judged.v[0, :, -1] - judged.v[0, :, 0])
    assert (np.abs(model - judged.v[0]) <= bound[:, None] * (1 + 1e-6)).all()
    monkeypatch.setattr(pipeline, "game_of", None)
    np.testing.assert_array_equal(pipeline.compare(study, "target-1").effects, judged.effects)
    itself = study.replace(baseline_model=study.target_model)
    assert pipeline.task(itself).one_network and not pipeline.task(study).one_network


def test_longer_prompts_are_asked_apart_with_more_variables(controlled):
    longer = controlled.controls["6 variables"]
    prompts, others = load_prompts(longer), load_prompts(controlled)
    assert set(prompts.source) == {"longer"} and len(prompts) == 10 and prompts.variables.map(len).eq(6).all()
    assert not set(prompts.prompt) & set(others.prompt)
    with pytest.raises(ValueError, match="0 of the longer prompts have 15 variables; expected fewer of these"):
        pipeline.task(longer.replace(n_variables=15)).draw_samples(None)
    judged = pairs.judged(controlled)[LONGER]
    (mine,), (theirs,) = (pipeline.effects_of(longer, (role,)) for role in ROLES)
    np.testing.assert_array_equal(judged["target-1"].effects[0], mine)
    expected = salient(mine, longer.tau_ratio) & generalizable(mine, theirs[None], longer.tau_ratio)
    np.testing.assert_array_equal(judged["target-1"].generalizable[0], expected)
    table = pairs.judges_table(controlled, {LONGER: judged}).set_index(["role", "quantity"]).value
    high = np.isin(interactions.orders(6), [4, 5, 6])  # as far as their n
    strength = [(np.abs(mine) * kept)[..., high].sum() for kept in (expected, salient(mine, longer.tau_ratio))]
    assert table["target-1", "H_high"] == pytest.approx(strength[0] / strength[1])


@pytest.fixture
def controlled(given):
    """The same as a study with controls, and with more variables on one question."""
    return Study.load("smollm2-gemma3", given | {"longer_variables": 6})


def test_each_network_is_judged_by_the_other_by_itself_and_untrained(controlled):
    by, tau = pairs.judged(controlled), controlled.tau_ratio
    assert list(by) == ["the other", "itself, masked by pad", "the other, untrained", LONGER] and all(
        list(of) == ROLES for of in by.values()
    )
    mine, theirs = pipeline.effects_of(controlled, ("target-1", "baseline-1"))
    for role, effects, judge in (("target-1", mine, theirs), ("baseline-1", theirs, mine)):
        other = by["the other"][role]
        np.testing.assert_array_equal(other.effects[0], effects)
        expected = salient(effects, tau) & generalizable(effects, judge[None], tau)
        np.testing.assert_array_equal(other.generalizable[0], expected)
        (itself,) = pipeline.effects_of(controlled.controls["masked by pad"], (role,))
        expected = salient(effects, tau) & generalizable(effects, itself[None], tau)
        np.testing.assert_array_equal(by["itself, masked by pad"][role].generalizable[0], expected)
    untrained = controlled.controls["untrained"]
    models = [
        pipeline.game_of(one, "target-1", "given").model.state_dict() for one in (controlled, untrained, untrained)
    ]
    name = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(models[0][name], models[1][name]) and torch.equal(models[1][name], models[2][name])
    assert {key: tensor.shape for key, tensor in models[0].items()} == {k: t.shape for k, t in models[1].items()}


SMALL = {
    "explain_classes": 1, "n_variables": 4, "tuning_from": 1, "tuning_size": 80, "tuning_validation_size": 30,
    "tuning_test_size": 120, "tuning_epochs": 2, "tuning_checkpoints": [0, 1, 2],
}  # fmt: skip


def test_networks_that_were_trained_here_judge_each_other_at_their_ends_all_of_the_other_family(shared):
    study = Study.load("snippets-lm", shared | SMALL)
    assert list(pairs.judged(study)) == ["the other"]
    for role, judges in (("target-91", study.baselines), ("baseline-93", study.targets)):
        mine, theirs = pipeline.effects_of(study, (role,)), pipeline.effects_of(study, judges)
        comparison = pairs.judged(study)["the other"][role]
        np.testing.assert_array_equal(comparison.effects, mine)
        expected = salient(mine[0], study.tau_ratio) & generalizable(mine[0], theirs, study.tau_ratio)
        np.testing.assert_array_equal(comparison.generalizable[0], expected)
    epochs = {role: of.epoch.values.tolist() for role, of in pairs.explained(study).items()}
    assert epochs == {role: [0, study.tuning_epochs] for role in study.targets}  # before training and after it


def test_the_claim_about_two_models_has_both_directions_and_the_untrained(controlled):
    by = pairs.judged(controlled)
    table = pairs.pair_contrasts(controlled, by).query("role == 'all'").set_index("quantity").value
    judges = pairs.judges_table(controlled, by).set_index(["role", "judged by", "quantity"]).value
    for role, ending in (("target-1", ""), ("baseline-1", contrasts.OTHER_WAY)):
        low, high, untrained = (
            judges[role, who, what]
            for who, what in (
                ("the other", "H_low"),
                ("the other", "H_high"),
                ("the other, untrained", "H_low - H_high"),
            )
        )
        assert table[f"H_low - H_high{ending}"] == pytest.approx(low - high)
        assert table[f"less that by untrained judges{ending}"] == pytest.approx(low - high - untrained)
    asked = {statistic.quantity for statistic in claims.claims()["F11"].statistics}
    assert asked <= set(table.index)
    data = pairs.explained(controlled)["baseline-1"]
    (untrained,) = pipeline.effects_of(controlled.controls["untrained"], ("baseline-1",))
    np.testing.assert_array_equal(data.effects[0], untrained)
    assert data.epoch.values.tolist() == [0, 1]


def test_one_network_is_its_own_control(given):
    itself = Study.load("smollm2", given | {"baseline_model": given["target_model"], "baseline_masking": "pad"})
    assert list(pairs.judged(itself)) == ["the other", "the other, untrained"]
    assert pipeline.compare(itself, "target-1", judges=("baseline-1",)).H < 1  # masked in another way


def test_the_jobs_of_given_models_are_they_and_their_controls(controlled):
    looks = [
        (role, one.masking_of(role), one.untrained, one.n_variables, one.explain_per_class)
        for network in networks_of(controlled).values()
        for one, role in [(look[0], network.role) for look in network.looks.values()]
    ]
    expected = [
        (role, *how)
        for role in ROLES
        for how in (("mean-embedding", False, 5, 1), ("pad", False, 5, 1), ("mean-embedding", True, 5, 1),
                    ("mean-embedding", False, 6, 1))
    ]  # fmt: skip
    assert sorted(looks) == sorted(expected)


def test_shares_by_order_are_those_of_the_strengths(given):
    study = Study.load("smollm2", given)
    judged = pipeline.compare(study, "target-1")
    shares, orders = tables.share_table(judged, 0.0, study.bootstrap), judged.by_order(0.0)
    by_order = orders.assign(total=orders.total.abs(), generalizable=orders.generalizable.abs()).groupby("order")
    strength = by_order[["total", "generalizable"]].sum()
    np.testing.assert_allclose(shares.strength, strength.total)
    np.testing.assert_allclose(shares.share, (strength.generalizable / strength.total).where(strength.total > 0))
    known = shares.dropna()
    assert (known.low <= known.share).all() and (known.share <= known.high).all() and (known.low < known.high).any()


def test_what_is_known_of_trained_networks_does_not_hang_on_given_ones():
    settings = Study.load("fashion-vgg").settings_of("interactions", "target-11", 1.0)
    assert not {"target_model", "baseline_model", "baseline_masking"} & set(settings)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"baseline_model": ""}, "one of target_model and baseline_model is missing"),
        ({"masking": "mask"}, "masking = 'mask' of prompts; expected one of mean-embedding, pad, unk"),
        ({"baseline_masking": "mask"}, "baseline_masking = 'mask' of prompts"),
        (
            {"untrained": True, "baseline_masking": "", "target_model": "", "baseline_model": ""},
            "untrained = True of models trained here; expected its default",
        ),
        (
            {"baseline_masking": "pad", "target_model": "", "baseline_model": ""},
            "baseline_masking = 'pad' of models trained",
        ),
        (
            {"longer_variables": 6, "baseline_masking": "", "target_model": "", "baseline_model": ""},
            "longer_variables = 6 of models trained here; expected its default",
        ),
        ({"longer_variables": 40}, "longer_variables = 40; expected at most"),
        ({"longer_variables": 6, "written": "longer"}, "longer_variables = 6 beside written: longer"),
        ({"dataset": "movie-snippets"}, "target_model of texts; expected a data set of prompts"),
    ],
)
def test_settings_that_do_not_go_together_are_named(overrides, message):
    with pytest.raises(ValueError, match=message):
        Study.load("smollm2", overrides)


def test_the_notebook_runs_on_given_models(given, in_one_kernel, tmp_path):
    output = runner.execute("09_language_models", {"study": "smollm2", "overrides": given}, tmp_path / "out.ipynb")
    outputs = [out for cell in json.loads(output.read_text())["cells"] for out in cell.get("outputs", [])]
    printed = "".join("".join(out.get("text", "")) for out in outputs)
    assert not [out for out in outputs if out["output_type"] == "error" or out.get("name") == "stderr"]
    assert "target-1 given: 13 samples" in printed
    rendered = "".join("".join(out.get("data", {}).get("text/markdown", "")) for out in outputs)
    assert "13 prompts" in rendered and "One network judges itself" not in rendered
    assert "of the simple interactions than of the complex" in rendered and "**F11** · the paper says" in rendered
    made = {path.name for path in (tmp_path / "figures").rglob("*.*")}
    assert {"fig07_prompt_1.png", "fig07_prompt_2_baseline.csv", "fig11_orders.png", "fig11_contrasts.csv"} <= made
    assert {"fig07_contrasts.csv", "fig11_judges.csv"} <= made
    assert "fig11_masking.csv" not in made
    runner.execute("11_claims", {"study": "smollm2", "overrides": given}, tmp_path / "claims.ipynb")  # no training here


@pytest.fixture
def tuning(tmp_path, monkeypatch):
    """A GPT-2 that knows every word of the reviews, in a folder, and overrides by which it is fine-tuned in seconds."""
    texts = load_dataset("product-sentences", ROOT / "data").texts
    tokenizer = build_tokenizer(texts, 2, 200)
    config = CONFIGS["GPT2"]()
    config.vocab_size, config.bos_token_id, config.eos_token_id = len(tokenizer), 2, 3
    torch.manual_seed(0)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "GPT2")
    tokenizer.padding_side = "left"  # as models that write have it
    tokenizer.save_pretrained(tmp_path / "GPT2")
    return {
        "init": str(tmp_path / "GPT2"), "n_variables": 4, "high_from": 3, "train_size": 60, "validation_size": 20,
        "test_size": 80, "explain_per_class": 3, "epochs": 2, "checkpoints": [0, 0.5, 2], "learning_rate": 0.01,
        "bootstrap_draws": 20, "chance_draws": 2,
        "runs_root": str(tmp_path / "runs"), "figures_root": str(tmp_path / "figures"),
    }  # fmt: skip


def test_a_given_model_is_fine_tuned_from_its_weights(tuning):
    study = Study.load("smollm2-reviews", tuning)
    assert study.tuned is study and study.starts_from("target-11") == 0
    given, tokenizer = load_model(study.init)
    trained = pipeline.ensure_training(study, "target-11")
    start, end = (trained.model(epoch).state_dict() for epoch in (0, 2))
    assert all(torch.equal(tensor, start[name]) for name, tensor in given.state_dict().items())
    assert any(not torch.equal(tensor, end[name]) for name, tensor in start.items())
    assert trained.curves.train_loss.iloc[-1] < trained.curves.train_loss[0]
    kept = load_file(weights_path(study, "target-11", 2.0))
    assert "lm_head.weight" in end and "lm_head.weight" not in kept  # it is the embedding, which is kept once
    assert set(kept) == set(end) - {"lm_head.weight"} and all(torch.equal(end[name], kept[name]) for name in kept)
    assert torch.equal(end["lm_head.weight"], kept["transformer.wte.weight"])
    inputs, after = pipeline.part_data(study, "A")
    shown = inputs != tokenizer.pad_token_id
    assert shown[:, 0].all() and (after[:, :-1][shown[:, 1:]] == inputs[:, 1:][shown[:, 1:]]).all()
    assert (after[:, :-1][~shown[:, 1:]] == -1).all()
    split = pipeline.ensure_split(study).set_index("item").part
    samples = pipeline.ensure_samples(study)
    assert split[samples.item].map({"A": "training", "D": "testing"}).tolist() == samples.of.tolist()
    judged = pipeline.compare(study, "target-11")
    assert judged.effects.shape == (3, 6, 2, 16)
    other = Study.load("smollm2-reviews", tuning | {"init": tuning["init"] + "/"})
    assert other.key("training", "target-11") != study.key("training", "target-11")


def test_a_tokenizer_that_cannot_pad_is_named(tuning, tmp_path):
    tokenizer = bytes_tokenizer()
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path / "GPT2")
    with pytest.raises(ValueError, match=r"the tokenizer of '.*GPT2' has no pad_token; expected one, to fill up texts"):
        pipeline.part_data(Study.load("smollm2-reviews", tuning), "A")


def test_the_notebook_of_fine_tuning_runs_on_a_given_model(tuning, in_one_kernel, tmp_path):
    parameters = {"study": "smollm2-reviews", "overrides": tuning}
    output = runner.execute("10_fine_tuning", parameters, tmp_path / "out.ipynb")
    outputs = [out for cell in json.loads(output.read_text())["cells"] for out in cell.get("outputs", [])]
    assert not [out for out in outputs if out["output_type"] == "error" or out.get("name") == "stderr"]
    made = {path.name for path in (tmp_path / "figures").rglob("*.*")}
    assert {"fig12_contrasts.csv", "fig12_removal.csv", "fig12_dynamics.png", "fig12_orders.png"} <= made
    studies = [Study.load("smollm2-reviews", tuning)]
    assert set(claims.claims_table(studies).id) == {"F12", "S1", "S2"}
