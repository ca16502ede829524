"""How `ebmbench evaluate` and `restore` show what they found: a table and a sentence, or JSON."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from rich.table import Table

from ebmbench.cli.console import answer, print_table


def show(result: Any, facts: dict[str, Any], as_json: bool) -> None:
    """A `Sandwich` of log-likelihoods or bounds; facts: what else JSON says."""
    if as_json:
        _print_json(_fields(result) | facts)
    else:
        _print(result)


def _print_json(fields: dict[str, Any]) -> None:
    from ebmbench.harness.table import finite

    print(json.dumps(finite(fields), indent=2, allow_nan=False))


def show_classified(found: Any, facts: dict[str, Any], as_json: bool) -> None:
    """A `Classified`."""
    from ebmbench.evaluation.classification import gains

    if as_json:
        fields = {
            "error": found.error, "error_std_error": found.std_error, "wrong": found.wrong,
            "n_rows": found.n_rows, "mean_log_likelihood": found.mean,
            "error_of_one_class": found.of_one_class,
        }  # fmt: skip
        _print_json(fields | facts)
        return
    answer.print(
        f"error {100 * found.error:.2f} % +- {100 * found.std_error:.2f} "
        f"({found.wrong} of {found.n_rows} rows), {found.mean:.4f} nats a label"
    )
    if not gains(found.error, found.std_error, found.of_one_class):
        answer.print(f"no gain: always the same class is {100 * found.of_one_class:.2f} % wrong")


def show_compared(found: Any, facts: dict[str, Any], as_json: bool) -> None:
    """A `GANScores`."""
    from ebmbench.evaluation.parzen import CAVEAT

    figures = found.facts
    if as_json:
        _print_json(figures | facts)
        return
    table = Table(box=None, header_style="bold")
    for heading in ("", "samples", "training rows", "k-means", "test rows"):
        table.add_column(heading, justify="right" if heading else "left")
    table.add_row(
        "Parzen window, nats a test row",
        f"{figures['parzen']:.1f} +- {figures['parzen_std_error']:.1f}",
        f"{figures['parzen_train']:.1f}", f"{figures['parzen_centres']:.1f}", "",
    )  # fmt: skip
    table.add_row(
        "median distance to a training row",
        f"{figures['nearest_median']:.2f}", "", "", f"{figures['nearest_test_median']:.2f}",
    )  # fmt: skip
    table.add_row(
        "MMD² to test rows (p)",
        f"{figures['mmd_squared']:.5f} ({figures['mmd_p_value']:.3f})",
        f"{figures['mmd_squared_train']:.5f} ({figures['mmd_p_value_train']:.3f})", "", "",
    )  # fmt: skip
    print_table(table)
    answer.print(CAVEAT)


def show_restored(found: Any, facts: dict[str, Any], as_json: bool) -> None:
    """A `Restored`; facts: what else JSON says, `base` and `sweeps` among it."""
    scores = {"base_rates": found.base_rates, "model": found.model}
    loss = found.model._fields[0]
    if as_json:
        fields = {
            f"{name}_{field}": value
            for name, score in scores.items() for field, value in score._asdict().items()
        } | {
            "fewer": found.fewer, "fewer_std_error": found.fewer_std_error, "gain": found.gain,
            f"damaged_{loss}": found.damaged, "counted": found.n_counted,
        }  # fmt: skip
        _print_json(fields | facts)
        return
    words = _WORDS[loss]
    table = Table(box=None, header_style="bold")
    for heading in ("", *words.headings):
        table.add_column(heading, justify="right" if heading else "left")
    if found.damaged is not None:
        table.add_row("as damaged", words.figure(found.damaged, None))
    for name, (size, std_error, *nats) in scores.items():
        table.add_row(name.replace("_", " "), words.figure(size, std_error), *(f"{x:.4f}" for x in nats))
    print_table(table)
    rows = len(found.means)
    in_rows = f"{rows:,} rows" if rows > 1 else "one row"
    answer.print(f"of {found.n_counted:,} {words.units} in {in_rows}; {facts['sweeps']} sweeps a row")
    amount = words.figure(abs(found.fewer), found.fewer_std_error)
    side = words.sides[found.fewer < 0]
    answer.print(f"{amount} {side} than by base rates, those of {facts['base']}")
    if found.fewer_std_error is None:
        answer.print("of one row there is no standard error")
    elif not found.gain:
        answer.print("no gain beyond three standard errors")


class _Words(NamedTuple):
    """How a restoration is told: of what, by which headings, and that something is less or more."""

    units: str
    headings: tuple[str, ...]
    sides: tuple[str, str]
    figure: Callable[[float, float | None], str]


def _per_cent(share: float, std_error: float | None) -> str:
    told = f"{100 * share:.2f}"
    return told if std_error is None else f"{told} +- {100 * std_error:.2f}"


def _distance(square: float, std_error: float | None) -> str:
    told = f"{square:.5g}"
    return told if std_error is None else f"{told} +- {std_error:.2g}"


_BITS = ("bits wrong, %", "nats a bit"), ("points fewer bits wrong", "points more bits wrong")
_SQUARES = ("mean squared error",), ("less squared error", "more squared error")
# By what is first in a score.
_WORDS = {"wrong": _Words("bits", *_BITS, _per_cent), "square": _Words("units", *_SQUARES, _distance)}


def _print(result: Any) -> None:
    from ebmbench.evaluation.bounds import Bound

    table = Table(box=None, header_style="bold")
    bound = isinstance(result.estimates[0], Bound)
    worth = "bound, nats a row" if bound else "nats a row"
    for heading in ("method", "log Z", "std. error", "ESS", worth, "rows", "seconds"):
        table.add_column(heading, justify="left" if heading == "method" else "right")
    for one in result.estimates:
        z = one.log_z
        table.add_row(
            z.method,
            f"{z.log_z:.3f}",
            f"{z.std_error:.3f}" if z.schedule else "exact",
            f"{z.ess:.1f}" if z.ess else "",
            f"{one.mean:.3f}",
            str(one.n_rows),
            f"{one.seconds:.2f}",
        )
    print_table(table)
    if (error := result.estimates[0].rows_std_error) is not None:
        answer.print(f"standard error of the mean over the rows: {error:.3f} nats a row")
    if bound and (error := result.estimates[0].sampling_error):
        answer.print(f"the bound's own standard error, of drawn hidden layers: {error:.3f} nats a row")
    annealed = [one.log_z for one in result.estimates if one.log_z.schedule]
    for z in annealed[:1]:  # all share one schedule and one base
        answer.print(f"annealing: {z.schedule}, between the model and {z.base}")
    starts = dict.fromkeys(z.start for z in annealed if z.start)
    if result.verdict:
        answer.print(result.verdict)
    else:
        for start in starts:
            answer.print(f"chains that walk back start from {start}")


def _worth(one: Any) -> dict[str, float]:
    from ebmbench.evaluation.bounds import Bound

    if isinstance(one, Bound):
        return {"mean_bound": one.mean, "sampling_error": one.sampling_error}
    return {"mean_log_likelihood": one.mean}


def _fields(result: Any) -> dict[str, Any]:
    return {
        "estimates": [
            {
                "method": one.log_z.method,
                "log_z": one.log_z.log_z,
                "log_z_std_error": one.log_z.std_error,
                "ess": one.log_z.ess,
                **_worth(one),
                "rows_std_error": one.rows_std_error,
                "n_rows": one.n_rows,
                "seconds": one.seconds,
                "schedule": one.log_z.schedule,
                "error_reached": one.log_z.reached,
                "chains": len(one.log_z.log_weights) or None,
                "base": one.log_z.base,
                "start": one.log_z.start,
            }
            for one in result.estimates
        ],
        "gap": result.gap,
        "gap_error": result.gap_error,
        "resolved": result.resolved,
        "verdict": result.verdict,
    }
