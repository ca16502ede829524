"""The part of the page about Gibbs sampling, from synthetic rows: fitted powers, threads, the table."""

import re

import numpy as np
import pytest
import synthetic
from test_report_speed import REASON, table_of
from test_report_tasks import headings, page_of, section_of, without

from ebmbench.report.tasks.fits import power

SIZES = ((64, 64), (256, 256), (784, 500), (4096, 4096))
COST = 3e-9  # seconds of a unit of one chain at 100 units


def row(
    number, backend="cpu", threads=2, size=(784, 500), chains=100, on_rate=0.13, persistence=0.8, **f
):
    """A sweep costs units**1.5 chains on_rate**0.5, and a tenth more on one thread."""
    n_visible, n_hidden = size
    units = np.sqrt(n_visible * n_hidden)
    flips = 2 * on_rate * (1 - on_rate) * (1 - persistence)
    sweep = COST * units**1.5 * chains * np.sqrt(on_rate / 0.13) * (1.1 if threads == 1 else 1.0)
    rate = chains * (n_visible + n_hidden) / sweep
    return synthetic.common(
        number, "gibbs", backend=backend, threads=threads, n_visible=n_visible, n_hidden=n_hidden,
        chains=chains, on_rate=on_rate, persistence=persistence, arithmetic="float", job="Gibbs",
        subject=f"a made-up {n_visible}x{n_hidden} RBM ({on_rate:g}, {persistence:g})",
        visible_on_rate=on_rate, hidden_on_rate=on_rate, visible_flip_rate=flips, hidden_flip_rate=flips,
        sweep_s=sweep, sweep_s_low=0.9 * sweep, sweep_s_high=1.2 * sweep, sweeps_a_turn=10,
        unit_updates_per_s=rate, attempted_flips_per_ns=1e-9 * rate,
        changed_units_per_ns=1e-9 * rate * flips, ess_per_draw=0.1, ess_per_s=0.1 * chains / sweep,
        ess_reason=None, floor_s=2 * sweep, fraction=2.0, bound="operations",
    ) | f  # fmt: skip


def rows():
    """A star, a trained model whose chains were followed for too short a time, and one thread."""
    cases = [
        *({"size": size} for size in SIZES),
        *({"chains": chains} for chains in (1, 10, 1000)),
        *({"on_rate": rate} for rate in (0.02, 0.5)),
        *({"persistence": value} for value in (0.0, 0.95)),
        *({"threads": 1, "size": size} for size in SIZES),
        {"arithmetic": "grid"},
    ]
    found = [row(number, **case) for number, case in enumerate(cases)]
    trained = {
        "subject": "rbm_cd25_500", "on_rate": None, "persistence": None, "ess_per_draw": None,
        "ess_per_s": None, "ess_reason": "1,000 recorded sweeps are fewer than 50 autocorrelation times",
    }  # fmt: skip
    return [*found, row(99) | trained]


# Powers


def test_an_exact_power_is_found_with_a_narrow_interval():
    x = np.array([1.0, 3.0, 10.0, 40.0])
    found = power(x, 5.0 * x**1.7)
    assert (found.exponent, found.low, found.high, found.last) == pytest.approx((1.7,) * 4)
    np.testing.assert_allclose(found.at(x), 5.0 * x**1.7)


def test_a_bent_line_has_a_wide_interval_and_says_where_it_ends():
    x = np.array([1.0, 10.0, 100.0, 1000.0])
    found = power(x, 50.0 + x**2)
    assert found.high - found.low > 1.0
    assert found.last == pytest.approx(2.0, abs=0.01)


def test_the_interval_is_students():
    """Residuals of +-d about a line at 4 points, by hand: standard error d sqrt(4 / 2) / sqrt(5)."""
    x = np.exp([0.0, 1.0, 2.0, 3.0])
    off = 0.1 * np.array([1.0, -1.0, -1.0, 1.0])  # orthogonal to 1 and to x
    found = power(x, x**1.5 * np.exp(off))
    assert found.exponent == pytest.approx(1.5)
    assert found.high - 1.5 == pytest.approx(4.302653 * 0.1 * np.sqrt(2.0) / np.sqrt(5.0))


def test_the_interval_holds_the_exponent_as_often_as_it_says():
    """2,000 experiments of 5 points; the number that fails is within 5 deviations of 5 %."""
    random = np.random.default_rng(3)
    x = np.array([64.0, 256.0, 626.0, 1024.0, 4096.0])
    found = [power(x, x**1.5 * np.exp(0.2 * random.normal(size=5))) for _ in range(2000)]
    missed = sum(not one.low <= 1.5 <= one.high for one in found)
    assert abs(missed - 100) < 5 * np.sqrt(2000 * 0.05 * 0.95)


# The page


def test_every_dial_is_fitted_and_drawn(tmp_path):
    seen = page_of(tmp_path, rows())
    assert "Gibbs sampling" in headings(tmp_path)
    head, *grown = table_of(tmp_path, "Gibbs sampling")
    assert head[:4] == ["Cost against", "Of", "Points", "Exponent"]
    found = {(line[0], line[1]): line[2:6] for line in grown}
    assert found["units a layer", "cpu, 2 threads"] == ["4", "1.50 [1.50, 1.50]", "1.50", "2"]
    assert found["units a layer", "cpu, 1 thread"][1] == "1.50 [1.50, 1.50]"
    assert found["chains", "cpu, 2 threads"] == ["4", "1.00 [1.00, 1.00]", "1.00", "1"]
    assert found["share of units on", "cpu, 2 threads"] == ["3", "0.50 [0.50, 0.50]", "0.50", "0"]
    assert found["share of units that flip in a sweep", "cpu, 2 threads"][1].startswith("0.00")
    assert len(found) == 5  # neither grid nor the trained model has a line of its own
    files = {path.stem for path in (tmp_path / "r" / "figures").glob("*.svg")}
    names = ("size", "chains", "on-rate", "flip-rate", "threads")
    assert files == {f"gibbs-{name}" for name in names}
    assert "cpu, 2 threads 1.50 [1.50, 1.50], 1.50 at the upper end; cpu, 1 thread" in seen
    assert "2 threads are 1.10 to 1.10 times as fast as one" in seen


def test_the_table_holds_every_metric_under_its_own_name():
    section = section_of("gibbs", rows())
    sheet = section.sheets[-1]
    centre = dict(zip(sheet.columns, sheet.rows[2], strict=True))
    sweep = row(0)["sweep_s"]
    updates = 100 * 1284 / sweep
    assert centre["Model"].text == "784x500"
    assert centre["Computed by"].text == "cpu, 2 threads"
    assert centre["Million updates/s"].value == pytest.approx(1e-6 * updates)
    assert centre["Attempted flips/ns"].value == pytest.approx(1e-9 * updates)
    assert centre["Changed units/ns"].value == pytest.approx(1e-9 * updates * 2 * 0.13 * 0.87 * 0.2)
    assert centre["ESS/s"].value == pytest.approx(10 / sweep)
    assert centre["ESS/s"].note.endswith(" a draw")
    assert centre["Dense floor's rate"].text == "2.0×"
    assert re.fullmatch(r"of .* by (operations|bytes)", centre["Dense floor's rate"].note)
    assert [line[0].text for line in sheet.rows].count("rbm_cd25_500") == 1
    assert len(sheet.rows) == len(rows())


def test_why_there_is_no_effective_sample_size_is_told(tmp_path):
    assert "1,000 recorded sweeps are fewer than 50 autocorrelation times (1 case)" in page_of(
        tmp_path, rows()
    )


def test_two_points_make_no_line(tmp_path):
    seen = page_of(tmp_path, [row(0), row(1, chains=10)])
    assert "xponent" not in seen.split("How it was measured")[0]
    assert list((tmp_path / "r" / "figures").iterdir()) == []


def test_seeds_and_backends_are_kept_apart(tmp_path):
    """Two seeds are one point, their median; a slower backend is a line of its own."""
    both = [
        row(f"{backend}{seed}{chains}", backend, chains=chains, seed=seed, threads=threads)
        | {"sweep_s": chains * (2.0 if backend == "reference" else 1.0) * (1 + seed)}
        for backend, threads in (("cpu", 2), ("cuda", None), ("reference", 1))
        for seed in (0, 1)
        for chains in (1, 10, 100)
    ]
    page_of(tmp_path, both)
    _, *grown = table_of(tmp_path, "Gibbs sampling")
    assert [line[1] for line in grown] == ["cpu, 2 threads", "cuda", "reference, 1 thread"]
    assert grown[0][6] == "1.5 s at 1"


def test_cases_of_which_none_ran(tmp_path):
    names = (
        "schema_version",
        "key",
        "attempt",
        "suite",
        "title",
        "indicative",
        "task",
        "backend",
        "seed",
    )
    given = (*names, "machine", "subject", "job", "chains", "arithmetic", "n_visible", "n_hidden")
    left = [{name: one[name] for name in given} for one in rows()[:7]]
    seen = page_of(tmp_path, [one | {"status": "unavailable", "reason": REASON} for one in left])
    assert "0 of 7 cases are done" in seen
    assert "No sweep was timed" in seen


@pytest.mark.parametrize(
    "missing",
    [
        ["sweep_s_low", "floor_s", "fraction", "bound", "ess_reason"],
        ["threads", "arithmetic", "backend", "chains"],
        ["n_visible", "visible_on_rate", "hidden_flip_rate", "on_rate"],
        ["unit_updates_per_s", "subject", "job", "persistence"],
        ["sweep_s"],
    ],
)
@pytest.mark.filterwarnings("error")
def test_missing_fields(tmp_path, missing):
    page_of(tmp_path, without(rows(), *missing))
