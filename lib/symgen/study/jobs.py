"""What a study asks of machines: jobs, each some networks with all that is looked at in them, trained and extracted."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from symgen.errors import InputError
from symgen.store import FORMAT, key_of
from symgen.study import ablations, arms
from symgen.study.networks import ensure_penalised_effects, ensure_training
from symgen.study.pipeline import ensure_interactions
from symgen.study.samples import as_penalised, ensure_samples, given_prompts
from symgen.study.settings import OTHER, Study

PROMPT_NOTEBOOKS = ("09_language_models", "10_fine_tuning")  # notebooks of prompts
SHARED_NOTEBOOKS = ("02_training", "05_three_phase_dynamics")  # of all data; what 04 says of orders, 09 says of prompts
OTHER_NOTEBOOKS = (
    "00_quickstart", "01_data_split", "03_extraction", "04_order_analysis", "06_removal_loss", "07_penalty", "08_ablations",
)  # fmt: skip
Look = tuple[Study, float | str]  # how the samples are looked at, and at which checkpoint


@dataclass
class Network:
    """A network of a study, and what is looked at in it: a study says how, a checkpoint when."""

    study: Study
    role: str
    looks: dict[str, Look] = field(default_factory=dict)  # by key of the interactions
    penalises: bool = False  # its interactions on the items that may be penalised are needed
    compared: bool = False  # what it makes of the testing data is needed

    def run(self, looks) -> None:
        """Train the network, if it is not trained yet, and extract some of what is asked for."""
        if not self.study.model_of(self.role):
            ensure_training(self.study, self.role)
        for study, checkpoint in looks:
            ensure_interactions(study, self.role, checkpoint)
        if self.penalises:
            ensure_penalised_effects(self.study, self.role)
        if self.compared:
            arms.ensure_answers(self.study, self.role)


@dataclass(frozen=True)
class Job:
    """Work for one process. `after`: names of the jobs whose networks it needs."""

    name: str
    work: tuple[tuple[Network, tuple[Look, ...]], ...]
    after: tuple[str, ...] = ()

    def run(self) -> None:
        """Do what is not on disk yet. Samples are drawn first: a part with too few of them is an error at once."""
        looked_at = {study.key("samples"): study for _, looks in self.work for study, _ in looks}
        for study in looked_at.values():
            ensure_samples(study)
        for network, looks in self.work:
            network.run(looks)


def jobs(study: Study) -> list[Job]:
    """The jobs of a study, each after those that it needs.

    A job trains and extracts `roles_per_job` networks. A network that is looked at in more than `checkpoints_per_job` ways
    has jobs of its own: the first one trains it, the others come after.
    """
    most = study.checkpoints_per_job or sys.maxsize
    networks, home, planned = networks_of(study), {}, []
    for keys in _groups(networks, study.roles_per_job, most):
        work = [(networks[key], tuple(networks[key].looks.values())) for key in keys]
        before = {home[needed] for network, _ in work for needed in _needs(network)}
        planned.append(_job([(network, looks[:most]) for network, looks in work], before))
        home |= dict.fromkeys(keys, planned[-1].name)
        network, looks = work[0]  # one with more looks is alone
        further = [looks[start : start + most] for start in range(most, len(looks), most)]
        planned += [_job([(network, part)], {*before, home[keys[0]]}) for part in further]
    return planned


def networks_of(study: Study) -> dict[str, Network]:
    """Every network that a study trains, by the key of its training, those first that others need."""
    networks = {}
    for wanted, role, checkpoints in _requirements(study):
        network = networks.setdefault(wanted.key("training", role), Network(wanted, role))
        for checkpoint in checkpoints:
            key = wanted.key("interactions", role, checkpoint)
            network.looks.setdefault(key, (wanted, checkpoint))
    for network in networks.values():
        if network.study.family(network.role) == "penalty":
            for base in network.study.baselines:
                networks[network.study.key("training", base)].penalises = True
    for setting, role in arms.compared(study) if "07_penalty" in notebooks(study) else ():
        networks[setting.key("training", role)].compared = True
    return networks


def notebooks(study: Study) -> list[str]:
    """The notebooks of a study: those of its kind of data, but for what its settings leave out."""
    left_out = {
        "07_penalty": not study.penalty_weight,
        "08_ablations": not study.ablation_per_class,
        "10_fine_tuning": not (study.tuning_dataset or study.tunes_given),
    }
    if study.target_model:
        of_its_kind = ["09_language_models"]
    elif study.tunes_given:
        of_its_kind = ["10_fine_tuning"]
    else:
        of_its_kind = [*SHARED_NOTEBOOKS, *(PROMPT_NOTEBOOKS if study.modality == "prompts" else OTHER_NOTEBOOKS)]
    return sorted(name for name in of_its_kind if not left_out.get(name))


def job_named(study: Study, name: str) -> Job:
    """A job of a study by its name."""
    by_name = {job.name: job for job in jobs(study)}
    if name not in by_name:
        raise InputError(f"study {study.name!r} has no job {name!r}; there are: {', '.join(by_name)}")
    return by_name[name]


def _requirements(study) -> Iterator[tuple[Study, str, tuple[float | str, ...]]]:
    """All that the notebooks of a study look at, as (study, role, checkpoints)."""
    named = notebooks(study)
    everyone = study.targets + study.baselines
    yield from ((study.dynamics, role, study.checkpoints_of(role)) for role in everyone)
    if study.target_model:
        controls = study.controls.values()
        yield from ((control, role, control.checkpoints_of(role)) for control in controls for role in everyone)
    else:
        yield from ((study, role, study.ends) for role in study.targets)
        yield from ((study, role, study.checkpoints_of(role)) for role in study.baselines)
    if "06_removal_loss" in named:
        removal = study.removal
        yield from ((removal, role, removal.checkpoints[-1:]) for role in removal.targets)
        yield from ((removal, role, removal.checkpoints_of(role)) for role in removal.baselines)
    if "10_fine_tuning" in named:
        other = (OTHER,) if study.other_judge else ()
        yield from ((study.tuned, role, study.tuned.checkpoints_of(role)) for role in everyone + other)
    if judging := ablations.judges_at_end(study):
        at_end, families = judging
        for role in chain.from_iterable(families):
            yield from ((whole, role, at_end.checkpoints_of(role)) for whole in (at_end, at_end.dynamics))
    if "08_ablations" in named:
        yield from ablations.requirements(study)
    if "07_penalty" in named:
        yield from arms.requirements(study)


def _needs(network):
    """Keys of the networks without which one cannot be trained."""
    study, family = network.study, network.study.family(network.role)
    if study.before:
        return [study.before.key("training", network.role)]
    return [study.key("training", base) for base in study.baselines] if family in ("penalty", "distilled") else []


def _groups(networks, size, most):
    """Keys of networks that one job trains: as many as `size`, alike in whether they need others; alone if large."""
    large = {key for key, network in networks.items() if len(network.looks) > most}
    for needing in (False, True):
        keys = [key for key, network in networks.items() if bool(_needs(network)) == needing]
        yield from ([key] for key in keys if key in large)
        small = [key for key in keys if key not in large]
        yield from (small[start : start + size] for start in range(0, len(small), size))


def _settings(network, looks):
    """All that what a job makes of a network depends on."""
    study, role = network.study, network.role
    yield study.settings_of("training", role)
    for looked_at, checkpoint in looks:
        yield looked_at.settings_of("interactions", role, checkpoint) | given_prompts(looked_at)
    if network.penalises:
        few = as_penalised(study)
        yield few.settings_of("interactions", role, few.checkpoints_of(role)[-1])
    if network.compared:
        yield study.settings_of("answers", role)


def _job(work, after):
    first, further = work[0][0].role, f"+{len(work) - 1}" if len(work) > 1 else ""
    settings = [FORMAT, *chain.from_iterable(_settings(network, looks) for network, looks in work)]
    return Job(f"{first}{further}-{key_of(settings)}", tuple(work), tuple(sorted(after)))
