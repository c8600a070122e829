"""From a text classifier and a text to v: the log-odds of its label with words masked."""

import re
import threading
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention

from symgen.errors import InputError, whole_number
from symgen.games._base import (
    LABEL,
    LOGITS,
    ONE_AT_A_TIME,
    TokenGame,
    agree,
    device_of,
    log_odds_of_labels,
    logits_of,
    masked_tokens,
    mean_embedding,
)
from symgen.games.variables import UNSPACED, check_variables, is_telling


class TextGame(TokenGame):
    """Masked values of any Hugging Face sequence classifier: words of a text are the input variables.

    A variable is a word with all its tokens; where it is masked, each of them becomes the tokenizer's mask token. A
    tokenizer of a decoder has none: `masking="mean-embedding"`.

    Parameters
    ----------
    model : torch.nn.Module
        A `transformers` sequence classifier, or any module that takes what the tokenizer gives and returns logits (batch,
        label), or an object with an attribute `logits`. A decoder needs a `config.pad_token_id`.
    tokenizer : fast tokenizer
        It knows which token belongs to which word.
    masking : str
        The token that a masked one becomes: mask, unk, or pad, where pad tokens do not move the other words. Or
        mean-embedding: it gets the mean of the input embeddings.
    stop_words : set of str, optional
        Words (lower case) that are no candidates for variables; without, the English ones, "not" and "no" among them.

    Raises
    ------
    InputError
        For a tokenizer without such a token, or a slow one; and, in `values`, for whatever does not fit.

    Examples
    --------
    >>> from symgen.training import build_tokenizer, models
    >>> text = "a warm film with good actors"
    >>> tokenizer = build_tokenizer([text], min_count=1, max_tokens=20)
    >>> game = TextGame(models.build_bert("bert-1x64", 2, tokenizer, 20, seed=1), tokenizer)
    >>> [game.words(text)[i] for i in game.candidates(text)]
    ['warm', 'film', 'good', 'actors']
    >>> game.values(text, label=1, variables=[1, 2, 4]).shape
    (8,)
    """

    MASKING = ("mask", "pad", "unk", "mean-embedding")
    _padding_checked = False

    def __init__(self, model, tokenizer, masking: str = "mask", stop_words=None):
        super().__init__(model, tokenizer, masking)
        self.stop_words = stop_words

    def words(self, text: str) -> list[str]:
        """The words of a text that the model reads whole: variables are their numbers."""
        return self._encoded(text)[1]

    def candidates(self, text: str) -> list[int]:
        """Numbers of the words that may be variables; a tokenizer may take each Chinese sign for a word."""
        words = enumerate(self.words(text))
        return [i for i, word in words if is_telling(word, self.stop_words) or re.fullmatch(f"[{UNSPACED}]", word)]

    def _masked(self, text, labels, variables):
        encoded, words, word_of = self._encoded(text)
        numbers = check_variables(variables, "word", len(words), "in the text")
        device = device_of(self.model)
        replaced = torch.as_tensor(masked_tokens(word_of[:, None] == numbers), device=device)
        inputs = {name: torch.as_tensor(value, device=device)[None] for name, value in encoded.items()}
        filler = self.filler_id
        if filler is None:
            embed = self._embedding(inputs, "another masking, or a tokenizer that puts no pad token at the end")
            filler, inputs["inputs_embeds"] = mean_embedding(embed), embed(inputs.pop("input_ids"))
        elif not self._padding_checked:
            self._check_padding(inputs, torch.as_tensor(word_of >= 0, device=device))
            self._padding_checked = True
        return (inputs, filler), replaced, [whole_number(label, "label", LABEL) for label in labels]

    def _values(self, inputs, replaced, labels):
        with self._sparing(inputs, replaced[[0, -1]]):
            return super()._values(inputs, replaced, labels)

    def _sparing(self, inputs, replaced):
        """A context in which the last layer runs for one token alone, if two masked texts have the same logits then."""
        if (layer := _last_layer(self.model)) is None:
            return nullcontext()
        try:
            plain = self._logits(inputs, replaced)
            with _for_first_token(layer):
                same = agree(self._logits(inputs, replaced), plain)
        except Exception:  # a model that is only built like BERT may refuse in any way it likes; others fail again
            same = False
        return _for_first_token(layer) if same else nullcontext()

    def _log_odds(self, inputs, replaced, labels):
        return log_odds_of_labels(self._logits(inputs, replaced), labels, "label")

    def _logits(self, inputs, replaced):
        """Logits (row, label) of some masked texts."""
        inputs, filler = inputs
        shown = {name: value.expand(len(replaced), *value.shape[1:]) for name, value in inputs.items()}
        if "input_ids" in shown:
            shown["input_ids"] = torch.where(replaced, filler, shown["input_ids"])
        else:
            shown["inputs_embeds"] = torch.where(replaced[:, :, None], filler, shown["inputs_embeds"])
        return self._logits_of(self.model(**shown))

    def _logits_of(self, output):
        return logits_of(output, 2, LOGITS)

    def _check_padding(self, inputs, is_word):
        """InputError if a model counts positions by pad tokens, or looks for the last word: there they do more than mask."""
        inside = next((part for part in self.model.modules() if hasattr(part, "get_input_embeddings")), None)
        config = getattr(inside, "config", None)
        if inside is None or self.filler_id != getattr(config, "pad_token_id", self.tokenizer.pad_token_id):
            return
        masked = inputs | {"input_ids": torch.where(is_word, self.filler_id, inputs["input_ids"])}
        try:
            embed, asked = inside.get_input_embeddings(), []
            shown = embed(masked["input_ids"])
            with embed.register_forward_hook(lambda *_: asked.append(1) or shown):  # it sees no pad token
                blind = self._asked(inputs)
        except Exception:  # a model without such a layer may say so in any way it likes
            return
        if len(asked) != 1:  # it embeds in another way
            return
        seeing = self._asked(masked)
        if (seeing - blind).abs().max() > 1e-3 * seeing.abs().max():
            raise InputError(
                f"masking = {self.masking!r} is the pad token, by which the model counts positions, or finds the last word: "
                "other words would move as well; expected another masking, such as mean-embedding"
            )

    def _encoded(self, text):
        """What the model takes (name -> ids), the words, and the word number of every token, -1 for special ones."""
        encoded = self.tokenizer(text, truncation=True, max_length=self._longest())
        of_token = encoded.word_ids(0)
        spans = {word: tuple(encoded.word_to_chars(0, word)) for word in {*of_token} - {None}}
        if any(re.search(r"\s", text[slice(*span)].strip()) for span in spans.values()):  # it does not cut at spaces
            spans = dict(enumerate(match.span() for match in re.finditer(r"\S+", text)))
            of_token = [_word_at(stop, spans) for _, stop in encoded.encodings[0].offsets]
        known = sorted({*of_token} - {None})
        if encoded.encodings[0].overflowing:  # the word at which the text was cut may have been cut in two
            known = known[1:] if self.tokenizer.truncation_side == "left" else known[:-1]
        number = {word: i for i, word in enumerate(known)}
        word_of = np.array([number.get(word, -1) for word in of_token])
        return dict(encoded), [text[slice(*spans[word])].strip() for word in known], word_of


def _last_layer(model):
    """The last layer of an encoder that is built like BERT's; None of another model."""
    layers = [module for module in model.modules() if hasattr(module, "attention") and hasattr(module, "intermediate")]
    return layers[-1] if layers else None


@contextmanager
def _for_first_token(layer):
    """Within, a layer of BERT gives what it makes of the first token alone, from which the logits are read.

    Keys and values are of all tokens; the query, and all that follows, of the first. The layer's attention is not called,
    nor are hooks on it. Where some tokens are not seen, and for other threads, the layer is as it was.
    """
    thread = threading.get_ident()

    def forward(hidden, attention_mask=None, *others, **named):
        if attention_mask is not None or threading.get_ident() != thread:
            return as_it_was(hidden, attention_mask, *others, **named)
        attention, first = layer.attention.self, hidden[:, :1]
        query, keys, values = attention.query(first), attention.key(hidden), attention.value(hidden)
        heads = (
            each.unflatten(-1, (-1, attention.attention_head_size)).transpose(1, 2) for each in (query, keys, values)
        )
        seen = scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
        attended = layer.attention.output(seen, first)
        return layer.output(layer.intermediate(attended), attended)

    with ONE_AT_A_TIME:
        before, as_it_was = vars(layer).get("forward"), layer.forward
        layer.forward = forward
        try:
            yield
        finally:
            del layer.forward
            if before is not None:
                layer.forward = before


def _word_at(stop, spans):
    """Number of the word in which a token ends, None for none; a token may begin with the space before its word."""
    return next((word for word, (first, last) in spans.items() if first < stop <= last), None)
