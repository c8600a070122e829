"""The command line: `symgen train|extract|notebook|figures|readme`, the units that the Snakefile calls."""

import argparse
import signal
import sys

from symgen.errors import InputError


def main(arguments: list[str] | None = None) -> int:
    """Run one unit; exit code 0, or 1 with one line on standard error for whatever the user can mend."""
    parser = _parser()
    options, options.further = parser.parse_known_args(arguments)
    if options.further and options.run is not _figures:
        parser.error(f"unrecognized arguments: {' '.join(options.further)}")
    _on_signals(signal.default_int_handler)  # all leave by KeyboardInterrupt, so that kernels end, too
    try:
        return options.run(options) or 0
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what is finished is kept", file=sys.stderr)
        return 130


def _on_signals(handler):
    """Handle the signals that end a run, but those that whoever started it wants ignored (nohup, &)."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def _parser():
    parser = argparse.ArgumentParser(prog="symgen", description="Units of the study.")
    commands = parser.add_subparsers(required=True, metavar="train | extract | notebook | figures | readme")

    train = commands.add_parser("train", help="train the networks of roles")
    extract = commands.add_parser("extract", help="extract the interactions of roles at their checkpoints")
    for command, run in ((train, _train), (extract, _extract)):
        command.add_argument("study", help="name of a file in studies/, such as fashion-vgg")
        command.add_argument("--tuned", action="store_true", help="fine-tuned networks, on the study's other domain")
        command.add_argument("roles", nargs="+", metavar="role", help="<family>-<seed>, such as target-11")
        command.set_defaults(run=run)
    extract.add_argument(
        "--checkpoints", type=_range, default=slice(None), metavar="a:b", help="those at positions a to b - 1 alone"
    )

    notebook = commands.add_parser("notebook", help="execute a notebook through papermill")
    notebook.add_argument("name", help="such as 05_three_phase_dynamics")
    notebook.add_argument("--study", help="default: the notebook's own")
    notebook.set_defaults(run=_notebook)

    figures = commands.add_parser(
        "figures", help="everything: what `make figures` calls; further words go to snakemake"
    )
    figures.set_defaults(run=_figures)
    readme = commands.add_parser("readme", help="write the results of the last run into README.md")
    readme.set_defaults(run=_readme)
    for command in (train, extract, notebook):
        command.add_argument(
            "--overrides", default="", metavar="YAML", help="settings put over the study's: '{epochs: 3}'"
        )
    return parser


def _range(text):
    first, last = map(int, text.split(":"))
    return slice(first, last)


def _study(options):
    from symgen.study import Study

    study = Study.load(options.study, options.overrides)
    return study.tuned if options.tuned else study


def _train(options):
    from symgen.study import ensure_training

    study = _study(options)
    for role in options.roles:
        ensure_training(study, role, verbose=True)


def _extract(options):
    from symgen.study import ensure_interactions

    study = _study(options)
    for role in options.roles:
        for checkpoint in study.checkpoints_of(role)[options.checkpoints]:
            ensure_interactions(study, role, checkpoint, progress=True)


def _notebook(options):
    from papermill.exceptions import PapermillExecutionError

    from symgen.interactions import prepare
    from symgen.report import run_notebook
    from symgen.study import read_overrides

    prepare()
    try:
        print(f"wrote {run_notebook(options.name, options.study, read_overrides(options.overrides)).name}")
    except PapermillExecutionError as error:
        raise InputError(f"{options.name} failed, see its .failed.ipynb: {error.ename}: {error.evalue}") from None


def _figures(options):
    """Snakemake under a lock that dies with its holder: a run that was killed does not stand in the next one's way."""
    import fcntl
    import os
    import subprocess

    from symgen.interactions import prepare
    from symgen.store import project_root

    prepare()
    runs = project_root() / "data" / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    with open(runs / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                "another run is at work in this folder (data/runs/.lock); wait for it, or stop it"
            ) from None
        path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"  # the jobs' python is this one
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "--nolock",
            "--quiet",
            "rules",
            "--rerun-incomplete",
            "--keep-going",
        ]
        said = {word.split("=")[0] for word in options.further}
        elsewhere = said & {"--cores", "-c", "--profile", "--executor", "-e"}  # a cluster has more cores than this
        further = options.further if elsewhere else ["--cores", "all", *options.further]
        environment = os.environ | {"PATH": path}
        # in a process group of its own, which a signal reaches as a whole: the jobs end, and then Snakemake
        ran = subprocess.Popen(
            [*command, *further], cwd=project_root(), env=environment, pass_fds=[lock.fileno()], process_group=0
        )
        _on_signals(lambda number, _: os.killpg(ran.pid, number))
        return ran.wait()


def _readme(options):
    from symgen.report import update_readme

    print("README.md: " + ("its numbers are those of the last run now" if update_readme() else "up to date"))


if __name__ == "__main__":
    sys.exit(main())
