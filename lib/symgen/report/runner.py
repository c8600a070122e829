"""Runs a notebook through papermill: unknown parameters are errors, outputs are clean, files appear whole."""

import ast
import hashlib
import json
import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from symgen.errors import InputError, did_you_mean
from symgen.interactions import prepare
from symgen.store import WRITTEN, project_root, write_whole
from symgen.study import Study

RELATIVE = re.compile(r"""(\]\(|src=")(?![\w+]+:|[#/])([^)\s"]+)""")  # a link, or a page that is shown, of the project
ADDRESS = re.compile(r" at 0x[0-9a-f]+(?=>)")  # of an object without words, as Python shows it


def execute(name: str, parameters: dict, output: Path | None = None) -> Path:
    """Execute `notebooks/<name>.ipynb` with some of its parameters, and return the path of the executed copy.

    A notebook run with none is also what the project shows: its outputs are written back into `notebooks/`. InputError for
    a notebook, parameter or study that is not there, and for a notebook that fails, which leaves `<name>.failed.ipynb`
    beside the output.
    """
    source = notebook_path(name)
    defaults = declared_parameters(source)
    for key in parameters:
        if key not in defaults:
            raise InputError(
                f"{name} has no parameter {key!r}{did_you_mean(key, defaults)}; it has: {', '.join(defaults)}"
            )
    parameters = {key: value for key, value in parameters.items() if value != defaults[key]}
    before, folder = source_hash(source), None
    if output is None:  # a wrong study is said at once; for a path that is given, the notebook says it
        given = defaults | parameters
        if "study" in given:
            study = Study.load(given["study"], given["overrides"])
            output, folder = executed_path(study, source.stem), study.figures_dir
        else:  # a notebook of networks that belong to no study
            output = project_root() / given["runs"] / f"{source.stem}.ipynb"
    prepare()  # a kernel would compile the solver where nobody sees why it takes a minute
    text = _executed(source, output, parameters, folder)
    if not parameters and source_hash(source) == before:  # not over what somebody edited meanwhile
        write_whole(source, text.encode())
    return output


def executed_path(study: Study, name: str) -> Path:
    """Where an executed copy goes: beside the runs of its study, in a folder of its own under overrides."""
    return project_root() / study.runs_root / study.figures_dir.name / "notebooks" / f"{name}.ipynb"


def is_whole(study: Study, name: str) -> bool:
    """Whether a notebook's executed copy is there, and all that it put among the figures."""
    path = executed_path(study, name)
    names = _figures_of(path)
    return names is not None and all((study.figures_dir.parent / figure).is_file() for figure in names)


def _figures_of(path):
    """What an executed copy put among the figures, by its names there; None if it is not there, or damaged."""
    try:
        return json.loads(path.read_bytes())["metadata"].get("symgen", {}).get("figures", [])
    except (FileNotFoundError, ValueError):
        return None


def _executed(source, output, parameters, folder):
    """The text of the executed notebook, written to `output` with the names of what it put into a folder of figures."""
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.stem}.{uuid4().hex}.ipynb")
    failed = output.with_suffix(".failed.ipynb")
    try:
        with _listing(temporary.with_suffix(".figures")) as written:
            _run(source, temporary, parameters)
        notebook = clean(json.loads(temporary.read_bytes()))
    except BaseException as error:
        if temporary.exists():
            os.replace(temporary, failed)
            print(f"what was executed is in {os.path.relpath(failed)}", file=sys.stderr)
        if isinstance(error, _papermill().exceptions.PapermillExecutionError):
            raise InputError(f"{source.stem} failed: {error.ename}: {error.evalue}") from error
        raise
    temporary.unlink()
    kept = _moved(notebook, source.parent, output.parent)
    if folder:
        figures = _names(written, folder.parent)
        if gone := {*(_figures_of(output) or ())} - {*figures}:  # what it no longer makes, but perhaps another
            others = (_figures_of(path) or () for path in output.parent.glob("[0-9]*.ipynb") if path != output)
            for name in gone.difference(*others):
                (folder.parent / name).unlink(missing_ok=True)
        kept["metadata"] |= {"symgen": {"figures": figures}}
    write_whole(output, _as_json(kept).encode())
    failed.unlink(missing_ok=True)
    return _as_json(notebook)


def _moved(notebook, before, after):
    """A copy of a notebook that lies in another folder: its relative links lead where they led before.

    So do those to the notebook before and after it: a study may have no copies of these.
    """
    way = os.path.relpath(before, after)

    def place(link):
        path = (before / link[2].split("#")[0]).exists()  # and not what only looks like a link
        return link[1] + os.path.normpath(f"{way}/{link[2]}") if path else link[0]

    def moved(text):
        return RELATIVE.sub(place, "".join(text)).splitlines(keepends=True)

    copy = json.loads(json.dumps(notebook))
    for cell in copy["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = moved(cell["source"])
        for shown in (out.get("data", {}) for out in cell.get("outputs", [])):
            shown |= {kind: moved(shown[kind]) for kind in ("text/markdown", "text/html") if kind in shown}
    return copy


@contextmanager
def _listing(place):
    """A list of the figures and tables that are written meanwhile, by this process or a kernel that it starts."""
    os.environ[WRITTEN] = str(place)
    written = []
    try:
        yield written
        written += place.read_text("utf-8").splitlines() if place.is_file() else []
    finally:
        del os.environ[WRITTEN]
        place.unlink(missing_ok=True)


def _names(written, folder):
    """Those in a folder, as it names them."""
    paths = {Path(path) for path in written}
    return sorted(path.relative_to(folder).as_posix() for path in paths if path.is_relative_to(folder))


def _as_json(notebook):
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _run(source, output, parameters):
    """Execute; a kernel that did not start gets a second chance."""
    execute = _papermill().execute_notebook
    _quiet_kernels()
    options = {"kernel_name": "python3", "cwd": str(project_root()), "progress_bar": False}
    try:
        execute(str(source), str(output), parameters, **options)
    except RuntimeError as error:
        if "Kernel died before replying" not in str(error):
            raise
        execute(str(source), str(output), parameters, **options)


def _papermill():
    """papermill, imported where it is needed: it takes a second."""
    sys.modules.setdefault("rfc3987_syntax", None)  # four more: a check of addresses that jsonschema does without
    import papermill

    return papermill


def notebook_path(name: str) -> Path:
    """Path of a notebook by its number or name, with or without .ipynb; InputError names the nearest one."""
    folder, stem = project_root() / "notebooks", Path(name).name.removesuffix(".ipynb")
    known = sorted(path.stem for path in folder.glob("[0-9]*.ipynb") if ".failed" not in path.name)
    named = [other for other in known if other == stem or (stem.isdecimal() and other.startswith(f"{int(stem):02}_"))]
    if not named:
        raise InputError(f"no notebook named {name!r}{did_you_mean(stem, known)}; there are: {', '.join(known)}")
    return folder / f"{named[0]}.ipynb"


def declared_parameters(path: Path) -> dict:
    """Parameters of a notebook, with their default values: the assignments of its cell tagged `parameters`."""
    parameters = _papermill().inspect_notebook(str(path))
    return {name: ast.literal_eval(parameter["default"]) for name, parameter in parameters.items()}


def source_hash(path: Path) -> str:
    """Hash of what a notebook says, outputs left out: what decides whether it must run again."""
    cells = json.loads(path.read_bytes())["cells"]
    sources = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()[:12]


def library_hash() -> str:
    """Hash of the library's files: a notebook runs again when code, style or a rule changes; artefacts have versions."""
    here = Path(__file__).parents[1]
    files = sorted(path for path in here.rglob("*") if path.suffix in (".py", ".mplstyle", ".yaml"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def clean(notebook: dict) -> dict:
    """The notebook without the traces of its run: papermill's records, times, addresses in memory.

    Pictures keep what they say in words.
    """
    notebook["metadata"] = {
        key: value for key, value in notebook["metadata"].items() if key in ("kernelspec", "language_info")
    }
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags")
        cell["metadata"] = {"tags": tags} if tags else {}
        for out in cell.get("outputs", []):
            if "metadata" in out:
                out["metadata"] = {kind: of for kind, of in out["metadata"].items() if kind == "image/png"}
            if words := out.get("data", {}).get("text/plain"):
                out["data"]["text/plain"] = ADDRESS.sub("", "".join(words)).splitlines(keepends=True)
    return notebook


def _quiet_kernels():
    """No warning about sockets without encryption at each start of a kernel (they are local)."""
    from jupyter_client.manager import KernelManager

    if hasattr(KernelManager, "transport_encryption"):  # of later versions
        KernelManager.transport_encryption.default_value = "auto"
