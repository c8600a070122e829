"""Values of settings that cannot be: pairs (whether a study breaks it, what to say)."""

import math
import re
from itertools import chain

from symgen.data import modality_of
from symgen.interactions import MAX_VARIABLES

MASKING = {
    "images": ("mean", "zero"),
    "texts": ("mask", "pad", "unk"),
    "prompts": ("mean-embedding", "pad", "unk"),
}
FILM_REVIEWS = ("sst2", "movie-snippets", "movie-sentences")  # sentences of the same reviews


def impossible(study):
    """Pairs (broken, message) for the values that cannot be."""
    topics = (_numbers, _looking, _devices, _seeds, _checkpoints, _tuning)
    return chain.from_iterable(topic(study) for topic in topics)


def _numbers(s):
    """Sizes, counts, weights and shares."""
    counts = ("train_size", "test_size", "batch_size", "epochs", "explain_classes", "explain_per_class", "n_variables",
              "grid", "bootstrap_draws", "chance_draws", "threads", "low_up_to", "high_from",
              "vocabulary_min_count", "max_tokens", "more_variables", "image_size",
              "penalty_samples", "penalty_every", "penalty_variables",
              "tuning_size", "tuning_test_size", "tuning_epochs")  # fmt: skip
    positive = ("learning_rate", "ridge", "tol", "phase_ratio", "tuning_learning_rate")
    for key in counts:
        yield getattr(s, key) < 1, f"{key} = {getattr(s, key)}; expected at least 1"
    for key in positive:
        yield not getattr(s, key) > 0, f"{key} = {getattr(s, key)}; expected more than 0"
    for key in ("noise_bound", "weight_decay", "pad", "validation_size", "least_rating", "penalty_weight", "decay",
                "few_shot_size", "ablation_per_class"):  # fmt: skip
        yield not getattr(s, key) >= 0, f"{key} = {getattr(s, key)}; expected at least 0"
    factors = s.penalty_factors
    yield (
        min(factors, default=1) <= 0 or len({*factors, 1}) <= len(factors),
        f"penalty_factors = {list(factors)}; expected several above 0, none of them twice or 1, or []",
    )
    for key in ("tau_ratio", "distillation", "dropout"):
        yield not 0 < getattr(s, key) < 1, f"{key} = {getattr(s, key)}; expected between 0 and 1"


def _looking(s):
    """How samples are looked at, by what they consist of."""
    images = s.modality == "images"
    used = {"n_variables": True, "more_variables": s.ablation_per_class, "penalty_variables": s.penalty_weight}
    for key in (key for key in used if used[key]):
        n = getattr(s, key)
        yield images and n > s.grid**2, f"{key} = {n} of a grid of {s.grid} x {s.grid} = {s.grid**2} cells"
        yield n > MAX_VARIABLES, f"{key} = {n}; expected at most {MAX_VARIABLES}, since all 2^n subsets are evaluated"
    yield images and not s.cut_at, "the setting 'cut' is missing; expected a submodule of the network, its first ReLU"
    yield images and bool(s.baseline_architecture), "baseline_architecture of images; expected none, since cut is one"
    yield (
        bool(s.baseline_masking) and not s.target_model,
        f"baseline_masking = {s.baseline_masking!r} of models trained here; expected none, or models that are given",
    )
    yield not images and s.augment != "none", f"augment = {s.augment!r} of {s.modality}; expected 'none'"
    yield s.init != "scratch" and s.modality != "texts", f"init = {s.init!r} of {s.modality}; expected 'scratch'"
    fitting = MASKING[s.modality]
    yield s.masking not in fitting, f"masking = {s.masking!r} of {s.modality}; expected one of {', '.join(fitting)}"
    yield (
        bool(s.target_model) != bool(s.baseline_model),
        "one of target_model and baseline_model is missing; expected both, or neither",
    )
    other = s.baseline_masking or s.masking
    yield other not in fitting, f"baseline_masking = {other!r} of {s.modality}; expected one of {', '.join(fitting)}"


def _devices(s):
    """On what it runs."""
    yield (
        not re.fullmatch(r"auto|cpu|cuda(:\d+)?", s.device),
        f"device = {s.device!r}; expected auto, cpu, cuda, or cuda:<number>",
    )


def _seeds(s):
    """Seeds of every family."""
    seeds = {name: getattr(s, name) for name in vars(s) if name.endswith("_seeds")}
    yield min(seed for own in seeds.values() for seed in (*own, 0)) < 0, "a seed is negative; expected 0 or more"
    yield not s.target_seeds, "target_seeds is empty; expected at least one"
    yield not s.baseline_seeds, "baseline_seeds is empty; expected at least one"
    compared = s.modality != "prompts" and (s.penalty_weight or s.ablation_per_class)
    yield (
        bool(compared) and not s.second_seeds,
        "second_seeds is empty; expected at least one, whose network judges in notebooks 07 and 08, "
        "or penalty_weight: 0 and ablation_per_class: 0",
    )
    seeds["baseline_seeds"] += s.more_baseline_seeds
    for name, own in seeds.items():
        yield len(set(own)) < len(own), f"a seed stands twice in {name}"


def _checkpoints(s):
    """Epochs at which networks are kept."""
    yield (
        list(s.checkpoints) != sorted(set(s.checkpoints)) or not s.checkpoints or s.checkpoints[0] < 0,
        f"checkpoints = {list(s.checkpoints)}; expected epochs in rising order, from 0 on",
    )
    yield (
        bool(s.checkpoints) and s.checkpoints[-1] > s.epochs,
        f"checkpoints go to epoch {s.checkpoints[-1]}, training ends at epochs = {s.epochs}",
    )
    steps = [round(checkpoint * math.ceil(s.train_size / s.batch_size)) for checkpoint in s.checkpoints]
    yield (
        len(set(steps)) < len(steps),
        f"checkpoints = {list(s.checkpoints)} fall on steps {steps}, one of them twice; leave out what is too fine",
    )
    yield (
        s.baseline_checkpoint == "best" and s.validation_size == 0,
        "baseline_checkpoint = 'best' needs validation_size > 0; expected that, or 'last'",
    )


def _tuning(s):
    """Fine-tuning on another domain."""
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
