"""Time per update: a bar for each backend, grouped by estimator, a panel each data set."""

import textwrap

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ebmbench.report.style import INK, PAPER, Looks, log_time, panel
from ebmbench.report.text import duration
from ebmbench.report.training.results import Result

_RANGE = 20  # slowest over fastest from which on a linear axis hides the fast ones


def timed(results: list[Result]) -> list[Result]:
    """Those that have samples."""
    return [result for result in results if np.isfinite(result.update_s[1])]


def needs_log(results: list[Result]) -> bool:
    """Whether the medians span too much for bars from zero."""
    medians = [result.update_s[1] for result in results]
    return max(medians) > _RANGE * min(medians)


def draw(title: str, results: list[Result], looks: Looks) -> Figure:
    """One panel of timed results; colour is the estimator, the edge's line style the backend.

    Where a linear axis will not do, markers stand for bars, whose lengths would mean nothing.
    """
    heights = _heights(results)
    log = needs_log(results)
    figure, axes = panel(title, 0.95 + 0.24 * (max(heights) + 1.4))
    for result, y in zip(results, heights, strict=True):
        low, median, high = result.update_s
        colour = looks.colour(result.estimator)
        fill = colour if looks.filled(result.backend) else PAPER
        if log:
            marker = looks.marker(result.estimator)
            axes.plot(median, y, marker, color=colour, markerfacecolor=fill, markersize=6)
        else:
            line = looks.line(result.backend)
            axes.barh(y, median, 0.8, color=fill, edgecolor=colour, linewidth=1.3, **line)
        axes.plot([low, high], [y, y], color=INK, linewidth=1.0)
        axes.annotate(
            f"{result.backend} {duration(median)}",
            (max(median, high), y),
            (5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    labels = list(dict.fromkeys(result.label for result in results))
    middles = [
        float(np.mean([y for r, y in zip(results, heights, strict=True) if r.label == label]))
        for label in labels
    ]
    axes.set_yticks(middles, [textwrap.fill(label, 24) for label in labels])
    axes.set_ylim(max(heights) + 0.7, -0.7)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    if log:
        log_time(axes.xaxis)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda s, _: duration(s) if s else "0"))
    axes.set_xlabel("time per update")
    return figure


def _heights(results: list[Result]) -> list[float]:
    """Where each bar stands: a step apart, and half a step more between labels."""
    heights: list[float] = []
    for i, result in enumerate(results):
        same = i > 0 and results[i - 1].label == result.label
        heights.append(heights[-1] + (1.0 if same else 1.6) if heights else 0.0)
    return heights
