# The map: which unit makes what. `make figures` is `snakemake --cores all`.
#
# Units are commands of the library (symgen train, symgen extract); a notebook is run by the project's own runner. The
# names of artefacts hold a key made of the settings behind them, so a changed setting asks for another file.
import sys

sys.path.insert(0, str(workflow.basedir) + "/lib")
from symgen import layout, runner
from symgen.study import Study, project_root

STUDIES = config.get("studies", "fashion-vgg").split(",")
NOTEBOOKS = [
    "00_quickstart",
    "01_data_split",
    "02_training",
    "03_extraction",
    "04_order_analysis",
    "05_three_phase_dynamics",
]

envvars:
    "PATH",


def local(path):
    return str(path.relative_to(project_root()))


def trained(study):
    return [local(layout.curves_path(study, role)) for role in study.targets + study.baselines]


def extracted(study):
    roles = study.targets + study.baselines
    return [local(layout.interactions_path(study, role, c)) for role in roles for c in study.checkpoints_of(role)]


NEEDS = {"00": lambda study: [], "01": lambda study: [], "02": trained}


rule all:
    input:
        expand("data/runs/{study}/notebooks/{notebook}.ipynb", study=STUDIES, notebook=NOTEBOOKS),


for name in STUDIES:
    study = Study.load(name)
    for role in study.targets + study.baselines:

        rule:
            name: f"train_{name}_{role}"
            output:
                local(layout.curves_path(study, role)),
                [local(layout.weights_path(study, role, c)) for c in layout.kept_checkpoints(study, role)],
            params:
                study=name,
                role=role,
            threads: study.threads
            shell:
                "OMP_NUM_THREADS={threads} python -m symgen train {params.study} {params.role}"

        rule:
            name: f"extract_{name}_{role}"
            input:
                local(layout.curves_path(study, role)),
            output:
                [local(layout.interactions_path(study, role, c)) for c in study.checkpoints_of(role)],
            params:
                study=name,
                role=role,
            threads: study.threads
            shell:
                "OMP_NUM_THREADS={threads} python -m symgen extract {params.study} {params.role}"


rule notebook:
    input:
        lambda wildcards: NEEDS.get(wildcards.notebook[:2], extracted)(Study.load(wildcards.study)),
    output:
        "data/runs/{study}/notebooks/{notebook}.ipynb",
    params:
        # a notebook is an input and, with its outputs, a result: only what it says decides whether it runs again
        source=lambda wildcards: runner.source_hash(runner.notebook_path(wildcards.notebook)),
        settings=lambda wildcards: Study.load(wildcards.study).digest(),
    shell:
        "OMP_NUM_THREADS={threads} python -m symgen notebook {wildcards.notebook} --study {wildcards.study}"
