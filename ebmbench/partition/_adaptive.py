"""An annealing schedule that is found by trying, until log Z has the wanted error.

Temperatures are spaced so that each step adds the same spread to the log weights, that is, at equal
thermodynamic length (Grosse, Maddison & Salakhutdinov 2013, section 4; Zhou, Johansen & Aston 2016,
section 3.3, measure the spread from the particles at hand, as is done here). What is measured holds
the chains' slowness too: where they lag behind the path, the spread is larger, and temperatures gather.
"""

import itertools

import numpy as np

from ebmbench.kernels.api import Backend, Handle
from ebmbench.partition._schedule import Annealing, Schedule
from ebmbench.partition._weights import summarise
from ebmbench.randomness import Key

_FIRST, _SEGMENTS = 200, 50  # temperatures of the first round; segments whose spread is measured
_LARGEST_GROWTH = 8


def anneal_to_error(
    k: Backend, handle: Handle, base: np.ndarray, config: Annealing, key: Key
) -> tuple[np.ndarray, Schedule]:
    """What the log weights gain on a schedule that reaches config.error, and that schedule.

    Each round re-spaces the temperatures by what the last one measured and at least doubles their number,
    until the standard error is below config.error and two successive rounds agree within it. The weights
    of a good schedule spread as 1 / K, and so does the bias: where K and 2 K temperatures agree within
    the error, what is left of the bias is no larger. A round draws its own random numbers; but as it is
    the first that agreed with the one before, its estimate is a little nearer to that than by chance.
    """
    aim = min(1.0, 0.5 * np.log1p(config.chains * config.error**2))  # variance of the log weights
    betas = np.linspace(0.0, 1.0, min(_FIRST, config.most_betas))
    before, rounds = np.inf, 0
    while True:
        rounds += 1
        gains, ends, steps = _in_segments(k, handle, base, betas, config.chains, key)
        total = gains.sum(axis=0)
        log_mean, std_error, _ = summarise(total)
        reached = std_error <= config.error and abs(log_mean - before) <= config.error
        if reached or len(betas) >= config.most_betas:
            break
        before, key = log_mean, key.advance(len(betas))
        variances = gains.var(axis=1, ddof=1)
        wanted = len(betas) * max(variances.sum(), total.var(ddof=1)) / aim
        count = int(np.clip(wanted, 2 * len(betas), _LARGEST_GROWTH * len(betas)))
        betas = respaced(ends, steps, variances, min(count, config.most_betas))
    name = (
        f"adaptive ({len(betas)} on [0, 1] after {rounds} rounds, "
        f"error {config.error:g} {'reached' if reached else 'not reached'})"
    )
    return total, Schedule(betas, name, reached)


def _in_segments(
    k: Backend, handle: Handle, base: np.ndarray, betas: np.ndarray, chains: int, key: Key
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log weight gained on each segment of one run, [S, chains]; the segments' ends; their steps.

    All segments but the last repeat their last temperature: that adds nothing to the weight, but gives
    the state its sweep there before the next segment weighs it.
    """
    bounds = np.unique(np.linspace(0, len(betas) - 1, _SEGMENTS + 1).round().astype(int))
    gains, state = [], chains
    for first, last in itertools.pairwise(bounds):
        segment = betas[first : last + 1]
        if last < bounds[-1]:
            segment = np.append(segment, segment[-1])
        gain, state = k.anneal(handle, base, segment, state, key.advance(int(first)))
        gains.append(gain)
    return np.array(gains), betas[bounds], np.diff(bounds)


def respaced(ends: np.ndarray, steps: np.ndarray, variances: np.ndarray, count: int) -> np.ndarray:
    """`count` inverse temperatures at equal thermodynamic length, float64, from ends[0] to ends[-1].

    ends: of segments, [S + 1]; of each segment the number of its steps and the variance over chains of
    what the log weight gained on it, [S]. n steps over a segment leave a variance of length**2 / n, so
    length = sqrt(variance n), and the sum of variances is least where n is proportional to length.
    """
    length = np.sqrt(variances * steps)
    length += (1e-6 * length.sum() + 1e-12) * np.diff(ends)  # a flat segment keeps a finite spacing
    reached = np.concatenate([[0.0], np.cumsum(length)])
    betas = np.interp(np.linspace(0.0, reached[-1], count), reached, ends)
    betas[0], betas[-1] = ends[0], ends[-1]
    return betas
