"""What is made of a study: executed notebooks, claims, the numbers of the README."""

from symgen.report.readme import update_readme
from symgen.report.runner import run_notebook

__all__ = ["run_notebook", "update_readme"]
