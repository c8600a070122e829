"""A study: every setting of one data set x architecture, read from a flat YAML file, checked, frozen."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from symgen.data import EMBEDDED_SETS, modality_of
from symgen.errors import InputError, saying
from symgen.generalization import Bootstrap
from symgen.store import checksum, key_of, project_root
from symgen.study._checks import impossible
from symgen.study._files import checked, read_overrides, settings_in_file, study_names
from symgen.study.sections import SECTIONS, Data, Places, Samples, Solving, Training, Values

# who is trained on which part of the data; "shuffled" on labels in random order
FAMILIES = {"target": "A", "baseline": "B", "second": "C", "shuffled": "B",
            "penalty": "A", "data": "A+B", "distilled": "A", "decay": "A", "dropout": "A"}  # fmt: skip
OTHER = "other-0"  # the role of the given model `other_judge`, which is not trained
JUDGE_SETTINGS = ("baseline_seeds", "baseline_on", "baseline_checkpoint", "baseline_architecture")
# ways to train, with and without the penalty, and the settings that each alone depends on (notebook 07); plain training is
# that of the targets, the others have families of their own
ARMS = {
    "plain": (),
    "penalty": (*JUDGE_SETTINGS, "penalty_weight", "penalty_samples", "penalty_every", "penalty_variables", "explain_seed",
                "variables_seed", "grid", "masking", "cut", "noise_bound", "ridge", "tol", "tau_ratio", "generalizes_to"),
    "data": (),
    "distilled": (*JUDGE_SETTINGS, "distillation"),
    "decay": ("decay",),
    "dropout": ("dropout",),
}  # fmt: skip
# the first ReLU, whose output is masked where a study names no cut, by torchvision's name of the architecture
FIRST_RELU = {r"vgg\d+": "features.1", r"vgg\d+_bn": "features.2", r"(wide_)?resnet.+|resnext.+": "relu"}
JUDGING = ("baseline", "second", "shuffled")  # families whose architecture may be another
# of what each stage computes from the same settings: raise one by hand when that changes, and what rests on it is made again
VERSIONS = {"split": 1, "samples": 1, "training": 2, "values": 1, "interactions": 1, "penalty": 1, "answers": 1}
# the settings that each stage adds; answers add none
SECTION_OF = {"split": Data, "samples": Samples, "training": Training, "values": Values, "interactions": Solving}
# what each stage rests on, itself included
BEHIND = {
    "split": ("split",),
    "samples": ("split", "samples"),
    "training": ("split", "training"),
    "values": ("split", "samples", "training", "values"),
    "interactions": ("split", "samples", "training", "values", "interactions"),
    "answers": ("split", "training", "answers"),
}


def roles_of(family: str, seeds: Iterable[int]) -> tuple[str, ...]:
    """Roles of the networks of a family, one a seed."""
    return tuple(f"{family}-{seed}" for seed in seeds)


def files_of(model: str) -> dict:
    """Checksums of what a given model's folder holds; nothing of packages and of the hub: their names have to do."""
    if model in ("", "scratch") or not (folder := project_root() / model).is_dir():
        return {}
    return {
        path.name: checksum(path) for path in sorted(folder.glob("[!.]*")) if path.is_file() and path.suffix != ".md"
    }


class Study(*SECTIONS):
    """The settings of one study. Every field but `name` and `before` is a key of its YAML file.

    `Study.load` reads one.

    Examples
    --------
    >>> study = Study.load("fashion-vgg", overrides={"epochs": 80})
    >>> study.epochs, study.n_variables, study.modality
    (80, 10, 'images')
    >>> study.baselines
    ('baseline-21', 'baseline-22')
    """

    name: str
    """of its file"""
    before: "Study | None" = None
    """of a `tuned` study: that from which its networks start; no setting of a file"""

    @classmethod
    def load(cls, name: str, overrides=None) -> "Study":
        """The study in `studies/<name>.yaml`, with `overrides` (a dict, or YAML text) put over its settings.

        A file that says `extends: <other>` holds only what differs from another study.

        Raises
        ------
        InputError
            In one line that names the file, the key and the remedy: an unknown study, an unknown key, a wrong type, an
            impossible value.
        """
        settings = checked(cls, settings_in_file(name), f"studies/{name}.yaml", {"name": name})
        overrides = read_overrides(overrides)
        return checked(cls, overrides, "overrides", dict(settings)) if overrides else settings

    def model_post_init(self, _) -> None:
        """Check what no single setting shows."""
        for message in impossible(self):
            raise InputError(f"study {self.name!r}: {message}")
        if self.tuning_dataset:
            with saying("of the settings tuning_..: "):
                _ = self.tuned  # checked as well

    def replace(self, **changes) -> "Study":
        """The same study with other settings, checked like any."""
        return checked(type(self), changes, "replace", dict(self))

    @property
    def tunes_given(self) -> bool:
        """Whether its networks are a given language model, fine-tuned: prompts with `init`."""
        return self.modality == "prompts" and self.init != "scratch"

    @property
    def tuned(self) -> "Study":
        """The study on the domain that its networks are fine-tuned on.

        Roles are the same: its target-11 starts from this one's target-11 at epoch `tuning_from`, and its baselines, tuned
        on another part of that domain, from this one's baselines at the checkpoint at which they judge. Of a study that
        fine-tunes a given model, `tuned` is the study itself.
        """
        if self.tunes_given:
            return self
        if not self.tuning_dataset:
            raise InputError(f"study {self.name!r} has no fine-tuning; expected the setting tuning_dataset")
        changes = {
            "name": f"{self.name}-tuned", "before": self, "dataset": self.tuning_dataset, "tuning_dataset": "",
            "train_size": self.tuning_size, "validation_size": self.tuning_validation_size,
            "test_size": self.tuning_test_size, "learning_rate": self.tuning_learning_rate,
            "epochs": self.tuning_epochs, "checkpoints": self.tuning_checkpoints,
        }  # fmt: skip
        return checked(type(self), {}, "tuned", dict(self) | changes)

    @property
    def dynamics(self) -> "Study":
        """The same study on the samples that are followed through training."""
        followed = min(self.dynamics_per_class or self.explain_per_class, self.explain_per_class)
        return self.replace(explain_per_class=followed, dynamics_per_class=0)

    @property
    def removal(self) -> "Study":
        """The same study on the samples whose loss without some interactions is measured: a gap needs many."""
        return self.replace(explain_per_class=self.removal_per_class or self.explain_per_class, removal_per_class=0)

    @property
    def controls(self) -> dict[str, "Study"]:
        """Of given networks: masked in each of `other_masking`, untrained, and on longer prompts; of others none."""
        if not self.target_model:
            return {}
        changes = {f"masked by {name}": {"masking": name, "baseline_masking": name} for name in self.other_masking}
        changes["untrained"] = {"untrained": True}
        if self.longer_variables:
            longer = {"written": "longer", "n_variables": self.longer_variables, "longer_variables": 0}
            changes[f"{self.longer_variables} variables"] = longer
        return {name: self.replace(**change) for name, change in changes.items()}

    @property
    def n_explained(self) -> int:
        """How many samples are explained, training and testing ones together."""
        return 2 * self.explain_classes * self.explain_per_class

    @property
    def ends(self) -> tuple[float, ...]:
        """The first checkpoint and the last, at which all samples are explained."""
        return tuple(dict.fromkeys((self.checkpoints[0], self.checkpoints[-1])))

    def starts_from(self, role: str) -> float | str:
        """Checkpoint of the study `before` at which a role of a tuned study starts; 0 where there is none before."""
        if not self.before:
            return 0.0
        return self.tuning_from if self.family(role) == "target" else self.before.checkpoints_of(role)[-1]

    # roles: one network each, named <family>-<seed>
    @property
    def targets(self) -> tuple[str, ...]:
        """Roles of the target networks, one a seed: ("target-11", ...)."""
        return roles_of("target", self.target_seeds)

    @property
    def baselines(self) -> tuple[str, ...]:
        """Roles of the baseline networks, one a seed: ("baseline-21", ...)."""
        return roles_of("baseline", self.baseline_seeds)

    @property
    def second(self) -> tuple[str, ...]:
        """Roles of the networks trained on C, one a seed: ("second-31", ...)."""
        return roles_of("second", self.second_seeds)

    @property
    def shuffled(self) -> tuple[str, ...]:
        """Roles of the networks trained on shuffled labels, one a seed: ("shuffled-41", ...)."""
        return roles_of("shuffled", self.shuffled_seeds)

    def role(self, role: str) -> tuple[str, int]:
        """Family and seed of a role; InputError unless it is <family>-<seed> of a known family."""
        if role == OTHER and self.other_judge:
            return "other", 0
        parts = re.fullmatch(r"([a-z]+)-([0-9]{1,18})", role)
        if not parts or parts[1] not in FAMILIES:
            raise InputError(f"role {role!r}; expected <family>-<seed> with a family of {', '.join(FAMILIES)}")
        return parts[1], int(parts[2])

    def family(self, role: str) -> str:
        """Family of a role."""
        return self.role(role)[0]

    def architecture_of(self, role: str) -> str:
        """The architecture of a role's network."""
        return (self.family(role) in JUDGING and self.baseline_architecture) or self.architecture

    def masking_of(self, role: str) -> str:
        """How the inputs of a role's network are masked."""
        return (self.family(role) in JUDGING and self.baseline_masking) or self.masking

    def model_of(self, role: str) -> str:
        """The given language model of a role: a folder or a name, "" of models trained here."""
        named = {"target": self.target_model, "other": self.other_judge}
        return named.get(self.family(role), self.baseline_model)

    def checkpoints_of(self, role: str) -> tuple[float | str, ...]:
        """Checkpoints at which a role's interactions are extracted: the epochs of a target, one for a baseline."""
        if self.model_of(role):
            return ("given",)
        if self.family(role) == "target":
            return self.checkpoints
        return (self.baseline_checkpoint if self.family(role) in ("baseline", "second") else "last",)

    def kept_checkpoints(self, role: str) -> tuple[float | str, ...]:
        """Checkpoints at which a role's network is kept: best and last, and the epochs of a target."""
        if self.model_of(role):
            return ("given",)
        return (*(self.checkpoints if self.family(role) == "target" else ()), "best", "last")

    @property
    def measured_epochs(self) -> tuple[int, ...]:
        """Epochs at which losses are measured, and from which the best is chosen: four in each octave, and the last one."""
        quarters = (round(2 ** (k / 4)) for k in range(4 * self.epochs.bit_length() + 1))  # of octaves
        return tuple(sorted({0, self.epochs, *(epoch for epoch in quarters if epoch <= self.epochs)}))

    # identity of what is computed
    def settings_of(self, stage: str, role: str = "", checkpoint: float | str = "") -> dict:
        """What an artefact of a stage depends on: settings that are not at their default, versions, the network.

        Parameters
        ----------
        stage
            One of `BEHIND`: split, samples, training or answers (of a role), values or interactions (of a role at a
            checkpoint).
        role, checkpoint
            The network, and when.
        """
        settings = self._changed(SECTION_OF[name] for name in BEHIND[stage] if name in SECTION_OF)
        penalised = (*BEHIND["interactions"], "penalty") if role.startswith("penalty-") else ()
        settings["versions"] = {name: VERSIONS[name] for name in (*BEHIND[stage], *penalised)}
        if self.cut_at and "values" in BEHIND[stage]:
            settings["cut"] = self.cut_at
        if files := files_of(self.init):
            settings["files"] = files
        if self.before and stage == "samples":
            settings["before"] = self.before.settings_of("split")  # the vocabulary decides on the prompts
        if role:
            settings |= self._network(role, checkpoint)
        return settings

    def key(self, stage: str, role: str = "", checkpoint: float | str = "") -> str:
        """Ten hex digits that change whenever something changes that an artefact depends on, and only then."""
        return key_of(self.settings_of(stage, role, checkpoint))

    def _network(self, role, checkpoint):
        """What a role's network depends on beyond the settings of its stage."""
        family, seed = self.role(role)
        settings = {"architecture": self.architecture_of(role), "family": family, "seed": seed}
        settings |= {name: getattr(self, name) for name in ARMS.get(family, ())}
        if self.before:
            start = {"from": self.starts_from(role)}
            settings["before"] = self.before.settings_of("training", role) | start
        if family == "baseline":
            settings["baseline_on"] = self.baseline_on
        if self.model_of(role):
            settings |= {"model": self.model_of(role), "masking": self.masking_of(role)}
            if files := files_of(self.model_of(role)):
                settings["model files"] = files
            settings |= {"untrained": True} if self.untrained else {}
        if checkpoint == "":
            return settings | ({"checkpoints": list(self.checkpoints)} if family == "target" else {})
        return settings | {"checkpoint": checkpoint if isinstance(checkpoint, str) else float(checkpoint)}

    def _changed(self, sections):
        """Settings of some sections that are not at their default: to add one makes nothing stale."""
        names = {name for section in sections for name in section.model_fields}
        return self.model_dump(include=names, exclude_defaults=True)

    def digest(self) -> str:
        """Ten hex digits of all the settings that can change a result."""
        return key_of(self._changed(section for section in SECTIONS if section is not Places))

    # what follows from settings
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

    # folders
    @property
    def runs_dir(self) -> Path:
        """Folder of this study's artefacts."""
        return project_root() / self.runs_root / self.name

    @property
    def figures_dir(self) -> Path:
        """Folder of this study's figures; settings that differ from the file's get a folder of their own."""
        as_filed = self.name not in study_names() or Study.load(self.name).digest() == self.digest()
        return project_root() / self.figures_root / (self.name + ("" if as_filed else f"+{self.digest()[:6]}"))

    @property
    def data_dir(self) -> Path:
        """Where data are looked for: data_root, else $SYMGEN_DATA, else data/, which holds the sets that are embedded."""
        elsewhere = "" if self.dataset in EMBEDDED_SETS else os.environ.get("SYMGEN_DATA")
        return project_root() / Path(self.data_root or elsewhere or "data").expanduser()
