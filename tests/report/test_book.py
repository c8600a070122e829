"""The book opens without a network: nothing is fetched, every link leads somewhere, equations are drawn."""

import json
import re
import subprocess
import sys
from base64 import b64decode
from functools import cache
from html.parser import HTMLParser
from io import BytesIO
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup
from PIL import Image
from tiny_project import ROOT

import symgen

for package in ("sphinx", "myst_nb", "furo", "math_core", "ziamath"):
    pytest.importorskip(package, reason="needs what `make book` installs")

pytestmark = pytest.mark.xdist_group("book")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
WRITTEN = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *NOTEBOOKS]


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The folder of the book; a warning of Sphinx is an error."""
    folder = tmp_path_factory.mktemp("book")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", ROOT / "docs" / "book"]
    made = subprocess.run([*command, "-d", folder / "doctrees", ROOT, folder / "pages"], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return folder / "pages"


class Tags(HTMLParser):
    """The attributes of all elements of a page, by the name of the element."""

    def __init__(self, path):
        super().__init__()
        self.found = []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def links(self):
        return [each["href"] for tag, each in self.found if tag == "a" and "href" in each]

    def anchors(self):
        return {each["id"] for _, each in self.found if "id" in each}

    def loaded(self):
        """What a browser loads to show the page."""
        named = [each[key] for _, each in self.found for key in ("src", "srcset", "data", "poster") if key in each]
        return named + [each["href"] for tag, each in self.found if tag == "link" and "href" in each]


@pytest.fixture(scope="module")
def tags(book):
    """Those of every page."""
    return {path: Tags(path) for path in sorted(book.rglob("*.html"))}


def page_of(book, path):
    return (book / path.relative_to(ROOT)).with_suffix(".html")


@cache
def article(page):
    """What a page shows beside the navigation, as a tree of elements."""
    return BeautifulSoup(page.read_text(), "html.parser").article


def is_elsewhere(address):
    return bool(urlsplit(address).scheme or urlsplit(address).netloc) and not address.startswith("data:")


def test_all_that_is_written_has_a_page_that_every_page_links(book, tags):
    written = {page_of(book, path) for path in WRITTEN}
    for page in written:
        assert written <= {(page.parent / urlsplit(link).path).resolve() for link in tags[page].links()} | {page}


def test_nothing_is_loaded_from_another_host(book, tags):
    for path, page in tags.items():
        assert not [address for address in page.loaded() if is_elsewhere(address)], path
    for path in [*book.rglob("*.css"), *tags]:
        named = re.findall(r"""url\(\s*["']?([^"')]*)|@import\s+["']([^"']*)""", path.read_text())
        assert not [address for pair in named for address in pair if is_elsewhere(address)], path


def test_links_and_anchors_lead_somewhere(tags):
    anchors = {path: page.anchors() for path, page in tags.items()}
    dead = []
    for path, page in tags.items():
        for address in filter(lambda address: not is_elsewhere(address), page.links()):
            parts = urlsplit(address)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file() or (parts.fragment and unquote(parts.fragment) not in anchors[target]):
                dead.append((path.name, address))
    assert not dead


def test_links_to_source_show_it(book):
    page = page_of(book, NOTEBOOKS[0])
    links = {link.get_text(): (page.parent / link["href"]).resolve() for link in article(page).find_all("a")}
    shown = article(links["explain.py"]).pre.get_text()
    assert shown == (ROOT / "lib" / "symgen" / "explain.py").read_text()
    names = {link.get_text() for link in article(links["games/"]).find_all("a")}
    assert names >= {path.name for path in (ROOT / "lib" / "symgen" / "games").glob("*.py")}


def test_every_public_name_is_shown_with_its_docstring(book):
    shown = article(page_of(book, ROOT / "docs" / "api.md"))
    entries = {name: shown.find("dt", id=f"symgen.{name}") for name in symgen.__all__}
    assert not [name for name, entry in entries.items() if not entry or not entry.find_next_sibling("dd").p.get_text()]
    fields = {field.get_text() for field in shown.select("dl.field-list dt")}
    assert "Type:" not in fields and "Parameters:" in fields  # a docstring's colon can be taken for that of a type


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_no_equation_is_left_as_latex(book, path):
    shown = article(page_of(book, path))
    prose = [text for text in shown.find_all(string=True) if not text.find_parent(["code", "pre", "math", "style"])]
    assert prose
    assert not [text for text in prose if re.search(r"\$.+\$|\\[a-zA-Z]", text)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_shown_with_all_its_outputs(book, path):
    shown = article(page_of(book, path))
    cells = json.loads(path.read_text())["cells"]
    prose = "".join("".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "markdown")
    assert len(shown.find_all("math", display="block")) == prose.count("$$") / 2
    outputs = [each.get("data", {}) for cell in cells for each in cell.get("outputs", [])]
    drawn = [each["image/png"] for each in outputs if "image/png" in each]
    assert len(shown.find_all("img")) == len(drawn) + prose.count("![")
    says = [Image.open(BytesIO(b64decode(png))).info.get("Description", "") for png in drawn]
    assert set(says) <= {picture["alt"] for picture in shown.find_all("img")}
    tables = ["".join(each["text/html"]) for each in outputs if "text/html" in each]
    assert len(shown.select("div.output table")) == sum(table.count("<table") for table in tables)
    assert len(shown.select("div.cell_input")) == sum(cell["cell_type"] == "code" for cell in cells)


@pytest.fixture
def opened(browser, book):
    """What opens a page at the width of a phone, and notes what goes wrong or is asked of a host."""
    noted = []
    screen = browser.new_page(viewport={"width": 400, "height": 800})
    screen.on("console", lambda message: noted.append(message.text))
    screen.on("pageerror", lambda error: noted.append(str(error)))
    screen.on("request", lambda request: noted.append(request.url) if request.url.startswith("http") else None)

    def open_page(path):
        screen.goto(path.as_uri(), wait_until="load")
        return screen

    yield open_page
    screen.close()
    assert not noted


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_no_page_is_wider_than_a_phone(opened, book, path):
    screen = opened(page_of(book, path))
    assert screen.evaluate("document.documentElement.scrollWidth") == 400
    assert screen.evaluate("[...document.images].every(image => image.naturalWidth > 0 && image.width <= 400)")


def test_the_book_opens_the_readme(opened, book):
    screen = opened(book / "index.html")
    screen.wait_for_url("**/README.html")
    assert screen.inner_text("h1").startswith("symgen")


def test_equations_are_drawn_in_their_own_font(opened, book):
    screen = opened(page_of(book, NOTEBOOKS[5]))
    boxes = screen.evaluate("[...document.querySelectorAll('math')].map(each => each.getBoundingClientRect().height)")
    assert boxes and min(boxes) > 5
    screen.evaluate("document.fonts.ready.then(() => 0)")
    assert screen.evaluate("[...document.fonts].map(font => font.status)") == ["loaded"]


def test_a_folded_solution_unfolds(opened, book):
    screen = opened(page_of(book, NOTEBOOKS[0]))
    height = "document.querySelector('details').getBoundingClientRect().height"
    folded = screen.evaluate(height)
    screen.click("summary")
    assert screen.evaluate(height) > 2 * folded
