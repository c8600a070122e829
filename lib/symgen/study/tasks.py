"""What differs between images, texts and (`prompt_tasks`) language models: inputs, networks, input variables, games."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from symgen import training
from symgen.data import Images, Texts
from symgen.errors import InputError, saying
from symgen.games import CausalLMGame, ImageGame, TextGame, some_of
from symgen.study.settings import Study


@dataclass(frozen=True)
class Task:
    """What all tasks share.

    variables_figure: name of the picture of samples with their variables. quickstart: an architecture, and the epochs in
    which it learns enough, in seconds, to be looked at.
    """

    study: Study
    variables_figure = "fig09_input_variables"
    quickstart = ("bert-1x128", 8)

    def draw_samples(self, split: pd.DataFrame) -> pd.DataFrame:
        """Samples to explain of parts A and D of a split: columns sample, of, item, label, variables (by spaces).

        explain_classes classes at random, explain_per_class items of each (Appendix J), among those with enough variables.
        """
        study, rng = self.study, np.random.default_rng(self.study.explain_seed)
        rows = []
        for of, part in (("training", "A"), ("testing", "D")):
            items = split[split.part == part]
            rows += [(of, item) for item in _drawn(items[self.explainable(items.item)], part, study, rng)]
        table = pd.DataFrame(rows, columns=["of", "item"])
        table["label"] = self.labels(table.item)
        table.insert(0, "sample", np.arange(len(table)))
        return self.with_variables(table, np.random.default_rng([study.explain_seed, study.variables_seed]))

    def draw_penalised(self, split: pd.DataFrame) -> pd.DataFrame:
        """Items of part A that may be penalised: columns position (in A), item, label, variables (by spaces)."""
        study, part = self.study, split[split.part == "A"].reset_index(drop=True)
        table = part[["item", "label"]].rename_axis("position").reset_index()
        rng = np.random.default_rng([study.explain_seed, study.variables_seed, len(part)])
        return self.with_variables(table[self.explainable(table.item)], rng)

    def examples(self, items) -> tuple[Tensor, Tensor]:
        """What a network is trained on: inputs, and the label of each item."""
        return self.inputs(items), torch.from_numpy(self.labels(items))

    def labels(self, items) -> np.ndarray:
        """What v is the log-odds of, item by item."""
        return self.data.labels.numpy()[np.asarray(items)]

    def check_network(self, network: torch.nn.Module, inputs: Tensor) -> None:
        """InputError, before it is trained, for a network that cannot be explained as the settings say."""

    def game_inputs(self, samples: pd.DataFrame):
        """What the game takes, of a table of samples."""
        return self.samples(samples.item)

    def explainable(self, items) -> np.ndarray:
        """Which of the items have enough candidates for variables."""
        return np.array([len(self.candidates(item)) >= self.study.n_variables for item in np.asarray(items).tolist()])

    def with_variables(self, table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
        """A table of items with some of each one's candidates as variables, in their order (Appendix A.1)."""
        drawn = [some_of(self.candidates(item), self.study.n_variables, rng) for item in table.item]
        return table.assign(variables=[" ".join(map(str, names)) for names in drawn])

    def variables(self, samples: pd.DataFrame) -> np.ndarray:
        """Variables (sample, variable) of a table of samples: numbers of cells or words."""
        return np.array([row.split() for row in samples.variables]).astype(int)

    def variable_names(self, samples: pd.DataFrame) -> np.ndarray:
        """What makes variables of different samples the same, (sample, variable): cells, or words in small letters."""
        return self.variables(samples)


@dataclass(frozen=True)
class ImageTask(Task):
    """Images: variables are cells of a grid on the feature map at the study's cut."""

    data: Images
    variables_figure = "fig08_input_variables"
    quickstart = ("resnet18", 2)

    def inputs(self, items) -> Tensor:
        """Network inputs (item, channel, height, width)."""
        return self.samples(items).contiguous(memory_format=torch.channels_last)

    def samples(self, items) -> Tensor:
        """What the game takes, item by item."""
        return self.data.inputs(items, self.study.pad)

    def network(self, architecture: str, seed: int) -> torch.nn.Module:
        """An untrained network; convolutions are faster in this layout."""
        network = training.build_model(architecture, len(self.data.classes), seed, self.study.stem)
        return network.to(memory_format=torch.channels_last)

    def check_network(self, network: torch.nn.Module, inputs: Tensor) -> None:
        """InputError if a cut is no submodule of the network, or gives no map with so many cells."""
        other = self.study.other_cut if self.study.ablation_per_class else ""
        for key, cut in (("cut", self.study.cut_at), ("other_cut", other)):
            with saying(f"setting {key!r} = {cut!r}: "):
                if cut:
                    ImageGame(network, cut, self.study.grid).values(inputs[0], label=0, variables=[0, 1])

    def candidates(self, item: int) -> range:
        """Numbers of all cells."""
        return range(self.study.grid**2)

    def game(self, network: torch.nn.Module, seen: Tensor) -> ImageGame:
        """The study's game on a network; a masked cell takes the mean map over the images that the network has `seen`."""
        baseline = seen if self.study.masking == "mean" else None
        return ImageGame(network, self.study.cut_at, self.study.grid, baseline)

    def plot_variables(self, samples: pd.DataFrame):
        """A picture of samples with their variables (Fig. 8)."""
        from symgen import plots  # a second of every start

        return plots.input_variables(samples, self.data.pictures(samples.item), self.study.grid)


@dataclass(frozen=True)
class TextTask(Task):
    """Texts: variables are words. `learned_from`: texts of part A, which alone make the vocabulary of new networks."""

    data: Texts
    learned_from: tuple[str, ...]
    kind_of_game = TextGame

    @cached_property  # asked for once a text; to look it up by all texts of A is slow
    def tokenizer(self):
        """The study's tokenizer."""
        study = self.study
        if study.init != "scratch":
            return _given_tokenizer(study.init, study.max_tokens, study.download)
        return _tokenizer(self.learned_from, study.vocabulary_min_count, study.max_tokens)

    def inputs(self, items) -> Tensor:
        """Token ids (item, position), padded at the end."""
        return token_ids(self.tokenizer, tuple(self.data.texts[item] for item in items))

    def samples(self, items) -> list[str]:
        """What the game takes, item by item."""
        return [self.data.texts[item] for item in items]

    def network(self, architecture: str, seed: int) -> torch.nn.Module:
        """An untrained network, or one on a given encoder."""
        study, n_classes = self.study, len(self.data.classes)
        if study.init != "scratch":
            return training.load_bert(architecture, n_classes, study.init, study.max_tokens, seed, study.download)
        return training.build_bert(architecture, n_classes, self.tokenizer, study.max_tokens, seed)

    def candidates(self, item: int) -> list[int]:
        """Numbers of the words of a text that may be variables."""
        return self.game(None).candidates(self.data.texts[item])

    def variable_names(self, samples: pd.DataFrame) -> np.ndarray:
        """Words in small letters, (sample, variable)."""
        numbers = self.variables(samples)
        return np.array([[text[i].lower() for i in row] for text, row in zip(self._words(samples), numbers)])

    def game(self, network: torch.nn.Module | None, seen: Tensor | None = None) -> TextGame | CausalLMGame:
        """The study's game on a network; what the network has seen does not matter to it."""
        return self.kind_of_game(network, self.tokenizer, self.study.masking)

    def plot_variables(self, samples: pd.DataFrame):
        """A picture of texts with their variables (Fig. 9)."""
        from symgen import plots

        return plots.chosen_words(samples, self._words(samples))

    def _words(self, samples):
        """All words of each text."""
        return [self.game(None).words(text) for text in self.samples(samples.item)]


def _drawn(items, part, study, rng):
    """Some items of some classes of a part of a split."""
    labels = np.sort(items.label.unique())
    if study.explain_classes > len(labels):
        raise InputError(
            f"explain_classes = {study.explain_classes}; part {part} holds {len(labels)} classes of items with "
            f"{study.n_variables} variables; expected no more classes, or fewer variables (n_variables, more_variables)"
        )
    for label in np.sort(rng.choice(labels, study.explain_classes, replace=False)):
        of_label = items.item[items.label == label].to_numpy()
        if study.explain_per_class > len(of_label):
            raise InputError(
                f"{study.explain_per_class} samples of a class; part {part} has {len(of_label)} of class {label} with "
                f"{study.n_variables} variables; expected no more samples (explain_per_class, "
                "removal_per_class, arms_per_class, dynamics_per_class, ablation_per_class), or fewer variables "
                "(n_variables, more_variables)"
            )
        yield from rng.choice(of_label, study.explain_per_class, replace=False)


@lru_cache(maxsize=4)  # all networks learn from the same few parts
def token_ids(tokenizer, texts) -> Tensor:
    """Token ids (text, token) of some texts (a tuple), padded."""
    return tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")["input_ids"]


_tokenizer = lru_cache(maxsize=4)(training.build_tokenizer)
_given_tokenizer = lru_cache(maxsize=1)(training.load_tokenizer)
