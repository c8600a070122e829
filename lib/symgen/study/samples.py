"""The data of a study: who is trained on what, which samples are explained, and how."""

import time
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from symgen.data import Images, Texts, deal, load_dataset, standing_within
from symgen.errors import InputError, saying
from symgen.games import ROUNDING, CausalLMGame, ImageGame, TextGame
from symgen.interactions import SparseAndOr, sparse_and_or
from symgen.store import cached, key_of
from symgen.study.devices import device
from symgen.study.prompt_tasks import GivenTask, PromptTask, QuestionTask
from symgen.study.settings import FAMILIES, Study
from symgen.study.tasks import ImageTask, TextTask
from symgen.timing import QUIET, stage


def load_data(study: Study) -> Images | Texts:
    """The study's data, all of it."""
    decoded = study.runs_dir.parent / "decoded"  # images, which studies share
    where = study.data_dir, study.least_rating, study.image_size, decoded, study.download, study.max_characters
    return _loaded(study.dataset, *where)


_loaded = lru_cache(maxsize=2)(load_dataset)  # to read a set takes as long as much that is done with it


def task(study: Study) -> ImageTask | TextTask | PromptTask | GivenTask:
    """How the study's data become inputs, networks, variables and games."""
    if study.target_model:
        return GivenTask(study)
    data = load_data(study)
    if study.modality == "images":
        return ImageTask(study, data)
    first = study.before or study  # fine-tuning keeps the vocabulary
    split, texts = ensure_split(first), load_data(first).texts
    learned_from = tuple(texts[item] for item in split.item[split.part == "A"])
    kind = {"texts": TextTask, "prompts": QuestionTask if data.answers else PromptTask}[study.modality]
    return kind(study, data, learned_from)


def ensure_split(study: Study) -> pd.DataFrame:
    """Which item (image or text) is in which part: columns item, label, part.

    Parts are disjoint and class-balanced: A, B, B-validation, C, C-validation, D, and unused for the rest.
    A text that stands within others is in the part of the longest of them, or unused. InputError if the data set is too
    small, or no longer the one that was split.
    """
    train, validation = study.train_size, study.validation_size
    sizes = {"A": train, "B": train, "B-validation": validation, "C": train, "C-validation": validation}

    data = load_data(study)
    labels = data.labels.numpy()

    def dealt():
        within = standing_within(data.texts) if getattr(data, "nested", False) else None
        with saying(f"{study.name}: "):
            return deal(labels, sizes | {"D": study.test_size}, study.split_seed, within)

    split = cached(study.runs_dir / "split.csv", study.settings_of("split"), dealt)
    if not (np.array_equal(split.label, labels) and _as_split(study, data)):
        raise InputError(
            f"dataset {study.dataset!r}: other items than those that were split; expected the same files, or another "
            "runs_root"
        )
    return split


def _as_split(study, data):
    """Whether texts are those that were split: a hash of them is kept beside the split. Of images the labels must do."""
    if not isinstance(data, Texts):
        return True
    texts = pd.DataFrame({"texts": [f"hash {_hash(data.texts, data.answers)}"]})
    return texts.equals(cached(study.runs_dir / "texts.csv", study.settings_of("split"), lambda: texts))


@lru_cache(maxsize=4)  # asked for at every use of the split
def _hash(*texts):
    return key_of(texts)


def training_part(study: Study, role: str) -> str:
    """The part of the data that a role is trained on."""
    family = study.family(role)
    return study.baseline_on if family == "baseline" else FAMILIES[family]


def validation_part(study: Study, role: str) -> str:
    """The part that chooses the best checkpoint of a role."""
    return "C-validation" if FAMILIES[study.family(role)] == "C" else "B-validation"


def part_data(study: Study, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Network inputs (images, or token ids; the item comes first) and labels of a part, on the study's device.

    Labels are (item,), those of prompts (item, position): the token that comes next, -1 at the end and within questions.
    Parts joined by a plus, such as "A+B", are one.
    """
    split = ensure_split(study)
    items = split.item[split.part.isin(part.split("+"))].to_numpy()
    inputs, labels = task(study).examples(items)
    return inputs.to(device(study)), labels.to(device(study))


def study_game(study: Study, role: str, model: torch.nn.Module) -> ImageGame | TextGame | CausalLMGame:
    """The study's game on a network: an image's masked cells take the mean map over what the role was trained on."""
    return task(study).game(model, part_data(study, training_part(study, role))[0])


def ensure_samples(study: Study) -> pd.DataFrame:
    """The samples to explain: columns sample, of (training or testing), item, label, variables.

    Variables are numbers of cells or words, with spaces between; those of prompts are words, and the label is the token id
    of the next one. The samples are drawn with a recorded seed from A and, independently, from D; so are their variables.
    """
    kind = task(study)
    split = None if study.target_model else ensure_split(study)
    settings = study.settings_of("samples") | given_prompts(study)
    samples = cached(study.runs_dir / "samples.csv", settings, lambda: kind.draw_samples(split))
    if not study.target_model:
        return samples
    return samples.assign(label=[str(row["next_word"]) for row in settings["prompts"]])  # a table makes 7 of 07


def masked_values(study: Study, game, samples: pd.DataFrame, title: str) -> np.ndarray:
    """v (sample, subset) of a table of samples, by the study's game on a network; `title` is that of the progress bar."""
    kind = task(study)
    each = zip(kind.game_inputs(samples), samples.label.tolist(), kind.variables(samples))
    each = tqdm(each, desc=title, total=len(samples), disable=None, leave=False)
    v, shown = [], time.monotonic()
    with stage("masked values"):
        for sample in each:
            v.append(game.values(*sample))
            if each.disable and time.monotonic() - shown > QUIET:  # no terminal, and no bar
                shown = time.monotonic()
                print(f"{title}: masked values of {len(v)} of {len(samples)} samples", flush=True)
    return np.stack(v)


def solve(study: Study, v: np.ndarray) -> SparseAndOr:
    """Sparse interactions of v (sample, subset), by the settings of a study."""
    with stage("solving"):
        return sparse_and_or(v, study.noise_bound, study.ridge, study.tol, rounding=ROUNDING)


def as_penalised(study: Study) -> Study:
    """The study as the penalty sees it: with its few variables; which samples are explained does not matter to it."""
    few = {"explain_classes": 1, "explain_per_class": 1, "ablation_per_class": 0}
    return study.replace(n_variables=study.penalty_variables, **few)


def ensure_penalised(study: Study) -> pd.DataFrame:
    """The items that may be penalised: columns position (in part A), item, label, variables (numbers, by spaces).

    All items of A with enough candidates for variables; their variables are drawn with a recorded seed.
    """
    few = as_penalised(study)
    settings = few.settings_of("samples")
    return cached(few.runs_dir / "penalised.csv", settings, lambda: task(few).draw_penalised(ensure_split(few)))


def given_prompts(study: Study) -> dict:
    """What results of given models depend on beyond the study's settings: their prompts; of others nothing."""
    return {"prompts": GivenTask(study).rows()} if study.target_model else {}
