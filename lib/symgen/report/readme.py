"""The pages that hold computed text: README.md and docs/, from the tables of the last run and from the settings."""

import inspect
import json
import re
import sys
import textwrap
import typing
from pathlib import Path

import yaml
from PIL import Image

from symgen.errors import InputError
from symgen.report import costs, results
from symgen.report._markdown import head, line, read
from symgen.report.claims import EMBEDDED
from symgen.store import project_root, write_whole
from symgen.study import SECTIONS, Study, pipeline

MOST_LETTERS = 700  # letters of a picture's numbers on a page, at most
IDEA = "fig01_idea"  # the README's picture, and the table of the interactions on it


def draw_idea(root: Path) -> None:
    """Draw the README's picture, from tables of the first embedded study and one of its images."""
    from symgen import plots  # a second of every start

    folder, study = root / "figures" / EMBEDDED[0], Study.load(EMBEDDED[0])
    if not folder.is_dir():  # a study that was not run here
        return
    table, curve, phases = (read(folder / f"{name}.csv") for name in (IDEA, "fig01_phases", "fig03_phases"))
    (picture,) = pipeline.load_data(study).pictures(table["item"].unique())
    with plots.in_style():
        figure = plots.idea(table, picture, study.grid, curve, phases, len(study.baselines), study.dynamics.n_explained)
        plots.save(plots.apart(figure), table, folder, IDEA)


def notebooks_text(root: Path) -> str:
    """The notebooks (Markdown), as each says itself in its first cell: its question, the paper's figures, its time."""
    lines = head("notebook", "question", "figures of the paper", "time")
    for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        if ".failed" not in path.name:
            lines.append(line(f"[{path.stem}](notebooks/{path.name})", *_first_cell(path)))
    return "\n".join(lines) + "\n"


def _first_cell(path):
    """What the first cell of a notebook says of its question, of what it repeats of the paper, and of its time."""
    text = "".join(json.loads(path.read_bytes())["cells"][0]["source"])
    parts = [
        re.search(begin + r" (.+?)(?= \*\*|\n|$)", text)
        for begin in (r"\*\*Question\.\*\*", r"\*Repeats", r"\*\*Time\*\*")
    ]
    if None in parts:
        raise InputError(f"{path.name} must say *Repeats .., **Question.** and **Time** in its first cell")
    question, repeats, time = (part[1].rstrip(".") for part in parts)
    places = re.findall(r"\d+|Table \d+|Appendix [A-Z]", re.sub(r"\(.*?\)", "", repeats))  # figures, tables, appendices
    return question, ", ".join(place.replace("Appendix", "App.") for place in places) or "–", time


def settings_text(root: Path) -> str:
    """Every setting of a study's file (Markdown), by section: its values, its default as YAML, its meaning."""
    lines = []
    for section in SECTIONS:
        lines += ["", f"## {section.__name__.lower()}", "", section.__doc__, ""]
        lines += head("setting", "values", "default", "meaning")
        for name, field in section.model_fields.items():
            default = "needed" if field.is_required() else f"`{_as_yaml(field.default)}`"
            meaning = " ".join(field.description.split()).replace("<", r"\<")
            lines.append(line(f"`{name}`", _values(field.annotation), default, meaning))
    return "\n".join(lines[1:]) + "\n"


def _values(hint):
    """A setting's type in words."""
    options = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(f"`{option}`" for option in options)
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(options[0])[0] if typing.get_origin(options[0]) is typing.Annotated else options[0]
        return f"list of {inner.__name__}"
    return hint.__name__ if isinstance(hint, type) else str(hint).replace(" | ", " or ")


def _as_yaml(value):
    value = list(value) if isinstance(value, tuple) else value
    style = '"' if isinstance(value, str) and "\n" in value else None  # a table's row is one line
    return yaml.safe_dump([value], default_flow_style=True, default_style=style)[1:-2]


def names_text(root: Path) -> str:
    """Each public name of the page of names, in its order, with the first sentences of its docstring (Markdown)."""
    names = re.findall(r"^\.\. auto\w+:: (\w+)(?:\(\))?$", (root / NAMES).read_text("utf-8"), flags=re.M)
    package = sys.modules[__name__.partition(".")[0]]
    first = {name: inspect.getdoc(getattr(package, name)).split("\n\n")[0] for name in names}
    return "\n".join(f"- `{name}`: {' '.join(words.split())}" for name, words in first.items()) + "\n"


README, RESULTS, CLAIMS = "README.md", "docs/results.md", "docs/claims.md"
RULES, COSTS = "docs/rules.md", "docs/costs.md"
NAMES = "docs/api.md"
PAGES = {  # by name of a section: the page, and what writes the section
    "answer": (README, results.answer_text),
    "commands": (README, costs.commands_text),
    "notebooks": (README, notebooks_text),
    "verdicts": (RESULTS, results.verdicts_text),
    "means": (RESULTS, results.means_text),
    "close": (RULES, results.close_text),
    "rerun": (RESULTS, results.rerun_text),
    "claims": (CLAIMS, results.claims_text),
    "networks": (RESULTS, results.networks_text),
    "phases": (RESULTS, results.phases_text),
    "learned": (RESULTS, results.learned_text),
    "sensitivity": (RESULTS, results.sensitivity_text),
    "sums": (RESULTS, results.sums_text),
    "judges": (RESULTS, results.judges_text),
    "choices": (RESULTS, results.choices_text),
    "penalty": (RESULTS, results.penalty_text),
    "times": (COSTS, costs.times_text),
    "costs": (COSTS, costs.costs_text),
    "run": (COSTS, costs.run_text),
    "growth": (COSTS, costs.growth_text),
    "scale": (COSTS, costs.scale_text),
    "settings": ("docs/settings.md", settings_text),
    "names": (NAMES, names_text),
}


def update_readme(root: Path | None = None) -> bool:
    """Draw the README's picture, write every section of PAGES between its marks, and let pictures say their numbers.

    Whether that changed any page.
    """
    root = root or project_root()
    draw_idea(root)
    changed = [_update(root / page, name, section(root)) for name, (page, section) in PAGES.items()]
    return any([*changed, *(_write(root / page, with_numbers(root / page)) for page in (README, RESULTS))])


def with_numbers(page: Path) -> str:
    """The text of a page whose pictures say in their alt text, after its own words, the numbers that their files hold."""

    def described(match):
        if not (page.parent / match["file"]).exists():  # a study that was not run here
            return match[0]
        numbers = Image.open(page.parent / match["file"]).text.get("Description", "")
        numbers = _whole_sentences(re.sub(r"[][]", "", numbers))
        return f"![{match['words']}{f'. In numbers: {numbers}' if numbers else ''}]({match['file']})"

    picture = r"!\[(?P<words>[^]]*?)(\. In numbers: [^]]*)?\]\((?P<file>\S+\.png)\)"
    return re.sub(picture, described, page.read_text("utf-8"))


def _whole_sentences(text):
    """As many sentences as `MOST_LETTERS` letters hold; of a single one that is longer, its beginning."""
    end = len(text) if len(text) <= MOST_LETTERS else text[:MOST_LETTERS].rfind(". ") + 1
    return text[:end].rstrip(".") if end else textwrap.shorten(text, MOST_LETTERS, placeholder=" …")


def _update(page, name, section):
    before = page.read_text("utf-8")
    start, stop = f"<!-- {name}: written by `symgen readme` -->\n", f"<!-- end of {name} -->"
    if before.count(start) != 1 or before.count(stop) != 1:
        raise InputError(f"{page.name} must hold the line {start.strip()!r} and the line {stop!r}, once each")
    above, rest = before.split(start)
    return _write(page, above + start + section + stop + rest.split(stop)[1])


def _write(page, text):
    """Whether that changes the page."""
    changed = text != page.read_text("utf-8")
    if changed:
        write_whole(page, text.encode())
    return changed
