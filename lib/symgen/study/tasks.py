"""What differs between images, texts and prompts: their network inputs, networks, input variables and games."""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from symgen.data import Images, Texts
from symgen.games import CausalLMGame, ImageGame, TextGame, draw_cells, draw_words
from symgen.study.settings import Study
from symgen.training import build_tokenizer, load_tokenizer, models


@dataclass(frozen=True)
class ImageModality:
    """Images: variables are cells of a grid on the feature map at the study's cut."""

    study: Study
    data: Images

    def inputs(self, items) -> Tensor:
        """Network inputs (item, channel, height, width)."""
        return self.data.inputs(items, self.study.pad).contiguous(memory_format=torch.channels_last)

    def examples(self, items) -> tuple[Tensor, Tensor]:
        """What a network is trained on: inputs, and the label of each item."""
        return self.inputs(items), self.data.labels[torch.tensor(np.asarray(items))]

    def samples(self, items) -> Tensor:
        """What the game takes, item by item."""
        return self.data.inputs(items, self.study.pad)

    def labels(self, items) -> np.ndarray:
        """What v is the log-odds of, item by item."""
        return self.data.labels.numpy()[np.asarray(items)]

    def network(self, seed: int) -> torch.nn.Module:
        """An untrained network; convolutions are faster in this layout."""
        study = self.study
        network = models.build_model(study.architecture, len(self.data.classes), seed, study.stem)
        return network.to(memory_format=torch.channels_last)

    def explainable(self, items) -> np.ndarray:
        """Which of the items have enough variables: all."""
        return np.full(len(items), True)

    def draw_variables(self, item: int, rng: np.random.Generator) -> np.ndarray:
        """Cells of an image, (n_variables,)."""
        return draw_cells(self.study.n_variables, self.study.grid, rng)

    def game(self, network: torch.nn.Module, seen: Tensor) -> ImageGame:
        """The study's game on a network; a masked cell takes the mean map over the images that the network has `seen`."""
        game = ImageGame(network, self.study.cut_at, self.study.grid)
        if self.study.masking == "mean":
            game.baseline = game.mean_map(seen)
        return game


@dataclass(frozen=True)
class TextModality:
    """Texts: variables are words. `learned_from`: texts of part A, which alone make the vocabulary of new networks."""

    study: Study
    data: Texts
    learned_from: tuple[str, ...]

    @property
    def tokenizer(self):
        """The study's tokenizer."""
        study = self.study
        if study.init != "scratch":
            return _given_tokenizer(study.init, study.max_tokens, study.download)
        return _tokenizer(self.learned_from, study.vocabulary_min_count, study.max_tokens)

    def inputs(self, items) -> Tensor:
        """Token ids (item, position), padded at the end."""
        texts = [self.data.texts[item] for item in items]
        return self.tokenizer(texts, padding=True, truncation=True, return_tensors="pt")["input_ids"]

    def examples(self, items) -> tuple[Tensor, Tensor]:
        """What a network is trained on: inputs, and the label of each item."""
        return self.inputs(items), self.data.labels[torch.tensor(np.asarray(items))]

    def samples(self, items) -> list[str]:
        """What the game takes, item by item."""
        return [self.data.texts[item] for item in items]

    def labels(self, items) -> np.ndarray:
        """What v is the log-odds of, item by item."""
        return self.data.labels.numpy()[np.asarray(items)]

    def network(self, seed: int) -> torch.nn.Module:
        """An untrained network, or one on a given encoder."""
        study, n_classes = self.study, len(self.data.classes)
        if study.init != "scratch":
            return models.load_bert(study.architecture, n_classes, study.init, study.max_tokens, seed, study.download)
        return models.build_bert(study.architecture, n_classes, self.tokenizer, study.max_tokens, seed)

    def explainable(self, items) -> np.ndarray:
        """Which of the items have enough words that may be variables."""
        game = self.game(None)
        return np.array([len(game.candidates(text)) >= self.study.n_variables for text in self.samples(items)])

    def draw_variables(self, item: int, rng: np.random.Generator) -> np.ndarray:
        """Word numbers of a text, (n_variables,)."""
        return draw_words(self.study.n_variables, self.game(None).candidates(self.data.texts[item]), rng)

    def game(self, network: torch.nn.Module | None, seen: Tensor | None = None) -> TextGame:
        """The study's game on a network; what the network has seen does not matter to it."""
        return TextGame(network, self.tokenizer, self.study.masking)


@dataclass(frozen=True)
class PromptModality(TextModality):
    """Texts that a language model goes on with: variables are words, as strings, and v the log-odds of the next word.

    A prompt is the beginning of a text, as far as the first word that has enough candidates for variables before it, and
    that is itself such a word, one token, and not among those before it.
    """

    def examples(self, items) -> tuple[Tensor, Tensor]:
        """What a network is trained on: token ids (item, position), and the token that comes next, -1 at the end."""
        inputs = self.inputs(items)
        after = torch.nn.functional.pad(inputs[:, 1:], (0, 1), value=self.tokenizer.pad_token_id)
        return inputs, after.masked_fill(after == self.tokenizer.pad_token_id, -1)

    def network(self, seed: int) -> torch.nn.Module:
        """An untrained network."""
        return models.build_language_model(self.study.architecture, self.tokenizer, self.study.max_tokens, seed)

    def prompt(self, item: int) -> tuple[str, str] | None:
        """The prompt that an item begins with and the word that comes next; None where there is no such word."""
        text, game, tokenizer = self.data.texts[item], self.game(None), self.tokenizer
        for found in re.finditer(r"(?<=\s)\w+", text):
            prompt, word = text[: found.start()].rstrip(), found[0]
            if len(game.candidates(prompt)) < self.study.n_variables or not game.candidates(word):
                continue
            new = word.lower() not in re.findall(r"\w+", prompt.lower())
            if new and tokenizer.convert_tokens_to_ids(word.lower()) != tokenizer.unk_token_id:
                whole = len(tokenizer(prompt, truncation=True)["input_ids"]) < self.study.max_tokens
                return (prompt, word) if whole else None
        return None

    def samples(self, items) -> list[str]:
        """Prompts, item by item."""
        return [self.prompt(item)[0] for item in items]

    def labels(self, items) -> np.ndarray:
        """Token ids of the words that come next, item by item."""
        return np.array(self.tokenizer.convert_tokens_to_ids([self.prompt(item)[1].lower() for item in items]))

    def explainable(self, items) -> np.ndarray:
        """Which of the items begin with a prompt."""
        return np.array([self.prompt(item) is not None for item in items.tolist()])

    def draw_variables(self, item: int, rng: np.random.Generator) -> np.ndarray:
        """Words of a prompt, (n_variables,), in their order."""
        words = np.array(self.game(None).candidates(self.prompt(item)[0]))
        return words[draw_words(self.study.n_variables, list(range(len(words))), rng)]

    def game(self, network: torch.nn.Module | None, seen: Tensor | None = None) -> CausalLMGame:
        """The study's game on a network; what the network has seen does not matter to it."""
        return CausalLMGame(network, self.tokenizer, self.study.masking)


@lru_cache(maxsize=4)
def _tokenizer(texts, min_count, max_tokens):
    return build_tokenizer(texts, min_count, max_tokens)


_given_tokenizer = lru_cache(maxsize=1)(load_tokenizer)
