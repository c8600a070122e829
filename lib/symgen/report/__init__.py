"""What is made of a study: executed notebooks, claims, the numbers of the README."""

from symgen.report._markdown import interval, intervals
from symgen.report.explorer import studies_to_show, write_explorer
from symgen.report.figures import DEFAULT, make_figures
from symgen.report.readme import update_readme
from symgen.report.runner import execute, is_whole, library_hash, notebook_path, source_hash
