# The map: which unit makes what. `make figures` is `symgen figures`, which is `snakemake --cores all` under a lock.
#
# Units are commands of the library (symgen train, symgen extract); a notebook is run by the project's own runner. The
# names of artefacts hold a key made of the settings behind them, so a changed setting asks for another file. A unit's output is an empty mark, not its artefacts: Snakemake clears the outputs of a job before it starts,
# and what a stopped unit had finished is to stay. What a unit asks of a machine, and how long it is, its study decides: a
# cluster needs no more than a profile (profiles/).
import math
import os
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(workflow.basedir) + "/lib")
from symgen.report import runner
from symgen.report.readme import EMBEDDED
from symgen.store import checksum, project_root
from symgen.study import Study, arms, layout, variants
from symgen.study.resources import resources, units

LIBRARY = runner.library_hash()
STUDIES = config.get("studies", ",".join(EMBEDDED)).split(",")
VARIABLES = {"images": "fig08_input_variables", "texts": "fig09_input_variables"}
# what each notebook needs, and the figures that it makes
NOTEBOOKS = {
    "00_quickstart": ("nothing", ["fig01_explanation", "fig07_quickstart"]),
    "01_data_split": ("nothing", VARIABLES),
    "02_training": ("curves", ["fig06_losses"]),
    "03_extraction": ("interactions", ["fig07_matching", "figB_sparsity", "figB_conditions"]),
    "04_order_analysis": ("interactions", ["fig02_orders", "fig10_graded"]),
    "05_three_phase_dynamics": ("interactions", ["fig01_phases", "fig03_dynamics"]),
    "06_removal_loss": ("interactions", ["fig04_removal", "fig04_removal_dynamics"]),
    "07_penalty": ("penalty", ["figK_arms", "figK_power", "figK_orders", "figK_curve"]),
    "08_ablations": ("ablations", ["fig05_baselines", "fig05_orders", "fig05_judges", "fig05_sensitivity", "fig05_spindle"]),
    "09_language_models": ("interactions", ["fig07_prompt_1", "fig07_prompt_2", "fig11_orders"]),
    "10_fine_tuning": ("tuning", ["fig12_losses", "fig12_orders", "fig12_dynamics"]),
}
# prompts have notebooks of their own, and some of the others
PROMPTS = ("09_language_models", "10_fine_tuning")
SHARED = ("02_training", "05_three_phase_dynamics")  # what 04 says of orders, 09 says of prompts


def notebooks(study):
    if study.target_model:
        sys.exit(f"study {study.name!r} has models that are given: symgen notebook {PROMPTS[0]} --study {study.name}")
    without = {
        "07_penalty": not study.penalty_weight,
        "08_ablations": not study.ablation_per_class,
        "10_fine_tuning": not study.tuning_dataset,
    }
    own = PROMPTS + SHARED if study.modality == "prompts" else set(NOTEBOOKS) - set(PROMPTS)
    return [name for name in NOTEBOOKS if name in own and not without.get(name)]


def local(path):
    return os.path.relpath(path, project_root())


def as_yaml(settings):  # on one line; not JSON, whose 1e-05 is text to YAML
    return yaml.safe_dump(settings, default_flow_style=True, width=math.inf).strip()


def made(study, notebook):
    """A notebook's executed copy, and its figures with their tables."""
    executed, folder, figures = study.runs_dir / "notebooks", local(study.figures_dir), NOTEBOOKS[notebook][1]
    figures = [figures[study.modality]] if isinstance(figures, dict) else figures
    return local(executed / f"{notebook}.ipynb"), [f"{folder}/{fig}.{kind}" for fig in figures for kind in ("png", "csv")]


def trained(study, roles):
    return [local(layout.trained_mark(study, role)) for role in roles]


def extracted(study, roles):
    return [local(layout.extracted_mark(study, role, which)) for own, which in units(study, roles) for role in own]


FIGURES = local(Study.load(STUDIES[0]).figures_dir.parent)
# the tables of other studies, which stand among the claims as well
BESIDE = [checksum(path) for path in sorted(Path(FIGURES).glob("*/*.csv")) if path.parent.name not in STUDIES]


rule all:
    input:
        [made(study, notebook) for study in map(Study.load, STUDIES) for notebook in notebooks(study)],
        f"{FIGURES}/claims.png",


for name in STUDIES:
    study = Study.load(name)
    roles = study.targets + study.baselines
    judging = variants.judging(study)  # further networks, trained once for all that asks for them
    further = {  # the first ones serve the others
        "ablations": lambda: variants.units(study),
        "penalty": lambda: arms.units(study),
        "tuning": lambda: ([], [(study.tuned, (role,)) for role in roles]),
    }
    asked = {NOTEBOOKS[notebook][0] for notebook in notebooks(study)}
    extra = {kind: made_of() for kind, made_of in further.items() if kind in asked}
    needs = {
        "nothing": [],
        "curves": trained(study, roles),
        "interactions": extracted(study, roles),
    } | {
        kind: extracted(study, roles) + [mark for unit in first + others for mark in extracted(*unit)]
        for kind, (first, others) in extra.items()
    }
    for role in roles + judging:

        rule:
            name: f"train_{name}_{role}"
            output:
                touch(trained(study, [role])),
            params:
                study=name,
                role=role,
            threads: study.threads
            resources:
                **resources(study, (role,)),
            shell:
                "OMP_NUM_THREADS={threads} python -m symgen train {params.study} {params.role}"

    # what is extracted: the rule's name, the study as it is or with other settings, its roles, and what comes before
    work = [(f"extract_{name}_{role}", study, (role,), trained(study, [role])) for role in roles]
    for kind, (first, others) in extra.items():
        judges = trained(study, roles + judging)
        after = judges + [mark for unit in first for mark in extracted(*unit)]
        for number, unit in enumerate(first + others):
            work.append((f"{kind}_{name}_{number}", *unit, judges if number < len(first) else after))

    made_so_far = set()  # nothing is made by two rules
    for label, other, own, before in work:
        own = tuple(role for role in own if made_so_far.isdisjoint(extracted(other, (role,))))
        made_so_far.update(extracted(other, own))
        for part, (own, which) in enumerate(units(other, own)):

            rule:
                name: f"{label}_{part}" if part else label
                input:
                    before,
                output:
                    touch([local(layout.extracted_mark(other, role, which)) for role in own]),
                params:
                    study=name,
                    roles=own,
                    how=["--tuned"] if other.before else ["--overrides", as_yaml(other.changes())],
                    which=[] if which == slice(None) else ["--checkpoints", f"{which.start}:{which.stop}"],
                threads: study.threads
                resources:
                    **resources(other, own, which),
                shell:
                    "OMP_NUM_THREADS={threads} python -m symgen extract {params.study} {params.roles}"
                    " {params.how:q} {params.which}"

    for notebook in notebooks(study):

        rule:
            name: f"notebook_{name}_{notebook}"
            input:
                needs[NOTEBOOKS[notebook][0]],
            output:
                made(study, notebook)[0],
                report(update(made(study, notebook)[1]), category=name, subcategory=notebook),
            params:
                study=name,
                notebook=notebook,
                # a notebook is an input and, with its outputs, a result: only what it says decides whether it runs again
                source=runner.source_hash(runner.notebook_path(notebook)),
                code=LIBRARY,
                settings=study.digest(),
            resources:  # 00 trains a small network of its own
                **resources(study, ()) | {"runtime": lambda wildcards, attempt: 120 * attempt},
            shell:
                "OMP_NUM_THREADS={threads} python -m symgen notebook {params.notebook} --study {params.study}"


rule claims:
    input:
        [made(study, notebook)[0] for study in map(Study.load, STUDIES) for notebook in notebooks(study)],
    output:
        local(Study.load(STUDIES[0]).runs_dir / "notebooks" / "11_claims.ipynb"),
        report(
            update([f"{FIGURES}/{fig}.{kind}" for fig in ("claims", "dynamics") for kind in ("png", "csv")]), category="claims"
        ),
    params:
        study=STUDIES[0],
        beside=BESIDE,
        source=runner.source_hash(runner.notebook_path("11_claims")),
        code=LIBRARY,
    shell:
        "python -m symgen notebook 11_claims --study {params.study}"
