"""Runs a notebook through papermill: unknown parameters are errors, outputs are clean, files appear whole."""

import difflib
import hashlib
import json
import os
import warnings
from pathlib import Path
from uuid import uuid4

from symgen.errors import InputError
from symgen.store import atomically, project_root
from symgen.study import Study


def run_notebook(
    name: str, study: str | None = None, overrides: dict | None = None, output: Path | None = None
) -> Path:
    """Execute `notebooks/<name>.ipynb` for a study, and return the path of the executed copy.

    A notebook run for its own study, without overrides, is also what the project shows: its outputs are written back
    into `notebooks/`. ValueError for a notebook or a study that is not there. A notebook that fails leaves
    `<output>.failed.ipynb` beside the output, and raises papermill's PapermillExecutionError.
    """
    parameters = {} if study is None else {"study": study}
    return execute(name, parameters | ({"overrides": overrides} if overrides else {}), output)


def execute(name: str, parameters: dict, output: Path | None = None) -> Path:
    """Execute a notebook with any of its parameters; `run_notebook` is the usual way in."""
    source = notebook_path(name)
    defaults = declared_parameters(source)
    for key in parameters:
        if key not in defaults:
            near = difflib.get_close_matches(key, defaults, n=1, cutoff=0)
            raise InputError(
                f"{name} has no parameter {key!r}; did you mean {near[0]!r}? It has: {', '.join(defaults)}"
            )
    parameters = {key: value for key, value in parameters.items() if value != defaults[key]}
    said = source_hash(source)
    output = output or _default_output(source, parameters, defaults)
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.stem}.{uuid4().hex}.ipynb")
    failed = output.with_suffix(".failed.ipynb")
    try:
        _papermill(source, temporary, parameters)
        text = json.dumps(clean(json.loads(temporary.read_text())), indent=1, ensure_ascii=False) + "\n"
    except BaseException:
        if temporary.exists():
            os.replace(temporary, failed)
        raise
    temporary.unlink()
    atomically(output, lambda path: path.write_text(text))
    failed.unlink(missing_ok=True)
    if not parameters and source_hash(source) == said:  # not over what somebody edited meanwhile
        atomically(source, lambda path: path.write_text(text))
    return output


def _papermill(source, output, parameters):
    """Execute; a kernel that did not start gets a second chance."""
    import papermill

    _quiet_kernels()
    options = {"kernel_name": "python3", "cwd": str(project_root()), "progress_bar": False}
    try:
        papermill.execute_notebook(str(source), str(output), parameters, **options)
    except RuntimeError as error:
        if "Kernel died before replying" not in str(error):
            raise
        papermill.execute_notebook(str(source), str(output), parameters, **options)


def _default_output(source, parameters, defaults):
    """Where an executed copy goes: beside the runs of its study, in a folder of its own under overrides."""
    given = defaults | parameters
    study = Study.load(given["study"], given["overrides"])
    return project_root() / study.runs_root / study.figures_dir.name / "notebooks" / source.name


def notebook_path(name: str) -> Path:
    """Path of a notebook by its name, with or without .ipynb; ValueError names the nearest one."""
    folder = project_root() / "notebooks"
    path = folder / f"{Path(name).name.removesuffix('.ipynb')}.ipynb"
    if not path.is_file():
        known = sorted(p.stem for p in folder.glob("[0-9]*.ipynb"))
        near = difflib.get_close_matches(path.stem, known, n=1, cutoff=0)
        raise InputError(f"no notebook named {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return path


def declared_parameters(path: Path) -> dict:
    """Parameters of a notebook, with their default values: the assignments of its cell tagged `parameters`."""
    cells = json.loads(path.read_text())["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    if len(tagged) != 1:
        raise InputError(f"{path.name} has {len(tagged)} cells tagged `parameters`; expected one")
    names = {}
    exec("".join(tagged[0]["source"]), {}, names)  # the project's own notebook, about to be executed as a whole
    return names


def source_hash(path: Path) -> str:
    """Hash of what a notebook says, outputs left out: what decides whether it must run again."""
    cells = json.loads(path.read_text())["cells"]
    said = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]


def library_hash() -> str:
    """Hash of the library's files: a notebook runs again when one changes; artefacts have versions of their own."""
    here = Path(__file__).parents[1]
    files = sorted(path for path in here.rglob("*") if path.suffix in (".py", ".mplstyle"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def clean(notebook: dict) -> dict:
    """The notebook without the traces of its run: papermill's records and times of execution."""
    notebook["metadata"] = {
        key: value for key, value in notebook["metadata"].items() if key in ("kernelspec", "language_info")
    }
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags")
        cell["metadata"] = {"tags": tags} if tags else {}
        for out in cell.get("outputs", []):
            out.get("metadata", {}).clear()
    return notebook


def _quiet_kernels():
    """No warning about unencrypted sockets at each start of a kernel (they are local)."""
    from jupyter_client.manager import KernelManager

    warnings.filterwarnings("ignore", message=".*unencrypted.*")
    if hasattr(KernelManager, "transport_encryption"):
        KernelManager.transport_encryption.default_value = "auto"
