"""What earlier code has computed, taken over: for a change of the library that is known to change no result."""

import json
import re

from symgen.datasets import modality_of
from symgen.provenance import code_of
from symgen.store import link
from symgen.study import Study, digest_of

WHAT = {  # `what` of `Study.settings_of`, by the beginning and end of an artefact's name
    r"split-.*csv": "split",
    r"(samples|penalised)-.*csv": "samples",
    r"(curves|weights)-.*": "training",
    r"values-.*nc": "values",
    r"(interactions|penalised)-.*nc": "interactions",
}


def adopt(study: Study) -> int:
    """Let artefacts of a study that other code has made count as made by the present code, and say how many do.

    Where several kinds of code have made the same, the latest counts. They stay under their own names as well.
    """
    folders = [study.runs_dir] + ([study.tuned.runs_dir] if study.tuning_dataset else [])
    records = [path for folder in folders for path in folder.glob("**/*.json")]
    return sum(map(_adopt, sorted(records, key=lambda path: path.stat().st_mtime, reverse=True)))


def _adopt(record):
    """Whether the artefact of a record was made by other code, and by no present one."""
    path = record.with_suffix("")
    what = next((what for name, what in WHAT.items() if re.fullmatch(name, path.name)), None)
    if what is None or not path.is_file():
        return False
    try:
        made_with = json.loads(record.read_text())["settings"]
    except (ValueError, TypeError, KeyError):  # damaged: whoever asks for the artefact sets it aside
        return False
    settings = _with_present_code(made_with, what)
    present = path.with_name(re.sub(r"[0-9a-f]{10}(?=\.\w+$)", digest_of(settings), path.name))
    if present.with_name(present.name + ".json").is_file():
        return False
    link(path, present, settings)
    return True


def _with_present_code(settings, what):
    code = code_of(what, modality_of(settings["dataset"]), settings.get("family", ""))
    if "before" in settings:  # of samples the split, of networks the training
        before = _with_present_code(settings["before"], "split" if what == "samples" else "training")
        settings = settings | {"before": before}
    return settings | {"code": code}
