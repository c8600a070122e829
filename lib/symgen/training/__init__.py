"""Networks and their training: models, tokenizers, augmentation, the loop, the penalty."""

from symgen.training.loop import (
    add_dropout,
    distillation,
    evaluate,
    logits,
    losses,
    predicted,
    rows,
    train,
)
from symgen.training.penalty import JudgedSample, Penalty
from symgen.training.tokenizers import build_tokenizer, from_transformers, given, load_tokenizer

__all__ = [
    "JudgedSample",
    "Penalty",
    "add_dropout",
    "build_tokenizer",
    "distillation",
    "evaluate",
    "from_transformers",
    "given",
    "load_tokenizer",
    "logits",
    "losses",
    "predicted",
    "rows",
    "train",
]
