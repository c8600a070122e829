"""What differs between images and texts: their network inputs, networks, input variables and games."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from symgen import models
from symgen.datasets import Images, Texts
from symgen.games import ImageGame
from symgen.study import Study
from symgen.text_games import TextGame
from symgen.tokenization import build_tokenizer
from symgen.variables import draw_cells, draw_words


@dataclass(frozen=True)
class ImageModality:
    """Images: variables are cells of a grid on the feature map at the study's cut."""

    study: Study
    data: Images

    def inputs(self, items) -> Tensor:
        """Network inputs (item, channel, height, width)."""
        return self.data.inputs(items, self.study.pad).contiguous(memory_format=torch.channels_last)

    def samples(self, items) -> Tensor:
        """What the game takes, item by item."""
        return self.data.inputs(items, self.study.pad)

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
    """Texts: variables are words. `learned_from`: texts of part A, which alone make the vocabulary."""

    study: Study
    data: Texts
    learned_from: tuple[str, ...]

    @property
    def tokenizer(self):
        """The study's tokenizer."""
        return _tokenizer(self.learned_from, self.study.vocabulary_min_count, self.study.max_tokens)

    def inputs(self, items) -> Tensor:
        """Token ids (item, position), padded at the end."""
        texts = self.samples(items)
        return self.tokenizer(texts, padding=True, truncation=True, return_tensors="pt")["input_ids"]

    def samples(self, items) -> list[str]:
        """What the game takes, item by item."""
        return [self.data.texts[item] for item in items]

    def network(self, seed: int) -> torch.nn.Module:
        """An untrained network."""
        study = self.study
        return models.build_bert(study.architecture, len(self.data.classes), self.tokenizer, study.max_tokens, seed)

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


@lru_cache(maxsize=4)
def _tokenizer(texts, min_count, max_tokens):
    return build_tokenizer(texts, min_count, max_tokens)
