"""Language models that are given, not trained here: their files, their prompts, their interactions (Appendices F and O)."""

import io
import json
import re
from contextlib import redirect_stderr
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr
import yaml
from tqdm import tqdm

from symgen import generalization
from symgen.errors import InputError
from symgen.games import CausalLMGame, draw_words
from symgen.generalization import Comparison
from symgen.store import project_root, usable, write
from symgen.study import pipeline
from symgen.study.settings import Study, digest_of
from symgen.training import from_transformers, given

LONGEST = 35  # words of a question and of the sentence that answers it


# models
def load_model(name: str, download: bool = False, device="cpu"):
    """A causal language model, in evaluation mode, and its tokenizer.

    `name`: a folder, from the project's top folder, with safetensors and tokenizer; <package>/<file>.gguf, a file that an
    installed package brings along; or, with `download`, a name of the Hugging Face hub. ValueError for what is not there.
    """
    source = given(str(_dequantised(name)) if name.endswith(".gguf") else name, download)
    causal, tokens, progress = from_transformers("AutoModelForCausalLM", "AutoTokenizer", "logging")
    progress.disable_progress_bar()
    model = causal.from_pretrained(**source, use_safetensors=True, dtype=_dtype(device))
    return model.to(device).eval(), tokens.from_pretrained(**source)


def _dtype(device):
    return torch.bfloat16 if torch.device(device).type == "cuda" else torch.float32


def _dequantised(name):
    """Folder of the ordinary model that is in a package's GGUF file, made at the first call."""
    package, slash, file = name.partition("/")
    if not slash:
        raise InputError(f"model {name!r}; expected <package>/<file>.gguf")
    folder = project_root() / "data" / "models" / Path(file).stem
    if folder.is_dir():
        return folder
    if not (found := find_spec(package)):
        raise InputError(f"missing model: {file} comes with the package {package}; `make llm` installs it")
    causal, tokens = from_transformers("AutoModelForCausalLM", "AutoTokenizer")
    source = {"pretrained_model_name_or_path": found.submodule_search_locations[0], "gguf_file": file}
    making = folder.with_name(f".{folder.name}")
    with redirect_stderr(io.StringIO()):  # bars of progress
        packed = causal.from_pretrained(**source, dtype=torch.float32)
        del packed.config.quantization_config
        model = type(packed)(packed.config)
        model.load_state_dict(packed.state_dict())
        model.save_pretrained(making)
        tokens.from_pretrained(**source).save_pretrained(making)
    return making.rename(folder)


def game_of(study: Study, role: str) -> CausalLMGame:
    """The game on a role's language model, given or trained, at the end of training."""
    if not study.target_model:
        return pipeline.study_game(study, role, pipeline.ensure_training(study, role).model(_last(study, role)))
    given = load_model(_name(study, role), study.download, pipeline.device(study))
    return CausalLMGame(*given, _masking(study, role), first_token=True)


def _last(study, role):
    return study.checkpoints_of(role)[-1]


def _name(study, role):
    return study.target_model if study.role(role)[0] == "target" else study.baseline_model


def _masking(study, role):
    judges = study.role(role)[0] != "target"
    return (judges and study.baseline_masking) or study.masking


def same_network(study: Study) -> bool:
    """Whether target and baseline are one network, and differ in how words are masked at most."""
    return bool(study.target_model) and study.target_model == study.baseline_model


# prompts
def load_prompts(study: Study) -> pd.DataFrame:
    """The prompts of a study of language models: source, prompt, next_word, variables (a list of words).

    Of given models: those written for the project and, if they are there, the study's own, in the folder of its data set:
    prompts.jsonl, with these keys, or the questions of files *.json in the format of SQuAD. Variables that are not given
    are drawn at random with a recorded seed (Appendix A.1).
    """
    if not study.target_model:
        return _trained_prompts(study)
    written = [{"source": "written"} | own for own in _read_yaml("written")]
    rows = [own for own in written + _lines(study) if "variables" in own or _fits(own["prompt"], study)]
    asked = [own for own in _questions(study) if _fits(own["prompt"], study)]
    rng = np.random.default_rng(study.explain_seed)
    rows += [asked[i] for i in rng.permutation(len(asked))[: study.explain_per_class]]
    if len(rows) < 2:  # chance asks about another prompt
        where = f"prompts.jsonl, or questions *.json, in {study.data_dir / study.dataset}"
        raise InputError(
            f"{len(rows)} prompt(s) with {study.n_variables} words that may be variables; expected {where}"
        )
    rng = np.random.default_rng([study.explain_seed, study.variables_seed])
    return pd.DataFrame(
        [own | {"variables": own.get("variables") or _drawn(own["prompt"], study, rng)} for own in rows]
    )


def _lines(study):
    path = study.data_dir / study.dataset / "prompts.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    return [
        {"source": study.dataset} | _parsed(line, f"{path}, line {i}", "prompt", "next_word")
        for i, line in enumerate(lines, 1)
    ]


def _questions(study):
    files = sorted((study.data_dir / study.dataset).glob("*.json"))
    squads = [_parsed(path.read_text(), path, "data") for path in files]
    return [{"source": study.dataset} | own for squad in squads for own in squad_prompts(squad)]


def _parsed(text, source, *keys):
    """A mapping from JSON that has the keys."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InputError(f"damaged data: {source} is no valid JSON: {error}") from None
    if not isinstance(found, dict):
        raise InputError(f"damaged data: {source} holds a {type(found).__name__}; expected a mapping")
    if missing := [key for key in keys if key not in found]:
        raise InputError(f"damaged data: {source} has no {missing[0]!r}; expected {' and '.join(keys)}")
    return found


def shown_prompts(study: Study) -> pd.DataFrame:
    """A few prompts to look at, as `load_prompts`: the two of Figure 7 for given models, else the first of each source."""
    if study.target_model:
        return pd.DataFrame(_read_yaml("figure 7")).assign(source="figure 7")
    return load_prompts(study).groupby("source", sort=False).head(1).reset_index(drop=True)


def _read_yaml(key):
    return yaml.safe_load((project_root() / "data" / "prompts.yaml").read_text())[key]


def _trained_prompts(study):
    samples, kind = pipeline.ensure_samples(study), pipeline.modality(study)
    return pd.DataFrame(
        {"source": samples.of + " samples", "prompt": kind.samples(samples.item),
         "next_word": kind.tokenizer.convert_ids_to_tokens(samples.label.tolist()),
         "variables": pipeline.variables_of(samples).tolist()}
    )  # fmt: skip


def squad_prompts(squad: dict) -> list[dict]:
    """Prompts from questions in the format of SQuAD (1.1): the sentence that holds the answer, then the question.

    The next word is the first of the answer, unless it is a stop word; what is longer than LONGEST words is left out.
    """
    found = []
    for paragraph in (own for article in squad["data"] for own in article["paragraphs"]):
        for asked in paragraph["qas"]:
            answer = asked["answers"][0]
            sentence = _sentence_at(paragraph["context"], answer["answer_start"])
            prompt = f"{sentence} {asked['question'].strip()} Answer:"
            word = re.match(r"\w+", answer["text"])
            if word and _candidates(word[0]) and len(prompt.split()) <= LONGEST:
                found.append({"prompt": prompt, "next_word": word[0]})
    return found


def _sentence_at(text, position):
    """The sentence of a text that a position is in."""
    starts = [0, *(gap.end() for gap in re.finditer(r"(?<=[.!?])\s+(?=[A-Z])", text)), len(text) + 1]
    start = max(own for own in starts if own <= position)
    return text[start : min(own for own in starts if own > position)].strip()


def _candidates(prompt):
    return CausalLMGame.candidates(None, prompt.removesuffix("Answer:"))


def _fits(prompt, study):
    return len(_candidates(prompt)) >= study.n_variables


def _drawn(prompt, study, rng):
    words = _candidates(prompt)
    return [words[i] for i in draw_words(study.n_variables, list(range(len(words))), rng)]


# interactions
def compare(study: Study, role: str, progress: bool = True) -> Comparison:
    """A target's interactions on all prompts, judged by the baselines': as `pipeline.compare`, for given models too."""
    if not study.target_model:
        return pipeline.compare(study, role, progress)
    prompts = load_prompts(study)
    target, *baselines = (ensure_interactions(study, x, prompts, "given") for x in (role, *study.baselines))
    return generalization.compare(
        target, baselines, tau_ratio=study.tau_ratio, combine=study.generalizes_to, chance_draws=study.chance_draws,
        seed=study.analysis_seed, of=np.repeat("testing", len(prompts)),
    )  # fmt: skip


def ensure_interactions(study: Study, role: str, prompts: pd.DataFrame, name: str) -> xr.Dataset:
    """v (sample, subset) and effects (sample, kind, subset) of a role's model on prompts, computed if not on disk yet.

    prompts: prompt, next_word, variables, as many of them everywhere. `name`: what the prompts are called on disk.
    """
    checkpoint = "given" if study.target_model else _last(study, role)
    settings = study.settings_of("interactions", role, checkpoint) | {"model": _name(study, role)}
    settings |= {"masking": _masking(study, role), "prompts": prompts.to_dict("records")}
    if study.target_model:
        settings["dtype"] = str(_dtype(pipeline.device(study)))
    path = study.runs_dir / role / f"interactions-{name}-{digest_of(settings)}.nc"
    if not usable(path, settings):
        game = game_of(study, role)
        each = tqdm(zip(prompts.prompt, prompts.next_word, prompts.variables), total=len(prompts), disable=None)
        with pipeline.arithmetic(study):
            v = np.stack([game.values(*own) for own in each])
            found = pipeline.solved_as_in(study, v)
        effects = np.stack([found.i_and, found.i_or], axis=1)
        solved = xr.Dataset({"v": (("sample", "subset"), v), "effects": (("sample", "kind", "subset"), effects)})
        content = solved.to_netcdf(engine="h5netcdf")
        write(path, lambda temporary: temporary.write_bytes(content), settings)
    with xr.open_dataset(path, engine="h5netcdf") as stored:
        return stored.load()
