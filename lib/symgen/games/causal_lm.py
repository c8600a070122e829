"""From a causal language model and a prompt to v: the log-odds of the next token with words masked."""

import inspect
from itertools import pairwise

import numpy as np
import regex as re
import torch
from jaxtyping import Bool
from torch import Tensor

from symgen.errors import InputError, whole_number
from symgen.games._base import (
    AGREES,
    LABEL,
    TokenGame,
    agree,
    device_of,
    log_odds_of_labels,
    logits_of,
    masked_tokens,
    mean_embedding,
)
from symgen.games.variables import SPACED, UNSPACED, candidate_words, check_phrases, places_of

MORE_BY_SHARING = 4  # times as many prompts at a time, at most: their keys and values have to fit into memory
LOGITS_PER_TOKEN = 1 << 15  # logits that take about as much room as a token within the model
BY_SHARING = 16  # roundings of the logits' range by which sharing may move them, in half precision
# ends of a prompt that a word follows without a space: a mark that opens, if it stands behind a space; a sign of a script
# without spaces, or a mark of its width, with what closes behind it; and a number
WIDE = rf"{UNSPACED}\u3000-\u303f\uff00-\uff60"
NO_SPACE_AFTER = rf"[\s(\[{{/\-–—]$|[{WIDE}][\"'“‘”’…·]*$|(^|[\s(\[{{])[\"'“‘«»„¿¡#@]$"
NO_SPACE_BEFORE_A_NUMBER = r"[$€£]$"
LOGITS_OF_TOKENS = "logits (batch, token, token id), those of a causal language model"


class CausalLMGame(TokenGame):
    """Masked values of any causal language model: words or phrases of a prompt are the input variables.

    v is the log-odds of a given next token after the prompt. Variables are strings, so that models with different
    tokenizers take the same ones, whole words or phrases, written as in the prompt; where one is masked, every token that
    overlaps it gets another embedding, wherever it occurs.

    A label is a next token: its id, or a string that continues the prompt; a word need not begin with the space that sets it
    off ("Paris" after "The capital of France is" is " Paris").

    Parameters
    ----------
    model : causal language model of `transformers`
    tokenizer : fast tokenizer
        It knows where in the prompt a token stands.
    masking : str
        The embedding that a masked token gets: the mean of the input embeddings, or that of the pad or unk token.
    first_token : bool
        Whether a next word of several tokens stands for the first of them; otherwise it is an error.

    Raises
    ------
    InputError
        For a tokenizer without such a token, or a slow one; and, in `values`, for variables that are not there or share a
        token, a next word of several tokens, a prompt longer than the model reads, and NaN or infinite outputs.

    Examples
    --------
    >>> import transformers
    >>> from symgen.training import build_tokenizer
    >>> prompt = "the new masks are worn by all"
    >>> size = {"vocab_size": 90, "n_embd": 8, "n_layer": 1, "n_head": 1}
    >>> model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**size))
    >>> game = CausalLMGame(model, build_tokenizer([prompt], 1, 20))
    >>> game.values(prompt, 7, ["new masks", "worn"]).shape
    (4,)
    """

    MASKING = ("mean-embedding", "pad", "unk")

    def __init__(self, model, tokenizer, masking: str = "mean-embedding", first_token: bool = False):
        super().__init__(model, tokenizer, masking)
        self.first_token = first_token

    def candidates(self, prompt: str) -> list[str]:
        """Words that may be variables (`candidate_words`)."""
        return candidate_words(prompt)

    def words(self, prompt: str) -> list[str]:
        """The words of the prompt as they stand between spaces."""
        return prompt.split()

    def next_id(self, prompt: str, next_token: str | int) -> int:
        """Id of the token that a string begins with when it continues the prompt; an id is itself."""
        if not isinstance(next_token, str):
            return whole_number(next_token, "next_token", LABEL)
        joins = re.search(NO_SPACE_AFTER, prompt) or (
            next_token[:1].isdigit() and re.search(NO_SPACE_BEFORE_A_NUMBER, prompt)
        )
        gap = " " if re.match(SPACED, next_token) and not joins else ""
        before, joined = self.token_ids(prompt), self.token_ids(prompt + gap + next_token)
        if joined[: len(before)] != before or len(joined) == len(before):
            begun = f"next_token = {next_token!r} does not begin a token after {prompt[-20:]!r}"
            raise InputError(f"{begun}; expected no space at the prompt's end, or a token's id")
        if len(ids := joined[len(before) :]) > 1 and not self.first_token:
            names = self.tokenizer.convert_ids_to_tokens(ids)
            raise InputError(f"next_token = {next_token!r} is {len(ids)} tokens, {names}; first_token takes the first")
        if ids[0] == self.tokenizer.unk_token_id:
            raise InputError(f"next_token = {next_token!r} is unknown to the tokenizer; expected a word that it has")
        return ids[0]

    def tokens_of(self, prompt: str, variables) -> Bool[np.ndarray, "token variable"]:
        """Which token of the prompt belongs to which variable: every one that overlaps it."""
        variables = check_phrases(variables)
        ids, offsets = self._read(prompt)
        if len(ids) > self._longest():
            raise InputError(f"the prompt {prompt[:40]!r}... has {len(ids)} tokens; the model reads {self._longest()}")
        start, stop = np.array(offsets).T[:, :, None]  # (token, 1)
        of_variable = np.zeros((len(ids), len(variables)), bool)
        for i, phrase in enumerate(variables):
            if not (places := places_of(phrase, prompt)):
                raise InputError(
                    f"variable {phrase!r} is not in the prompt {prompt!r}; expected whole words, as written there"
                )
            for first, last in places:
                of_variable[:, [i]] |= (start < last) & (stop > first)
        if len(shared := np.flatnonzero(of_variable.sum(axis=1) > 1)):
            token = shared[0]
            one, other = (variables[i] for i in np.flatnonzero(of_variable[token])[:2])
            name = self.tokenizer.convert_ids_to_tokens(ids[token])
            raise InputError(f"variables {one!r} and {other!r} share the token {name!r}; expected phrases apart")
        return of_variable

    def token_ids(self, prompt: str) -> list[int]:
        """Token ids of the prompt, without what a tokenizer puts at the end."""
        return self._read(prompt)[0]

    def _read(self, prompt):
        """Token ids, and the characters (first, last) of each; without what a tokenizer puts at the end."""
        encoded = self.tokenizer(prompt, return_offsets_mapping=True, return_special_tokens_mask=True)
        n_tokens = int(np.flatnonzero(np.array([0, *encoded["special_tokens_mask"]]) == 0)[-1])
        if not n_tokens:
            raise InputError(f"the prompt {prompt!r} has no tokens")
        return encoded["input_ids"][:n_tokens], encoded["offset_mapping"][:n_tokens]

    def _masked(self, prompt, next_tokens, variables):
        device = device_of(self.model)
        replaced = torch.as_tensor(masked_tokens(self.tokens_of(prompt, variables)), device=device)
        ids = torch.as_tensor(self.token_ids(prompt), device=device)
        embed = self._embedding({"input_ids": ids[None]}, "a causal language model that reads embeddings")
        filler = mean_embedding(embed) if self.filler_id is None else embed(torch.tensor(self.filler_id, device=device))
        inputs = embed(ids), filler
        shared = self._may_share(*inputs, replaced[[0, -1]])
        return (*inputs, shared), replaced, [self.next_id(prompt, token) for token in next_tokens]

    @torch.no_grad()
    def _may_share(self, embeddings, filler, replaced):
        """Whether two masked prompts have the same logits when they share keys and values.

        Not every cache can be divided, and what it keeps of a token may depend on how long the prompt is.
        """
        if "past_key_values" not in inspect.signature(self.model.forward).parameters:
            return False
        plain = self._logits(embeddings, filler, shared=False, replaced=replaced)
        share = max(AGREES, BY_SHARING * torch.finfo(plain.dtype).eps)
        try:
            return agree(self._logits(embeddings, filler, shared=True, replaced=replaced), plain, share)
        except Exception:  # a recurrent model may refuse in any way it likes
            return False

    def _values(self, inputs, replaced, labels):
        """Chunks of prompts that begin alike have most to share."""
        order = np.lexsort(replaced.cpu().numpy().T[::-1])
        v = np.empty((len(labels), len(order)))
        v[:, order] = super()._values(inputs, replaced[torch.as_tensor(order)], labels)
        return v

    def _at_once(self, inputs, replaced):
        """Of prompts that share, the longest part between two turns; more where keys, values or logits need the room."""
        *_, shared = inputs
        at_once = max(stop - start for start, stop in _between_turns(replaced)) if shared else replaced.shape[1]
        return max(at_once, replaced.shape[1] // MORE_BY_SHARING, len(self.tokenizer) // LOGITS_PER_TOKEN)

    def _log_odds(self, inputs, replaced, labels):
        return log_odds_of_labels(self._logits(*inputs, replaced), labels, "next_token")

    def _logits_of(self, output):
        return logits_of(output, 3, LOGITS_OF_TOKENS)[:, -1]

    def _logits(self, embeddings, filler, shared, replaced) -> Tensor:
        """Logits at the last token, (row, token id).

        Masked prompts that are alike up to a token have the same keys and values there, which are computed once if
        they are `shared`: only where a variable stands for the first time does a prompt become two.
        """
        known = inspect.signature(self.model.forward).parameters
        last_alone = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
        if not shared:
            shown = torch.where(replaced[:, :, None], filler, embeddings)
            return self._logits_of(self.model(inputs_embeds=shown, **last_alone))
        cached, n_tokens = {"past_key_values": None, "use_cache": True}, replaced.shape[1]
        group = replaced.new_zeros(len(replaced), dtype=torch.long)  # what a row is so far
        for start, stop in _between_turns(replaced):
            groups, now = (2 * group + replaced[:, start]).unique(return_inverse=True)
            one_of_each = torch.empty_like(groups).scatter(0, now, torch.arange(len(now), device=now.device))
            if start:
                cached["past_key_values"].batch_select_indices(group[one_of_each])
            masked = replaced[one_of_each, start:stop, None]
            shown, group = torch.where(masked, filler, embeddings[start:stop]), now
            if stop < n_tokens:
                cached["past_key_values"] = self.model.base_model(inputs_embeds=shown, **cached).past_key_values
        return self._logits_of(self.model(inputs_embeds=shown, **cached, **last_alone))[group]


def _between_turns(replaced):
    """Where the parts of prompts begin and end: a part begins where a variable stands for the first time, and at 0."""
    turns = np.unique(replaced.cpu().numpy(), axis=1, return_index=True)[1].tolist()
    return pairwise(sorted({0, *turns, replaced.shape[1]}))
