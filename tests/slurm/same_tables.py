"""The same tables, byte for byte, from this machine alone and through a real Slurm on it.

    python tests/slurm/same_tables.py

A tiny study is run twice, each time in a copy of the project: as `make figures` does it, and by jobs of a Slurm that is
started here for that long (Debian's slurmctld and slurmd, as root) and stopped again. Then every table and figure of one
copy is compared with that of the other. Exit code 0 if they are the same, or if there is no Slurm, and it says so.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

import tiny_project

NOTEBOOKS = ("04_order_analysis", "05_three_phase_dynamics")
TINY = tiny_project.ALONE | {"n_variables": 6}
HERE_ALONE = (  # no accounting on this cluster, and no need to ask it rarely
    "--slurm-no-account", "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "2",
    "--seconds-between-status-checks", "2", "--default-resources", "slurm_partition=main",
)  # fmt: skip
CONFIGURED = Path("/etc/slurm/slurm.conf")  # where srun looks in a job, to which SLURM_CONF is not handed on
CONFIGURATION = """
ClusterName=here
SlurmctldHost={host}
SlurmUser=root
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
AccountingStorageType=accounting_storage/none
MailProg=/bin/true
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
{node} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def missing():
    """What a Slurm on this machine lacks, or nothing."""
    lacking = [name for name in ("slurmctld", "slurmd", "sbatch", "squeue") if not shutil.which(name)]
    if lacking:
        return f"no {', '.join(lacking)}; apt-get install slurmctld slurmd slurm-client"
    if not find_spec("snakemake_executor_plugin_slurm"):
        return "no snakemake-executor-plugin-slurm; pip install -c constraints.txt -e '.[slurm]'"
    if CONFIGURED.exists():
        return f"{CONFIGURED} belongs to another Slurm"
    return "" if os.geteuid() == 0 else "only root can start slurmd"


@contextmanager
def slurm(folder):
    """A Slurm of one node, this machine, while the context lasts."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    node = subprocess.run(["slurmd", "-C"], capture_output=True, text=True).stdout.splitlines()[0]
    daemons = []
    try:
        CONFIGURED.write_text(CONFIGURATION.format(host=socket.gethostname(), folder=folder, node=node))
        for name in ("slurmctld", "slurmd"):
            with open(folder / f"{name}.log", "w") as log:
                daemons.append(subprocess.Popen([name, "-D"], stdout=log, stderr=log))
        wait_until_idle()
        yield
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)
        CONFIGURED.unlink(missing_ok=True)


def wait_until_idle(seconds=60):
    for _ in range(seconds):
        state = subprocess.run(["sinfo", "-h", "-o", "%t"], capture_output=True, text=True).stdout.strip()
        if state == "idle":
            return
        time.sleep(1)
    raise RuntimeError(f"Slurm is not up after {seconds} s; sinfo says {state!r}")


def copy_project(folder):
    """What a run needs, with a study `tiny`."""
    folder.mkdir()
    return tiny_project.make(folder, **TINY)


def run(folder, *further):
    """Seconds of `symgen figures` in a copy of the project."""
    targets = [f"data/runs/tiny/done/{name}.notebook" for name in NOTEBOOKS]
    command = [sys.executable, "-m", "symgen", "figures", "tiny", "--rerun-incomplete", *targets, *further]
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(folder / "lib")}, check=True)
    return time.perf_counter() - start


def made(folder):
    """Every table and figure, and every table behind them but the curves, which tell the seconds that training took."""
    kept = list((folder / "figures").rglob("*.*"))
    kept += [path for path in (folder / "data" / "runs").rglob("*.csv") if not path.name.startswith("curves")]
    return {path.relative_to(folder): path.read_bytes() for path in kept}


def main():
    if reason := missing():
        print(f"skipped: {reason}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whatever ends it, the daemons end with it
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        alone, through = (copy_project(place / name) for name in ("alone", "slurm"))
        seconds = run(alone)
        with slurm(place / "cluster"):
            through_seconds = run(through, "--profile", str(tiny_project.ROOT / "profiles" / "slurm"), *HERE_ALONE)
        one, other = made(alone), made(through)
    different = sorted(str(path) for path in one.keys() | other.keys() if one.get(path) != other.get(path))
    print(
        f"{len(one)} tables and figures, {len(different)} different: {', '.join(different) or 'the same, byte for byte'}"
    )
    print(f"{seconds:.0f} s alone, {through_seconds:.0f} s through Slurm")
    return 1 if different or not one else 0


if __name__ == "__main__":
    sys.exit(main())
