"""What games share: log-odds, evaluation mode, and, for games on tokens, masked inputs in chunks that fit into memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from symgen.errors import InputError, first_line, saying
from symgen.interactions import subset_matrix

LOG_ODDS = "log-odds"  # the unit of v, where a game says no other
ROUNDING = 2.0**-23  # relative precision of v of a network that computes in float32
NO_LIMIT = 1 << 30  # tokens; a tokenizer that has none says a number that is too large for its own code
LABEL = "a whole number, which output of the model is meant"
LOGITS = "(batch, label) logits, two labels or more"
AGREES = 1e-3  # two ways to run a network agree if they differ by no more than this share of the logits' range
ROUNDINGS = 256  # and by this many roundings, in float32 or finer, of the largest logit
ONE_AT_A_TIME = threading.RLock()  # modes, hooks and layers of a network, which games may share, are changed meanwhile
MOST_LOGITS = 1 << 23  # made into log-odds at a time
CHUNK_TOKENS = {"cpu": 1 << 12, "cuda": 1 << 18}  # tokens evaluated at a time; halved when memory runs out


def log_odds(logits: Float[Tensor, "*batch label"], label: Int[Tensor, "*#batch"]) -> Float[Tensor, "*batch"]:
    """Log-odds of a label, z_y - logsumexp(z_k, k != y), in float64 (Eq. 1, from logits so that it cannot overflow).

    Parameters
    ----------
    logits
        (..., label), of two labels or more.
    label
        The label of each row, a tensor of whole numbers.

    Returns
    -------
    tensor (...)
        In nats, float64.

    Examples
    --------
    >>> log_odds(torch.tensor([[0.0, 0.0], [3.0, 1.0]]), torch.tensor([0, 1]))
    tensor([ 0., -2.], dtype=torch.float64)
    """
    z = logits.double()
    at_label = label.unsqueeze(-1).expand(*z.shape[:-1], 1)
    others = z.scatter(-1, at_label, -torch.inf)
    return z.gather(-1, at_label).squeeze(-1) - others.logsumexp(-1)


def floating_tensors(model: torch.nn.Module) -> Iterator[Tensor]:
    """The model's parameters and buffers of a floating type."""
    return (tensor for tensor in chain(model.parameters(), model.buffers()) if tensor.is_floating_point())


def logits_of(output, axes: int, expected: str) -> Tensor:
    """The logits of a model's output, of so many axes, the last of two labels or more; InputError otherwise.

    Also for probabilities, whose log-odds are not those of a label.
    """
    logits = getattr(output, "logits", output)
    if not isinstance(logits, Tensor) or logits.ndim != axes or logits.shape[-1] < 2:
        what = f"has shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"is a {type(logits).__name__}"
        remedy = "wrap the model in a module that returns these alone"
        if isinstance(logits, Tensor) and axes == 2 and logits.shape[1:] in ((), (1,)):
            remedy = "of one output z (batch, 1), give torch.cat([torch.zeros_like(z), z], 1)"
        raise InputError(f"the model's output {what}; expected {expected}; {remedy}")
    rows = [logits[(i,) * (axes - 1)] for i in (0, -1)]  # views: this is asked of every part
    if all(map(_is_distribution, rows)) and _is_distribution(logits):
        raise InputError(
            "the model's outputs are from 0 to 1 and sum to 1: probabilities; expected logits, before softmax"
        )
    return logits


def _is_distribution(outputs):
    return bool(outputs.min() >= 0 and ((outputs.double().sum(dim=-1) - 1).abs() < 1e-3).all())


def log_odds_of_labels(logits: Float[Tensor, "row label"], labels, name: str) -> Float[Tensor, "asked row"]:
    """Log-odds of several labels, each an int or one a row; InputError, with the argument's name, if one is out of range."""
    columns = [torch.as_tensor(label, device=logits.device).expand(len(logits)) for label in labels]
    wrong = [label[(label < 0) | (label >= logits.shape[1])] for label in columns]
    if len(wrong := torch.cat(wrong)):
        raise InputError(f"{name} = {wrong[0].item()}; expected 0 to {logits.shape[1] - 1}, the model's outputs")
    rows = max(1, MOST_LOGITS // logits.shape[1])  # a language model has too many logits for copies in float64
    parts = zip(logits.split(rows), *(label.split(rows) for label in columns))
    return torch.cat([torch.stack([log_odds(z, label) for label in labels]) for z, *labels in parts], dim=1)


def agree(logits: Tensor, expected: Tensor, share: float = AGREES) -> bool:
    """Whether two ways to run a network give the same for a few rows, but for rounding.

    They may differ by a share of the range over rows, and by some roundings of the largest logit.
    """
    if logits.shape != expected.shape:
        return False
    spread, largest = (expected.amax(0) - expected.amin(0)).max(), expected.abs().max()
    near = share * spread + ROUNDINGS * min(torch.finfo(expected.dtype).eps, ROUNDING) * largest
    return bool(expected.isfinite().all() and (logits - expected).abs().max() <= near)


def check_repeats(output: Tensor, evaluate) -> None:
    """InputError if a model gives another output when it is evaluated again."""
    if not torch.equal(output.nan_to_num(), evaluate().nan_to_num()):
        raise InputError("the model's output changes from call to call; expected no randomness in evaluation mode")


def as_lists(numbers):
    """What an array, a tensor on whatever device, or a column of a table holds, in lists; anything else as it is."""
    return numbers.tolist() if hasattr(numbers, "tolist") else numbers


def labels_of(label) -> tuple[bool, list]:
    """Whether several labels are given, and a list of them, each of its own type."""
    label = as_lists(label.ravel() if getattr(label, "ndim", 0) > 1 else label)
    several = hasattr(label, "__len__") and not isinstance(label, str | bytes | dict | set)
    return several, [as_lists(each) for each in label] if several else [label]


def device_of(model: torch.nn.Module) -> torch.device:
    """Where the model's weights are; the processor for a model without any."""
    return next(chain(model.parameters(), model.buffers()), torch.empty(0)).device


@contextmanager
def full_float32():
    """Sums of float32 are not rounded to fewer bits (TF32) within; afterwards they are as before."""
    backends = torch.backends
    kinds = backends.cudnn.conv, backends.cudnn.rnn, backends.cuda.matmul, backends.mkldnn.conv, backends.mkldnn.matmul
    before = [kind.fp32_precision for kind in kinds]
    try:
        for kind in kinds:
            kind.fp32_precision = "ieee"
        yield
    finally:
        for kind, precision in zip(kinds, before):
            kind.fp32_precision = precision


@contextmanager
def evaluating(model: torch.nn.Module):
    """Evaluation mode, and sums in `full_float32`; all is given back as it was. One thread at a time."""
    with ONE_AT_A_TIME:
        training = [module for module in model.modules() if module.training]
        model.eval()
        try:
            with full_float32():
                yield
        finally:
            for module in training:
                module.training = True


class Game:
    """What games have in common: `values`, sample by sample, of masked inputs in parts that fit into memory.

    A game has a `model`. It says with `is_one(x)` whether this is one sample and no list of them, and with
    `_of_one(x, labels, variables)` what v (label, subset) of one is.
    """

    _chunk = None  # how much is evaluated at a time, found at the first call

    @property
    def rounding(self) -> float:
        """Relative precision of v, that of the model's coarsest floating type, or of `torch.autocast`, if it is on here.

        Types of one byte do not count: weights are kept in them. float32's where the model has no weights of another type.
        """
        types = {tensor.dtype for tensor in floating_tensors(self.model)}
        computed = (torch.finfo(each).eps for each in types if each.itemsize > 1)
        precision = max(computed, default=ROUNDING)
        device = device_of(self.model).type
        if torch.is_autocast_enabled(device):
            precision = max(precision, torch.finfo(torch.get_autocast_dtype(device)).eps)
        return precision

    def values(self, x, label, variables) -> np.ndarray:
        """v(x_S) (log-odds, float64) for every subset S of the variables; what is not in S is masked.

        Parameters
        ----------
        x : sample, or list of samples
            Images also as an array (sample, channel, height, width).
        label : label, or list of labels
            One a sample; several labels of one sample are evaluated in one pass.
        variables : list of n variables, or one a sample
            Variable i of a subset is the i-th.

        Returns
        -------
        array, (2^n,), (label, 2^n) or (sample, 2^n)

        Raises
        ------
        InputError
            For labels or variables out of range, shapes that do not fit, and NaN or infinite outputs.
        """
        (several, labels), variables = labels_of(label), as_lists(variables)
        if not labels:
            raise InputError("no labels; expected at least one")
        if self.is_one(x):
            v = self._all_values([x], [labels], [variables])[0]
            return v if several else v[0]
        variables = [as_lists(each) for each in variables]
        if not len(x) == len(labels) == len(variables) or not len(x):
            sizes = f"{len(x)} samples, {len(labels)} labels and {len(variables)} lists of variables"
            raise InputError(f"{sizes}; expected as many of each, and at least one")
        if len(sizes := {np.size(each) for each in variables}) > 1:
            raise InputError(f"variables: lists of {sorted(sizes)}; expected as many for each sample")
        return self._all_values(x, [[one] for one in labels], variables)[:, 0]

    def _all_values(self, samples, labels, variables):
        """v (sample, label, subset) of several samples; InputError for NaN or infinite outputs."""
        v = []
        with evaluating(self.model), torch.inference_mode():
            for i, each in enumerate(zip(samples, labels, variables)):
                with saying(f"sample {i}: " if len(samples) > 1 else ""):
                    v.append(self._of_one(*each))
        bad = [i for i, each in enumerate(v) if not np.isfinite(each).all()]
        if bad:
            raise InputError(
                f"the model's masked outputs hold NaN or infinite values for sample(s) {bad[:5]}; expected finite ones"
                f"{self._not_finite(list(samples)[bad[0]])}"
            )
        return np.stack(v)

    def _not_finite(self, x):
        """Where NaN or infinity may come from, in words."""
        if isinstance(x, Tensor) and not x.isfinite().all():
            return ": the sample itself holds NaN or infinity"
        weights = all(weight.isfinite().all() for weight in self.model.parameters())
        return "" if weights else ": the model's weights hold NaN or infinity"

    def _in_parts(self, rows, size, evaluate) -> list[Tensor]:
        """What `evaluate` gives for the rows, in parts, of which each row takes `size` of the chunk."""
        results, start = [], 0
        while start < len(rows):
            part = rows[start : start + max(1, self._chunk // size)]
            try:
                results.append(evaluate(part))
            except RuntimeError as error:
                if "memory" not in str(error).lower() or self._chunk <= size:
                    raise
                self._chunk //= 2
                continue
            start += len(part)
        return results


class TokenGame(Game):
    """What games on tokens have in common.

    A game says in `MASKING` what a masked token may become: a token of the tokenizer, or "mean-embedding". It says with
    `_masked(text, labels, variables)` what its model takes, which tokens are masked in each subset (subset, token), and
    the labels' numbers; with `_log_odds(inputs, replaced, labels)` what some of them give; and with `_logits_of(output)`
    the logits (row, label or token id) of what its model returns.
    """

    MASKING: tuple[str, ...]
    _positions = None  # how many the model has, found at the first call
    _embed = None  # the model's layer of input embeddings, found at the first call that asks for it

    def __init__(self, model, tokenizer, masking):
        if masking not in self.MASKING:
            raise InputError(
                f"masking = {masking!r} of a {type(self).__name__}; expected one of {', '.join(self.MASKING)}"
            )
        if not getattr(tokenizer, "is_fast", False):
            what = "a slow" if hasattr(tokenizer, "is_fast") else "no"
            raise InputError(f"{type(tokenizer).__name__} is {what} tokenizer; expected a fast one, which knows words")
        self.model, self.tokenizer, self.masking = model, tokenizer, masking
        self.filler_id = getattr(tokenizer, f"{masking}_token_id", None)  # None: the mean embedding
        if self.filler_id is None and masking != "mean-embedding":
            raise InputError(
                f"masking = {masking!r}, but the tokenizer has no such token; expected another of "
                + ", ".join(other for other in self.MASKING if other != masking)
            )

    def _embedding(self, inputs, expected):
        """The layer of input embeddings of a model to which they say as much as the tokens; InputError for another one."""
        if self._embed is None:
            kind = type(self.model).__name__
            try:
                embed = self.model.get_input_embeddings()
                by_embeddings = self._asked_by_embeddings(inputs, embed)
            except (AttributeError, NotImplementedError, TypeError) as error:
                raise InputError(f"{kind} takes no inputs_embeds: {first_line(error)}; expected {expected}") from None
            try:
                by_tokens = self._asked(inputs)
            except TypeError:  # a forward that takes embeddings alone
                by_tokens = by_embeddings
            if not agree(by_embeddings.nan_to_num(), by_tokens.nan_to_num()):
                check_repeats(by_tokens, lambda: self._asked(inputs))
                raise InputError(f"{kind} gives other logits for embeddings than for their tokens; expected {expected}")
            self._embed = embed
        return self._embed

    def _asked(self, inputs):
        """Logits (row, label or token id) of what the model takes, without gradients."""
        with torch.no_grad():
            return self._logits_of(self.model(**inputs))

    def _asked_by_embeddings(self, inputs, embed):
        """The same of a model that gets the embeddings of the tokens in their place."""
        others = {name: value for name, value in inputs.items() if name != "input_ids"}
        return self._asked(others | {"inputs_embeds": embed(inputs["input_ids"])})

    def log_odds_of(self, text, label, variables) -> Float[Tensor, "subset"]:
        """v(x_S) of one text for every subset, as `values` gives it, with its gradient in the model's parameters.

        All 2^n masked texts at once, so for small n.
        """
        with evaluating(self.model):
            return self._log_odds(*self._masked(text, [label], variables))[0]

    def is_one(self, text) -> bool:
        """Whether this is one text, and no list of them."""
        return isinstance(text, str)

    def _of_one(self, text, labels, variables):
        return self._values(*self._masked(text, labels, variables))

    def _values(self, inputs, replaced, labels):
        """v (label, subset)."""
        if self._chunk is None:
            self._chunk = CHUNK_TOKENS.get(replaced.device.type, 1 << 16)
            few = inputs, replaced[:2], labels
            check_repeats(self._log_odds(*few), lambda: self._log_odds(*few))
        size = self._at_once(inputs, replaced)
        parts = self._in_parts(replaced, size, lambda part: self._log_odds(inputs, part, labels).cpu())
        return torch.cat(parts, dim=1).numpy()

    def _at_once(self, inputs, replaced):
        """How many tokens of a row the model sees at a time."""
        return replaced.shape[1]

    def _longest(self):
        """Tokens that are read: by the tokenizer, and by the model's configurations and tables of positions."""
        if self._positions is None:
            modules = list(self.model.modules()) if isinstance(self.model, torch.nn.Module) else [self.model]
            limits = [getattr(getattr(part, "config", None), "max_position_embeddings", None) for part in modules]
            tables = (getattr(part, "position_embeddings", None) for part in modules)
            limits += [_positions_in(table) for table in tables if isinstance(table, torch.nn.Embedding)]
            self._positions = min((limit for limit in limits if limit and limit > 0), default=NO_LIMIT)
        limits = self.tokenizer.model_max_length, self._positions
        return min(limit for limit in limits if limit > 0)  # some models say -1


def _positions_in(table):
    """Positions of a table of their embeddings; RoBERTa's begins behind the pad token."""
    return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)


def mean_embedding(embed: torch.nn.Module) -> Float[Tensor, "width"]:
    """The mean of all input embeddings."""
    table = torch.arange(len(embed.weight), device=embed.weight.device).split(1 << 8)  # parts that fit into a cache
    total = sum(embed(part).sum(dim=0, dtype=torch.float64) for part in table)
    return (total / len(embed.weight)).to(embed.weight.dtype)


def masked_tokens(of_variable: Bool[np.ndarray, "token variable"]) -> Bool[np.ndarray, "subset token"]:
    """Which tokens are masked in every subset of the variables, from which token belongs to which variable."""
    return ~subset_matrix(of_variable.shape[1]) @ of_variable.T
