# The map: which job makes what. `make figures` is `symgen figures`, which is `snakemake --cores all` under a lock.
# The jobs of a study are a table (symgen.study.jobs): each trains and extracts some networks; notebooks come after them.
# A job's name holds a key of its settings; its output is an empty mark that it is done: the library keeps what it made.
import re
from pathlib import Path

from symgen.interactions import prepare
from symgen.report import DEFAULT, is_whole, library_hash, notebook_path, source_hash
from symgen.store import checksum
from symgen.study import Study, jobs, notebooks

STUDIES = {name: Study.load(name) for name in str(config.get("studies", DEFAULT)).split(",")}
JOBS = {name: {job.name: job for job in jobs(study)} for name, study in STUDIES.items()}
FIRST = next(iter(STUDIES))
FIGURES = STUDIES[FIRST].figures_dir.parent  # where the tables of other studies stand among the claims as well
LIBRARY = library_hash()  # a notebook runs again when the library changes
DONE = "{root}/{study}/done/"  # beside what the study keeps
RUN = "OMP_NUM_THREADS={threads} python -m symgen "


wildcard_constraints:
    root="|".join({re.escape(study.runs_root) for study in STUDIES.values()}),
    study="|".join(map(re.escape, STUDIES)),
    notebook=r"\d\d_\w+",


def done(study, names):
    return [DONE.format(root=STUDIES[study].runs_root, study=study) + name for name in names]


# a notebook runs again when one of its figures was deleted; jobs, which read this file as well, leave the marks alone
for name, study in STUDIES.items() if workflow.is_main_process else ():
    for notebook in [*notebooks(study), "11_claims"]:
        if not is_whole(study, notebook):
            Path(*done(name, [f"{notebook}.notebook"])).unlink(missing_ok=True)


onstart:  # once, where there is something to do: jobs side by side would all compile the solver
    prepare()


rule all:
    input: done(FIRST, ["11_claims.notebook"])


rule job:
    input: lambda to: done(to.study, [f"{name}.job" for name in JOBS[to.study][to.job].after])
    output: touch(DONE + "{job}.job")
    threads: lambda to: STUDIES[to.study].threads
    resources:
        gpu=lambda to: int(STUDIES[to.study].device.startswith("cuda")),
    shell: RUN + "work {wildcards.study} {wildcards.job}"


rule notebook:
    input: lambda to: done(to.study, [f"{name}.job" for name in JOBS[to.study]])
    output: touch(DONE + "{notebook}.notebook")
    params:  # a notebook is an input and, with its outputs, a result: only what it says decides whether it runs again
        source=lambda to: source_hash(notebook_path(to.notebook)),
        settings=lambda to: STUDIES[to.study].digest(),
        library=LIBRARY,
    shell: RUN + "notebook {wildcards.notebook} --study {wildcards.study}"


rule claims:
    input: [done(name, [f"{notebook}.notebook" for notebook in notebooks(study)]) for name, study in STUDIES.items()]
    output: touch(done(FIRST, ["11_claims.notebook"]))
    params:
        source=source_hash(notebook_path("11_claims")),
        beside=[checksum(path) for path in sorted(FIGURES.glob("*/*.csv")) if path.parent.name not in STUDIES],
        library=LIBRARY,
    shell: RUN + f"notebook 11_claims --study {FIRST}"


ruleorder: claims > notebook
