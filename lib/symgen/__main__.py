"""The command line: `symgen train|extract|notebook|readme`, the units that the Snakefile calls."""

import argparse
import sys

from symgen.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Run one unit; exit code 0, or 1 with one line on standard error for whatever the user can mend."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what is finished is kept", file=sys.stderr)
        return 130
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="symgen", description="Units of the study.")
    commands = parser.add_subparsers(required=True, metavar="train | extract | notebook | readme")

    train = commands.add_parser("train", help="train the network of a role")
    extract = commands.add_parser("extract", help="extract the interactions of a role at all its checkpoints")
    for command, run in ((train, _train), (extract, _extract)):
        command.add_argument("study", help="name of a file in studies/, such as fashion-vgg")
        command.add_argument("role", help="<family>-<seed>, such as target-11 or baseline-21")
        command.set_defaults(run=run)

    notebook = commands.add_parser("notebook", help="execute a notebook through papermill")
    notebook.add_argument("name", help="such as 05_three_phase_dynamics")
    notebook.add_argument("--study", help="default: the notebook's own")
    notebook.set_defaults(run=_notebook)

    readme = commands.add_parser("readme", help="write the results of the last run into README.md")
    readme.set_defaults(run=_readme)
    for command in (train, extract, notebook):
        command.add_argument(
            "--overrides", default="", metavar="YAML", help="settings put over the study's: '{epochs: 3}'"
        )
    return parser


def _study(options):
    from symgen.study import Study

    return Study.load(options.study, options.overrides)


def _train(options):
    from symgen.pipeline import ensure_training

    ensure_training(_study(options), options.role, verbose=True)


def _extract(options):
    from symgen.pipeline import ensure_interactions

    study = _study(options)
    for checkpoint in study.checkpoints_of(options.role):
        ensure_interactions(study, options.role, checkpoint, progress=True)


def _notebook(options):
    import yaml
    from papermill.exceptions import PapermillExecutionError

    from symgen.runner import run_notebook

    overrides = yaml.safe_load(options.overrides) if options.overrides else None
    try:
        print(f"wrote {run_notebook(options.name, options.study, overrides).name}")
    except PapermillExecutionError as error:
        raise InputError(f"{options.name} failed, see its .failed.ipynb: {error.ename}: {error.evalue}") from None


def _readme(options):
    from symgen.report import update_readme

    print("README.md: " + ("its numbers are those of the last run now" if update_readme() else "up to date"))


if __name__ == "__main__":
    sys.exit(main())
