"""Texts beside the points of a figure, none upon another or upon a point."""

import numpy as np

_WIDE, _HIGH = 4.8, 8.0  # of a letter and of a line, in points (1/72 inch)
_DOT = 2.5  # radius of a point
_RINGS = (0.0, 6.0, 12.0, 18.0, 26.0)  # how far away texts may stand
_WAYS = [(1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1)]


def beside(at: np.ndarray, texts: list[str]) -> list[tuple[float, float]]:
    """Where the middle of each text stands from its point: as near as there is room.

    at: float [points, 2], their places; all in 1/72 inch. Where there is no room at all it is the first
    place, to the right.
    """
    halves = [np.array([_WIDE * len(text), _HIGH]) / 2 for text in texts]
    taken: list[tuple[np.ndarray, np.ndarray]] = [(point, np.full(2, _DOT)) for point in at]
    found = []
    for point, half in zip(at, halves, strict=True):
        steps = [np.array(way) * (half + _DOT + 1.0 + ring) for ring in _RINGS for way in _WAYS]
        free = (step for step in steps if not any(_overlap(point + step, half, box) for box in taken))
        step = next(free, steps[0])
        taken.append((point + step, half))
        found.append((float(step[0]), float(step[1])))
    return found


def _overlap(middle: np.ndarray, half: np.ndarray, box: tuple[np.ndarray, np.ndarray]) -> bool:
    return bool((np.abs(middle - box[0]) < half + box[1]).all())
