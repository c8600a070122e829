"""From a text classifier and a text to v: the log-odds of its label with words masked (science, sections 1 and 8)."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from symgen.errors import InputError
from symgen.games import evaluating, log_odds, quiet
from symgen.subsets import subset_matrix
from symgen.variables import check_variables, english_stop_words

CHUNK_TOKENS = {"cpu": 1 << 12, "cuda": 1 << 18}  # tokens evaluated at a time; halved when memory runs out
MASKING = ("mask", "pad", "unk")


class TokenGame:
    """What games on tokens have in common: samples one by one, their masked inputs in chunks that fit into memory.

    A game says with `_masked(text, label, variables)` what its model takes, which tokens are masked in each subset
    (subset, token), and the label's number; and with `_log_odds(inputs, replaced, label)` what some of them give.
    """

    def __init__(self, model, tokenizer):
        if not tokenizer.is_fast:
            raise InputError(f"{type(tokenizer).__name__} is a slow tokenizer; expected a fast one, which knows words")
        self.model, self.tokenizer = model, tokenizer
        self._chunk = None  # tokens at a time, found at the first call

    def log_odds_of(self, text, label, variables) -> Float[Tensor, "subset"]:
        """v(x_S) of one text for every subset, as `values` gives it, with its gradient in the model's parameters.

        All 2^n masked texts at once, so for small n.
        """
        with evaluating(self.model):
            return self._log_odds(*self._masked(text, label, variables))

    def _all_values(self, texts, labels, variables):
        """v (sample, subset) of several texts; ValueError for NaN or infinite outputs."""
        if not len(texts) == len(labels) == len(variables):
            sizes = f"{len(texts)} texts, {len(labels)} labels and {len(variables)} lists of variables"
            raise InputError(f"{sizes}; expected as many of each")
        with quiet(self.model):
            v = np.stack([self._values(*self._masked(*one)) for one in zip(texts, labels, variables)])
        if not np.isfinite(v).all():
            bad = np.flatnonzero(~np.isfinite(v).all(axis=1))
            raise InputError(f"the model's masked outputs hold NaN or infinite values for sample(s) {bad[:5].tolist()}")
        return v

    def _values(self, inputs, replaced, label):
        n_tokens = replaced.shape[1]
        v = torch.full((len(replaced),), torch.nan, dtype=torch.float64)
        self._chunk = self._chunk or CHUNK_TOKENS.get(replaced.device.type, 1 << 16)
        start = 0
        while start < len(v):
            part = slice(start, start + max(1, self._chunk // n_tokens))
            try:
                v[part] = self._log_odds(inputs, replaced[part], label).cpu()
            except RuntimeError as error:
                if "memory" not in str(error).lower() or self._chunk <= n_tokens:
                    raise
                self._chunk //= 2
                continue
            start = part.stop
        return v.numpy()

    def _longest(self):
        """Tokens that the model reads."""
        own = getattr(getattr(self.model, "config", None), "max_position_embeddings", None)
        return min(self.tokenizer.model_max_length, own or self.tokenizer.model_max_length)


def masked_tokens(of_variable: Bool[np.ndarray, "token variable"]) -> Bool[np.ndarray, "subset token"]:
    """Which tokens are masked in every subset of the variables, from which token belongs to which variable."""
    hidden = ~subset_matrix(of_variable.shape[1])  # (subset, variable)
    return hidden.astype(int) @ of_variable.T.astype(int) > 0


class TextGame(TokenGame):
    """Masked values of any Hugging Face sequence classifier: words of a text are the input variables.

    A variable is a word with all its tokens; where it is masked, each of them becomes the tokenizer's mask token.

    Args:
        model: a `transformers` sequence classifier, or any module that takes what the tokenizer gives and returns
            logits (batch, label), or an object with `.logits`.
        tokenizer: its fast tokenizer, which knows which token belongs to which word.
        masking: the token that a masked one becomes: mask, pad or unk.
        stop_words: words (lower case) that are no candidates for variables; None: the English ones.

    ValueError for a tokenizer without such a token, or a slow one; and, in `values`, for whatever does not fit.
    """

    def __init__(self, model, tokenizer, masking: str = "mask", stop_words=None):
        if masking not in MASKING:
            raise InputError(f"masking = {masking!r} of words; expected one of {', '.join(MASKING)}")
        super().__init__(model, tokenizer)
        self.stop_words = english_stop_words() if stop_words is None else stop_words
        self.filler = getattr(tokenizer, f"{masking}_token_id")
        if self.filler is None:
            raise InputError(
                f"masking = {masking!r}, but the tokenizer has no such token; expected another of {MASKING}"
            )

    def words(self, text) -> list[str]:
        """The words of a text (a string, or its token ids) that the model reads whole: variables are their numbers."""
        return self._encoded(text)[1]

    def candidates(self, text) -> list[int]:
        """Numbers of the words that may be variables: no stop words, single letters, or words without a letter or digit."""
        return [
            number
            for number, word in enumerate(self.words(text))
            if len(word) > 1 and any(map(str.isalnum, word)) and word.lower() not in self.stop_words
        ]

    def values(self, text, label, variables) -> np.ndarray:
        """v(x_S) for every subset S of the variables, float64.

        text: a string or its token ids, or a list of such. label: an int, or (sample,). variables: n word numbers, or
        (sample, n); variable i of a subset is the i-th word. Returns (2^n,), or (sample, 2^n). Only the given words are
        ever masked. ValueError for labels or words out of range, and NaN or infinite outputs.
        """
        if single := isinstance(text, str) or (not isinstance(text[0], str) and np.ndim(text[0]) == 0):
            text, label, variables = [text], [label], [variables]
        v = self._all_values(text, label, variables)
        return v[0] if single else v

    def _masked(self, text, label, variables):
        encoded, words, word_of = self._encoded(text)
        numbers = check_variables(variables, "word", len(words), "in the text")
        device = next(self.model.parameters()).device
        replaced = torch.as_tensor(masked_tokens(word_of[:, None] == numbers), device=device)
        inputs = {name: torch.as_tensor(value, device=device)[None] for name, value in encoded.items()}
        return inputs, replaced, int(label)

    def _log_odds(self, inputs, replaced, label):
        inputs = {name: value.expand(len(replaced), -1) for name, value in inputs.items()}
        inputs["input_ids"] = torch.where(replaced, self.filler, inputs["input_ids"])
        output = self.model(**inputs)
        logits = getattr(output, "logits", output)
        if not isinstance(logits, Tensor) or logits.ndim != 2 or logits.shape[1] < 2:
            shape = tuple(getattr(logits, "shape", ())) or type(logits).__name__
            raise InputError(
                f"the model's output has shape {shape}; expected (batch, label) logits, two labels or more"
            )
        if not 0 <= label < logits.shape[1]:
            raise InputError(f"label = {label}; expected 0 to {logits.shape[1] - 1}, the model's outputs")
        return log_odds(logits, torch.full((len(logits),), label, device=logits.device))

    def _encoded(self, text):
        """What the model takes (name -> ids), the words, and the word number of every token, -1 for special ones."""
        if not isinstance(text, str):
            text = self._text_of(text)
        encoded = self.tokenizer(text, truncation=True, max_length=self._longest())
        of_token = encoded.word_ids(0)
        known = sorted({word for word in of_token if word is not None})
        known = known[: -1 if encoded.encodings[0].overflowing else None]  # the last word may have been cut in two
        spans = [encoded.word_to_chars(0, word) for word in known]
        number = {word: i for i, word in enumerate(known)}
        word_of = np.array([number.get(word, -1) for word in of_token])
        return dict(encoded), [text[span.start : span.end].strip() for span in spans], word_of

    def _text_of(self, ids):
        """The text of token ids; ValueError where it would not be read as these ids again."""
        ids = torch.as_tensor(ids).tolist()
        text = self.tokenizer.decode(ids, skip_special_tokens=True)
        if self.tokenizer(text)["input_ids"] != ids:
            raise InputError(
                f"token ids {ids[:8]}... do not come back from their own text, {text[:40]!r}; pass the text"
            )
        return text
