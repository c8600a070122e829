"""CausalLMGame: words and phrases of a prompt as variables, whatever the model and its tokenizer."""

import numpy as np
import pytest
import torch
import transformers
from tiny_language_models import CONFIGS, PROMPT, TEXTS, VARIABLES, WIDE, bytes_tokenizer, noisy

import symgen as sg
from symgen import CausalLMGame, log_odds
from symgen.games import _base, candidate_words, causal_lm, places_of
from symgen.interactions.subsets import members
from symgen.plots.alt import alt_text
from symgen.training.tokenizers import build_tokenizer


@pytest.fixture(scope="module")
def by_bytes():
    return bytes_tokenizer()


@pytest.fixture(scope="module")
def by_words():
    return build_tokenizer(TEXTS, min_count=2, max_tokens=64)


def network(architecture, seed=0):
    torch.manual_seed(seed)
    return noisy(transformers.AutoModelForCausalLM.from_config(CONFIGS[architecture]()).eval())


def masked_one_by_one(model, tokenizer, prompt, next_id, spans, filler):
    """v of every subset, a whole forward pass each: tokens that overlap a hidden span are replaced."""
    encoded = tokenizer(prompt, return_offsets_mapping=True, return_tensors="pt")
    embeddings = model.get_input_embeddings()(encoded["input_ids"])[0]
    v = []
    for subset in range(1 << len(spans)):
        embeds = embeddings.clone()
        hidden = [place for i, places in enumerate(spans) if i not in members(subset) for place in places]
        for token, (start, stop) in enumerate(encoded["offset_mapping"][0].tolist()):
            if any(start < last and stop > first for first, last in hidden):
                embeds[token] = filler
        with torch.no_grad():
            z = model(inputs_embeds=embeds[None]).logits[0, -1].double()
        others = torch.cat([z[:next_id], z[next_id + 1 :]])
        v.append((z[next_id] - others.logsumexp(0)).item())
    return np.array(v)


def spans_of(*phrases, prompt=PROMPT):
    """Places of phrases given with the number of their occurrences, found one after another."""
    spans = []
    for phrase, starts in phrases:
        assert all(prompt[start:].startswith(phrase) for start in starts)
        spans.append([(start, start + len(phrase)) for start in starts])
    return spans


SPANS = spans_of(("masks keep", [58]), ("warm", [2, 13]), ("unfunny", [22]), ("N95", [54]), ("film", [7, 76]))


@pytest.mark.parametrize("architecture", CONFIGS)
@pytest.mark.parametrize("masking", ["mean-embedding", "pad"])
def test_values_equal_a_plain_loop_over_masked_prompts(architecture, masking, by_bytes):
    model = network(architecture)
    v = CausalLMGame(model, by_bytes, masking).values(PROMPT, 7, VARIABLES)
    table = model.get_input_embeddings()(torch.arange(model.config.vocab_size)).detach()  # Gemma's are scaled
    filler = table.mean(dim=0) if masking == "mean-embedding" else table[by_bytes.pad_token_id]
    expected = masked_one_by_one(model, by_bytes, PROMPT, 7, SPANS, filler)
    np.testing.assert_allclose(v, expected, atol=2e-5)
    assert np.ptp(expected) > 0.1  # masking matters to this network


def test_a_prompt_is_explained_by_words_that_are_drawn_or_given(by_bytes, tmp_path):
    game = CausalLMGame(network("Llama"), by_bytes)
    e = sg.explain(game, PROMPT, [7, 9], VARIABLES)
    np.testing.assert_array_equal(e.data.v, game.values(PROMPT, [7, 9], VARIABLES))
    assert e.data.names.to_numpy().tolist() == [VARIABLES] * 2
    assert e["and", VARIABLES[:2]].tolist() == e["and", (0, 1)].tolist()
    drawn = sg.explain(game, PROMPT, 7, 4, seed=1)
    chosen = drawn.data.names.to_numpy()[0].tolist()
    assert len(chosen) == 4 and [word for word in game.candidates(PROMPT) if word in chosen] == chosen
    drawn.save(tmp_path / "one.nc")
    assert str(sg.load(tmp_path / "one.nc")) == str(drawn)
    assert "film" in alt_text(sg.explain(game, PROMPT, 7, VARIABLES).plot("words"))


def test_models_with_different_tokenizers_take_the_same_variables(by_bytes, by_words):
    """One tokenizer puts a mark before the text, the other one also a mark behind it, which no model is to read."""
    lengths = set()
    for architecture, tokenizer in (("Qwen2", by_bytes), ("GPT2", by_words)):
        game = CausalLMGame(network(architecture), tokenizer)
        of_variable = game.tokens_of(PROMPT, VARIABLES)
        ids = np.array(tokenizer(PROMPT)["input_ids"])[: len(of_variable)]
        texts = [tokenizer.decode(ids[tokens]).replace(" ", "").lower() for tokens in of_variable.T]
        assert texts == ["maskskeep", "warmwarm", "unfunny", "n95", "filmfilm"]
        assert game.values(PROMPT, 5, VARIABLES).shape == (32,)
        lengths.add(len(ids))
    assert len(lengths) == 2 and tokenizer.decode(ids[-1]) == "film"


def test_a_variable_is_masked_wherever_it_occurs(by_words):
    tokens = by_words.convert_ids_to_tokens(by_words(PROMPT)["input_ids"])
    films = np.flatnonzero(CausalLMGame(None, by_words, "unk").tokens_of(PROMPT, ["film"]))
    assert films.tolist() == [i for i, token in enumerate(tokens) if token == "film"] and len(films) == 2


def test_words_are_whole_and_scripts_without_spaces_need_none(by_words, by_bytes):
    game = CausalLMGame(None, by_words, "unk")
    n95 = game.tokens_of(PROMPT, ["N95", "KN95"])
    assert n95.any(axis=0).all() and not n95.all(axis=1).any()
    assert game.tokens_of("film, 42, film", ["film,"]).sum() == 2  # the word and its comma; the other film has none
    assert places_of("(film", "(films, (film)") == [(8, 13)]
    assert places_of("दिल्ली", "दिल्लीवाला, दिल्ली") == [(12, 18)]
    assert candidate_words("भारत की राजधानी दिल्ली") == ["भारत", "की", "राजधानी", "दिल्ली"]  # vowels are marks
    assert candidate_words("cafe\u0301 fore\u0302t a\u0301") == ["cafe\u0301", "fore\u0302t"]  # a letter with its mark
    assert candidate_words("5 km² of CO₂ and H₂O") == ["km²", "CO₂", "H₂O"] and not places_of("CO", "CO₂ rises")
    assert CausalLMGame(None, by_bytes).tokens_of("合同自成立时生效", ["成立", "合同"]).any(axis=0).all()
    assert game.candidates("She won't say: 7 or 42, _ the film's film!") == ["won", "say", "42", "film"]
    assert CausalLMGame(None, by_bytes).candidates("天气 预报 说 天气好 吗") == ["预报", "天气好"]  # it holds 天气
    assert game.candidates("the art of a party") == ["art", "party"]  # words with spaces are apart


@pytest.mark.parametrize(
    ("prompt", "next_token", "expected"),
    [
        ("a dull", " film", " film"),
        ("a dull", "film", " film"),  # a word is set off
        ("a dull", ",", ","),  # a comma is not
        ("a dull film (", "warm", "warm"),
        ("a dull film [", "warm", "warm"),
        ("a dull film –", "warm", "warm"),
        ("a dull film-", "warm", "warm"),
        ("a dull film/", "warm", "warm"),
        ('a dull film: "', "warm", "warm"),  # a quotation begins
        ("'", "warm", "warm"),
        ('a "dull film"', "warm", " warm"),  # it ends
        ("a dull film “", "warm", "warm"),
        ("a dull film costs $", "5", "5"),
        ("a dull film costs 5 €", "warm", " warm"),
        ("a dull film #", "5", "5"),
        ("a dull film in C#", "warm", " warm"),
        ("ein »film", "warm", " warm"),
        ("ein »", "film", "film"),
        ("ein »film«", "warm", " warm"),
        ("ein „film“", "warm", " warm"),
        ("法国的首都，答案是", "A", "A"),  # no spaces
        ("答案：", "A", "A"),
        ("一加二等于", "3", "3"),
        ("他说“", "A", "A"),
        ("他说“好”", "A", "A"),
        ("答案是……", "A", "A"),
        ("a dull", "xylophone", " xylophone"),  # several tokens, of which the first
    ],
)
def test_a_next_word_continues_the_prompt(prompt, next_token, expected, by_bytes):
    game = CausalLMGame(None, by_bytes, first_token=True)
    (first, *_) = by_bytes(expected, add_special_tokens=False)["input_ids"]
    assert game.next_id(prompt, next_token) == first
    assert game.next_id(prompt, 3) == 3


def test_prompts_one_by_one_or_together_and_in_chunks_give_the_same(by_bytes, monkeypatch):
    game, other = CausalLMGame(network("Llama"), by_bytes), "Dull masks keep a charming film warm and"
    v = game.values(PROMPT, 7, VARIABLES)
    both = game.values([other, PROMPT], [9, 7], [["Dull", "warm", "a", "keep", "film"], VARIABLES])
    np.testing.assert_allclose(both[1], v, atol=1e-5)
    word = game.tokenizer.decode([9])
    assert game.next_id(other, word) == 9
    np.testing.assert_array_equal(
        game.values([other, PROMPT], [word, 7], [["Dull", "warm", "a", "keep", "film"], VARIABLES]), both
    )
    np.testing.assert_allclose(game.log_odds_of(PROMPT, 7, VARIABLES).detach(), v, atol=1e-5)
    monkeypatch.setattr(_base, "MOST_LOGITS", 3000)  # a few rows of logits at a time
    np.testing.assert_array_equal(game.values(PROMPT, 7, VARIABLES), v)
    monkeypatch.setitem(_base.CHUNK_TOKENS, "cpu", 200)
    np.testing.assert_allclose(CausalLMGame(network("Llama"), by_bytes).values(PROMPT, 7, VARIABLES), v, atol=1e-5)


def test_several_next_tokens_give_the_same_bits_as_one_by_one(by_bytes):
    game = CausalLMGame(network("Llama"), by_bytes)
    variables = game.candidates(PROMPT)[:3]
    one_by_one = [game.values(PROMPT, token, variables) for token in (5, 300, 17)]
    np.testing.assert_array_equal(game.values(PROMPT, [5, 300, 17], variables), one_by_one)


def test_a_permutation_of_the_variables_permutes_the_values(by_bytes):
    game = CausalLMGame(network("GPTNeoX"), by_bytes)
    v = game.values(PROMPT, 7, VARIABLES).reshape(5 * [2])  # last axis: variable 0
    backwards = game.values(PROMPT, 7, VARIABLES[::-1]).reshape(5 * [2])
    np.testing.assert_allclose(v.transpose(4, 3, 2, 1, 0), backwards, atol=1e-5)


def test_more_prompts_that_share_are_evaluated_at_a_time_as_far_as_memory_allows(by_bytes, monkeypatch):
    game, variables = CausalLMGame(network("Llama"), by_bytes), ["warm", "but", "KN95", "dull"]
    (*inputs, shared), replaced, _ = game._masked(PROMPT, [7], variables)
    n_tokens, turns = replaced.shape[1], np.flatnonzero(np.diff(replaced.sum(dim=0) > 0, prepend=False))
    assert shared and game._at_once((*inputs, False), replaced) == n_tokens
    parts = np.diff([0, *(pair[0] for pair in causal_lm._between_turns(replaced)), n_tokens])
    assert (
        game._at_once((*inputs, True), replaced) == max(parts.max(), n_tokens // causal_lm.MORE_BY_SHARING) < n_tokens
    )
    assert len(turns) and len(parts) > 2
    monkeypatch.setattr(causal_lm, "LOGITS_PER_TOKEN", 1)  # a vocabulary that is too large
    assert game._at_once((*inputs, True), replaced) == len(by_bytes)


def test_what_masked_prompts_share_is_computed_once(by_bytes):
    model, variables = network("Llama"), ["warm", "unfunny", "but", "KN95", "N95", "keep", "dull"]
    counted = []
    model.model.layers[0].register_forward_hook(
        lambda module, given, output: counted.append(given[0].shape[:2].numel())
    )
    game = CausalLMGame(model, by_bytes)
    game.values(PROMPT, 7, variables)
    assert sum(counted) < 0.4 * 2**7 * len(game.tokens_of(PROMPT, variables))


def test_the_gradient_is_that_of_the_values(by_bytes):
    model = network("Qwen2").double()
    game, weight = CausalLMGame(model, by_bytes), model.lm_head.weight
    game.log_odds_of(PROMPT, 7, ["warm", "film"]).sum().backward()
    slope, before = weight.grad[7, 3].item(), weight.data[7, 3].item()
    ends = []
    for step in (1e-4, -1e-4):
        weight.data[7, 3] = before + step
        ends.append(game.values(PROMPT, 7, ["warm", "film"]).sum())
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-4) and abs(slope) > 1e-4


def test_a_model_that_runs_out_of_memory_gets_less_at_a_time(by_bytes):
    model = network("GPT2")
    expected = CausalLMGame(model, by_bytes).values(PROMPT, 7, VARIABLES)

    def full(module, given):
        if len(given[0]) > 5:
            raise RuntimeError("out of memory")

    model.transformer.h[1].register_forward_pre_hook(full)
    np.testing.assert_allclose(CausalLMGame(model, by_bytes).values(PROMPT, 7, VARIABLES), expected, atol=1e-5)


def test_the_model_gets_its_mode_back(by_bytes):
    model = network("GPT2").train()
    first, second = (CausalLMGame(model, by_bytes).values(PROMPT, 7, ["warm"]) for _ in range(2))
    assert model.training and np.array_equal(first, second)  # no dropout


@pytest.mark.parametrize(
    ("prompt", "next_token", "variables", "message"),
    [
        (PROMPT, 7, ["warm", "cold"], "variable 'cold' is not in the prompt 'A warm film: .* expected whole words"),
        (PROMPT, 7, ["Warm"], "variable 'Warm' is not in the prompt"),
        (PROMPT, 7, ["mask"], "variable 'mask' is not in the prompt"),
        (PROMPT, 7, ["warm", "warm"], "variables hold 'warm' more than once"),
        (PROMPT, 7, ["warm film", "film"], "variables 'warm film' and 'film' share the token"),
        (PROMPT, 7, [3], r"variables = \[3\]; expected a list of words or phrases"),
        (PROMPT, 7, "warm", "variables = 'warm'; expected a list"),
        (PROMPT, 7, [], "n = 0 variables"),
        (PROMPT, 400, ["warm"], "next_token = 400; expected 0 to 329"),
        (PROMPT, "xylophone", ["warm"], r"next_token = 'xylophone' is \d+ tokens, \['Ġ', 'x', .*first_token takes"),
        (PROMPT, "", ["warm"], "next_token = '' does not begin a token"),
        ("warm ", "film", ["warm"], "next_token = 'film' does not begin a token after 'warm '; expected no space at"),
        ("", 7, ["warm"], "the prompt '' has no tokens"),
        (8 * PROMPT, 7, ["warm"], r"has \d+ tokens; the model reads 64"),
    ],
)
def test_what_does_not_fit_is_named(by_bytes, prompt, next_token, variables, message):
    with pytest.raises(ValueError, match=message):
        CausalLMGame(network("Llama"), by_bytes).values(prompt, next_token, variables)


def test_a_next_word_that_the_tokenizer_does_not_know_is_refused(by_words):
    game = CausalLMGame(None, by_words, "unk")
    with pytest.raises(ValueError, match="next_token = 'xylophone' is unknown to the tokenizer; expected a word that"):
        game.next_id(PROMPT, "xylophone")


def test_wrong_settings_and_outputs_are_named(by_bytes, by_words):
    with pytest.raises(
        ValueError, match="masking = 'mask' of a CausalLMGame; expected one of mean-embedding, pad, unk"
    ):
        CausalLMGame(None, by_words, "mask")
    with pytest.raises(ValueError, match="masking = 'unk', but the tokenizer has no such token"):
        CausalLMGame(None, by_bytes, "unk")
    model = network("Llama")
    with pytest.raises(ValueError, match="1 samples, 1 labels and 2 lists of variables"):
        CausalLMGame(model, by_bytes).values([PROMPT], [7], [["warm"], ["film"]])
    config = CONFIGS["Llama"]()
    config.pad_token_id = 0
    classifier = transformers.AutoModelForSequenceClassification.from_config(config)
    with pytest.raises(ValueError, match=r"has shape \(1, 2\); expected logits \(batch, token, token id\)"):
        CausalLMGame(classifier, by_bytes).values(PROMPT, 7, ["warm"])
    model.lm_head.weight.data[7] = torch.nan
    with pytest.raises(ValueError, match="NaN or infinite values for sample"):
        CausalLMGame(model, by_bytes).values(PROMPT, 7, ["warm"])


def test_log_odds_are_those_of_the_next_token_after_the_whole_prompt(by_bytes):
    model = network("Llama")
    v = CausalLMGame(model, by_bytes).values(PROMPT, " film", ["warm"])
    (film,) = by_bytes(" film", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        z = model(by_bytes(PROMPT, return_tensors="pt")["input_ids"]).logits[0, -1]
    assert v[-1] == pytest.approx(log_odds(z, torch.tensor(film)).item(), abs=1e-5)


class Plain(torch.nn.Module):
    """A model whose forward knows no logits_to_keep, and keys and values at most."""

    def __init__(self, model):
        super().__init__()
        self.model, self.config, self.base_model = model, model.config, model.base_model
        self.get_input_embeddings = model.get_input_embeddings

    def forward(self, inputs_embeds, past_key_values=None, use_cache=None):
        return self.model(inputs_embeds=inputs_embeds, past_key_values=past_key_values, use_cache=use_cache)


class Plainest(Plain):
    def forward(self, inputs_embeds):
        return self.model(inputs_embeds=inputs_embeds)


class Forgetful(Plain):
    """A model that takes keys and values, and does not look at them."""

    def forward(self, inputs_embeds, past_key_values=None, use_cache=None):
        output = self.model(inputs_embeds=inputs_embeds, use_cache=True)
        return transformers.modeling_outputs.CausalLMOutputWithPast(
            logits=output.logits, past_key_values=past_key_values or output.past_key_values
        )


@pytest.mark.parametrize("wrapped", [Plain, Plainest, Forgetful])
def test_a_model_that_gives_the_logits_of_all_tokens_is_asked_about_the_last(wrapped, by_bytes):
    model = network("Llama")
    expected = CausalLMGame(model, by_bytes).values(PROMPT, 7, VARIABLES)
    np.testing.assert_allclose(CausalLMGame(wrapped(model), by_bytes).values(PROMPT, 7, VARIABLES), expected, atol=1e-5)


def test_a_model_that_reads_more_than_embeddings_is_refused(by_bytes):
    class Wider(Plain):
        def forward(self, input_ids=None, inputs_embeds=None):
            output = self.model(input_ids=input_ids, inputs_embeds=inputs_embeds)
            return output if input_ids is None else output.logits + torch.arange(330)

    class Tokens(Plain):
        def forward(self, input_ids):
            return self.model(input_ids)

    with pytest.raises(
        ValueError, match="Wider gives other logits for embeddings than for their tokens; expected a caus"
    ):
        CausalLMGame(Wider(network("Llama")), by_bytes).values(PROMPT, 7, ["warm"])
    with pytest.raises(ValueError, match=r"Tokens takes no inputs_embeds: .*; expected a causal language model that"):
        CausalLMGame(Tokens(network("Llama")), by_bytes, "pad").values(PROMPT, 7, ["warm"])


def test_a_model_whose_positions_depend_on_the_length_is_asked_about_whole_prompts(by_bytes):
    turns = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 8, "long_factor": [4.0] * 8}
    config = transformers.Phi3Config(
        **WIDE, num_key_value_heads=1, pad_token_id=1, rope_parameters=turns, original_max_position_embeddings=12
    )
    model = noisy(transformers.AutoModelForCausalLM.from_config(config).eval())
    game = CausalLMGame(model, by_bytes)
    game.values("a warm film", 7, ["warm", "film"])  # short: it may share
    table = model.get_input_embeddings().weight.detach()
    expected = masked_one_by_one(model, by_bytes, PROMPT, 7, SPANS, table.mean(dim=0))
    np.testing.assert_allclose(game.values(PROMPT, 7, VARIABLES), expected, atol=2e-5)


@pytest.mark.parametrize("limit", ["its length", -1])  # as XLNet says
def test_a_prompt_as_long_as_the_model_reads_is_read(limit, by_bytes):
    model = network("Llama")
    game = CausalLMGame(model, by_bytes)
    model.config.max_position_embeddings = len(game.token_ids(PROMPT)) if limit == "its length" else limit
    assert game.values(PROMPT, 7, ["warm"]).shape == (2,)
