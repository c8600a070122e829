"""A study: its settings, its networks, what is computed of them, and where that is kept."""

from symgen.study._files import read_overrides, study_names
from symgen.study.pipeline import ensure_interactions, ensure_training
from symgen.study.settings import Study

__all__ = ["Study", "ensure_interactions", "ensure_training", "read_overrides", "study_names"]
