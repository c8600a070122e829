"""A study: every setting of one data set x architecture, read from a flat YAML file, validated, frozen."""

import dataclasses
import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from symgen.data import modality_of
from symgen.errors import InputError
from symgen.generalization import Bootstrap
from symgen.store import FORMAT, project_root
from symgen.study._files import checked, filed, read_overrides
from symgen.study._limits import impossible

# who is trained on which part of the data; "shuffled" on labels in random order
FAMILIES = {"target": "A", "baseline": "B", "second": "C", "shuffled": "B"}
# trainings with and without the penalty, all on A but one, and the settings that each alone depends on (notebook 07)
JUDGES = ("baseline_seeds", "baseline_on", "baseline_checkpoint", "baseline_architecture")
ARMS = {
    "plain": (),
    "penalty": (*JUDGES, "penalty_weight", "penalty_samples", "penalty_every", "penalty_variables", "explain_seed",
                "variables_seed", "grid", "masking", "cut", "noise_bound", "ridge", "tol", "tau_ratio", "generalizes_to"),
    "data": (),
    "distilled": (*JUDGES, "distillation"),
    "decay": ("decay",),
    "dropout": ("dropout",),
}  # fmt: skip
FAMILIES |= dict.fromkeys(ARMS, "A") | {"data": "A+B"}
# the submodule behind the first ReLU, where a study names no cut, by torchvision's name of the architecture
FIRST_RELU = {r"vgg\d+": "features.1", r"vgg\d+_bn": "features.2", r"(wide_)?resnet.+|resnext.+": "relu"}
JUDGING = ("baseline", "second", "shuffled")  # families whose architecture may be another
# of what each stage computes from the same settings: raise one by hand when that changes, and what rests on it is made again
VERSIONS = {"split": 1, "samples": 1, "training": 1, "values": 1, "interactions": 1, "penalty": 1}
# not what is computed
RUN_ONLY = ("name", "before", "data_root", "download", "runs_root", "figures_root", "device", "threads")


def _stage(stage, default=dataclasses.MISSING, added=False):
    """A setting of a stage. An `added` one came after artefacts were made as its default says: those keep their keys."""
    return field(default=default, metadata={"stage": stage, "added": added})


@dataclass(frozen=True, kw_only=True)
class Study:
    """The settings of one study. Every field is a key of its YAML file; those with a default may be left out there.

    Load one with `Study.load("fashion-vgg", overrides={"epochs": 10})`.
    """

    name: str

    # data: which samples are in parts A, B, C, D
    dataset: str = _stage("data")
    train_size: int = _stage("data")
    """items (images or texts) in A, and in the training parts of B and C"""
    validation_size: int = _stage("data")
    """items beside B (and C) that choose a baseline's best checkpoint"""
    test_size: int = _stage("data")
    """items in D, on which nothing is trained (unless baseline_on: D)"""
    split_seed: int = _stage("data")
    pad: int = _stage("data", 0)
    """images: pixels added on each side"""
    least_rating: float = _stage("data", 0.0)
    """texts rated by people: those nearer to a neutral rating are left out"""
    vocabulary_min_count: int = _stage("data", 2)
    """texts: a word of A is in the vocabulary if it occurs so often"""
    max_tokens: int = _stage("data", 64)
    """texts: tokens that a network reads; what is longer is cut"""
    init: str = _stage("data", "scratch", added=True)
    """texts: scratch, or the encoder that networks start from, with its vocabulary: a folder, <package>/<folder>, or a name
    of the Hugging Face hub"""
    image_size: int = _stage("data", 64, added=True)
    """images read from files: side of the square to which they are resized, in pixels"""

    # training
    architecture: str = _stage("training")
    stem: Literal["imagenet", "small"] = _stage("training", "imagenet", added=True)
    """networks of torchvision: as they are, or with a first layer (ResNet) and head (VGG) for images of 32 to 64 pixels"""
    optimizer: Literal["adam", "adamw", "sgd"] = _stage("training", "adam")
    learning_rate: float = _stage("training")
    weight_decay: float = _stage("training", 0.0)
    batch_size: int = _stage("training")
    epochs: int = _stage("training")
    augment: Literal["none", "crop-flip", "resized-crop-flip"] = _stage("training", "none", added=True)
    """images: how they are changed each time that they are learned from"""
    precision: Literal["float32", "bfloat16"] = _stage("training", "float32", added=True)
    """of the layers while a network trains, on a GPU; whatever is measured is measured in float32"""
    checkpoints: tuple[float, ...] = _stage("checkpoints")
    """epochs at which the target is kept; 0 is the untrained network"""
    target_seeds: tuple[int, ...] = _stage("seeds")
    baseline_seeds: tuple[int, ...] = _stage("seeds")
    baseline_architecture: str = _stage("baseline", "", added=True)
    """of the networks that judge; by default that of the target"""
    baseline_on: Literal["B", "D"] = _stage("baseline", "B")
    baseline_checkpoint: Literal["best", "last"] = _stage("baseline", "best")

    # samples to explain, and their input variables
    explain_classes: int = _stage("samples", 10)
    explain_per_class: int = _stage("samples", 10)
    explain_seed: int = _stage("samples")
    n_variables: int = _stage("samples", 10)
    variables_seed: int = _stage("samples", 0)
    grid: int = _stage("samples", 5)
    """images: cells per side of the grid on the feature map"""

    # masked values
    masking: Literal["mean", "zero", "mask", "pad", "unk", "mean-embedding"] = _stage("values")
    """images: the mean map or zero; texts and prompts: the token, or the embedding, that a masked one becomes"""
    cut: str = _stage("values", "")
    """images: submodule whose output is masked; the first ReLU where it is known by `FIRST_RELU`"""

    # language models that are given (notebook 09): folders, or names of the Hugging Face hub
    target_model: str = _stage("given", "", added=True)
    baseline_model: str = _stage("given", "", added=True)
    baseline_masking: str = _stage("given", "", added=True)
    """by default that of the target"""

    # interactions
    noise_bound: float = _stage("solving", 0.04)
    ridge: float = _stage("solving", 0.5)
    tol: float = _stage("solving", 1e-6)

    # analysis
    tau_ratio: float = _stage("analysis", 0.05)
    generalizes_to: Literal["any", "majority", "all"] = _stage("analysis", "any")
    low_up_to: int = _stage("analysis", 2)
    """orders 1 to this one are low"""
    high_from: int = _stage("analysis", 6)
    """orders from this one to n are high"""
    phase_ratio: float = _stage("analysis", 1.0)
    """r of Appendix I"""
    bootstrap_draws: int = _stage("analysis", 1000)
    chance_draws: int = _stage("analysis", 5)
    """derangements of the samples behind each chance level"""
    analysis_seed: int = _stage("analysis", 0)

    # ablations (notebook 08), on the first target
    more_baseline_seeds: tuple[int, ...] = _stage("ablations", ())
    """baselines beside the study's own, to see how many are needed"""
    second_seeds: tuple[int, ...] = _stage("ablations", (31,))
    """baselines of the second family, trained on C"""
    shuffled_seeds: tuple[int, ...] = _stage("ablations", ())
    """networks trained on B with its labels shuffled, the negative control"""
    ablation_per_class: int = _stage("ablations", 1)
    """items of each class behind each changed setting, half of them for more_variables; 0: no ablations"""
    more_variables: int = _stage("ablations", 12)
    other_masking: tuple[str, ...] = _stage("ablations", ())
    other_cut: str = _stage("ablations", "")

    # training with the penalty (Appendix K) and its controls (notebook 07)
    penalty_weight: float = _stage("penalty", 0.1)
    """nats for a log-odds of strength that does not generalize; 0: no training with the penalty"""
    penalty_factors: tuple[float, ...] = _stage("penalty", (1 / 3, 3.0), added=True)
    """further weights, in multiples of penalty_weight, whose networks are compared in a curve"""
    penalty_samples: int = _stage("penalty", 2)
    """of a batch"""
    penalty_every: int = _stage("penalty", 4)
    """steps from one penalty to the next"""
    penalty_variables: int = _stage("penalty", 6)
    distillation: float = _stage("penalty", 0.5)
    """share of the baselines' soft labels in the loss"""
    decay: float = _stage("penalty", 1.0)
    """decoupled weight decay"""
    dropout: float = _stage("penalty", 0.3)
    few_shot_size: int = _stage("penalty", 200)
    """items to train on when there are few; 0: ways to train are compared with all of them alone"""

    # fine-tuning on another domain (Appendix P, notebook 10); `tuned` is the study of it
    tuning_dataset: str = _stage("tuning", "", added=True)
    """that the networks go on with; none without it"""
    tuning_from: float = _stage("tuning", 0.0, added=True)
    """epoch of the target at which its fine-tuning starts, one of its checkpoints"""
    tuning_size: int = _stage("tuning", 1000, added=True)
    """train_size there, and so on"""
    tuning_validation_size: int = _stage("tuning", 100, added=True)
    tuning_test_size: int = _stage("tuning", 400, added=True)
    tuning_learning_rate: float = _stage("tuning", 1e-3, added=True)
    tuning_epochs: int = _stage("tuning", 4, added=True)
    tuning_checkpoints: tuple[float, ...] = _stage("tuning", (0.0, 1.0, 2.0, 4.0), added=True)
    before: "Study | None" = None
    """of a `tuned` study: that from which its networks start; no setting of a file"""

    # where things are, and on what they run: device and threads move the last digits of what is extracted; a network trained
    # on another device is another draw, as from another seed, and not told apart by its name
    data_root: str | None = None
    download: bool = False
    runs_root: str = "data/runs"
    figures_root: str = "figures"
    device: str = "auto"
    threads: int = 1
    """threads of a process that trains or extracts; fixed, so that sums are taken in the same order everywhere"""

    @classmethod
    def load(cls, name: str, overrides=None) -> "Study":
        """The study in `studies/<name>.yaml`, with `overrides` (a dict, or YAML text) put over its settings.

        A file that says `extends: <other>` holds only what differs from another study.

        ValueError, in one line that names the file, the key and the remedy, for an unknown study, an unknown key, a
        wrong type or an impossible value.
        """
        changed = checked(cls, read_overrides(overrides), "overrides")
        return cls(**{**checked(cls, filed(name), f"studies/{name}.yaml"), **changed, "name": name})

    def __post_init__(self):
        for broken, message in impossible(self):
            if broken:
                raise InputError(f"study {self.name!r}: {message}")
        if self.tuning_dataset:
            _ = self.tuned  # checked as well

    def replace(self, **changes) -> "Study":
        """The same study with other settings, checked like any."""
        return dataclasses.replace(self, **checked(type(self), changes, "replace"))

    @property
    def tuned(self) -> "Study":
        """The study on the domain that its networks are fine-tuned on.

        Roles are the same: its target-11 starts from this one's target-11 at epoch `tuning_from`, and its baselines, tuned
        on another part of that domain, from this one's baselines at the checkpoint at which they judge.
        """
        if not self.tuning_dataset:
            raise InputError(f"study {self.name!r} has no fine-tuning; expected the setting tuning_dataset")
        return dataclasses.replace(
            self, name=f"{self.name}-tuned", before=self, dataset=self.tuning_dataset, tuning_dataset="",
            train_size=self.tuning_size, validation_size=self.tuning_validation_size, test_size=self.tuning_test_size,
            learning_rate=self.tuning_learning_rate, epochs=self.tuning_epochs, checkpoints=self.tuning_checkpoints,
        )  # fmt: skip

    def starts_from(self, role: str) -> float | str:
        """Checkpoint of the study `before` at which a role of a tuned study starts."""
        return self.tuning_from if self.role(role)[0] == "target" else self.before.checkpoints_of(role)[-1]

    # roles: one network each, named <family>-<seed>
    @property
    def targets(self) -> tuple[str, ...]:
        """Roles of the target networks, one a seed: ("target-11", ...)."""
        return tuple(f"target-{seed}" for seed in self.target_seeds)

    @property
    def baselines(self) -> tuple[str, ...]:
        """Roles of the baseline networks, one a seed: ("baseline-21", ...)."""
        return tuple(f"baseline-{seed}" for seed in self.baseline_seeds)

    def role(self, role: str) -> tuple[str, int]:
        """Family and seed of a role; ValueError unless it is <family>-<seed> of a known family."""
        found = re.fullmatch(r"([a-z]+)-([0-9]{1,18})", role)
        if not found or found[1] not in FAMILIES:
            raise InputError(f"role {role!r}; expected <family>-<seed> with a family of {', '.join(FAMILIES)}")
        return found[1], int(found[2])

    def architecture_of(self, role: str) -> str:
        """The architecture of a role's network."""
        judges = self.role(role)[0] in JUDGING
        return (judges and self.baseline_architecture) or self.architecture

    def checkpoints_of(self, role: str) -> tuple[float | str, ...]:
        """Checkpoints at which a role's interactions are extracted: the epochs of a target, one for a baseline."""
        family, _ = self.role(role)
        if family == "target":
            return self.checkpoints
        return (self.baseline_checkpoint if family in ("baseline", "second") else "last",)

    # identity of what is computed
    def key(self, what: str, role: str = "", checkpoint="") -> str:
        """Ten hex digits that change whenever a setting, or a version, changes that `what` depends on, and only then."""
        return digest_of(self.settings_of(what, role, checkpoint))

    def settings_of(self, what, role="", checkpoint="") -> dict:
        """The settings that `what` depends on, and the versions of its stages, as they are written beside it.

        `what`: split, samples, training (of a role), values or interactions (of a role at a checkpoint), or extraction
        (of a role at all its checkpoints).
        """
        stages = {
            "split": ["data"],
            "samples": ["data", "samples"],
            "training": ["data", "training"],
            "values": ["data", "training", "samples", "values"],
            "interactions": ["data", "training", "samples", "values", "solving"],
            "extraction": ["data", "training", "samples", "values", "solving"],
        }[what]
        settings = self._told(f for f in dataclasses.fields(self) if f.metadata.get("stage") in stages)
        stages = {
            "split": ("split",),
            "samples": ("split", "samples"),
            "training": ("split", "training"),
            "values": ("split", "samples", "training", "values"),
        }.get(what, ("split", "samples", "training", "values", "interactions"))
        if role.startswith("penalty-"):
            stages = tuple(VERSIONS)  # trained by what the baselines' interactions say
        settings["versions"] = {stage: VERSIONS[stage] for stage in stages}
        if self.before and what == "samples":
            settings["before"] = self.before.settings_of("split")  # the vocabulary decides on the prompts
        if what not in ("split", "samples"):
            settings["architecture"] = self.architecture_of(role)
            if self.before:
                start = {"from": self.starts_from(role)}
                settings["before"] = self.before.settings_of("training", role) | start
            family, seed = self.role(role)
            settings |= {"family": family, "seed": seed}
            one_checkpoint = what in ("values", "interactions")
            if family == "target" and not one_checkpoint:
                settings["checkpoints"] = list(self.checkpoints)
            if family == "baseline":
                settings["baseline_on"] = self.baseline_on
            settings |= self._told(f for f in dataclasses.fields(self) if f.name in ARMS.get(family, ()))
            if family != "target" and what == "extraction":
                settings["checkpoint"] = self.checkpoints_of(role)[0]
            if one_checkpoint:
                settings["checkpoint"] = checkpoint if isinstance(checkpoint, str) else float(checkpoint)
        if "cut" in settings:
            settings["cut"] = self.cut_at
        return json.loads(json.dumps(settings))

    def _told(self, fields):
        """Settings by name; one that was added is told only where it is not at its default."""
        own = ((f, getattr(self, f.name)) for f in fields)
        return {f.name: value for f, value in own if not (f.metadata.get("added") and value == f.default)}

    @property
    def bootstrap(self) -> Bootstrap:
        """How the study resamples."""
        return Bootstrap(self.bootstrap_draws, self.analysis_seed)

    @property
    def low_orders(self) -> range:
        """Orders 1 to `low_up_to`."""
        return range(1, self.low_up_to + 1)

    @property
    def high_orders(self) -> range:
        """Orders `high_from` to n."""
        return range(self.high_from, self.n_variables + 1)

    @property
    def modality(self) -> str:
        """What the study's data consist of: images, texts or prompts."""
        return modality_of(self.dataset)

    @property
    def cut_at(self) -> str:
        """Images: the submodule whose output is masked, `cut` or the first ReLU of the architecture; "" if not known."""
        known = (relu for pattern, relu in FIRST_RELU.items() if re.fullmatch(pattern, self.architecture))
        return self.cut or next(known, "")

    @property
    def runs_dir(self) -> Path:
        """Folder of this study's artefacts."""
        return project_root() / self.runs_root / self.name

    @property
    def figures_dir(self) -> Path:
        """Folder of this study's figures; settings that differ from the file's get a folder of their own."""
        return project_root() / self.figures_root / (self.name + self._suffix())

    def changes(self) -> dict:
        """The settings that differ from those in the study's file: as overrides, they make this study of it."""
        filed = Study.load(self.name)
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: value for name, value in own.items() if value != getattr(filed, name)}

    def _suffix(self):
        path = project_root() / "studies" / f"{self.name}.yaml"
        filed = Study.load(self.name).digest() if path.is_file() else self.digest()
        return "" if self.digest() == filed else f"+{self.digest()[:6]}"

    def digest(self) -> str:
        """Ten hex digits of all the settings that can change a result."""
        return digest_of(self._told(f for f in dataclasses.fields(self) if f.name not in RUN_ONLY))

    @property
    def data_dir(self) -> Path:
        """Where data are looked for: data_root, else $SYMGEN_DATA, else data/."""
        return project_root() / (self.data_root or os.environ.get("SYMGEN_DATA") or "data")


def digest_of(settings: dict) -> str:
    """Ten hex digits that change whenever a setting does."""
    return hashlib.sha256(json.dumps([FORMAT, settings], sort_keys=True).encode()).hexdigest()[:10]
