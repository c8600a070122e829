"""Networks and their training: models, tokenizers, augmentation, the loop, the penalty."""

from symgen.training.loop import add_dropout, distillation, evaluate, logits, losses, predicted, train
from symgen.training.models import build_bert, build_language_model, build_model, load_bert
from symgen.training.penalty import JudgedSample, Penalty
from symgen.training.pretrained import load_model
from symgen.training.tokenizers import build_tokenizer, load_tokenizer
