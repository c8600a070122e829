"""What is where: the path of every artefact of a study, for the pipeline and for the Snakefile."""

from pathlib import Path

from symgen.study.settings import Study


def decoded_dir(study: Study) -> Path:
    """Folder of decoded images, which studies share."""
    return study.runs_dir.parent / "decoded"


def split_path(study: Study) -> Path:
    """Table of which item is in which part."""
    return study.runs_dir / f"split-{study.key('split')}.csv"


def samples_path(study: Study) -> Path:
    """Table of the samples to explain and their variables."""
    return study.runs_dir / f"samples-{study.key('samples')}.csv"


def curves_path(study: Study, role: str) -> Path:
    """Table of a role's losses; written last, so that a training is whole where it is."""
    return study.runs_dir / role / f"curves-{study.key('training', role)}.csv"


def weights_path(study: Study, role: str, checkpoint) -> Path:
    """Weights of a role at a checkpoint."""
    return study.runs_dir / role / f"weights-{_label(checkpoint)}-{study.key('training', role)}.safetensors"


def values_path(study: Study, role: str, checkpoint) -> Path:
    """Masked values of a role at a checkpoint."""
    return study.runs_dir / role / f"values-{_label(checkpoint)}-{study.key('values', role, checkpoint)}.nc"


def interactions_path(study: Study, role: str, checkpoint) -> Path:
    """Interactions of a role at a checkpoint."""
    return study.runs_dir / role / f"interactions-{_label(checkpoint)}-{study.key('interactions', role, checkpoint)}.nc"


def penalised_path(study: Study) -> Path:
    """Table of the items of A that may be penalised and their variables."""
    return study.runs_dir / f"penalised-{study.key('samples')}.csv"


def penalised_effects_path(study: Study, role: str) -> Path:
    """Interactions of a role on the items that may be penalised."""
    checkpoint = study.checkpoints_of(role)[-1]
    return study.runs_dir / role / f"penalised-{_label(checkpoint)}-{study.key('interactions', role, checkpoint)}.nc"


def trained_mark(study: Study, role: str) -> Path:
    """Empty file by which the Snakefile knows that a role is trained."""
    return study.runs_dir / role / f"trained-{study.key('training', role)}"


def extracted_mark(study: Study, role: str, which: slice = slice(None)) -> Path:
    """Empty file by which the Snakefile knows that a role's interactions are extracted, at all or some checkpoints."""
    part = "" if which == slice(None) else f"-{which.start}-{which.stop}"
    return study.runs_dir / role / f"extracted-{study.key('extraction', role)}{part}"


def _label(checkpoint):
    return checkpoint if isinstance(checkpoint, str) else f"{checkpoint:g}"


def kept_checkpoints(study: Study, role: str) -> tuple[float | str, ...]:
    """Checkpoints whose weights are kept: the epochs of a target, best and last of the others."""
    return study.checkpoints if study.role(role)[0] == "target" else ("best", "last")
