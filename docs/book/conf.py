"""The book: README, docs and executed notebooks as static pages, for `make book`.

Sphinx reads what is there and runs nothing. Equations become MathML, which browsers draw by themselves. A linked file
of the project gets a page of its own, a folder of the library or of studies a page that lists what is in it.
"""

import os
import re
import shutil
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from math_core import LatexToMathML
from PIL import Image
from pygments.lexers import find_lexer_class_for_filename
from sphinx import addnodes

ROOT = Path(__file__).parents[2]
EXPLORER = "figures/explorer.html"
COPIED = {".png", ".html"}
MATHML = LatexToMathML()
SOURCES = {".py", ".yaml", ".mplstyle"}  # what the page of a folder lists

project = "symgen"
html_title = "symgen"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "README"
include_patterns = ["README.md", "docs/*.md", "notebooks/[0-9]*_*.ipynb", "figures/*/[0-9]*_*.ipynb"]
exclude_patterns = ["notebooks/*.failed.ipynb"]

default_role = "py:obj"  # of docstrings: what is named there is linked
napoleon_use_param = napoleon_use_rtype = False  # names that share a description stay together
napoleon_use_ivar = True
autodoc_member_order = "bysource"

nb_execution_mode = "off"
nb_render_markdown_format = "myst"  # of outputs as well
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 6

html_theme = "furo"
html_static_path = ["book.css", str(Path(find_spec("ziamath").origin).parent / "fonts" / "STIXTwoMath-Regular.ttf")]
html_css_files = ["book.css"]
html_extra_path = ["index.html"]
html_copy_source = False
html_show_search_summary = False  # browsers fetch nothing for a page that is opened from a folder
html_show_sphinx = False
html_show_copyright = False
html_math_renderer = "mathml"
templates_path = ["."]
html_context = {"explorer": EXPLORER if (ROOT / EXPLORER).exists() else None}
html_sidebars = {
    "**": [f"sidebar/{part}.html" for part in ("brand", "search", "scroll-start")]
    + ["explorer.html"]
    + [f"sidebar/{part}.html" for part in ("navigation", "scroll-end")]
}

NAVIGATION = """
```{toctree}
:hidden:
:glob:
:caption: Notebooks
notebooks/*
09 on SmolLM2 and Gemma-3 <figures/smollm2-gemma3/09_language_models>
10 on SmolLM2 <figures/smollm2-reviews/10_fine_tuning>
10 on Gemma-3 and questions of law <figures/unilaw-gemma3/10_fine_tuning>
```
```{toctree}
:hidden:
:glob:
:caption: More
docs/results
docs/claims
docs/rules
docs/glossary
docs/running
docs/own_network
docs/*
```
"""


def add_navigation(app, docname, source):
    """The list of pages stands at the end of the first of them."""
    if docname == root_doc:
        source[0] += NAVIGATION


def listed(folder):
    """What the page of a folder lists."""
    inside = [path for path in sorted(folder.iterdir()) if path.name[0] != "."]
    return [path for path in inside if path.suffix in SOURCES or (path.is_dir() and listed(path))]


def has_place(path):
    """Whether the book shows it: any file, and the folders of the library and of studies."""
    return path.is_file() or (path.is_dir() and path.relative_to(ROOT).parts[0] in ("lib", "studies"))


def address(path):
    """Where a file or folder is in the book. Pictures and web pages are copied, all else has a page."""
    name = path.relative_to(ROOT).as_posix()
    return name if path.suffix in COPIED else f"source/{name}.html"


def relative(path, page):
    """The way to a file or folder of the project from a page of the book."""
    return os.path.relpath(address(path), Path(page).parent)


def link_files(app, doctree):
    """Links to files and folders lead to where they are in the book; a folder that it does not show is no link."""
    page = app.env.docname
    links = (addnodes.pending_xref, addnodes.download_reference)
    for link in [node for node in doctree.findall() if isinstance(node, links)]:
        if link.get("refdomain") == "doc":  # Jupyter's anchors keep their capitals and question marks
            link["reftargetid"] = (link["reftargetid"] or "").lower().rstrip("?")
            continue
        path = ROOT.joinpath(page).parent.joinpath(link["reftarget"]).resolve()
        text = link.children[0].children
        if section := app.env.metadata[page]["myst_slugs"].get(link["reftarget"].lower()):
            link.replace_self(nodes.reference("", "", *text, refid=section[1], internal=True))
        elif has_place(path):
            app.env.linked.add(path)
            link.replace_self(nodes.reference("", "", *text, refuri=relative(path, page), internal=True))
        elif path.is_dir():
            link.replace_self(text)


def describe_pictures(app, doctree):
    """Pictures lead to their files in full size. A notebook's say in words what they show, as their files do."""
    for picture in doctree.findall(nodes.image):
        path = Path(app.srcdir, picture["candidates"].get("*", ""))
        if path.suffix == ".png":
            with Image.open(path) as image:
                picture["width"] = f"{image.width}px"  # with a width, Sphinx makes the link
                picture.setdefault("alt", image.info.get("Description", ""))


def file_pages(app):
    """The pages of all files and folders that are linked, and of all that such a folder lists."""
    waiting, done = sorted(app.env.linked), set()
    while waiting:
        path = waiting.pop()
        if path in done:
            continue
        done.add(path)
        name = path.relative_to(ROOT).as_posix()
        if path.suffix in COPIED:
            place = Path(app.outdir, name)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, place)
            if path.suffix == ".html":  # whose links to pages lead to those of the book
                place.write_text(re.sub(r'(href="[^":]+)\.md', r"\1.html", path.read_text()))
            continue
        if path.is_dir():
            waiting += listed(path)
            rows = [(relative(each, address(path)), each.name + "/" * each.is_dir()) for each in listed(path)]
            body = "<ul>" + "".join(f'<li><a href="{uri}">{text}</a></li>' for uri, text in rows) + "</ul>"
        else:
            lexer = find_lexer_class_for_filename(path.name)
            body = app.builder.highlighter.highlight_block(path.read_text(), lexer.aliases[0] if lexer else "text")
        yield f"source/{name}", {"title": name, "body": f"<h1>{name}</h1>{body}"}, "page.html"


def start(app):
    """No file is linked yet, but for the explorer, which the navigation links."""
    app.env.linked = {ROOT / EXPLORER} if html_context["explorer"] else set()


def equation(writer, node):
    """An equation as MathML. One in lines of its own scrolls if it is too wide."""
    block = isinstance(node, nodes.math_block)
    drawn = MATHML.convert_with_local_state(node.astext(), displaystyle=block)
    writer.body.append(f'<div class="math">{drawn}</div>' if block else drawn)
    raise nodes.SkipNode


def setup(app):
    """What Sphinx asks of a project that adds to it."""
    app.add_html_math_renderer("mathml", (equation, None), (equation, None))
    app.connect("builder-inited", start)
    app.connect("source-read", add_navigation)
    app.connect("doctree-read", link_files, priority=400)  # before files are gathered for download
    app.connect("doctree-read", describe_pictures, priority=900)  # after the files of pictures are known
    app.connect("html-collect-pages", file_pages)
