"""Settings that do not go together: pairs (whether a study breaks it, what to say)."""

import math
import re
from itertools import chain

from symgen.data import MODALITIES, QUESTIONS, modality_of
from symgen.games import CausalLMGame, TextGame
from symgen.interactions import MAX_VARIABLES

MASKING = {"images": ("mean", "zero"), "texts": TextGame.MASKING, "prompts": CausalLMGame.MASKING}
SMALLEST = 6  # n from which on the number of interactions is counted
FILM_REVIEWS = ("sst2", "movie-snippets", "movie-sentences")  # sentences of the same reviews


def impossible(study):
    """Pairs (broken, message) for settings that cannot be together."""
    topics = (_names, _variables, _orders, _data, _given, _run, _seeds, _checkpoints, _tuning)
    return chain.from_iterable(topic(study) for topic in topics)


def _names(s):
    """Data sets by name."""
    expected = f"expected one of {', '.join(MODALITIES)}"
    yield s.dataset not in MODALITIES, f"dataset = {s.dataset!r}; {expected}"
    yield s.tuning_dataset not in ("", *MODALITIES), f"tuning_dataset = {s.tuning_dataset!r}; {expected}"


def _variables(s):
    """How many variables there are, and how they are masked."""
    images = s.modality == "images"
    used = {"n_variables": True, "more_variables": s.ablation_per_class, "penalty_variables": s.penalty_weight}
    for key in (key for key in used if used[key]):
        n = getattr(s, key)
        yield images and n > s.grid**2, f"{key} = {n} of a grid of {s.grid} x {s.grid} = {s.grid**2} cells"
        yield n > MAX_VARIABLES, f"{key} = {n}; expected at most {MAX_VARIABLES}, since all 2^n subsets are evaluated"
    largest = max(s.n_variables, s.more_variables)
    yield (
        bool(s.ablation_per_class) and largest < SMALLEST,
        f"more_variables = {s.more_variables}; expected at least {SMALLEST}, from which notebook 08 counts, or "
        "ablation_per_class: 0",
    )
    fitting = MASKING[s.modality]
    for key in ("masking", "baseline_masking"):
        masking = getattr(s, key) or s.masking
        yield masking not in fitting, f"{key} = {masking!r} of {s.modality}; expected one of {', '.join(fitting)}"
    for masking in s.other_masking:
        what = f"other_masking holds {masking!r} of {s.modality}"
        yield masking not in fitting, f"{what}; expected of {', '.join(fitting)}"
    yield images and not s.cut_at, "the setting 'cut' is missing; expected a submodule of the network, its first ReLU"


def _orders(s):
    """Which orders are low, and which high."""
    low, high = s.low_up_to, s.high_from
    yield low >= high, f"low_up_to = {low} and high_from = {high}; expected high orders above the low ones"


def _data(s):
    """What goes with images, texts or prompts alone."""
    images = s.modality == "images"
    yield images and bool(s.baseline_architecture), "baseline_architecture of images; expected none, since cut is one"
    yield not images and s.augment != "none", f"augment = {s.augment!r} of {s.modality}; expected 'none'"
    yield s.init != "scratch" and images, f"init = {s.init!r} of images; expected 'scratch'"
    yield (
        s.tunes_given and (s.architecture, s.baseline_architecture) != ("given", ""),
        f"architecture = {s.architecture!r} of a given model that is tuned; expected 'given', and no baseline_architecture",
    )
    for key in ("dataset", "tuning_dataset"):
        yield (
            getattr(s, key) in QUESTIONS and not s.tunes_given,
            f"{key} = {getattr(s, key)!r} of models trained here; expected init, a given model that is fine-tuned",
        )
    yield (
        not re.fullmatch(r"[^{}]*\{question\}[^{}]+\{answer\}[^{}]*", s.chat),
        f"chat = {s.chat!r}; expected {{question}}, something between, {{answer}}, once each, and no other braces",
    )
    factors = s.penalty_factors
    yield (
        len({*factors, 1}) <= len(factors),
        f"penalty_factors = {list(factors)}; expected several above 0, none of them twice or 1, or []",
    )


def _given(s):
    """Language models that are given."""
    yield (
        bool(s.baseline_masking) and not s.target_model,
        f"baseline_masking = {s.baseline_masking!r} of models trained here; expected none, or models that are given",
    )
    yield s.untrained and not s.target_model, "untrained of models trained here; expected models that are given"
    yield (
        bool(s.target_model) != bool(s.baseline_model),
        "one of target_model and baseline_model is missing; expected both, or neither",
    )


def _run(s):
    """On what it runs."""
    yield (
        not re.fullmatch(r"auto|cpu|cuda(:\d+)?", s.device),
        f"device = {s.device!r}; expected auto, cpu, cuda, or cuda:<number>",
    )


def _seeds(s):
    """Seeds of every family."""
    seeds = {name: getattr(s, name) for name in type(s).model_fields if name.endswith("_seeds")}
    yield not s.target_seeds, "target_seeds is empty; expected at least one"
    yield not s.baseline_seeds, "baseline_seeds is empty; expected at least one"
    compared = s.modality != "prompts" and (s.penalty_weight or s.ablation_per_class)
    yield (
        bool(compared) and not s.second_seeds,
        "second_seeds is empty; expected at least one, whose network judges in notebooks 07 and 08, "
        "or penalty_weight: 0 and ablation_per_class: 0",
    )
    seeds["baseline_seeds"] += s.more_baseline_seeds
    for name, several in seeds.items():
        yield len(set(several)) < len(several), f"a seed stands twice in {name}"


def _checkpoints(s):
    """Epochs at which networks are kept."""
    yield (
        list(s.checkpoints) != sorted(set(s.checkpoints)) or not s.checkpoints,
        f"checkpoints = {list(s.checkpoints)}; expected epochs in rising order, from 0 on",
    )
    yield (
        bool(s.checkpoints) and s.checkpoints[-1] > s.epochs,
        f"checkpoints go to epoch {s.checkpoints[-1] if s.checkpoints else 0}, training ends at epochs = {s.epochs}",
    )
    stops = sorted({*s.checkpoints, *s.measured_epochs})  # a training stops at both
    steps = [round(stop * math.ceil(s.train_size / s.batch_size)) for stop in stops]
    yield (
        len(set(steps)) < len(steps),
        f"checkpoints = {list(s.checkpoints)}: two of them, or one and an epoch at which losses are measured, fall on one "
        "step; leave out what is too fine",
    )
    yield (
        s.baseline_checkpoint == "best" and s.validation_size == 0,
        "baseline_checkpoint = 'best' needs validation_size > 0; expected that, or 'last'",
    )


def _tuning(s):
    """Fine-tuning on another domain."""
    yield (
        s.tunes_given and bool(s.tuning_dataset),
        "tuning_dataset of a given model that is tuned itself; expected none",
    )
    yield (
        bool(s.tuning_dataset) and s.tuning_from not in s.checkpoints,
        f"tuning_from = {s.tuning_from}; expected one of the checkpoints, {list(s.checkpoints)}",
    )
    yield (
        s.tuning_checkpoints[:1] != (0,),
        f"tuning_checkpoints = {list(s.tuning_checkpoints)}; expected 0, the network before, to be the first",
    )
    yield (
        bool(s.tuning_dataset) and modality_of(s.tuning_dataset) != s.modality,
        f"tuning_dataset = {s.tuning_dataset!r} holds no {s.modality}, as {s.dataset} does; expected another",
    )
    yield (
        s.dataset in FILM_REVIEWS and s.tuning_dataset in FILM_REVIEWS,
        f"tuning_dataset = {s.tuning_dataset!r} holds the same film reviews as {s.dataset}; expected another domain",
    )
