"""Settings that do not go together."""

import math
import re
from collections.abc import Iterator
from itertools import chain, combinations

from symgen.data import MODALITIES, QUESTIONS, modality_of
from symgen.games import CausalLMGame, TextGame
from symgen.interactions import MAX_VARIABLES

MASKING = {"images": ("mean", "zero"), "texts": TextGame.MASKING, "prompts": CausalLMGame.MASKING}
SMALLEST = 6  # n from which on the number of interactions is counted


def impossible(study) -> Iterator[str]:
    """What is wrong with the settings of a study, a message each."""
    topics = (_names, _variables, _data, _given, _seeds, _checkpoints, _tuning)
    return chain.from_iterable(topic(study) for topic in topics)


def _names(s):
    """Data sets and devices by name."""
    expected = f"expected one of {', '.join(MODALITIES)}"
    if s.dataset not in MODALITIES:
        yield f"dataset = {s.dataset!r}; {expected}"
    if s.tuning_dataset not in ("", *MODALITIES):
        yield f"tuning_dataset = {s.tuning_dataset!r}; {expected}"
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", s.device):
        yield f"device = {s.device!r}; expected auto, cpu, cuda, or cuda:<number>"


def _variables(s):
    """How many variables there are, how they are masked, and which orders are low or high."""
    images = s.modality == "images"
    used = {"n_variables": True, "more_variables": s.ablation_per_class, "penalty_variables": s.penalty_weight}
    used["longer_variables"] = s.longer_variables
    for key in (key for key in used if used[key]):
        n = getattr(s, key)
        if images and n > s.grid**2:
            yield f"{key} = {n} of a grid of {s.grid} x {s.grid} = {s.grid**2} cells"
        if n > MAX_VARIABLES:
            yield f"{key} = {n}; expected at most {MAX_VARIABLES}, since all 2^n subsets are evaluated"
    if s.ablation_per_class and max(s.n_variables, s.more_variables) < SMALLEST:
        yield (
            f"more_variables = {s.more_variables}; expected at least {SMALLEST}, from which notebook 08 counts, or "
            "ablation_per_class: 0"
        )
    fitting = MASKING[s.modality]
    for key in ("masking", "baseline_masking"):
        masking = getattr(s, key) or s.masking
        if masking not in fitting:
            yield f"{key} = {masking!r} of {s.modality}; expected one of {', '.join(fitting)}"
    for masking in s.other_masking:
        if masking not in fitting:
            yield f"other_masking holds {masking!r} of {s.modality}; expected of {', '.join(fitting)}"
    if images and not s.cut_at:
        yield "the setting 'cut' is missing; expected a submodule of the network, its first ReLU"
    if s.modality != "prompts" and s.ablation_per_class and s.tau_ratio >= 0.5:
        yield f"tau_ratio = {s.tau_ratio:g}; expected less than 0.5, since notebook 08 doubles it, or ablation_per_class: 0"
    low, high = s.low_up_to, s.high_from
    if low >= high:
        yield f"low_up_to = {low} and high_from = {high}; expected high orders above the low ones"


def _data(s):
    """What goes with images, texts or prompts alone."""
    images = s.modality == "images"
    if images and s.baseline_architecture:
        yield "baseline_architecture of images; expected none, since cut is one"
    if not images and s.augment != "none":
        yield f"augment = {s.augment!r} of {s.modality}; expected 'none'"
    if images and s.init != "scratch":
        yield f"init = {s.init!r} of images; expected 'scratch'"
    if s.tunes_given and (s.architecture, s.baseline_architecture) != ("given", ""):
        yield (
            f"architecture = {s.architecture!r} of a given model that is tuned; expected 'given', and no "
            "baseline_architecture"
        )
    for key in ("dataset", "tuning_dataset"):
        if getattr(s, key) in QUESTIONS and not s.tunes_given:
            yield f"{key} = {getattr(s, key)!r} of models trained here; expected init, a given model that is fine-tuned"
    if not re.fullmatch(r"[^{}]*\{question\}[^{}]+\{answer\}[^{}]*", s.chat):
        yield f"chat = {s.chat!r}; expected {{question}}, something between, {{answer}}, once each, and no other braces"
    factors = s.penalty_factors
    if len({*factors, 1}) <= len(factors):
        yield f"penalty_factors = {list(factors)}; expected several above 0, none of them twice or 1, or []"


def _given(s):
    """Language models that are given."""
    for key in ("baseline_masking", "untrained", "longer_variables") if not s.target_model else ():
        if value := getattr(s, key):
            yield f"{key} = {value!r} of models trained here; expected its default, or models that are given"
    if s.longer_variables and s.written == "longer":
        yield f"longer_variables = {s.longer_variables} beside written: longer; expected n_variables alone"
    if s.other_judge and not s.tunes_given:
        yield f"other_judge = {s.other_judge!r}; expected none, or a given model that is fine-tuned (init)"
    if bool(s.target_model) != bool(s.baseline_model):
        yield "one of target_model and baseline_model is missing; expected both, or neither"
    if s.target_model and s.modality != "prompts":
        yield f"target_model of {s.modality}; expected a data set of prompts"


def _seeds(s):
    """Seeds of every family."""
    seeds = {name: getattr(s, name) for name in type(s).model_fields if name.endswith("_seeds")}
    for name in ("target_seeds", "baseline_seeds"):
        if not seeds[name]:
            yield f"{name} is empty; expected at least one"
    ablations = s.modality != "prompts" and s.ablation_per_class
    judged_by_second = ablations or (s.modality != "prompts" and s.penalty_weight)
    if judged_by_second and not s.second_seeds:
        yield (
            "second_seeds is empty; expected at least one, whose network judges in notebooks 07 and 08, or "
            "penalty_weight: 0 and ablation_per_class: 0"
        )
    if ablations:
        seeds["baseline_seeds"] += s.more_baseline_seeds
    for name, several in seeds.items():
        if len(set(several)) < len(several):
            yield f"a seed stands twice in {name}"
    trained = ["target_seeds", "baseline_seeds"] if not s.target_model else []
    trained += ["second_seeds"] if judged_by_second else []
    trained += ["more_baseline_seeds", "shuffled_seeds"] if ablations else []
    for one, other in combinations(trained, 2):
        if both := {*getattr(s, one)} & {*getattr(s, other)}:
            yield f"seed {min(both)} stands in {one} and in {other}; expected another in one, or two networks begin alike"


def _checkpoints(s):
    """Epochs at which networks are kept."""
    alone = len(s.checkpoints) < 2 and not s.target_model
    if alone or s.checkpoints[:1] != (0,) or list(s.checkpoints) != sorted(set(s.checkpoints)):
        yield f"checkpoints = {list(s.checkpoints)}; expected 0, the untrained network, and further epochs in rising order"
    if s.checkpoints[-1] > s.epochs:
        yield f"checkpoints go to epoch {s.checkpoints[-1]}, training ends at epochs = {s.epochs}"
    stops = sorted({*s.checkpoints, *s.measured_epochs})  # a training stops at both
    steps = [round(stop * math.ceil(s.train_size / s.batch_size)) for stop in stops]
    if len(set(steps)) < len(steps):
        yield (
            f"checkpoints = {list(s.checkpoints)}: two of them, or one and an epoch at which losses are measured, fall on "
            "one step; leave out what is too fine"
        )
    if s.baseline_checkpoint == "best" and s.validation_size == 0:
        yield "baseline_checkpoint = 'best' needs validation_size > 0; expected that, or 'last'"


def _tuning(s):
    """Fine-tuning on another domain."""
    if s.tuning_checkpoints[:1] != (0,) or len(s.tuning_checkpoints) < 2:
        yield f"tuning_checkpoints = {list(s.tuning_checkpoints)}; expected 0, the network before, and one or more after"
    if not s.tuning_dataset:
        return
    if s.modality != "prompts":
        yield f"tuning_dataset = {s.tuning_dataset!r} of {s.modality}; expected none: notebook 10 is of language models"
    if s.tunes_given:
        yield "tuning_dataset of a given model that is tuned itself; expected none"
    if s.tuning_from not in s.checkpoints:
        yield f"tuning_from = {s.tuning_from}; expected one of the checkpoints, {list(s.checkpoints)}"
    if modality_of(s.tuning_dataset) != s.modality:
        yield f"tuning_dataset = {s.tuning_dataset!r} holds no {s.modality}, as {s.dataset} does; expected another"
    if s.tuning_dataset == s.dataset:
        yield f"tuning_dataset = {s.tuning_dataset!r} is the dataset itself; expected another domain"
