"""Language models that are given: in a folder, in an installed package, or on the Hugging Face hub."""

import io
from contextlib import redirect_stderr
from importlib.util import find_spec
from pathlib import Path

import torch

from symgen.errors import InputError
from symgen.store import project_root
from symgen.training.tokenizers import from_transformers, given


def load_model(name: str, download: bool = False, device="cpu"):
    """A causal language model, in evaluation mode, and its tokenizer.

    `name`: a folder, from the project's top folder, with safetensors and tokenizer; <package>/<file>.gguf, a file that an
    installed package brings along; or, with `download`, a name of the Hugging Face hub. InputError for what is not there.
    """
    source = given(str(_dequantised(name)) if name.endswith(".gguf") else name, download)
    causal, tokens, progress = from_transformers("AutoModelForCausalLM", "AutoTokenizer", "logging")
    progress.disable_progress_bar()
    model = causal.from_pretrained(**source, use_safetensors=True, dtype=dtype_on(device))
    return model.to(device).eval(), tokens.from_pretrained(**source)


def dtype_on(device) -> torch.dtype:
    """The floating type in which a given model computes on a device."""
    return torch.bfloat16 if torch.device(device).type == "cuda" else torch.float32


def _dequantised(name):
    """Folder of the ordinary model that is in a package's GGUF file, made at the first call."""
    package, slash, file = name.partition("/")
    if not slash:
        raise InputError(f"model {name!r}; expected <package>/<file>.gguf")
    folder = project_root() / "data" / "models" / Path(file).stem
    if folder.is_dir():
        return folder
    if not (package_spec := find_spec(package)):
        raise InputError(f"missing model: {file} comes with the package {package}; `make llm` installs it")
    causal, tokens = from_transformers("AutoModelForCausalLM", "AutoTokenizer")
    source = {"pretrained_model_name_or_path": package_spec.submodule_search_locations[0], "gguf_file": file}
    making = folder.with_name(f".{folder.name}")
    with redirect_stderr(io.StringIO()):  # bars of progress
        packed = causal.from_pretrained(**source, dtype=torch.float32)
        del packed.config.quantization_config
        model = type(packed)(packed.config)
        model.load_state_dict(packed.state_dict())
        model.save_pretrained(making)
        tokens.from_pretrained(**source).save_pretrained(making)
    return making.rename(folder)
