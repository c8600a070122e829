"""The jobs of a study: all that its notebooks look at, none of it twice, each after what it needs."""

import re

import pytest
import xarray as xr
from tiny_project import ALONE

from symgen import Study
from symgen.__main__ import main
from symgen.errors import InputError
from symgen.store import key_of
from symgen.study import VERSIONS, ablations, arms, jobs, notebooks, study_names
from symgen.study.jobs import Job
from symgen.study.settings import ARMS

NAMES = study_names()
TRAINED = ["fashion-vgg", "snippets-bert", "snippets-lm"]


def training(study, role):
    return key_of(study.settings_of("training", role))


def extraction(study, role, checkpoint):
    return key_of(study.settings_of("interactions", role, checkpoint))


def trainings(job):
    return [training(network.study, network.role) for network, _ in job.work]


def extractions(job):
    return [extraction(study, network.role, checkpoint) for network, looks in job.work for study, checkpoint in looks]


def looked_at(study):
    """What the notebooks read of networks, as (study, role, checkpoints), written down a second time."""
    yield from ((s, role, s.checkpoints_of(role)) for s, role in whole(study))
    if not study.target_model:
        yield from ((study, role, (study.checkpoints[0], study.checkpoints[-1])) for role in study.targets)
    if "06_removal_loss" in notebooks(study):
        yield from ((study.removal, role, (study.checkpoints[-1],)) for role in study.removal.targets)
    if "08_ablations" in notebooks(study):
        few = ablations.variants(study)[ablations.FEWER]
        yield few.replace(noise_bound=0.0), study.targets[0], study.checkpoints[:1]
        for sized in ablations.sizes(study).values():
            yield from ((sized, role, study.checkpoints[-1:]) for role in study.targets)
    if "07_penalty" in notebooks(study):
        for setting in arms.settings_of(study).values():
            for family in ("target", *[arm for arm in ARMS if arm != "plain"]):
                seeds = compared_seeds(setting, halved=family in ("decay", "dropout"))
                yield from ((setting, f"{family}-{seed}", ("last",)) for seed in seeds)
        for weight, (changed, _) in arms.curve(arms.settings_of(study)["all samples"]).items():
            family = "penalty" if weight else "target"
            yield from ((changed, f"{family}-{seed}", ("last",)) for seed in compared_seeds(study, halved=True))


def compared_seeds(study, halved=False):
    """Of the networks that are trained in each way; of some ways there are half as many, rounded up."""
    seeds = study.target_seeds[: study.arms_networks] if study.arms_networks else study.target_seeds
    return seeds[: (len(seeds) + 1) // 2] if halved else seeds


def whole(study):
    """What they read at every checkpoint of a role, as (study, role)."""
    roles = study.targets + study.baselines
    yield from ((study.dynamics, role) for role in roles)
    yield from ((study, role) for role in study.baselines)
    yield from ((control, role) for control in study.controls.values() for role in roles)
    if "06_removal_loss" in notebooks(study):
        yield from ((study.removal, role) for role in study.baselines)
    if "10_fine_tuning" in notebooks(study):
        yield from ((study.tuned, role) for role in (*roles, *(["other-0"] if study.other_judge else [])))
    if study.ablation_per_class:  # judges of shuffled labels, and as many others at their end
        at_end = study.replace(baseline_checkpoint="last")
        judges = [f"shuffled-{seed}" for seed in study.shuffled_seeds]
        if len(judges) <= len(study.baselines):
            judges += study.baselines[: len(judges)]
        else:  # all of both, for every choice of them
            judges += [f"baseline-{seed}" for seed in study.baseline_seeds + study.more_baseline_seeds]
        yield from ((each, role) for each in (at_end, at_end.dynamics) for role in judges)
    if "08_ablations" in notebooks(study):
        for variant in ablations.variants(study).values():
            yield from ((variant, role) for role in (study.targets[0], *study.baselines))
        for seed in study.baseline_seeds + study.more_baseline_seeds:
            yield from ((each, f"baseline-{seed}") for each in (study, study.dynamics))
        yield from ((study, f"second-{seed}") for seed in study.second_seeds)
        yield from ((study, f"shuffled-{seed}") for seed in study.shuffled_seeds)
        yield from ((study.replace(baseline_on="D"), role) for role in study.baselines)
    if "07_penalty" in notebooks(study):
        for setting in arms.settings_of(study).values():
            yield from ((setting, role) for role in setting.baselines)
            yield from ((setting, f"second-{seed}") for seed in setting.second_seeds)


@pytest.mark.parametrize("name", NAMES)
def test_every_study_has_jobs_each_after_those_that_it_names(name):
    planned = jobs(Study.load(name))
    done = set()
    for job in planned:
        assert set(job.after) <= done and job.work
        assert re.fullmatch(r"[a-z]+-\d+(\+\d+)?-[0-9a-f]{10}", job.name)  # a name of a file
        assert job.name not in done
        done.add(job.name)


@pytest.mark.parametrize("name", NAMES)
def test_all_that_notebooks_look_at_is_in_a_job_and_nothing_is_extracted_twice(name):
    study = Study.load(name)
    planned = [key for job in jobs(study) for key in extractions(job)]
    wanted = [
        extraction(s, role, checkpoint) for s, role, checkpoints in looked_at(study) for checkpoint in checkpoints
    ]
    assert len(set(planned)) == len(planned) and set(wanted) == set(planned)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_training_needs_is_trained_in_a_job_before(name):
    planned = jobs(Study.load(name))
    home = {}  # the job that trains a network: the first one in which it is
    for job in planned:
        for network, _ in job.work:
            study, role, family = network.study, network.role, network.study.family(network.role)
            needed = [training(study.before, role)] if study.before else []
            if family in ("penalty", "distilled"):
                needed += [training(study, base) for base in study.baselines]
            assert {home[key] for key in needed} <= set(job.after)
            first = home.setdefault(training(study, role), job.name)
            assert first == job.name or first in job.after  # further checkpoints, once it is trained


def test_who_judges_the_penalised_is_asked_about_the_items_that_may_be():
    study = Study.load("fashion-vgg")
    asked = {training(n.study, n.role) for job in jobs(study) for n, _ in job.work if n.penalises}
    assert asked == {training(s, base) for s in arms.settings_of(study).values() for base in study.baselines}
    assert not any(n.penalises for job in jobs(study.replace(penalty_weight=0.0)) for n, _ in job.work)


@pytest.mark.parametrize("stage", [stage for stage in VERSIONS if stage != "penalty"])
def test_a_raised_version_is_another_job_for_whoever_makes_what_it_is_of(stage, monkeypatch):
    study = Study.load("fashion-vgg")
    before = {job.name for job in jobs(study)}
    monkeypatch.setitem(VERSIONS, stage, VERSIONS[stage] + 1)
    changed = [job for job in jobs(study) if job.name not in before]
    if stage == "answers":
        assert changed == [job for job in jobs(study) if any(network.compared for network, _ in job.work)]
    else:
        assert len(changed) == len(before)


def test_other_penalised_variables_are_another_job_for_whoever_judges_the_penalised():
    study = Study.load("fashion-vgg")
    before = {job.name for job in jobs(study)}
    changed = [job for job in jobs(study.replace(penalty_variables=5)) if job.name not in before]
    assert 0 < len(changed) < len(before)
    assert all(
        job in changed for job in jobs(study.replace(penalty_variables=5)) if any(n.penalises for n, _ in job.work)
    )


@pytest.mark.parametrize("more", [0, 100])
def test_all_few_samples_are_the_same_networks(more):
    study = Study.load("fashion-vgg", {"ablation_per_class": 0})
    once = jobs(study.replace(few_shot_size=study.train_size + more, roles_per_job=1))
    assert len(once) == len(jobs(study.replace(few_shot_size=0, roles_per_job=1)))
    twice = jobs(study.replace(roles_per_job=1))
    judging = len(study.baselines) + len(study.second_seeds)
    trained = 4 * len(compared_seeds(study)) + 2 * len(compared_seeds(study, halved=True))
    assert len(ARMS) == 6 and len(twice) - len(once) == judging + trained


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize(("roles", "checkpoints"), [(1, 1), (3, 0), (3, 2), (1000, 0), (1000, 7)])
def test_jobs_divide_the_work_without_changing_it(name, roles, checkpoints):
    study = Study.load(name)
    whole = jobs(study.replace(roles_per_job=1, checkpoints_per_job=0))
    divided = jobs(study.replace(roles_per_job=roles, checkpoints_per_job=checkpoints))
    for contents in (trainings, extractions):
        assert {key for job in divided for key in contents(job)} == {key for job in whole for key in contents(job)}
    assert all(len(job.work) <= roles for job in divided)
    for job in divided:
        if checkpoints and len(job.work) == 1:
            assert len(extractions(job)) <= checkpoints
    if roles == 1 and not checkpoints:
        assert len(divided) == len({key for job in divided for key in trainings(job)})


def test_names_change_with_what_is_done_and_with_nothing_else():
    study = Study.load("fashion-vgg", {"roles_per_job": 1})

    def names(**changes):
        return {job.name for job in jobs(study.replace(**changes))}

    now = names()
    assert not names(learning_rate=0.1) & now and not names(ridge=0.7) & now
    assert names(threads=2) == names(runs_root="elsewhere") == names(bootstrap_draws=7) == now
    assert now < names(target_seeds=(*study.target_seeds, 99))
    moved = now - names(decay=0.7)
    assert moved and all(name.startswith("decay-") for name in moved)


def artefacts(study):
    """Every artefact by its path, datasets without the seconds that they took."""
    timed = ["seconds_values", "seconds_solving"]
    files = {path.relative_to(study.runs_dir): path for path in study.runs_dir.rglob("*.nc")}
    return {name: xr.load_dataset(path).drop_vars(timed, errors="ignore") for name, path in files.items()}


def test_work_divided_or_whole_makes_the_same_files(shared, tmp_path):
    study, made = Study.load("fashion-vgg", shared | ALONE | {"removal_per_class": 0}), []
    for roles, checkpoints, count in ((2, 0, 1), (1, 2, 3)):
        root = str(tmp_path / f"{count}")
        divided = study.replace(runs_root=root, roles_per_job=roles, checkpoints_per_job=checkpoints)
        planned = jobs(divided)
        assert len(planned) == count
        for job in planned:
            job.run()
        made.append(artefacts(divided))
    one, other = made
    assert len(one) == 10  # values and interactions, at four checkpoints of the target and one of the baseline
    assert one.keys() == other.keys() and all(one[name].identical(other[name]) for name in one)


def test_a_job_is_done_by_its_name(monkeypatch, capsys):
    study, done = Study.load("fashion-vgg"), []
    name = jobs(study)[0].name
    monkeypatch.setattr(Job, "run", lambda job: done.append(job.name))
    assert main(["work", "fashion-vgg", name]) == 0 and done == [name]
    assert main(["work", "fashion-vgg", "target-11"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: study 'fashion-vgg' has no job 'target-11'; there are: ") and name in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_study_has_the_notebooks_of_its_data_but_for_what_it_leaves_out(name):
    study = Study.load(name)
    prompts, named = study.modality == "prompts", notebooks(study)
    assert ("09_language_models" in named) == (prompts and not study.tunes_given)
    assert ("07_penalty" in named) == (not prompts and study.penalty_weight > 0)
    assert ("08_ablations" in named) == (not prompts and study.ablation_per_class > 0)
    assert ("10_fine_tuning" in named) == (bool(study.tuning_dataset) or study.tunes_given)
    assert ("05_three_phase_dynamics" in named) == (not study.target_model and not study.tunes_given)


def test_samples_that_a_part_does_not_hold_are_an_error_before_anything_is_trained(tiny):
    study = Study.load("fashion-vgg", tiny | {"removal_per_class": 60})
    message = r"60 samples of a class; part A has 10 of class \d .* \(explain_per_class, removal_per_class, "
    with pytest.raises(InputError, match=message):
        jobs(study)[0].run()
    assert not list(study.runs_dir.glob("target-*"))


def test_what_notebook_08_asks_is_not_asked_of_the_few_variables_that_are_penalised():
    study = Study.load("fashion-vgg", {"more_variables": 1, "penalty_variables": 5})
    assert {job.name for job in jobs(study)} != {job.name for job in jobs(study.replace(penalty_variables=6))}
