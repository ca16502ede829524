"""How figures look: colours, markers, line styles, files, and their place in a page.

A figure is drawn once, in light colours. In the page each of these colours becomes a CSS variable,
so that the same drawing is legible on light and on dark ground.
"""

import io
import re
import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ebmbench.report.cases import REFERENCE
from ebmbench.report.text import duration

PAPER, INK, MUTED, GRID = "#ffffff", "#1b2631", "#5d6b78", "#d5dce2"

# Okabe and Ito's palette without its yellow and its black, which vanish on light and dark ground; and
# four more for pages of many estimators, darker than those of a like hue.
_PALETTE = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
    "#6f4fa8", "#8c5a2b", "#848f12", "#a11d4f",
)  # fmt: skip
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # a number prime to that of colours: 70 pairs
_LINES = ("-", ":", "-.")
_NARROW = 50  # largest over smallest of an axis below which powers of ten are too few ticks

WIDTH = 4.6  # inches: what a telephone shows at about full size

_VARIABLES = {
    PAPER: "paper",
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    **{colour: f"series-{i + 1}" for i, colour in enumerate(_PALETTE)},
}

_RC = {
    "figure.facecolor": PAPER,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,  # a file name may hold dollar signs
    "legend.frameon": False,
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "lines.linewidth": 1.6,
    "svg.fonttype": "path",  # a page must not depend on the reader's fonts
    "svg.hashsalt": "ebmbench",  # equal tables give equal files
}


@dataclass(frozen=True)
class Looks:
    """The look of each estimator and of each backend, the same in all figures of a page."""

    estimators: tuple[str, ...]
    backends: tuple[str, ...]

    def colour(self, estimator: str) -> str:
        """An estimator's colour."""
        return _PALETTE[self.estimators.index(estimator) % len(_PALETTE)]

    def marker(self, estimator: str) -> str:
        """An estimator's marker, which tells apart those that share a colour."""
        return _MARKERS[self.estimators.index(estimator) % len(_MARKERS)]

    def line(self, backend: str) -> dict[str, Any]:
        """A backend's line style: dashed for the reference, solid for the first of the others."""
        if backend == REFERENCE:
            return {"linestyle": "--"}
        others = [name for name in self.backends if name != REFERENCE]
        return {"linestyle": _LINES[others.index(backend) % len(_LINES)]}

    def filled(self, backend: str) -> bool:
        """Whether a backend's bars and markers are filled: where its lines are solid."""
        return self.line(backend) == {"linestyle": "-"}


@contextmanager
def applied() -> Iterator[None]:
    """The report's style and nothing of the reader's own settings, while figures are made."""
    with warnings.catch_warnings(), matplotlib.style.context(["default", _RC]):
        # A data set may be named in any script; the caption has its name where the font has not.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def panel(title: str, height: float) -> tuple[Figure, Axes]:
    """A figure of the common width and of this height in inches, with a title and empty axes."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.suptitle(textwrap.fill(title, 45), x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure, figure.add_subplot()


def log_time(axis: XAxis, ticks: int = 6) -> None:
    """Make an axis of seconds logarithmic, with a unit at every tick and so many ticks at most."""
    axis.axes.set_xscale("log")
    axis.set_major_locator(Decades(10, numticks=ticks))
    axis.set_major_formatter(FuncFormatter(lambda seconds, _: duration(seconds)))
    axis.set_minor_formatter(NullFormatter())


def log_ticks(axis: Axis, words: Callable[[float], str]) -> None:
    """Ticks of a logarithmic axis at powers of ten, and between them where there are hardly any."""
    axis.set_major_locator(Decades(10, numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
    axis.set_minor_formatter(NullFormatter())


class Decades(LogLocator):
    """Ticks at the powers of ten, and at 2 and 5 between them where there are hardly any of these."""

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """See matplotlib."""
        self.set_params(subs=(1.0, 2.0, 5.0) if vmax < _NARROW * vmin else (1.0,))
        return super().tick_values(vmin, vmax)


def spread_apart(wanted: Iterable[float], gap: float, low: float, high: float) -> list[float]:
    """Positions as near to the wanted ones as labels `gap` apart may stand in [low, high].

    Neighbours that would overlap form a block about the mean of what they want.
    """
    values = list(wanted)
    order = sorted(range(len(values)), key=values.__getitem__)
    blocks: list[list[int]] = []

    def start(block: list[int]) -> float:
        length = gap * (len(block) - 1)
        centre = sum(values[i] for i in block) / len(block)
        return max(low, min(centre - length / 2, high - length))

    for i in order:
        blocks.append([i])
        while len(blocks) > 1 and start(blocks[-1]) < start(blocks[-2]) + gap * len(blocks[-2]):
            last = blocks.pop()
            blocks[-1] += last
    placed = values[:]
    for block in blocks:
        for rank, i in enumerate(block):
            placed[i] = start(block) + gap * rank
    return placed


def render(figure: Figure, kind: str) -> bytes:
    """A figure as the bytes of a file: `svg` or `png`."""
    buffer = io.BytesIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type")) if kind == "svg" else {}
    figure.savefig(buffer, format=kind, metadata=nothing)
    return buffer.getvalue()


def inline(svg: bytes, name: str) -> str:
    """An SVG file as an element of a page: its colours variables, its ids begun with a name."""
    text = svg.decode()
    text = re.sub(r"<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = text.replace(' id="', f' id="{name}-')
    text = re.sub(r'(href="|url\()#', rf"\1#{name}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    return text
