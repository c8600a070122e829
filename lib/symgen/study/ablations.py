"""The studies behind the ablations: the same study with one setting changed at a time, and other families of judges."""

from symgen.errors import InputError
from symgen.generalization import folded, unmerged
from symgen.study._checks import SMALLEST
from symgen.study.settings import Study, roles_of

STRONGEST = 50  # interactions of a sample, where salience is a matter of rank
FEWER = "as it is, fewer samples"  # what stands beside whatever changes the interactions
SCALED = {"tau_ratio": "threshold of salience", "phase_ratio": "ratio r of the phases", "noise_bound": "noise bound",
          "ridge": "ridge"}  # fmt: skip


def variants(study: Study) -> dict[str, Study]:
    """Studies by what is changed in them, the first with nothing changed.

    What only changes the analysis or the judges stands on all samples that are followed through training, what changes the
    interactions on a few of each class. They differ in how the same networks are looked at, so nothing is trained again but
    where the baselines are others.
    """
    if not study.ablation_per_class:
        raise InputError(f"ablation_per_class = 0 in study {study.name!r}; expected at least 1 for ablations")
    every, few = study.dynamics, _few(study)
    judged = {"as it is": {}} | _scaled(study, "tau_ratio", "phase_ratio")
    judged["generalizes to all"] = {"generalizes_to": "all"}
    judged["baselines at the end"] = {"baseline_checkpoint": "last"}
    judged["baselines on D"] = {"baseline_on": "D"}
    changes = {FEWER: {}} | _scaled(study, "noise_bound", "ridge")
    changes |= {f"other variables, draw {seed}": {"variables_seed": study.variables_seed + seed} for seed in (1, 2)}
    changes |= {f"{n} variables": {"n_variables": n} for n in (6, 8) if n < study.n_variables}
    changes |= {f"masking {masking}": {"masking": masking} for masking in study.other_masking}
    if study.other_cut:
        changes[f"cut {study.other_cut}"] = {"cut": study.other_cut}
    if study.more_variables > study.n_variables:
        changes[f"{study.more_variables} variables"] = {"n_variables": study.more_variables} | _half_the_samples(few)
    looked_at = {name: every.replace(**change) for name, change in judged.items()}
    return looked_at | {name: few.replace(**change) for name, change in changes.items()}


def readings(study: Study) -> dict[str, dict]:
    """Other ways to read the same interactions, as `pipeline.compare` takes them.

    What is salient, by rank (Algorithm 1) and absolutely (Appendix M); sums of two variables as two effects of order 1;
    effects of order 1 as an AND and an OR, half each.
    """
    return {
        f"the {STRONGEST} strongest are salient": {"strongest": STRONGEST},
        f"absolute threshold of salience {study.tau_ratio:g}": {"tau": study.tau_ratio},
        "sums at order 1": {"rewrite": folded},
        "order 1 both as AND and as OR": {"rewrite": unmerged},
    }


def sizes(study: Study) -> dict[int, Study]:
    """The study with n = 6, 8, .. variables (claim B4), on the samples of the variant with the most of them."""
    few = _few(study)
    most = max(study.n_variables, study.more_variables)
    samples = _half_the_samples(few) if most > study.n_variables else {}
    return {n: few.replace(n_variables=n, **samples) for n in range(SMALLEST, most + 1, 2)}


def judges(study: Study) -> dict[str, tuple[Study, tuple[str, ...]]]:
    """Families of baselines by name: the study and the roles that hold their interactions on the same samples."""
    families = {
        "B": (study, study.baselines),
        "C": (study, study.second),
        "D": (study.replace(baseline_on="D"), study.baselines),
        "shuffled labels": (study, study.shuffled),
    }
    return {name: family for name, family in families.items() if family[1]}


def many_baselines(study: Study) -> tuple[str, ...]:
    """Roles of the study's baselines and of those added to see how many are needed."""
    return study.baselines + roles_of("baseline", study.more_baseline_seeds)


def judges_at_end(study: Study) -> tuple[Study, tuple[tuple[str, ...], tuple[str, ...]]] | None:
    """The control of F2, F3b and F3e: the study with its judges at the end of their training, and who they are.

    As many of both: baselines, and networks trained on shuffled labels; None without ablations or such networks.
    """
    if not (study.ablation_per_class and study.shuffled):
        return None
    k = min(len(study.baselines), len(study.shuffled))
    return study.replace(baseline_checkpoint="last"), (study.baselines[:k], study.shuffled[:k])


def many_judges_at_end(study: Study) -> tuple[Study, tuple[tuple[str, ...], tuple[str, ...]]] | None:
    """`judges_at_end` with all judges of both kinds, to choose from; None where those of shuffled labels are too few."""
    if len(study.shuffled) <= len(study.baselines):
        return None
    at_end, _ = judges_at_end(study)
    return at_end, (many_baselines(study), study.shuffled)


def requirements(study: Study) -> list[tuple[Study, str, tuple[float | str, ...]]]:
    """What the ablations need extracted, as (study, role, checkpoints); some of it more than once."""
    changed = variants(study)
    without_noise = changed[FEWER].replace(noise_bound=0.0)  # of the untrained network's spindle
    groups = [(variant, (study.targets[0], *study.baselines)) for variant in changed.values()]
    groups += [(study, many_baselines(study)), (study.dynamics, many_baselines(study)), *judges(study).values()]
    if many := many_judges_at_end(study):
        at_end, kinds = many
        groups += [(whole, roles) for whole in (at_end, at_end.dynamics) for roles in kinds]
    whole = [(variant, role, variant.checkpoints_of(role)) for variant, roles in groups for role in roles]
    whole += [(sized, role, study.checkpoints[-1:]) for sized in sizes(study).values() for role in study.targets]
    return [*whole, (without_noise, study.targets[0], study.checkpoints[:1])]


def _scaled(study, *keys):
    """What is changed, by its name: each setting at half and at twice its value."""
    values = [(key, factor * getattr(study, key)) for key in keys for factor in (0.5, 2)]
    return {f"{SCALED[key]} {value:g}": {key: value} for key, value in values}


def _few(study):
    """The study on a few samples of each class."""
    return study.replace(explain_per_class=study.ablation_per_class)


def _half_the_samples(study):
    """Half the samples, for what costs many times as much."""
    if study.explain_per_class > 1:
        return {"explain_per_class": study.explain_per_class // 2}
    return {"explain_classes": (study.explain_classes + 1) // 2}
