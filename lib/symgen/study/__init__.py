"""A study: its settings, its networks, what is computed of them, and where that is kept."""

from symgen.study._files import read_overrides, study_names
from symgen.study.jobs import job_named, jobs, notebooks
from symgen.study.sections import SECTIONS
from symgen.study.settings import VERSIONS, Study
