"""The explorer: one page that shows what a network's interactions are, and which generalize, at every checkpoint."""

import base64
import io
import json
import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from symgen.errors import InputError
from symgen.games import cell_boxes, pieces_of
from symgen.generalization import Comparison
from symgen.interactions import KINDS, members
from symgen.report._markdown import read
from symgen.report.claims import EMBEDDED
from symgen.store import project_root, write_whole
from symgen.study import Study, pipeline

SHOWN = 8  # samples of a study
STRONGEST = 12  # interactions of a sample, at each checkpoint
CURVES = ("H", "H_low95", "H_high95", "H_chance", "N", "N_low95", "N_high95", "train_loss", "test_loss")
LEVELS = 2**16 - 1  # steps from the least output of a checkpoint to the largest: two bytes an output


def studies_to_show(names: list[str]) -> list[Study]:
    """The studies named; of none, those whose data come with the project and whose artefacts are there."""
    if names:
        return [Study.load(name) for name in names]
    embedded = [Study.load(name) for name in EMBEDDED]
    return [study for study in embedded if not _missing(study.dynamics)] or embedded[:1]


def write_explorer(studies: list[Study]) -> Path:
    """Write explorer.html beside the studies' figures, from their tables and artefacts; nothing is computed again.

    The page holds the images or words of some samples. Pass it on where these may be passed on. InputError where the tables
    or the artefacts of a study are missing, or are not of the same run; it names the remedy.
    """
    from symgen.plots import COLOURS  # a second of every start

    content = {"colours": COLOURS, "strongest": STRONGEST, "studies": [_study(study) for study in studies]}
    text = json.dumps(content, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    path = studies[0].figures_dir.parent / "explorer.html"
    page = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    page = page.replace("@@ROOT@@", Path(os.path.relpath(project_root(), path.parent)).as_posix())
    page = page.replace("@@DATA@@", text.replace("<", "\\u003c"))  # no word ends the script
    write_whole(path, page.encode())
    return path


def _study(study):
    """All that the page says of a study: its first target over training, and some of the samples that are followed."""
    followed, role = study.dynamics, study.targets[0]
    remedy = f"`make figures STUDY={study.name}` makes it"
    if study.target_model or study.tunes_given:
        raise InputError(
            f"study {study.name!r} is of a given model; expected one whose networks are trained from the start"
        )
    if _missing(followed):
        raise InputError(f"study {study.name!r} has no interactions of {role} at all its checkpoints yet; {remedy}")
    tables = (read(study.figures_dir / f"fig03_{name}.csv") for name in ("dynamics", "phases"))
    curves, phases = (table[table.role == role] for table in tables)
    comparison, samples = pipeline.compare(followed, role), pipeline.ensure_samples(followed)
    shown, computed = np.stack([curves.epoch, curves.H]), np.stack([comparison.epochs, comparison.H])
    if shown.shape != computed.shape or not np.allclose(shown, computed, rtol=1e-4, equal_nan=True):
        raise InputError(f"study {study.name!r}: figures and artefacts are of different runs; {remedy} again")
    return {
        "name": study.name,
        "network": f"{study.architecture} ({role})",
        "dataset": study.dataset,
        "judges": len(study.baselines),
        "followed": len(samples),
        "epochs": comparison.epochs.tolist(),
        "curves": {name: _numbers(curves[name]) for name in CURVES},
        "phases": {"verdict": phases.verdict.item()} | {name: _numbers(phases[name])[0] for name in ("t1", "t2")},
        "orders": [_by_order(comparison, epoch) for epoch in comparison.epochs],
        "samples": _samples(followed, comparison, samples),
    }


def _missing(study):
    """Whether any artefact of the first target or its judges is not there."""
    networks = (
        (role, checkpoint) for role in study.targets[:1] + study.baselines for checkpoint in study.checkpoints_of(role)
    )
    kinds = ("values", "interactions")
    return not all(pipeline.artefact_path(kind, study, *one).is_file() for one in networks for kind in kinds)


def _by_order(comparison, epoch):
    """Strength by order of a checkpoint: of each sign, all of it and what of it generalizes."""
    table = comparison.by_order(epoch)
    return {
        sign: {name: _numbers(rows[name]) for name in ("total", "generalizable")}
        for sign, rows in table.groupby("sign")
    }


def _samples(study: Study, comparison: Comparison, samples: pd.DataFrame) -> list[dict]:
    """The testing samples of whose label the network is surest in the end: of each label one, then one more, ..."""
    kind = pipeline.task(study)
    testing = samples.assign(v=comparison.v[-1, :, -1], place=range(len(samples))).query("of == 'testing'")
    testing = testing.sort_values("v", ascending=False, kind="stable")
    turn = testing.groupby("label").cumcount()
    chosen = testing.loc[turn.sort_values(kind="stable").index[:SHOWN]].sort_values("place")
    prompts = study.modality == "prompts"
    labels = kind.next_words(chosen) if prompts else [kind.data.classes[label] for label in chosen.label]
    return [
        {"label": label, "item": item, **shown, **_outputs(comparison.v[:, place]), **_interactions(comparison, place)}
        for label, item, shown, place in zip(
            labels, chosen["item"].tolist(), _inputs(study, kind, chosen), chosen.place
        )
    ]


def _inputs(study, kind, samples):
    """Of each sample its image, with the cells that are variables, or pieces of its text, with the variable of each."""
    if study.modality == "images":
        for picture, cells in zip(kind.data.pictures(samples["item"]), kind.variables(samples)):
            boxes = cell_boxes(cells, *picture.shape[:2], study.grid)
            places = [[columns.start, rows.start, columns.stop, rows.stop] for rows, columns in boxes]
            yield {"picture": _as_png(picture), "size": picture.shape[1::-1], "cells": places}
    else:
        for text, variables in zip(kind.game_inputs(samples), kind.variables(samples)):
            pieces, variable_of = pieces_of(kind.game(None).words(text), variables)
            yield {"words": pieces, "variables": variable_of.tolist()}


def _as_png(picture):
    """A picture (height, width, 3) as the address of an image."""
    Image.fromarray(picture).save(file := io.BytesIO(), "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _outputs(v):
    """v (checkpoint, subset) in two bytes each; with the least of a checkpoint, and the step between two levels."""
    low, high = v.min(axis=1, keepdims=True), v.max(axis=1, keepdims=True)
    step = np.maximum(high - low, 1e-300) / LEVELS
    levels = np.round((v - low) / step).astype("<u2")
    return {"v": base64.b64encode(levels.tobytes()).decode(), "scale": np.hstack([low, step]).tolist()}


def _interactions(comparison, place):
    """The interactions of a sample that are among its strongest at a checkpoint, with what becomes of them at all.

    states: by checkpoint, 0 not salient, 1 salient, 2 generalizable as well.
    """
    arrays = (array[:, place] for array in (comparison.effects, comparison.salient, comparison.generalizable))
    effects, salient, shared = (array.reshape(len(array), -1) for array in arrays)  # (checkpoint, kind and subset)
    strength = np.where(salient, np.abs(effects), 0)
    first = np.argsort(-strength, axis=1, kind="stable")[:, :STRONGEST]
    kept = np.unique(first[np.take_along_axis(strength, first, axis=1) > 0])
    subsets = effects.shape[1] // len(KINDS)
    return {
        "salient": salient.sum(axis=1).tolist(),
        "interactions": [
            {"kind": KINDS[i // subsets], "variables": members(i % subsets), "effects": _numbers(effects[:, i]),
             "states": "".join(map(str, salient[:, i].astype(int) + shared[:, i]))}
            for i in kept.tolist()
        ],
    }  # fmt: skip


def _numbers(values):
    """Six digits each, as in the tables; None for what is no number, or never."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values]
