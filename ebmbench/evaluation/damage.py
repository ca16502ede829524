"""Rows of which something is lost, and the evidence that is left (see `samplers.posterior`)."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from ebmbench.discovery import unknown
from ebmbench.errors import Unavailable
from ebmbench.evaluation.samples import PictureShape
from ebmbench.models.rows import check_rows
from ebmbench.options import require
from ebmbench.partition import BaseRates, bit_rates, normal_rates
from ebmbench.randomness import Key, Stream, check_seed, normals, uniforms
from ebmbench.scalar import LARGEST_PARAMETER

HALVES = ("upper", "lower", "left", "right")
LARGEST = {"flip": 0.5, "missing": 1.0}  # a rate, and a share; both above 0
WAYS = (*LARGEST, "half")  # of bits
WAYS_OF_REAL = ("noise", "missing", "half")
# Of a column's variance beside the mean of all, where base rates only stand beside a model.
LEAST_VARIANCE_BESIDE = 1e-9
_LARGEST = 1e300  # of a whole number that is to become a real one
_LEAST_NOISE = 1e-6  # whose precision, 1e12, is far below what stands for a known unit (`api.device`)


class Damaged(NamedTuple):
    """All [n_rows, n_visible].

    rows: as they were; seen: float64, what is left of them, NaN where a unit is missing; evidence:
    float64, of each unit, of real ones [2, n_rows, n_visible]; counted: bool, the units that are to be
    restored.
    """

    rows: np.ndarray
    seen: np.ndarray
    evidence: np.ndarray
    counted: np.ndarray

    @property
    def real(self) -> bool:
        """Whether the units are real numbers, not bits."""
        return self.evidence.ndim == 3


def flipped(rows: np.ndarray, rate: float, seed: int) -> Damaged:
    """Each bit turned over with probability `rate`, 0 < rate <= 1/2; any may be wrong, so all count.

    The evidence knows the rate.
    """
    rows = check_rows(rows, binary=True)
    rate, most = _number("the rate of flips", rate), LARGEST["flip"]
    sentence = f"bits are turned over at a rate above 0 and at most {most:g}, not {rate:g}"
    require(0.0 < rate <= most, sentence)
    seen = np.where(_hit(rows, rate, seed), 1.0 - rows, rows)
    odds = np.log1p(-rate) - np.log(rate)
    return Damaged(rows, seen, (2.0 * seen - 1.0) * odds, np.ones(rows.shape, bool))


def noisy(rows: np.ndarray, deviation: float, seed: int) -> Damaged:
    """Each real unit with normal noise of this standard deviation, >= 1e-6, in the data's unit.

    The evidence knows the deviation.
    """
    rows = check_rows(rows, real=True)
    deviation, most = _number("the noise's standard deviation", deviation), LARGEST_PARAMETER
    sentence = f"noise has a standard deviation from {_LEAST_NOISE:g} to {most:g}, not {deviation:g}"
    require(_LEAST_NOISE <= deviation <= most, sentence)
    seen = rows + deviation * normals(Key(check_seed(seed), Stream.DAMAGE), *rows.shape)
    precision = np.full(rows.shape, deviation**-2.0)
    return Damaged(rows, seen, np.stack([seen, precision]), np.ones(rows.shape, bool))


def missing(rows: np.ndarray, share: float, seed: int, real: bool = False) -> Damaged:
    """Each unit is missing, completely at random, with probability `share`, 0 < share <= 1.

    real: whether the rows hold any numbers, for Gaussian units.
    """
    rows = check_rows(rows, binary=not real, real=real)
    share, most = _number("the missing share", share), LARGEST["missing"]
    sentence = f"the missing share must be above 0 and at most {most:g}, but is {share:g}"
    require(0.0 < share <= most, sentence)
    lost = _hit(rows, share, seed)
    require(bool(lost.any()), f"at a share of {share:g} no unit of these rows is missing")
    return _without(rows, lost, real)


def without_half(
    rows: np.ndarray, half: str, shape: PictureShape | tuple[int, int], real: bool = False
) -> Damaged:
    """The upper, lower, left or right half of each picture is missing; a line in the middle stays.

    shape: height and width, as a data set's `image_shape`, of rows that hold pictures line by line;
    real: as of `missing`.
    """
    rows, shape = check_rows(rows, binary=not real, real=real), _sides(shape)
    size = f"{shape.height}x{shape.width}"
    fits = rows.shape[1] == shape.height * shape.width
    require(fits, f"rows of {rows.shape[1]} units are no pictures of {size}")
    if half not in HALVES:
        raise unknown("half", half, list(HALVES))
    lines = shape.height if half in ("upper", "lower") else shape.width
    if lines < 2:
        raise Unavailable(f"pictures of {size} have no {half} half")
    lost = np.zeros((shape.height, shape.width), bool)
    view = lost if half in ("upper", "lower") else lost.T
    view[slice(lines // 2) if half in ("upper", "left") else slice(lines - lines // 2, None)] = True
    return _without(rows, np.broadcast_to(lost.ravel(order=shape.order), rows.shape), real)


def left_over(damaged: Damaged) -> np.ndarray:
    """What is seen, [n_rows, n_visible]; a missing unit gets its column's mean, or 1/2 without one."""
    seen = damaged.seen
    known = ~np.isnan(seen)
    total, count = np.where(known, seen, 0.0).sum(axis=0), known.sum(axis=0)
    return np.where(known, seen, np.where(count > 0, total / np.maximum(count, 1), 0.5))


def base_left(damaged: Damaged, source: str) -> BaseRates:
    """The independent units that fit what is left best: of what was lost they know nothing.

    What is known of the damage, the rate of flips and the precision of noise, is no part of them. A real
    unit of which nothing is left has the mean and the variance of all that is.
    """
    seen, known = damaged.seen, ~np.isnan(damaged.seen)
    if not damaged.real:
        rate = expit(-np.abs(damaged.evidence[known]).max(initial=0.0))  # of flips, and else 0
        share = left_over(damaged).mean(axis=0)
        share = np.clip((share - rate) / (1.0 - 2.0 * rate), 0.0, 1.0) if rate < 0.5 else share
        return bit_rates(share * len(seen), len(seen), source)
    count = known.sum(axis=0)
    every = seen[known] if known.any() else np.zeros(1)
    mean = np.where(count > 0, left_over(damaged).mean(axis=0), every.mean())
    squares = np.where(known, (seen - mean) ** 2, 0.0).sum(axis=0) / np.maximum(count, 1)
    noise = np.divide(1.0, damaged.evidence[1], out=np.zeros_like(seen), where=known)
    variance = np.where(count > 0, squares, every.var()) - noise.sum(axis=0) / np.maximum(count, 1)
    return normal_rates(mean, np.maximum(variance, 0.0), source, LEAST_VARIANCE_BESIDE)


def damaged(
    rows: np.ndarray, way: str, amount: float | str, shape: PictureShape, seed: int, real: bool = False
) -> Damaged:
    """By one of `WAYS`, or of `WAYS_OF_REAL`: a rate, a deviation, a share, or a half that is named."""
    known = WAYS_OF_REAL if real else WAYS
    units = "real units" if real else "bits"
    require(way in known, f"{units} are damaged by {', '.join(known)}, not by {way}")
    if way == "half":
        return without_half(rows, str(amount), shape, real)
    if way == "missing":
        return missing(rows, amount, seed, real)  # type: ignore[arg-type]  # which says so
    return (noisy if real else flipped)(rows, amount, seed)  # type: ignore[arg-type]


def _number(what: str, value: Any) -> float:
    known = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    fits = known and not abs(value) > _LARGEST
    require(fits, f"{what} must be a number, not {value!r}")
    return float(value)


def _sides(shape: Any) -> PictureShape:
    sides = tuple(shape) if isinstance(shape, Sequence | np.ndarray) else ()
    whole = len(sides) in (2, 3) and all(
        isinstance(side, Integral) and int(side) >= 1 for side in sides[:2]
    )
    require(
        whole and sides[2:] in ((), ("C",), ("F",)),
        f"the shape of pictures must be their height and width, perhaps with C or F, not {shape!r}",
    )
    return PictureShape(*sides)


def _hit(rows: np.ndarray, probability: float, seed: int) -> np.ndarray:
    """Which units damage strikes, each for itself."""
    return uniforms(Key(check_seed(seed), Stream.DAMAGE), *rows.shape) < probability


def _without(rows: np.ndarray, lost: np.ndarray, real: bool) -> Damaged:
    seen = np.where(lost, np.nan, rows)
    if real:
        evidence = np.stack([np.where(lost, 0.0, rows), np.where(lost, 0.0, np.inf)])
    else:
        evidence = np.where(lost, 0.0, np.where(rows == 1, np.inf, -np.inf))
    return Damaged(rows, seen, evidence, lost)
