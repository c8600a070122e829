"""TextGame: words as variables, every token of a masked word replaced, and nothing else; the tokenizer behind it."""

import copy
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tokenizers
import torch
import transformers
from tiny_language_models import noisy
from tokenizers import Regex, Tokenizer
from transformers import PreTrainedTokenizerFast

from symgen import TextGame, and_interactions, explain
from symgen.games import _base, texts
from symgen.training import models
from symgen.training.tokenizers import SPECIAL, build_tokenizer

TEXTS = [
    "An utterly charming film, warm and funny throughout.",
    "A dull film that isn't funny; the actors look bored.",
    "Warm, charming actors save a dull script throughout the film.",
]
SENTENCE = "An unfunny film, charming actors"


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer(TEXTS, min_count=2, max_tokens=40)


@pytest.fixture
def bert(tokenizer):
    return models.build_bert("bert-1x64", 3, tokenizer, 40, seed=3).eval()


class Recorder(torch.nn.Module):
    """Two logits, of which the second is a weighted sum over tokens; keeps what it was asked."""

    def __init__(self, size):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.linspace(0.1, 1, size, dtype=torch.float64))
        self.seen = []

    def forward(self, input_ids, **others):
        self.seen.append(input_ids.clone())
        score = self.weight[input_ids].sum(dim=1)
        return SimpleNamespace(logits=torch.stack([torch.zeros_like(score), score], dim=1))


class Inside(torch.nn.Module):
    """A network within another one."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, input_ids, attention_mask=None, **others):
        return self.network(input_ids=input_ids, attention_mask=attention_mask).logits


def test_stop_words_commas_and_single_letters_are_no_candidates(tokenizer):
    game = TextGame(None, tokenizer)
    assert game.words(SENTENCE) == ["An", "unfunny", "film", ",", "charming", "actors"]
    assert game.candidates(SENTENCE) == [1, 2, 4, 5]  # neither the stop word nor the comma
    assert TextGame(None, tokenizer, stop_words={"film"}).candidates(SENTENCE) == [0, 1, 4, 5]
    assert game.candidates("She won't say: 7 or 42!") == [1, 4, 8]  # won, say, 42: letters and digits alone are none
    assert game.candidates("a 好 b") == [1]  # one sign is a word in a script without spaces


def test_a_tokenizer_that_does_not_cut_at_spaces_has_the_same_words():
    pieces = ["▁an", "▁un", "funny", "▁film", "▁with", "▁act", "ors"]
    whole = Tokenizer(tokenizers.models.Unigram([("<unk>", 0.0), *((piece, -1.0) for piece in pieces)], 0))
    whole.normalizer = tokenizers.normalizers.Replace(Regex("^| "), "▁")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=whole, unk_token="<unk>")
    text = "an unfunny film with actors"
    assert set(tokenizer(text).word_ids()) == {0}  # one word, it says
    game = TextGame(Recorder(len(tokenizer)), tokenizer, masking="unk")
    assert game.words(text) == text.split() and game.candidates(text) == [1, 2, 4]
    assert game.words(text.replace(" ", "\n")) == text.split()
    ids, (_, replaced, _) = tokenizer(text)["input_ids"], game._masked(text, [1], [1, 4])
    names = np.array(tokenizer.convert_ids_to_tokens(ids))
    assert [names[row].tolist() for row in replaced.numpy()[[1, 2]]] == [["▁act", "ors"], ["▁un", "funny"]]


def test_a_tokenizer_and_a_model_without_a_limit_read_whole_texts(tokenizer):
    endless = copy.copy(tokenizer)
    endless.model_max_length = int(1e30)  # what a tokenizer says that knows none
    network = Recorder(len(tokenizer))
    TextGame(network, endless).values(100 * SENTENCE, 1, [1, 2])
    assert network.seen[-1].shape[1] == len(endless(100 * SENTENCE)["input_ids"]) > 512


def test_all_tokens_of_a_masked_word_are_replaced_and_no_others(tokenizer):
    ids = tokenizer(SENTENCE)["input_ids"]
    assert len(ids) > len(SENTENCE.split()) + 3  # "unfunny" is several tokens
    network = Recorder(len(tokenizer))
    game = TextGame(network, tokenizer)
    variables = [1, 4]
    v = game.values(SENTENCE, 1, variables)
    *twice, seen = network.seen  # the first two are the check that nothing is random
    assert all(torch.equal(one, seen[:2]) for one in twice)
    word_of = tokenizer(SENTENCE).word_ids()
    for subset in range(4):
        hidden = {word for i, word in enumerate(variables) if not subset >> i & 1}
        expected = [tokenizer.mask_token_id if word in hidden else i for i, word in zip(ids, word_of)]
        assert seen[subset].tolist() == expected
    np.testing.assert_allclose(v, network.weight.detach()[seen].sum(dim=1), atol=1e-12)
    effects = and_interactions(v)
    assert abs(effects[3]) < 1e-12 < min(abs(effects[1]), abs(effects[2]))  # a sum has no interaction of two words


def decoder(tokenizer):
    """A classifier that reads the last word; the kind of model has no mask token."""
    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), num_labels=3, pad_token_id=tokenizer.pad_token_id, **size
    )
    return transformers.LlamaForSequenceClassification(config).eval()


WAYS = [("bert", "mask"), ("bert", "pad"), ("bert", "unk"), ("bert", "mean-embedding"), ("decoder", "mean-embedding")]


@pytest.mark.parametrize(("kind", "masking"), WAYS)
def test_values_equal_a_plain_loop_over_masked_texts(bert, tokenizer, kind, masking):
    variables, network = [5, 1, 2], noisy(bert if kind == "bert" else decoder(tokenizer))
    of_token = tokenizer(SENTENCE).word_ids(0)
    v = TextGame(network, tokenizer, masking).values(SENTENCE, 2, variables)
    encoded = dict(tokenizer(SENTENCE, return_tensors="pt"))
    name, filler = "input_ids", {"mask": "[MASK]", "pad": "[PAD]", "unk": "[UNK]"}.get(masking)
    if filler is None:
        table, name = network.get_input_embeddings().weight.detach(), "inputs_embeds"
        encoded[name] = table[encoded.pop("input_ids")]
    for subset in range(8):
        shown = encoded[name].clone()
        for i, word in enumerate(variables):
            if not subset >> i & 1:
                tokens = [token for token, of_word in enumerate(of_token) if of_word == word]
                shown[0, tokens] = table.mean(dim=0) if filler is None else tokenizer.vocab[filler]
        with torch.no_grad():
            z = network(**encoded | {name: shown}).logits[0].double()
        assert v[subset] == pytest.approx((z[2] - torch.logsumexp(z[:2], 0)).item(), abs=1e-5)
    assert np.ptp(v) > 0.01


SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "num_labels": 3}


def encoder(family, tokenizer, **others):
    """A small network of a family of encoders."""
    configure, build = (getattr(transformers, f"{family}{kind}") for kind in ("Config", "ForSequenceClassification"))
    torch.manual_seed(4)
    return noisy(build(configure(vocab_size=len(tokenizer), pad_token_id=0, **SMALL, **others)).eval())


@pytest.mark.parametrize("family", ["Bert", "Roberta", "Electra"])
def test_the_last_layer_runs_for_the_first_token_alone_and_gives_the_same_values(tokenizer, monkeypatch, family):
    network, rows = encoder(family, tokenizer), []
    last = [module for module in network.modules() if hasattr(module, "intermediate")][-1]
    hook = last.intermediate.register_forward_pre_hook(lambda _, inputs: rows.append(inputs[0].shape[1]))
    game = TextGame(network, tokenizer)
    v = game.values(SENTENCE, [0, 2], [1, 2, 5])
    assert rows[0] > 1 and set(rows[1:]) == {1} and len(rows) > 3  # the first is what the others are compared with
    hook.remove()
    assert "forward" not in vars(last)  # the network is as it was
    monkeypatch.setattr(TextGame, "_sparing", lambda *_: nullcontext())
    plain = game.values(SENTENCE, [0, 2], [1, 2, 5])
    assert np.ptp(plain) > 1e-3
    np.testing.assert_allclose(v, plain, rtol=0, atol=1e-6)


class OfAllTokens(torch.nn.Module):
    """A classifier on the mean of what BERT makes of all tokens."""

    def __init__(self, bert):
        super().__init__()
        self.encoder, self.config = bert.bert, bert.config
        self.head = torch.nn.Linear(bert.config.hidden_size, 3)

    def forward(self, **inputs):
        return self.head(self.encoder(**inputs).last_hidden_state.mean(dim=1))


@pytest.mark.parametrize("kind", ["mean of all tokens", "unseen tokens", "a layer that was replaced"])
def test_a_network_whose_last_layer_is_asked_for_more_runs_as_it_is(tokenizer, monkeypatch, kind):
    bert = encoder("Bert", tokenizer)
    last = [module for module in bert.modules() if hasattr(module, "intermediate")][-1]
    game = TextGame(OfAllTokens(bert).eval() if kind == "mean of all tokens" else bert, tokenizer)
    if kind == "unseen tokens":  # of these the layer is asked as it is
        encoded, *others = game._encoded(SENTENCE)
        encoded["attention_mask"][-1] = 0
        monkeypatch.setattr(game, "_encoded", lambda _: (encoded, *others))
    if kind == "a layer that was replaced":
        plain = last.forward
        last.forward = lambda *args, **others: 2 * plain(*args, **others)
    forward = vars(last).get("forward")
    v = game.values(SENTENCE, 1, [1, 2, 5])
    assert vars(last).get("forward") is forward
    with torch.no_grad():
        expected = game.log_odds_of(SENTENCE, 1, [1, 2, 5])  # never goes another way
    assert np.ptp(v) > 1e-3
    np.testing.assert_array_equal(v, expected)


def test_for_another_thread_a_layer_is_as_it_was_and_whoever_spares_it_too_waits(tokenizer):
    layer, hidden = encoder("Bert", tokenizer).bert.encoder.layer[-1], torch.randn(2, 7, SMALL["hidden_size"])

    def spared():
        with texts._for_first_token(layer):
            return layer(hidden)

    whole = layer(hidden)
    with ThreadPoolExecutor(1) as pool:
        with texts._for_first_token(layer):
            torch.testing.assert_close(pool.submit(layer, hidden).result(), whole)
            torch.testing.assert_close(spared(), whole[:, :1])
            waiting = pool.submit(spared)
            assert wait([waiting], timeout=0.2).not_done
        torch.testing.assert_close(waiting.result(), whole[:, :1])
    torch.testing.assert_close(layer(hidden), whole)


def test_a_network_that_fails_on_the_way_is_left_as_it_was(tokenizer):
    network = encoder("Bert", tokenizer)
    last = [module for module in network.modules() if hasattr(module, "intermediate")][-1]
    calls = iter(range(6))  # the check takes four, of two rows each

    def fail(*_):
        if next(calls, None) is None:
            raise RuntimeError("no more")

    network.register_forward_pre_hook(fail)
    game = TextGame(network, tokenizer)
    game._chunk = 1  # a row at a time
    with pytest.raises(RuntimeError, match="no more"):
        game.values(SENTENCE, 1, [1, 2, 5])
    assert "forward" not in vars(last)


def test_one_text_of_several_is_compared_with_itself_alone(bert, tokenizer):
    game, short = TextGame(bert, tokenizer), "A warm and dull film"
    one = explain(game, [short, TEXTS[2]], [0, 1], variables=2).sample(0)
    assert one.data.words.to_numpy().tolist() == [game.words(short)]
    assert one.compare(explain(game, short, 0, variables=one.variables)).H == 1


def test_a_text_has_the_same_values_in_a_list_and_in_smaller_parts(bert, tokenizer, monkeypatch):
    game = TextGame(bert, tokenizer)
    text = "a dull film, a charming script"
    v = game.values(text, 0, [1, 2, 5, 6])
    both = game.values([SENTENCE, text], np.array([1, 0]), [[1, 2, 4, 5], [1, 2, 5, 6]])
    np.testing.assert_array_equal(both[1], v)
    monkeypatch.setitem(_base.CHUNK_TOKENS, "cpu", 30)
    np.testing.assert_allclose(TextGame(bert, tokenizer).values(text, 0, [1, 2, 5, 6]), v, atol=1e-5)


def test_several_labels_of_a_text_give_the_same_bits_as_one_by_one(bert, tokenizer):
    game = TextGame(bert, tokenizer)
    numbers = game.candidates(SENTENCE)[:3]
    one_by_one = [game.values(SENTENCE, label, numbers) for label in (2, 0)]
    np.testing.assert_array_equal(game.values(SENTENCE, [2, 0], numbers), one_by_one)
    with pytest.raises(ValueError, match="label = 3; expected 0 to 2"):
        game.values(SENTENCE, [1, 3], numbers)


def test_a_model_that_runs_out_of_memory_gets_less_at_a_time(tokenizer):
    class Small(Recorder):
        def forward(self, input_ids, **others):
            if len(input_ids) > 3:
                raise RuntimeError("out of memory")
            return super().forward(input_ids)

    expected = TextGame(Recorder(len(tokenizer)), tokenizer).values(SENTENCE, 1, [1, 2, 4])
    np.testing.assert_array_equal(TextGame(Small(len(tokenizer)), tokenizer).values(SENTENCE, 1, [1, 2, 4]), expected)


def test_a_model_without_weights_has_values(tokenizer):
    class Counts(torch.nn.Module):
        def forward(self, input_ids, **others):
            seen = (input_ids != tokenizer.mask_token_id).sum(dim=1, dtype=torch.float64)
            return torch.stack([torch.zeros_like(seen), seen], dim=1)

    v = TextGame(Counts(), tokenizer).values(SENTENCE, 1, [1, 2, 4])
    np.testing.assert_array_equal(np.diff(v[[0, 2, 6]]), [1, 1])  # "film" and "charming" are a token each


def test_what_a_model_does_not_read_whole_is_no_variable(tokenizer):
    short = build_tokenizer(TEXTS, min_count=2, max_tokens=6)  # [CLS] and [SEP] among them
    assert TextGame(None, short).words(SENTENCE) == ["An"]  # "unfunny" is cut in two
    assert TextGame(None, tokenizer).words(SENTENCE)[-1] == "actors"


def test_the_model_gets_its_mode_back_and_drops_nothing_out(bert, tokenizer):
    bert.train()
    first, second = (TextGame(bert, tokenizer).values(SENTENCE, 0, [1, 2]) for _ in range(2))
    assert bert.training and np.array_equal(first, second)


@pytest.mark.parametrize(
    ("label", "variables", "message"),
    [
        (3, [1, 2], "label = 3; expected 0 to 2"),
        (0, [1, 6], "variables hold the word 6; expected 0 to 5 in the text"),
        (0, [1, 1], "variables hold 1 more than once"),
        (0, ["film"], "expected a list of word numbers"),
        ("LABEL_1", [1, 2], "label = 'LABEL_1'; expected a whole number"),
        (1.7, [1, 2], "label = 1.7; expected a whole number"),
    ],
)
def test_what_does_not_fit_is_named(bert, tokenizer, label, variables, message):
    with pytest.raises(ValueError, match=message):
        TextGame(bert, tokenizer).values(SENTENCE, label, variables)


def test_a_network_that_is_random_and_one_that_gives_probabilities_are_refused(tokenizer):
    class Noisy(Recorder):
        def forward(self, input_ids, **rest):
            z = super().forward(input_ids, **rest).logits
            return SimpleNamespace(logits=z + torch.rand_like(z))

    class Sure(Recorder):
        def forward(self, input_ids, **rest):
            return SimpleNamespace(logits=super().forward(input_ids, **rest).logits.softmax(1))

    with pytest.raises(ValueError, match="changes from call to call; expected no randomness"):
        TextGame(Noisy(len(tokenizer)), tokenizer).values(SENTENCE, 1, [1, 2])
    with pytest.raises(ValueError, match="sum to 1: probabilities; expected logits, before softmax"):
        TextGame(Sure(len(tokenizer)), tokenizer).values(SENTENCE, 1, [1, 2])


def test_logits_that_now_and_then_are_no_less_than_zero_and_sum_to_one_are_no_probabilities(tokenizer):
    class OneLogit(Recorder):
        def forward(self, input_ids, **rest):
            z = (1 - (input_ids == tokenizer.mask_token_id).sum(dim=1) % 2).float()  # 1 where an even number is masked
            return SimpleNamespace(logits=torch.stack([torch.zeros_like(z), z], dim=1))

    assert TextGame(OneLogit(len(tokenizer)), tokenizer).values(SENTENCE, 1, [1, 2]).tolist() == [1, 0, 0, 1]


def test_wrong_tokenizers_maskings_and_outputs_are_named(bert, tokenizer):
    with pytest.raises(ValueError, match="masking = 'mean' of a TextGame; expected one of mask, pad, unk, mean-emb"):
        TextGame(bert, tokenizer, masking="mean")
    with pytest.raises(ValueError, match="is a slow tokenizer"):
        TextGame(bert, SimpleNamespace(is_fast=False))
    with pytest.raises(ValueError, match="NoneType is no tokenizer; expected a fast one"):
        TextGame(bert, None)
    with pytest.raises(ValueError, match="the tokenizer has no such token"):
        TextGame(bert, SimpleNamespace(is_fast=True, mask_token_id=None))
    with pytest.raises(ValueError, match=r"Recorder takes no inputs_embeds: .*; expected another masking"):
        TextGame(Recorder(len(tokenizer)), tokenizer, masking="mean-embedding").values(SENTENCE, 1, [1, 2])
    network = decoder(tokenizer)
    network.config.pad_token_id = tokenizer.sep_token_id  # with which the tokenizer ends a text
    with pytest.raises(
        ValueError, match=r"gives other logits for embeddings than for their tokens; expected another mask"
    ):
        TextGame(network, tokenizer, masking="mean-embedding").values(SENTENCE, 1, [1, 2])
    with pytest.raises(ValueError, match="1 samples, 1 labels and 2 lists of variables; expected as many of each"):
        TextGame(bert, tokenizer).values([SENTENCE], [0], [[1], [2]])
    with torch.no_grad():
        bert.classifier.bias[0] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinite values for sample"):
        TextGame(bert, tokenizer).values(SENTENCE, 0, [1, 2])


def test_a_vocabulary_comes_from_its_texts_alone_in_one_order(tokenizer):
    vocabulary = tokenizer.get_vocab()
    pieces = tokenizer.convert_ids_to_tokens(range(len(SPECIAL), len(vocabulary)))
    assert pieces == sorted(pieces)  # not that of a set
    assert [tokenizer.convert_ids_to_tokens(i) for i in range(5)] == list(SPECIAL)
    assert {"film", "charming", "actors", "throughout"} <= set(vocabulary) and "bored" not in vocabulary
    assert tokenizer.tokenize("Bored")[0] == "b" and tokenizer.unk_token not in tokenizer.tokenize("Bored")
    assert tokenizer.tokenize("xylophone") == ["[UNK]"]  # no x in these texts


def test_the_name_of_a_bert_says_its_size_and_the_seed_its_weights(tokenizer):
    network = models.build_bert("bert-2x128", 2, tokenizer, 40, seed=1)
    assert (network.config.num_hidden_layers, network.config.hidden_size) == (2, 128)
    again = models.build_bert("bert-2x128", 2, tokenizer, 40, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(network.state_dict().values(), again.state_dict().values()))
    other = models.build_bert("bert-2x128", 2, tokenizer, 40, seed=2)
    assert not torch.equal(network.get_input_embeddings().weight, other.get_input_embeddings().weight)
    for name in ("bert-tiny", "bert-2x0", "bert-0x64"):
        with pytest.raises(ValueError, match=f"architecture = '{name}' of texts; expected bert-<layers>x<width>"):
            models.build_bert(name, 2, tokenizer, 40, seed=1)


def test_a_network_that_counts_positions_by_pad_tokens_is_not_masked_with_them(tokenizer):
    """RoBERTa's positions skip pad tokens: the words behind a masked one would move."""
    config = transformers.RobertaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=40, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(0)
    roberta = transformers.RobertaForSequenceClassification(config).eval()
    assert np.isfinite(TextGame(roberta, tokenizer, masking="unk").values(SENTENCE, 1, [1, 2])).all()
    for network in (roberta, Inside(roberta)):
        with pytest.raises(ValueError, match="masking = 'pad' is the pad token, by which the model counts positions"):
            TextGame(network, tokenizer, masking="pad").values(SENTENCE, 1, [1, 2])


def test_a_network_that_embeds_in_another_way_may_be_masked_with_pad_tokens(tokenizer):
    """BART never calls what it names as its layer of embeddings, so nothing is learned by that."""
    size = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 40}
    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.sep_token_id}
    config = transformers.BartConfig(vocab_size=len(tokenizer), **size, **heads, **ids)
    bart = transformers.BartForSequenceClassification(config).eval()
    assert np.isfinite(TextGame(bart, tokenizer, masking="pad").values(SENTENCE, 1, [1, 2])).all()


@pytest.mark.parametrize("inside", [False, True])
def test_a_text_is_cut_where_the_table_of_positions_ends(tokenizer, inside):
    """RoBERTa's positions begin behind the number of the pad token."""
    network = encoder("Roberta", tokenizer, max_position_embeddings=24)
    endless = copy.copy(tokenizer)
    endless.model_max_length = int(1e30)
    game = TextGame(Inside(network) if inside else network, endless)
    read = network.roberta.embeddings.position_embeddings.num_embeddings - tokenizer.pad_token_id - 1
    assert game._longest() == read
    assert np.isfinite(game.values(9 * f"{SENTENCE} ", 1, [1, 2])).all()


def test_a_word_that_may_have_been_cut_is_no_variable_at_either_end(tokenizer):
    game, from_left = TextGame(None, copy.copy(tokenizer)), TextGame(None, copy.copy(tokenizer))
    from_left.tokenizer.truncation_side = "left"
    game.tokenizer.model_max_length = from_left.tokenizer.model_max_length = len(tokenizer(SENTENCE)["input_ids"]) - 1
    assert game.words(SENTENCE) == ["An", "unfunny", "film", ","]  # the next may have been cut
    assert from_left.words(SENTENCE) == ["unfunny", "film", ",", "charming", "actors"]  # "An" is two tokens


def test_which_text_gives_nan_is_said_of_a_column_of_a_table(bert, tokenizer):
    with torch.no_grad():
        bert.classifier.bias.fill_(torch.nan)
    texts = pd.Series([SENTENCE, SENTENCE], index=[5, 7])
    with pytest.raises(
        ValueError, match=r"for sample\(s\) \[0, 1\]; expected finite ones: the model's weights hold NaN"
    ):
        TextGame(bert, tokenizer).values(texts, [0, 1], [[1, 2], [1, 2]])


def test_a_network_that_takes_tokens_alone_may_be_masked_with_pad_tokens(bert, tokenizer):
    class Tokens(Recorder):
        def get_input_embeddings(self):
            raise NotImplementedError("no embeddings")

    assert TextGame(Tokens(len(tokenizer)), tokenizer, masking="pad").values(SENTENCE, 1, [1, 2]).shape == (4,)


def test_special_tokens_stay_where_the_first_word_is_masked():
    text = "warm film with good actors"
    tokenizer, seen = build_tokenizer([text], min_count=1, max_tokens=20), []
    bert = models.build_bert("bert-1x64", 2, tokenizer, 20, seed=1)
    bert.register_forward_pre_hook(
        lambda module, args, given: seen.append(given["input_ids"].clone()), with_kwargs=True
    )
    TextGame(bert, tokenizer).values(text, 1, [0, 3])
    masked = [list(tokenizer(text)["input_ids"]) for _ in range(4)]
    for subset, row in enumerate(masked):
        for bit, token in enumerate((1, 4)):  # words 0 and 3, behind [CLS]
            if not subset >> bit & 1:
                row[token] = tokenizer.mask_token_id
    assert seen[-1].tolist() == masked
