"""Deep models: what the players of a GAN say, and what models make."""

import textwrap

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ebmbench.report.deep.entries import Entry
from ebmbench.report.labels import End, height_for, name_ends
from ebmbench.report.section import Drawing
from ebmbench.report.style import GRID, MUTED, WIDTH, Looks, panel
from ebmbench.report.text import listing, number, tick
from ebmbench.report.training.pictures import images_of, mosaic

Arrays = dict[str, np.ndarray]

_SAID = {  # what a trace is called, and where it comes from
    "generator's loss": "said_generator_loss",
    "discriminator's loss": "said_discriminator_loss",
    "payoff": "said_payoff",
}
_EQUAL = -2.0 * np.log(2.0)  # the payoff where nobody can tell fakes from data
_ACROSS = 3  # grids side by side


def players(name: str, entry: Entry, arrays: dict[str, np.ndarray]) -> list[Drawing]:
    """What the two players of a GAN said as they went."""
    updates = arrays.get("said_update")
    if updates is None or not all(key in arrays for key in _SAID.values()):
        return []
    looks = Looks(tuple(_SAID), ())
    ends = [
        End(label, float(np.median(arrays[key][-10:])), looks.colour(label), looks.marker(label))
        for label, key in _SAID.items()
    ]
    ends.append(End("payoff if nobody can tell", _EQUAL))
    figure, axes = panel(f"{entry.where}: {entry.label}", height_for([end.label for end in ends]))
    for label, key in _SAID.items():
        axes.plot(updates, arrays[key], color=looks.colour(label), linewidth=1.0)
    axes.axhline(_EQUAL, color=MUTED, linewidth=1.0, zorder=1)
    axes.set_xlabel("updates")
    axes.set_ylabel("nats per row, of a batch")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    name_ends(axes, ends)
    caption = (
        "What the players of the GAN said of single batches: the payoff V, which the discriminator "
        "climbs, so that its loss is −V; and what the generator descends. At the line, −2 log 2, nobody "
        "tells fakes from data. Instance noise is in what is judged here, and an average of the "
        "generator is not."
    )
    last = [f"{label} {number(end.value)}" for label, end in zip(_SAID, ends, strict=False)]
    over = f"Payoff and losses of {entry.label} over {int(updates[-1]):,} updates"
    alt = f"{over}; at the end {listing(last)}."
    return [Drawing(f"{name}-players", figure, caption, alt)]


def over_time(name: str, entry: Entry, arrays: Arrays) -> list[Drawing]:
    """What a generator makes at the first look, half of the training later, and at the last one."""
    grids, updates = _grids(arrays)
    if not grids:
        return []
    middle = min(range(len(grids)), key=lambda n: abs(2 * updates[n] - updates[-1]))
    looks = sorted({0, middle, len(grids) - 1})
    titles = [f"{updates[n]:,} updates" for n in looks]
    figure = _draw(f"{entry.where}: {entry.label}", [grids[n] for n in looks], titles)
    when = listing([f"{updates[n]:,}" for n in looks])
    count = arrays["samples"].shape[1]
    maker = "The generator, or its average where one is kept, makes this"
    caption = f"{maker} of the same {count} pieces of noise after {when} updates."
    alt = f"{count} samples of {entry.label} on {entry.where} as images, after {when} updates."
    return [Drawing(f"{name}-samples", figure, caption, alt)]


def at_the_end(name: str, where: str, entries: list[tuple[Entry, Arrays]]) -> list[Drawing]:
    """What the chains of each model draw when its training has ended."""
    found = [(entry, grids[-1]) for entry, arrays in entries for grids in [_grids(arrays)[0]] if grids]
    if not found:
        return []
    titles = [entry.label.replace(", fine-tuned", "") for entry, _ in found]
    figure = _draw(f"{where}: samples", [grid for _, grid in found], titles)
    tuned = any(entry.label not in titles for entry, _ in found)
    before = ", before any fine-tuning" if tuned else ""
    caption = f"What the models of {where} draw after long Gibbs chains{before}."
    alt = f"Samples of {listing(titles)} on {where} as images."
    return [Drawing(f"{name}-samples", figure, caption, alt)]


def _grids(arrays: Arrays) -> tuple[list[np.ndarray], list[int]]:
    """The samples of each look as one picture, and the updates before it; nothing without samples."""
    samples, updates = arrays.get("samples"), arrays.get("samples_update")
    shape = tuple(int(side) for side in np.ravel(arrays.get("image_shape", ())))
    if samples is None or updates is None or samples.ndim != 3 or len(shape) != 2 or min(shape) < 2:
        return [], []
    if samples.shape[2] != shape[0] * shape[1]:
        return [], []
    order = str(arrays.get("image_order", "C"))
    return [mosaic(images_of(one, shape, order)) for one in samples], [int(n) for n in updates]


def _draw(title: str, grids: list[np.ndarray], titles: list[str]) -> Figure:
    """Grids side by side, black where a pixel is on, with a title each."""
    down = -(-len(grids) // _ACROSS)
    height, width = grids[0].shape
    figure, first = panel(title, 0.35 + down * (0.35 + WIDTH / _ACROSS * height / width))
    first.remove()
    places = figure.subplots(down, _ACROSS, squeeze=False).ravel()
    for axes in places:
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        axes.grid(visible=False)
        axes.patch.set_visible(False)
    for axes, grid, text in zip(places, grids, titles, strict=False):
        axes.patch.set(visible=True, facecolor=GRID)
        axes.imshow(grid, cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(textwrap.fill(text, 24), fontsize=8)
    return figure
