"""The command line: `symgen --help` lists its commands."""

import os
import signal
import sys
from typing import Annotated

import typer

from symgen.errors import InputError, handle_signals

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of a file in studies/, such as fashion-vgg.")]
Roles = Annotated[list[str], typer.Argument(help="Networks, <family>-<seed>, such as target-11.")]
Overrides = Annotated[str, typer.Option(metavar="YAML", help="Settings put over the study's: '{tau_ratio: 0.1}'.")]
Tuned = Annotated[bool, typer.Option(help="Fine-tuned networks, on the study's other domain.")]


def main(arguments: list[str] | None = None) -> int:
    """Run a command; exit code 0, or 1 with one line on standard error for whatever the user can mend."""
    handle_signals(signal.default_int_handler)  # all leave by KeyboardInterrupt, so that kernels end, too
    try:
        return app(arguments, standalone_mode=False) or 0
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted; what is finished is kept", file=sys.stderr)
        return 130
    except Exception as error:
        if not hasattr(error, "show"):
            raise
        error.show()  # a word of the command line that is unknown, or missing
        return error.exit_code


@app.command(context_settings={"ignore_unknown_options": True})
def figures(
    words: Annotated[list[str], typer.Argument(metavar="STUDY... OPTIONS", help="Default: fashion-vgg.")] = (),
) -> int:
    """Make everything of some studies: networks, interactions, notebooks, figures. Further words go to snakemake.

    symgen figures fashion-vgg --cores 2; symgen figures cifar10-vgg11 --profile profiles/slurm
    """
    from symgen.report import make_figures

    return make_figures(list(words))


@app.command()
def notebook(
    name: Annotated[str, typer.Argument(help="Its number or name: 05, or 05_three_phase_dynamics.")],
    study: Annotated[str, typer.Option(help="Default: the notebook's own.")] = "",
    overrides: Overrides = "",
) -> None:
    """Execute a notebook through papermill."""
    from symgen.report import execute
    from symgen.study import read_overrides
    from symgen.timing import stage, started

    given = {"study": study, "overrides": read_overrides(overrides)}
    started()
    with stage("notebooks"):
        written = execute(name, {key: value for key, value in given.items() if value})
        print(f"wrote {os.path.relpath(written)}")


@app.command()
def train(study: Name, roles: Roles, overrides: Overrides = "", tuned: Tuned = False) -> None:
    """Train the networks of roles."""
    from symgen.study import pipeline

    settings = _study(study, overrides, tuned)
    for role in roles:
        pipeline.ensure_training(settings, role)


@app.command()
def extract(study: Name, roles: Roles, overrides: Overrides = "", tuned: Tuned = False) -> None:
    """Extract the interactions of roles at all their checkpoints; train what is not trained yet."""
    from symgen.study import pipeline

    settings = _study(study, overrides, tuned)
    for role in roles:
        for checkpoint in settings.checkpoints_of(role):
            pipeline.ensure_interactions(settings, role, checkpoint)


@app.command(hidden=True)
def work(study: Name, job: str) -> None:
    """Do one job of a study: what the map calls."""
    from symgen.study import Study, job_named
    from symgen.timing import stage, started

    todo = job_named(Study.load(study), job)
    started()
    with stage("reading and writing"):
        todo.run()


@app.command()
def readme() -> None:
    """Write the results of the last run into README.md and docs/, and draw the README's picture."""
    from symgen.report import update_readme

    print("README.md, docs: " + ("their numbers are those of the last run now" if update_readme() else "up to date"))


@app.command()
def explorer(
    studies: Annotated[list[str], typer.Argument(help="Default: those with data of the project that were run.")] = (),
) -> None:
    """Make figures/explorer.html, a page that shows a network's interactions at every checkpoint, of studies that were run.

    symgen explorer fashion-vgg snippets-lm
    """
    from symgen.report import studies_to_show, write_explorer

    path = write_explorer(chosen := studies_to_show(list(studies)))
    print(
        f"wrote {os.path.relpath(path)}: {', '.join(study.name for study in chosen)}, {path.stat().st_size / 1000:.0f} kB"
    )


def _study(name, overrides, tuned):
    from symgen.study import Study

    study = Study.load(name, overrides)
    return study.tuned if tuned else study


if __name__ == "__main__":
    sys.exit(main())
