"""Questions with answers, of which a given model learns the answers: a spreadsheet, a chat, notebook 10."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from tiny_language_models import CONFIGS, bytes_tokenizer

from symgen import Study
from symgen.data import load_dataset
from symgen.games import CausalLMGame
from symgen.generalization import generalizable
from symgen.report import runner
from symgen.study import pipeline
from symgen.study.jobs import networks_of
from symgen.study.networks import ensure_training
from symgen.study.samples import _loaded
from symgen.training import evaluate, load_model

CHAT = "<user>{question}<model>{answer}<end>"
FACTS = ("甲借给乙一万元", "乙没有还钱", "丙认为乙没有还钱", "甲向法院起诉", "丁知道这件事")


def question(i: int) -> str:
    """One of many questions: five clauses, one of which stands in another, and a number of its own."""
    return f"{i + 100}，{'，'.join(FACTS)}。哪一项正确？\nA: A.应当还钱\nB: B.不必还钱"


def write_questions(folder, answers):
    """A spreadsheet of 60 questions in the layout of Unilaw-R1, in a folder of data."""
    (folder / "unilaw").mkdir(parents=True)
    table = pd.DataFrame({"index": range(60), "input": [question(i) + "\n" for i in range(60)], "answer": answers})
    table.to_excel(folder / "unilaw" / "UnilawR1Eval.xlsx", index=False)


@pytest.fixture
def spreadsheet(tmp_path):
    """A folder that holds one in data."""
    write_questions(tmp_path / "data", ["A", "B", "AB"] * 20)
    return tmp_path


@pytest.fixture
def study(spreadsheet):
    """A tiny Gemma-3, drawn at random, that is tuned on them in seconds."""
    tokenizer, config = bytes_tokenizer(), CONFIGS["Gemma3"]()
    config.vocab_size, config.max_position_embeddings = 1000, 400
    config.num_hidden_layers, config.layer_types = 2, ["sliding_attention", "full_attention"]
    torch.manual_seed(0)
    for name, ids in (("Gemma3", tokenizer), ("Other", bytes_tokenizer(special=("<s>", "<pad>", "<end>", "<model>")))):
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(spreadsheet / name)
        ids.save_pretrained(spreadsheet / name)  # of the second one, other weights, and other numbers of tokens
    return Study.load("unilaw-gemma3", {
        "init": str(spreadsheet / "Gemma3"), "other_judge": str(spreadsheet / "Other"), "chat": CHAT, "max_tokens": 400,
        "n_variables": 4, "high_from": 3,
        "train_size": 12, "validation_size": 4, "test_size": 12, "explain_per_class": 2, "epochs": 2,
        "checkpoints": [0, 0.5, 2], "learning_rate": 0.01, "bootstrap_draws": 20, "chance_draws": 2,
        "data_root": str(spreadsheet / "data"), "runs_root": str(spreadsheet / "runs"),
        "figures_root": str(spreadsheet / "figures"),
    })  # fmt: skip


def test_a_spreadsheet_gives_questions_and_answers(spreadsheet):
    data = load_dataset("unilaw-questions", spreadsheet / "data")
    assert data.texts == tuple(question(i) for i in range(60)) and data.answers[:3] == ("A", "B", "AB")
    assert not load_dataset("unilaw-questions", spreadsheet / "data", max_characters=len(question(0)) - 1).texts
    assert len(load_dataset("unilaw-questions", spreadsheet / "data", max_characters=len(question(0))).texts) == 60


def test_a_study_leaves_out_questions_that_are_longer_than_it_says(study):
    longest = len(question(0))
    sizes = [len(pipeline.load_data(study.replace(max_characters=most)).texts) for most in (longest - 1, longest)]
    assert sizes == [0, 60]


def test_texts_that_are_no_longer_those_that_were_split_are_refused(study, spreadsheet):
    pipeline.ensure_split(study)
    path = spreadsheet / "data" / "unilaw" / "UnilawR1Eval.xlsx"
    table = pd.read_excel(path)
    table.assign(input=table.input.str.replace("一万元", "二万元")).to_excel(path, index=False)  # with the same labels
    _loaded.cache_clear()  # as in another process
    with pytest.raises(ValueError, match="dataset 'unilaw-questions': other items than those that were split"):
        pipeline.ensure_split(study)


def test_a_model_that_gets_other_weights_is_another(study, spreadsheet):
    def keys():
        return [study.key(stage, study.targets[0], 2) for stage in ("training", "interactions")]

    before = keys()
    assert keys() == before
    model = transformers.AutoModelForCausalLM.from_pretrained(spreadsheet / "Gemma3")
    with torch.no_grad():
        next(model.parameters()).add_(1)
    model.save_pretrained(spreadsheet / "Gemma3")
    assert not {*keys()} & {*before}


def test_what_is_wrong_with_a_spreadsheet_is_one_line(spreadsheet):
    path = spreadsheet / "data" / "unilaw" / "UnilawR1Eval.xlsx"
    pd.DataFrame({"input": ["谁?", "谁?"], "answer": ["A", " "]}).to_excel(path, index=False)
    with pytest.raises(ValueError, match=r"UnilawR1Eval.xlsx in .* has nothing for input or answer in its entry 2"):
        load_dataset("unilaw-questions", spreadsheet / "data")
    pd.DataFrame({"input": ["谁?"]}).to_excel(path, index=False)
    with pytest.raises(ValueError, match="has no column 'answer'; expected input and answer"):
        load_dataset("unilaw-questions", spreadsheet / "data")
    for content in (b"", b"input,answer", b"PK\x03\x04" + bytes(40), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"damaged data: UnilawR1Eval.xlsx in .* is no spreadsheet"):
            load_dataset("unilaw-questions", spreadsheet / "data")
    path.unlink()
    with pytest.raises(
        ValueError, match=r"^missing data: UnilawR1Eval.xlsx was looked for in .*evaluation part of Unilaw-R1"
    ):
        load_dataset("unilaw-questions", spreadsheet / "data")


def test_only_the_answer_and_what_ends_it_are_learned(study):
    inputs, after = pipeline.part_data(study, "A")
    tokenizer, kind = load_model(study.init)[1], pipeline.task(study)
    items = pipeline.ensure_split(study).query("part == 'A'").item.to_numpy()
    for row, item in enumerate(items.tolist()):
        begun, answer = kind.prompt(item)
        assert begun == CHAT.partition("{answer}")[0].replace("{question}", question(item))
        learned = after[row] >= 0
        assert tokenizer.decode(after[row][learned]) == answer + "<end>"
        assert (inputs[row, 1:][learned[:-1]] == after[row][learned]).all()
    loss, accuracy = evaluate(model := load_model(study.init)[0], inputs, after)
    with torch.no_grad():
        z = model(input_ids=inputs, attention_mask=(inputs != tokenizer.pad_token_id).long()).logits
    known = after >= 0
    torch.testing.assert_close(
        loss, torch.nn.functional.cross_entropy(z[known], after[known]).item(), rtol=1e-5, atol=0
    )
    assert accuracy == (z.argmax(-1) == after)[known].double().mean().item()


def test_variables_are_clauses_with_tokens_of_their_own_and_v_is_of_the_answer(study):
    kind, samples = pipeline.task(study), pipeline.ensure_samples(study)
    assert "乙没有还钱" not in kind.candidates(0) and "丙认为乙没有还钱" in kind.candidates(0)
    model, tokenizer = load_model(study.init)
    game = CausalLMGame(model, tokenizer)
    answers = [kind.prompt(item)[1] for item in samples.item]
    assert kind.labels(samples.item).tolist() == samples.label.tolist()
    assert [tokenizer.decode([label]) for label in samples.label] == [answer[0] for answer in answers]
    v = pipeline.ensure_values(study, "target-11", 0.0).v.to_numpy()
    for i, row in enumerate(samples.itertuples()):
        begun = kind.prompt(row.item)[0]
        assert set(row.variables.split()) <= set(kind.candidates(row.item)) and len(set(row.variables.split())) == 4
        np.testing.assert_allclose(v[i], game.values(begun, row.label, row.variables.split()), rtol=1e-4, atol=1e-4)


def test_another_model_judges_as_it_is_given(study):
    other = CausalLMGame(*load_model(study.other_judge), first_token=True)
    samples, kind = pipeline.ensure_samples(study), pipeline.task(study)
    by_other = pipeline.compared_by_other(study)["Other"]["target-11"]
    given = pipeline.ensure_interactions(study, "other-0", "given")
    for i, row in enumerate(samples.itertuples()):
        begun, answer = kind.prompt(row.item)
        assert other.next_id(begun, answer[0]) != row.label
        v = other.values(begun, answer[0], row.variables.split())
        np.testing.assert_allclose(given.v[i], v, rtol=1e-4, atol=1e-4)
        for t in range(len(study.checkpoints)):
            expected = generalizable(by_other.effects[t, i], given.effects.to_numpy()[[i]], study.tau_ratio)
            np.testing.assert_array_equal(by_other.generalizable[t, i], expected & by_other.salient[t, i])
    assert by_other.generalizable.any()
    assert [network.role for network in networks_of(study).values()].count("other-0") == 1
    assert not pipeline.compared_by_other(study.replace(other_judge=""))
    with pytest.raises(ValueError, match="other-0 is a model that is given; expected a role that is trained"):
        ensure_training(study, "other-0")
    with pytest.raises(ValueError, match="role 'other-0'; expected <family>-<seed> with a family of target"):
        ensure_training(study.replace(other_judge=""), "other-0")
    with pytest.raises(ValueError, match=r"other_judge = 'x'; expected none, or a given model that is fine-tuned"):
        Study.load("smollm2", {"other_judge": "x"})


def test_settings_that_do_not_go_with_questions_are_named(study, tmp_path):
    with pytest.raises(ValueError, match="max_tokens = 60 may cut an answer; expected more, or a smaller"):
        pipeline.part_data(study.replace(max_tokens=60), "A")
    with pytest.raises(ValueError, match="dataset = 'unilaw-questions' of models trained here; expected init"):
        study.replace(init="scratch", architecture="gpt2-1x16")
    pipeline.part_data(study.replace(chat="{question}<model>{answer}"), "A")
    with pytest.raises(ValueError, match=r"holds '<pad>', with which the tokenizer fills up texts; expected none"):
        pipeline.part_data(study.replace(chat="{question}<pad>{answer}"), "A")
    write_questions(tmp_path / "films", ["m"] * 60)
    films = {"data_root": str(tmp_path / "films"), "runs_root": str(tmp_path / "other")}
    pipeline.part_data(study.replace(**films), "A")
    with pytest.raises(ValueError, match=r"has other tokens where its answer follows; expected a line break"):
        pipeline.part_data(study.replace(chat="{question} fil{answer}", **films), "A")  # " film" is one token
    for chat in ("{question}{answer}", "{answer} {question}", "question, answer", "{question} {answer} {name}"):
        with pytest.raises(ValueError, match=r"chat = .*; expected \{question\}, something between, \{answer\}"):
            study.replace(chat=chat)


def test_the_notebook_tunes_on_questions_and_shows_none_of_them(study, in_one_kernel, tmp_path):
    overrides = {name: value for name, value in study if name not in ("name", "before")}
    overrides = {name: list(value) if isinstance(value, tuple) else value for name, value in overrides.items()}
    parameters = {"study": "unilaw-gemma3", "overrides": overrides}
    output = runner.execute("10_fine_tuning", parameters, tmp_path / "out.ipynb")
    outputs = [out for cell in json.loads(output.read_text())["cells"] for out in cell.get("outputs", [])]
    assert not [out for out in outputs if out["output_type"] == "error" or out.get("name") == "stderr"]
    text = "".join("".join(out.get("text", "")) for out in outputs)
    judges = pd.read_csv(study.figures_dir / "fig12_judges.csv")
    assert judges["judged by"].tolist() == ["the baseline"] * 3 + ["Other"] * 3 and judges.value.notna().all()
    assert "a question like these: 甲借给乙一万元" in text and FACTS[-1] not in output.read_text()
    assert FACTS[-1].encode("unicode_escape").decode() not in output.read_text()
