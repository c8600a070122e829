"""What is made of a study: executed notebooks, claims, the numbers of the README."""

from symgen.report.readme import update_readme
from symgen.report.run import EMBEDDED, make_figures
from symgen.report.runner import is_whole, library_hash, notebook_path, run_notebook, source_hash

__all__ = [
    "EMBEDDED",
    "is_whole",
    "library_hash",
    "make_figures",
    "notebook_path",
    "run_notebook",
    "source_hash",
    "update_readme",
]
