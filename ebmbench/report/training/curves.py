"""Learning curves: test log-likelihood against clocked seconds, a panel each data set."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from ebmbench.report.labels import End, height_for, name_ends
from ebmbench.report.style import INK, MUTED, PAPER, Looks, log_time, panel
from ebmbench.report.text import number, tick
from ebmbench.report.training.summary import Yardsticks
from ebmbench.report.training.traces import Trace, time_start, value_limits

_LABELS = {  # for binary and for real rows
    "ceiling": ("ceiling", "ceiling"),
    "baseline_mixture": ("mixture of 10", "mixture of 10"),
    "baseline_independent": ("independent pixels", "independent normals"),
}
_SPARSE = 30  # checkpoints up to which each has its estimator's marker, as colours repeat
_FEW = 4  # targets up to which each has a line


def draw(
    title: str, traces: list[Trace], known: Yardsticks, targets: list[float], looks: Looks
) -> Figure:
    """One panel; colour is the estimator, line style the backend, an open marker an unresolved end."""
    targets = targets if len(targets) <= _FEW else []
    ends = [end for trace in traces for end in (trace.end, float(trace.high[-1]))]
    peaks = [float(trace.median.max()) for trace in traces]  # of what grew worse again
    low, high = value_limits(ends, known, [*targets, *peaks])
    targets = [value for value in targets if value >= low]  # others have been passed by all
    names = _names(traces, known, targets, looks, low)
    figure, axes = panel(title, height_for([name.label for name in names]))
    log_time(axes.xaxis, ticks=5)  # beside the names there is little room
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.set_xlabel("clocked training time")
    axes.set_ylabel("nats per test row")
    for trace in traces:
        _draw_trace(axes, trace, looks)
    for value in known.lines.values():
        axes.axhline(value, color=MUTED, linewidth=1.0, zorder=1)
    for value in targets:
        axes.axhline(value, color=MUTED, linewidth=0.7, linestyle=(0, (1, 3)), zorder=1)
    axes.set_ylim(low, high)
    axes.set_xlim(left=max(axes.get_xlim()[0], time_start(traces, low, high)))
    name_ends(axes, names)
    backends = dict.fromkeys(trace.backend for trace in traces)
    handles = [Line2D([], [], color=INK, label=name, **looks.line(name)) for name in backends]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=8)
    return figure


def _draw_trace(axes: Axes, trace: Trace, looks: Looks) -> None:
    colour = looks.colour(trace.estimator)
    if trace.seeds > 1:
        axes.fill_between(trace.seconds, trace.low, trace.high, color=colour, alpha=0.18, linewidth=0)
    width = 1.6 if trace.finished else 0.8
    line = looks.line(trace.backend)
    marker = _marker(trace, looks)
    dots: dict[str, Any] = {"marker": marker, "markersize": 2.5} if len(trace.seconds) <= _SPARSE else {}
    axes.plot(trace.seconds, trace.median, color=colour, linewidth=width, **line, **dots)
    fill = colour if trace.resolved else PAPER
    axes.plot(trace.seconds[-1:], [trace.end], marker, color=colour, markerfacecolor=fill, markersize=4)


def _names(
    traces: list[Trace], known: Yardsticks, targets: list[float], looks: Looks, low: float
) -> list[End]:
    """What to write at the lines' ends: a name each for the estimators, yardsticks and targets."""
    names = []
    for label in dict.fromkeys(trace.label for trace in traces):
        own = [trace for trace in traces if trace.label == label]
        top = max(own, key=lambda trace: (trace.finished, trace.end))
        text = f"{label} ↓ {number(top.end, 0)}" if top.end < low else label
        colour, marker = looks.colour(top.estimator), _marker(top, looks)
        names.append(End(text, top.end, colour, marker, top.resolved))
    names += [End(_LABELS[name][known.real], value) for name, value in known.lines.items()]
    return names + [End(f"target {tick(value)}", value) for value in targets]


def _marker(trace: Trace, looks: Looks) -> str:
    return looks.marker(trace.estimator) if trace.finished else "x"
