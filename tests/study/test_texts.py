"""The studies of the paper's texts, each from its own file, on made-up ones; networks on an encoder that is given."""

from types import SimpleNamespace

import made_up_sets
import numpy as np
import pandas as pd
import pytest
import torch
from tiny_project import ROOT

from symgen import Study, TextGame, log_odds, training
from symgen.study import pipeline
from symgen.training import load_model, loop, models
from symgen.training.tokenizers import build_tokenizer, load_tokenizer

STUDIES = {  # study -> its network, and the classes of its data
    "sst2-bert-tiny": ("bert-2x128", 2),
    "sst2-bert-tiny-small": ("bert-2x128", 2),
    "sst2-bert-medium": ("bert-8x512", 2),
    "sst2-bert-large": ("bert-24x1024", 2),
    "sst2-minilm": ("bert-6x384", 2),
    "sst2-minilm-small": ("bert-6x384", 2),
    "agnews-bert-medium": ("bert-8x512", 4),
    "agnews-bert-large": ("bert-24x1024", 4),
}
WEIGHTS = {  # millions, as published with the pre-trained ones (Turc et al., 2019; Devlin et al., 2019)
    "bert-2x128": 4.4, "bert-4x256": 11.3, "bert-4x512": 29.1, "bert-8x512": 41.7, "bert-12x768": 110, "bert-24x1024": 340,
}  # fmt: skip


@pytest.mark.parametrize("architecture", WEIGHTS)
def test_berts_have_the_published_sizes(architecture):
    class Vocabulary(SimpleNamespace):
        def __len__(self):
            return 30522

    with torch.device("meta"):
        network = models.build_bert(architecture, 2, Vocabulary(pad_token_id=0), max_tokens=512, seed=0)
    weights = sum(tensor.numel() for tensor in network.parameters())
    assert weights / 1e6 == pytest.approx(WEIGHTS[architecture], rel=0.02)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A folder with a tiny encoder, in the layout of the hub."""
    folder = tmp_path_factory.mktemp("models") / "encoder"
    tokenizer = build_tokenizer([text for text, _ in made_up_sets.opinions(40)], min_count=1, max_tokens=40)
    models.build_bert("bert-1x64", 5, tokenizer, 40, seed=9).bert.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def load(architecture, name, **options):
    return models.load_bert(architecture, 2, str(name), **{"max_tokens": 30, "seed": 1} | options)


def test_a_network_on_a_given_encoder_has_its_weights_and_words_and_a_head_of_its_own(encoder, capfd):
    (logging,) = models.from_transformers("logging")
    logging.enable_progress_bar()
    first, again, other = (load("bert-1x64", encoder, seed=seed).state_dict() for seed in (1, 1, 2))
    assert capfd.readouterr() == ("", "")  # neither bars nor a report on the head
    assert logging.is_progress_bar_enabled()  # a user's own loads show theirs
    given = models.from_transformers("BertModel")[0].from_pretrained(encoder).state_dict()
    assert all(torch.equal(first[f"bert.{name}"], tensor) for name, tensor in given.items())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert {name for name in first if not torch.equal(first[name], other[name])} == {"classifier.weight"}
    tokenizer = load_tokenizer(str(encoder), max_tokens=8)
    assert len(tokenizer("warm film " * 9, truncation=True)["input_ids"]) == 8 and "warm" in tokenizer.vocab


def test_a_package_may_bring_an_encoder_along(encoder, tmp_path, monkeypatch):
    package = tmp_path / "some_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('only its folder is needed')")
    (package / "model").symlink_to(encoder)
    monkeypatch.syspath_prepend(tmp_path)
    assert load("bert-1x64", "some_package/model").config.hidden_size == 64


def test_what_is_wrong_with_an_encoder_is_said_in_one_line(encoder, tmp_path):
    (tmp_path / "pickled").mkdir()
    for file in ("config.json", "tokenizer.json"):
        (tmp_path / "pickled" / file).write_text((encoder / file).read_text())
    torch.save({}, tmp_path / "pickled" / "pytorch_model.bin")
    cases = {
        "missing model: model was looked for in .*; put the model's folder there": (
            lambda: load("bert-1x64", "somewhere/model")
        ),
        r"architecture = 'bert-2x64', but init = '.*encoder' is 'bert-1x64'; expected the same": (
            lambda: load("bert-2x64", encoder)
        ),
        "max_tokens = 41; expected at most 40": lambda: load("bert-1x64", encoder, max_tokens=41),
        "pickled' cannot be loaded: .*; expected config.json, model.safetensors": (
            lambda: load("bert-1x64", tmp_path / "pickled")
        ),
        "cannot be loaded: .*; expected config.json": lambda: load_tokenizer(str(tmp_path), 8),
        "pickled' cannot be loaded: .*model.safetensors": lambda: load_model(str(tmp_path / "pickled")),
    }
    for message, call in cases.items():
        with pytest.raises(ValueError, match=message) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.fixture
def handful(tmp_path, tiny, encoder):
    """Overrides that leave a study its data and how it starts, with a small network."""
    made_up_sets.sst2(tmp_path / "data")
    made_up_sets.ag_news(tmp_path / "data")
    small = {
        "train_size": 16,
        "validation_size": 4,
        "test_size": 16,
        "batch_size": 4,
        "epochs": 1,
        "checkpoints": [0, 1],
    }
    small |= {
        "explain_per_class": 1,
        "n_variables": 3,
        "architecture": "bert-1x64",
        "data_root": str(tmp_path / "data"),
    }
    return tiny | small | {"max_tokens": 40}


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_of_texts_runs_from_its_file(name, handful, encoder):
    architecture, classes = STUDIES[name]
    study = Study.load(name)
    assert study.architecture == architecture and (study.init != "scratch") == ("minilm" in name)
    study = study.replace(**handful | {"init": str(encoder) if "minilm" in name else "scratch"})
    network = pipeline.ensure_training(study, "target-91").model(1)
    samples, interactions = pipeline.ensure_samples(study), pipeline.ensure_interactions(study, "target-91", 1)
    kind = pipeline.task(study)
    assert len(kind.data.classes) == classes and len(samples) == 4 and interactions.gap.max() <= study.tol
    with torch.inference_mode():
        plain = log_odds(training.logits(network, kind.inputs(samples.item)), torch.tensor(samples.label.to_numpy()))
    np.testing.assert_allclose(interactions.v[:, -1], plain, atol=1e-5)
    assert interactions.v.to_numpy().std(axis=1).min() > 0
    assert pipeline.ensure_interactions(study, "baseline-93", "best").v.shape == (4, 8)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_has_the_papers_samples_and_variables(name):
    study, classes = Study.load(name), STUDIES[name][1]
    small = name.endswith("-small")
    assert study.explain_classes == classes and study.n_variables == 10 and study.masking == "mask"
    assert small or study.explain_classes * study.explain_per_class == 100
    labelled, smallest = {"sst2": (67850, 30075 / 67850), "ag-news": (127600, 1 / 4)}[study.dataset]
    taken = 3 * study.train_size + 2 * study.validation_size + study.test_size
    assert taken <= 0.97 * classes * smallest * labelled  # drawn as wholes, parts are not full to the last item


def test_no_study_mixes_sst2_with_the_embedded_sentences_of_the_same_reviews():
    for path in (ROOT / "studies").glob("*.yaml"):
        study = Study.load(path.stem)
        assert len({study.dataset, study.tuning_dataset} & {"sst2", "movie-snippets", "movie-sentences"}) < 2
    with pytest.raises(ValueError, match="tuning_dataset = 'movie-snippets' of texts; expected none: notebook 10"):
        Study.load("sst2-bert-tiny", {"tuning_dataset": "movie-snippets", "tuning_from": 1})
    with pytest.raises(ValueError, match="tuning_dataset = 'movie-sentences' is the dataset itself; expected another"):
        Study.load("snippets-lm", {"tuning_dataset": "movie-sentences"})


def test_losses_are_those_of_each_text_alone_in_whatever_order_and_with_little_padding(monkeypatch):
    tokenizer = build_tokenizer(made_up_sets.WORDS, min_count=1, max_tokens=60)
    network = models.build_bert("bert-1x64", 2, tokenizer, 60, seed=3).eval()
    texts = [" ".join(made_up_sets.WORDS[: 1 + i % 12] * (1 + i % 4)) for i in range(250)]
    inputs = tokenizer(texts, padding=True, return_tensors="pt")["input_ids"]
    labels = torch.arange(250) % 2
    alone = torch.cat([training.logits(network, text[None]) for text in inputs]).double()
    read = []
    monkeypatch.setattr(loop, "logits", lambda model, part, positions=None, given=training.logits: read.append(
        len(part) * int((part != tokenizer.pad_token_id).sum(dim=1).max())) or given(model, part, positions))  # fmt: skip
    loss, accuracy = training.evaluate(network, inputs, labels)
    assert loss == pytest.approx(torch.nn.functional.cross_entropy(alone, labels).item(), rel=1e-6)
    assert accuracy == pytest.approx((alone.argmax(1) == labels).double().mean().item())
    tokens = (inputs != tokenizer.pad_token_id).sum()
    assert sum(read) < 1.5 * tokens  # in order, more than twice as many
    read.clear()
    torch.testing.assert_close(
        training.predicted(network, inputs, by_length=True).double(), alone, rtol=1e-5, atol=1e-6
    )
    assert sum(read) < 1.5 * tokens


def test_a_text_is_masked_without_padding():
    tokenizer = build_tokenizer(made_up_sets.WORDS, min_count=1, max_tokens=60)
    network = models.build_bert("bert-1x64", 2, tokenizer, 60, seed=3)
    lengths = []
    network.register_forward_pre_hook(lambda *given: lengths.append(given[2]["input_ids"].shape), with_kwargs=True)
    game = TextGame(network, tokenizer)
    game.values(["plot cast scene", " ".join(made_up_sets.WORDS)], [0, 1], [[0, 1], [4, 7]])
    checks = [(2, 5), (2, 5)]  # two rows two times: whether anything is random; whether the last layer may do less
    whole = [(4, 5), (2, 15), (2, 15), (4, 15)]  # with the tokens of beginning and end
    assert lengths == [*checks, *checks, *whole]


def test_words_are_the_same_variable_in_capitals_and_small_letters(shared):
    kind = pipeline.task(Study.load("snippets-bert", shared))
    words = {item: kind.game(None).words(text) for item, text in enumerate(kind.data.texts[:50])}
    chosen = [(item, i) for item, of in words.items() for i in kind.candidates(item)[:1] if of[i] != of[i].lower()]
    samples = pd.DataFrame(chosen, columns=["item", "variables"]).astype({"variables": str})
    assert len(samples) and kind.variable_names(samples)[:, 0].tolist() == [
        words[item][i].lower() for item, i in chosen
    ]
