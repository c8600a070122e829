"""Models that are given: in a folder, in an installed package, or on the Hugging Face hub."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors import SafetensorError

from symgen.errors import InputError, first_line
from symgen.store import lock_at, project_root


def load_model(name: str, download: bool = False, device="cpu", untrained_seed: int | None = None):
    """A causal language model (see `given`), in float32 and in evaluation mode, and its tokenizer.

    `untrained_seed`: the same network with weights drawn from a seed in place of its own.
    """
    source = given(name, download)
    causal, tokens, configs = from_transformers("AutoModelForCausalLM", "AutoTokenizer", "AutoConfig")
    with loading(name), quiet(), drawn_from(untrained_seed or 0):
        if untrained_seed is None:
            model = causal.from_pretrained(**source, use_safetensors=True, dtype=torch.float32)
        else:
            model = causal.from_config(configs.from_pretrained(**source), dtype=torch.float32)
        return model.to(device).eval(), tokens.from_pretrained(**source)


def given(name: str, download: bool = False) -> dict:
    """Arguments of `from_pretrained` for a model that is given, InputError if it is not there.

    `name`: a folder, from the project's top folder, with safetensors and tokenizer; <package>/<folder> or
    <package>/<file>.gguf, which an installed package brings along, the file perhaps in parts; or, with `download`, a name of
    the Hugging Face hub.
    """
    name = str(_dequantised(name)) if name.endswith(".gguf") else name
    package = name.partition("/")[0]
    installed = find_spec(package) if package.isidentifier() else None
    inside = getattr(installed, "submodule_search_locations", None) or ()
    folders = [place / name for place in (project_root(), *(Path(package).parent for package in inside))]
    folder = next((folder for folder in folders if folder.is_dir()), None)
    if folder is None and not download:
        remedy = "put the model's folder there, install the package that brings it, or set download: true for the hub's"
        raise InputError(f"missing model: {folders[0].name} was looked for in {folders[0].parent}; {remedy}")
    where = {"pretrained_model_name_or_path": folder or name, "local_files_only": not download}
    return where | {"trust_remote_code": False}


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Weights drawn within come from a seed; the random numbers of others, on the CPU or a GPU, stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would begin those of every GPU anew
        yield


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Says in one line what is wrong with the files of a given model."""
    try:
        yield
    except (OSError, ValueError, SafetensorError) as error:
        if isinstance(error, InputError):
            raise
        fault = first_line(error)
        remedy = "expected config.json, model.safetensors and tokenizer.json of a model of Hugging Face"
        raise InputError(f"model {name!r} cannot be loaded: {fault}; {remedy}") from None


def from_transformers(*names: str) -> list:
    """Classes of `transformers`, imported (which takes seconds) without its warning that a notebook lacks widgets."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="IProgress not found")
        import transformers

        return [getattr(transformers, name) for name in names]


@contextmanager
def quiet(reports: bool = True) -> Iterator[None]:
    """No bars of progress of `transformers` within, nor its reports if so said; afterwards it is as a user has set it."""
    (logging,) = from_transformers("logging")
    shown, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    if not reports:
        logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if shown:
            logging.enable_progress_bar()


def _dequantised(name):
    """Folder of the ordinary model that is in a package's GGUF file, made at the first call."""
    package, _, file = name.partition("/")
    if not file or not package.isidentifier():
        raise InputError(f"model {name!r}; expected <package>/<file>.gguf, of an installed package")
    folder = project_root() / "data" / "models" / package / Path(file).with_suffix("")
    if folder.is_dir():
        return folder
    pieces = _pieces(package, file)  # nothing is left behind where they are missing
    with lock_at(folder.with_name(f".{folder.name}.lock")):  # who comes second finds it made
        if not folder.is_dir():
            with TemporaryDirectory(dir=folder.parent, prefix=".") as place:
                with open(Path(place) / file, "wb") as joined:
                    for piece in pieces:
                        joined.write(piece.read_bytes())
                _unpack(Path(place), file).rename(folder)
    return folder


def _pieces(package, file):
    """A GGUF file as an installed package brings it: whole, or in pieces that packages called <package>-part<k> hold."""
    holding, unpacking = [package, *_parts(package)], ["gguf", "accelerate"]
    for names, does in ((holding, f"{file} comes with"), (unpacking, f"{file} is unpacked by")):
        if missing := [name for name in names if not find_spec(name)]:
            raise InputError(f"missing model: {does} the package {missing[0]}; `make llm` installs it")
    folders = [Path(find_spec(name).submodule_search_locations[0]) for name in holding]
    pieces = [path for folder in folders for path in sorted(folder.rglob(f"{file}*"))]
    if not pieces:
        raise InputError(f"missing model: the package {package} holds no {file}; `make llm` installs the one that does")
    return pieces


def _parts(package):
    """Packages that a package requires as its parts, in the order of their numbers."""
    try:
        required = [re.match(r"[\w.-]+", line)[0].replace("-", "_") for line in requires(package) or ()]
    except PackageNotFoundError:
        return []
    parts = [name for name in required if name.startswith(f"{package}_part")]
    return sorted(parts, key=lambda name: (len(name), name))  # part10 after part9


def _unpack(place, file):
    """The model and the tokenizer of a GGUF file in a folder, in float32, as a folder inside it."""
    causal, tokens = from_transformers("AutoModelForCausalLM", "AutoTokenizer")
    source = {"pretrained_model_name_or_path": place, "gguf_file": file}
    with redirect_stderr(io.StringIO()):  # bars of progress
        packed = causal.from_pretrained(**source, dtype=torch.float32)
        if hasattr(packed.config, "quantization_config"):
            del packed.config.quantization_config
        model = type(packed)(packed.config)
        model.load_state_dict(packed.state_dict())
        model.save_pretrained(place / "model")
        tokens.from_pretrained(**source).save_pretrained(place / "model")
    return place / "model"
