"""Learning curves: test log-likelihood against clocked seconds, a panel each data set."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from ebmbench.report.style import INK, MUTED, Looks, log_time, panel, spread_apart
from ebmbench.report.summary import Yardsticks
from ebmbench.report.text import number
from ebmbench.report.traces import Trace, time_start, value_limits

_LABELS = {
    "ceiling": "ceiling",
    "baseline_mixture": "mixture of 10",
    "baseline_independent": "independent pixels",
}
_LINE_HEIGHT = 0.17  # inches a label takes
_FRAME = 1.3  # inches of a figure above and below the axes


def draw(title: str, traces: list[Trace], known: Yardsticks, looks: Looks) -> Figure:
    """One panel; colour is the estimator, line style the backend."""
    labels = [_folded(label) for label in {trace.label for trace in traces}]
    room = _LINE_HEIGHT * max(label.count("\n") + 1 for label in labels)
    height = max(3.4, _FRAME + room * (len(labels) + len(_horizontal(known)) + 1))
    figure, axes = panel(title, height)
    log_time(axes.xaxis)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    axes.set_xlabel("clocked training time")
    axes.set_ylabel("nats per test row")
    for trace in traces:
        _draw_trace(axes, trace, looks)
    for value in _horizontal(known).values():
        axes.axhline(value, color=MUTED, linewidth=1.0, zorder=1)
    ends = [end for trace in traces for end in (trace.end, float(trace.high[-1]))]
    low, high = value_limits(ends, known)
    axes.set_ylim(low, high)
    axes.set_xlim(left=max(axes.get_xlim()[0], time_start(traces, low, high)))
    _name_lines(axes, traces, known, looks, (high - low) * room / (height - _FRAME))
    names = dict.fromkeys(trace.backend for trace in traces)
    handles = [Line2D([], [], color=INK, label=name, **looks.line(name)) for name in names]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def _draw_trace(axes: Axes, trace: Trace, looks: Looks) -> None:
    colour = looks.colour(trace.estimator)
    if trace.seeds > 1:
        axes.fill_between(trace.seconds, trace.low, trace.high, color=colour, alpha=0.18, linewidth=0)
    width = 1.6 if trace.finished else 0.8
    line = looks.line(trace.backend)
    axes.plot(trace.seconds, trace.median, color=colour, linewidth=width, **line)
    axes.plot(trace.seconds[-1:], [trace.end], _marker(trace, looks), color=colour, markersize=4)


def _name_lines(axes: Axes, traces: list[Trace], known: Yardsticks, looks: Looks, gap: float) -> None:
    """Write each line's name at the right edge, near the height at which it ends."""
    names: list[tuple[str, float, str, str]] = []
    for label in dict.fromkeys(trace.label for trace in traces):
        own = [trace for trace in traces if trace.label == label]
        top = max(own, key=lambda trace: (trace.finished, trace.end))
        names.append((label, top.end, looks.colour(top.estimator), _marker(top, looks)))
    names += [(_LABELS[name], value, MUTED, "") for name, value in _horizontal(known).items()]
    names.sort(key=lambda name: name[1])  # the order holds among those below the axis, too
    low, high = axes.get_ylim()
    edges = [min(max(end, low), high) for _, end, _, _ in names]
    places = spread_apart(edges, gap, low, high)
    across = axes.get_yaxis_transform()  # x in widths of the axes, y in nats
    for (label, end, colour, marker), edge, place in zip(names, edges, places, strict=True):
        line = Line2D([1, 1.05], [edge, place], color=colour, linewidth=0.8)
        line.set(marker=marker, markersize=4, markevery=[1], transform=across, clip_on=False)
        axes.add_artist(line)
        axes.text(
            1.08,
            place,
            _folded(f"{label} ↓ {number(end, 0)}" if end < low else label),
            color=INK if marker else MUTED,
            fontsize=8,
            verticalalignment="center",
            transform=across,
        )


def _horizontal(known: Yardsticks) -> dict[str, float]:
    return {name: value for name, value in vars(known).items() if np.isfinite(value)}


def _folded(label: str) -> str:
    return textwrap.fill(label, 24)


def _marker(trace: Trace, looks: Looks) -> str:
    return looks.marker(trace.estimator) if trace.finished else "x"
