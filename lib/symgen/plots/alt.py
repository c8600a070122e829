"""What a figure shows, in words and numbers, for those who cannot see it: made from the figure itself."""

import re
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

MOST_LETTERS = 1200  # letters of a text
FEW_NUMBERS = 6  # numbers of a line that are said one by one
PROSE = "monospace"  # letters of a text that is explained, word by word
DIGITS = re.compile(r"[-−+]?[\d.,]+")
NUMBER = re.compile(rf"{DIGITS.pattern}|\$.*\$")  # or a power


def alt_text(figure: Figure) -> str:
    """Each panel's title, its axes, and the numbers of what has a name: lines, marks, bars; then the small print."""
    panels, ylabel = [], ""
    for ax in figure.axes:
        ylabel = ax.get_ylabel() or ylabel  # said once a row
        panels.append(_panel(ax, ylabel if ax.axison else ""))
    parts = figure, *figure.subfigs
    legends = [legend for part in parts for legend in part.legends]
    small = [legend.get_title().get_text() for legend in legends] + [figure.get_supxlabel()]
    titles = [part.get_suptitle() for part in parts]
    sentences = [_plain(part) for part in [*titles, *panels, *small]]
    *panels, small = [part for part in sentences if part] or [""]
    numbers = _whole_panels(panels)
    return f"{numbers}. {small}." if numbers else f"{small}."


def _whole_panels(panels: list[str]) -> str:
    """As many panels as `MOST_LETTERS` letters hold, and how many more there are; of the first, its beginning at least."""
    shown = [textwrap.shorten(panel, MOST_LETTERS, placeholder=" …") for panel in panels[:1]]
    for panel in panels[1:]:
        if len(". ".join([*shown, panel])) > MOST_LETTERS:
            more = len(panels) - len(shown)
            return f"{'. '.join(shown)}. And {more} more panel{'s' * (more > 1)}"
        shown.append(panel)
    return ". ".join(shown)


def _panel(ax: Axes, ylabel: str) -> str:
    """One panel: what it is called, what stands over what, its numbers, and what is written in it."""
    title = ax.get_title() or ax.get_title(loc="left")
    axes = " by ".join(label for label in (ylabel, ax.get_xlabel()) if label and ax.axison)
    pictures = f"{len(ax.images)} picture{'s' * (len(ax.images) > 1)}" if ax.images else ""
    head = ", ".join(part for part in (title, axes, pictures) if part)
    words = [text for text in ax.texts if text.get_family()[0] == PROSE]
    prose = "".join(word.get_gid() or f"{word.get_text()} " for word in words).strip()  # pieces have their space
    texts = (text.get_gid() or text.get_text() for text in ax.texts if text.get_family()[0] != PROSE)
    written = Counter(text for text in texts if re.search(r"\w", text) and not text.isdigit())
    counted = (f"{text}, {n} times" if n > 1 else text for text, n in written.items())
    sentences = [*_bars(ax), *_lines(ax), *([prose] if prose else []), *counted]
    return f"{head}: {'; '.join(sentences)}".strip(": ")


def _bars(ax: Axes) -> Iterator[str]:
    """The first of each group of bars that have names of their own; else the largest, and where it stands."""
    for bars in ax.containers:
        if isinstance(bars, BarContainer) and _named(bars):
            lying = bars.orientation == "horizontal"
            along = ax.yaxis if lying else ax.xaxis
            sizes = np.array([bar.get_width() if lying else bar.get_height() for bar in bars])
            places = [bar.get_center()[int(lying)] for bar in bars]
            if _names(along) is not None:
                numbers = (f"{_short(size)} of {_at(along, place)}" for size, place in zip(sizes[:FEW_NUMBERS], places))
                yield f"{bars.get_label()} {', '.join(numbers)}"
            elif np.isfinite(sizes).any():
                largest = int(np.nanargmax(np.abs(sizes)))
                yield f"{bars.get_label()} at most {_short(sizes[largest])} at {_at(along, places[largest])}"


def _lines(ax: Axes) -> Iterator[str]:
    """Where each named line starts and ends, and its lowest and highest point; of a few marks, each with its place."""
    lying = _names(ax.yaxis) is not None and _names(ax.xaxis) is None
    along, groups = ax.yaxis if lying else ax.xaxis, defaultdict(list)
    for name, points in _points(ax):
        if len(seen := points[np.isfinite(points).all(axis=1)]):
            groups[name].append(seen[:, ::-1] if lying else seen)
    for name, lines in groups.items():
        places, values = np.concatenate(lines).T
        if len(lines) == 1 and (places == places[0]).all() and len(places) > 1:  # a line across the panel
            yield f"{name} at {_at(along, places[0])}"
            continue
        if len(lines) == 1 and len(values) <= FEW_NUMBERS:
            yield f"{name} " + ", ".join(f"{_short(y)} at {_at(along, x)}" for x, y in zip(places, values))
            continue
        first, last = (_range([line[end, 1] for line in lines]) for end in (0, -1))
        highest = int(values.argmax())
        yield (f"{name} from {first} to {last}, lowest {_short(values.min())}, "
               f"highest {_short(values[highest])} at {_at(along, places[highest])}")  # fmt: skip


def _points(ax: Axes) -> Iterator[tuple[str, np.ndarray]]:
    """Name and points (number, 2) of all that is drawn as lines or marks and has a name."""
    for line in filter(_named, ax.lines):
        if len(line.get_xdata()):
            yield line.get_label(), np.column_stack([np.asarray(part, float) for part in line.get_data()])
    for bars in ax.containers:
        if isinstance(bars, ErrorbarContainer) and _named(bars):
            yield bars.get_label(), np.column_stack([np.asarray(part, float) for part in bars[0].get_data()])
    for marks in filter(_named, ax.collections):
        if isinstance(marks, PathCollection):
            yield marks.get_label(), np.ma.filled(marks.get_offsets(), np.nan)
        if isinstance(marks, LineCollection):
            drawn = [segment.mean(axis=0) for segment in marks.get_segments() if len(segment)]  # none of what is NaN
            yield marks.get_label(), np.reshape(drawn, (-1, 2))


def _named(artist) -> bool:
    return bool(artist.get_label()) and not artist.get_label().startswith("_")


def _names(axis: Axis) -> list[str] | None:
    """What is written at an axis instead of its numbers, if so; maybe at another one, which shares it."""
    written, places = axis.get_major_formatter(), axis.get_ticklocs()
    names = written.format_ticks(places)
    if not all(NUMBER.fullmatch(name) or not name for name in names):
        return names
    if not isinstance(written, FuncFormatter) or not all(map(DIGITS.fullmatch, names)):  # as matplotlib writes them
        return None
    numbers = [float(name.replace(",", "").replace("−", "-")) for name in names]
    return None if np.allclose(numbers, places) else names


def _at(axis: Axis, place: float) -> str:
    """A place on an axis: the name that is written nearest to it, or the number."""
    if (names := _names(axis)) is None:
        return _short(place)
    return names[int(np.abs(np.asarray(axis.get_ticklocs()) - place).argmin())]


def _range(values) -> str:
    low, high = _short(min(values)), _short(max(values))
    return low if low == high else f"{low} … {high}"


def _short(value: float) -> str:
    """Three digits, as a reader would say them."""
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:,.0f}"


def _plain(text: str) -> str:
    """A text in one line; a word that is parted at the end of a line is one again."""
    return re.sub(r"\s+", " ", text.replace("-\n", "")).strip(" .")
