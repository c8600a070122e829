"""A study: its settings, its networks, what is computed of them, and where that is kept."""

from symgen.study._files import read_overrides, settings_in_file, study_names
from symgen.study.jobs import NOTEBOOKS, Job, job_named, jobs, notebooks
from symgen.study.sections import SECTIONS
from symgen.study.settings import VERSIONS, Study

__all__ = [
    "NOTEBOOKS",
    "SECTIONS",
    "VERSIONS",
    "Job",
    "Study",
    "job_named",
    "jobs",
    "notebooks",
    "read_overrides",
    "settings_in_file",
    "study_names",
]
