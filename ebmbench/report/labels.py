"""Names of lines written at the right edge of a figure, where the lines end."""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ebmbench.report.style import INK, MUTED, PAPER, spread_apart

_LINE_HEIGHT = 0.17  # inches a line of text takes
_FRAME = 1.3  # inches of a figure above and below the axes
_LEAST = 3.4  # inches of a figure with few names


@dataclass(frozen=True)
class End:
    """A line's name, the value at which it ends, and its look; no marker for a line to compare with."""

    label: str
    value: float
    colour: str = MUTED
    marker: str = ""
    filled: bool = True


def height_for(labels: Iterable[str], least: float = _LEAST) -> float:
    """Inches of a figure in which all these names find room."""
    lines = [_folded(label).count("\n") + 1 for label in labels]
    return max(least, _FRAME + _LINE_HEIGHT * max(lines, default=1) * (len(lines) + 1))


def name_ends(axes: Axes, ends: list[End]) -> None:
    """Write each name at the right edge, near the height of its value; the axis has its limits by now."""
    height = axes.get_figure(root=True).get_figheight() - _FRAME  # type: ignore[union-attr]
    ends = sorted(ends, key=lambda end: end.value)  # the order holds among those off the axis, too
    edges = [min(max(_height(axes, end.value), 0.0), 1.0) for end in ends]
    room = _LINE_HEIGHT * max((_folded(end.label).count("\n") + 1 for end in ends), default=1)
    places = spread_apart(edges, room / height, 0.0, 1.0)
    for end, edge, place in zip(ends, edges, places, strict=True):
        line = Line2D([1, 1.05], [edge, place], color=end.colour, linewidth=0.8)
        line.set(marker=end.marker, markersize=4, markevery=[1], clip_on=False)
        line.set_transform(axes.transAxes)
        if not end.filled:
            line.set_markerfacecolor(PAPER)
        axes.add_artist(line)
        axes.text(
            1.08,
            place,
            _folded(end.label),
            color=INK if end.marker else MUTED,
            fontsize=8,
            verticalalignment="center",
            transform=axes.transAxes,
        )


def _height(axes: Axes, value: float) -> float:
    """A value of the vertical axis as a part of its height, whatever its scale."""
    low, high, at = axes.yaxis.get_transform().transform([*axes.get_ylim(), value])
    return float((at - low) / (high - low))


def _folded(label: str) -> str:
    return textwrap.fill(label, 26)
