"""The roofline: where points and roofs stand, whose numbers are told, and what has no place there."""

import numpy as np
import pandas as pd
import pytest

from ebmbench.report import points, style
from ebmbench.report.tasks import roofline
from ebmbench.report.tasks.roofline import numbered, rooflines


def rows(**changed):
    """Two kernels far apart, the first twice, and one in bfloat16 beside it."""
    found = pd.DataFrame(
        {
            "where": ["Gibbs", "Gibbs", "SML", "Gibbs"],
            "arithmetic": ["float", "float", "float", "bfloat16"],
            "backend": "cuda",
            "seconds": [1.0, 3.0, 0.5, 0.1],
            "operations": [4e9, 4e9, 1e9, 4e9],
            "bytes": [1e8, 1e8, 1e9, 1e8],
            "operations_per_s": [1e10, 1e10, 1e10, 1e11],
            "copy_per_s": 2e9,
        }
    )
    return found.assign(**changed)


def drawn(table):
    with style.applied():
        return rooflines(table, numbered(table))


def test_points_and_roofs_stand_where_they_were_measured():
    (drawing,) = drawn(rows())
    (axes,) = drawing.figure.axes
    fine, coarse, points = (line.get_xydata() for line in axes.lines)
    np.testing.assert_allclose(points, [[40, 2e9], [1, 2e9], [40, 4e10]])
    assert (fine[:, 1].max(), coarse[:, 1].max()) == (1e10, 1e11)
    for roof, bend in ((fine, 5.0), (coarse, 50.0)):
        assert roof[1, 0] == bend
        assert roof[0, 1] == pytest.approx(2e9 * roof[0, 0])  # copies bound what lies left of the bend
    told = [drawing.alt.index(f"{n}: {name}") for n, name in enumerate(("Gibbs ", "SML ", "Gibbs, b"), 1)]
    assert told == sorted(told)
    assert {"1", "2", "3"} <= {text.get_text() for text in axes.texts}
    assert "SML 2.00 billion a second" in drawing.alt


def test_what_the_roofs_stand_for_is_told_above_them():
    (drawing,) = drawn(rows())
    told = [text.get_text() for text in drawing.figure.axes[0].texts]
    assert "copies 2.00 GB/s, float32 10.0 GFLOP/s, bfloat16 100 GFLOP/s" in told


def test_the_roof_is_drawn_to_beyond_its_bend():
    """Also where every kernel is bound by copies: what it says of products stands on its flat part."""
    (drawing,) = drawn(rows().iloc[2:3])
    roof = drawing.figure.axes[0].lines[0].get_xydata()
    assert roof[1].tolist() == [5.0, 1e10]
    assert roof[2, 0] > 5.0
    assert roof[2, 1] == 1e10


def test_neighbours_have_their_own_numbers():
    (drawing,) = drawn(rows(where=["Gibbs", "CD", "SML", "AIS"], seconds=[1.0, 1.02, 0.5, 0.1]))
    assert {"1", "2", "3", "4"} <= {text.get_text() for text in drawing.figure.axes[0].texts}


def test_no_text_stands_upon_another_or_upon_a_point():
    """Twelve points within a fifth of an inch."""
    at = 15.0 * np.random.default_rng(0).random((12, 2))
    texts = [str(n) for n in range(1, 13)]
    boxes = [
        (point + step, np.array([4.8 * len(text), 8.0]) / 2)
        for point, step, text in zip(at, points.beside(at, texts), texts, strict=True)
    ]
    dots = [(point, np.full(2, 2.5)) for point in at]
    for n, (middle, half) in enumerate(boxes):
        for other, reach in [*boxes[:n], *dots]:
            assert (np.abs(middle - other) >= half + reach - 1e-9).any()


@pytest.mark.parametrize("missing", ["operations", "bytes", "operations_per_s", "copy_per_s"])
def test_what_was_not_measured_is_not_drawn(missing):
    assert drawn(rows(**{missing: np.nan})) == []


def test_each_backend_has_its_own():
    names = [drawing.name for drawing in drawn(rows(backend=["cuda", "cuda", "cpu", "cuda"]))]
    assert names == ["kernel-roofline-cuda", "kernel-roofline-cpu"]


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, "0.1"), (2e4, "20,000"), (5e4, "50,000"), (1e5, "10⁵"), (2e6, "2,000,000")]
)
def test_what_a_tick_says(value, text):
    assert roofline._tick(value) == text


def test_a_kernel_has_the_same_number_on_all_backends():
    table = rows(where=["SML", "Gibbs", "Gibbs", "AIS"], backend=["cuda", "cuda", "cpu", "cpu"])
    table["arithmetic"] = "float"
    cuda, cpu = ({text.get_text() for text in one.figure.axes[0].texts} for one in drawn(table))
    assert {"1", "2"} <= cuda
    assert {"2", "3"} <= cpu
    assert "1" not in cpu
