# The map: which unit makes what. `make figures` is `symgen figures`, which is `snakemake --cores all` under a lock.
#
# Units are commands of the library (symgen train, symgen extract); a notebook is run by the project's own runner. The
# names of artefacts hold a key made of the settings behind them, so a changed setting asks for another file. A unit's
# output is an empty mark, not its artefacts: Snakemake clears the outputs of a job before it starts, and what a stopped
# unit had finished is to stay.
import os
import sys

sys.path.insert(0, str(workflow.basedir) + "/lib")
from symgen import layout, runner
from symgen.study import Study, project_root

STUDIES = config.get("studies", "fashion-vgg").split(",")
# what each notebook needs, and the figures that it makes
NOTEBOOKS = {
    "00_quickstart": ("nothing", ["fig01_explanation", "fig07_quickstart"]),
    "01_data_split": ("nothing", ["fig08_input_variables"]),
    "02_training": ("curves", ["fig06_losses"]),
    "03_extraction": ("interactions", ["fig07_matching", "figB_sparsity", "figB_conditions"]),
    "04_order_analysis": ("interactions", ["fig02_orders", "fig10_graded"]),
    "05_three_phase_dynamics": ("interactions", ["fig01_phases", "fig03_dynamics"]),
}


def local(path):
    return os.path.relpath(path, project_root())


def executed(name):
    return local(Study.load(name).runs_dir / "notebooks")


def made(name, notebook):
    """A notebook's executed copy, and its figures with their tables."""
    folder, figures = local(Study.load(name).figures_dir), NOTEBOOKS[notebook][1]
    return f"{executed(name)}/{notebook}.ipynb", [f"{folder}/{fig}.{kind}" for fig in figures for kind in ("png", "csv")]


rule all:
    input:
        [made(name, notebook) for name in STUDIES for notebook in NOTEBOOKS],


for name in STUDIES:
    study = Study.load(name)
    roles = study.targets + study.baselines
    needs = {
        "nothing": [],
        "curves": [local(layout.trained_mark(study, role)) for role in roles],
        "interactions": [local(layout.extracted_mark(study, role)) for role in roles],
    }
    for role in roles:

        rule:
            name: f"train_{name}_{role}"
            output:
                touch(local(layout.trained_mark(study, role))),
            params:
                study=name,
                role=role,
            threads: study.threads
            shell:
                "OMP_NUM_THREADS={threads} python -m symgen train {params.study} {params.role}"

        rule:
            name: f"extract_{name}_{role}"
            input:
                local(layout.trained_mark(study, role)),
            output:
                touch(local(layout.extracted_mark(study, role))),
            params:
                study=name,
                role=role,
            threads: study.threads
            shell:
                "OMP_NUM_THREADS={threads} python -m symgen extract {params.study} {params.role}"

    for notebook, (need, _) in NOTEBOOKS.items():

        rule:
            name: f"notebook_{name}_{notebook}"
            input:
                needs[need],
            output:
                made(name, notebook)[0],
                update(made(name, notebook)[1]),
            params:
                study=name,
                notebook=notebook,
                # a notebook is an input and, with its outputs, a result: only what it says decides whether it runs again
                source=runner.source_hash(runner.notebook_path(notebook)),
                settings=study.digest(),
            shell:
                "OMP_NUM_THREADS={threads} python -m symgen notebook {params.notebook} --study {params.study}"
