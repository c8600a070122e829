"""What is made of a study: executed notebooks, claims, the numbers of the README."""

from symgen.report.explorer import explored, write_explorer
from symgen.report.readme import EMBEDDED, update_readme
from symgen.report.run import DEFAULT, make_figures
from symgen.report.runner import is_whole, library_hash, notebook_path, run_notebook, source_hash

__all__ = [
    "DEFAULT",
    "EMBEDDED",
    "explored",
    "is_whole",
    "library_hash",
    "make_figures",
    "notebook_path",
    "run_notebook",
    "source_hash",
    "update_readme",
    "write_explorer",
]
