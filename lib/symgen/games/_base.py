"""What games share: log-odds, evaluation mode, and, for games on tokens, masked inputs in chunks that fit into memory."""

from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from symgen.errors import InputError
from symgen.interactions import subset_matrix

ROUNDING = 2.0**-23  # relative precision of v of a network that computes in float32
CHUNK_TOKENS = {"cpu": 1 << 12, "cuda": 1 << 18}  # tokens evaluated at a time; halved when memory runs out


def log_odds(logits: Float[Tensor, "*batch label"], label: Int[Tensor, "*#batch"]) -> Float[Tensor, "*batch"]:
    """Log-odds of a label, z_y - logsumexp(z_k, k != y), in float64 (Eq. 1, from logits so that it cannot overflow)."""
    z = logits.double()
    at_label = label.unsqueeze(-1).expand(*z.shape[:-1], 1)
    others = z.scatter(-1, at_label, -torch.inf)
    return z.gather(-1, at_label).squeeze(-1) - others.logsumexp(-1)


@contextmanager
def evaluating(model: torch.nn.Module):
    """Evaluation mode; the model gets its own mode back."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextmanager
def quiet(model: torch.nn.Module):
    """Evaluation mode without gradients; the model gets its own mode back."""
    with evaluating(model), torch.inference_mode():
        yield


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
