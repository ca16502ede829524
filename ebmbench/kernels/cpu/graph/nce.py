"""Noise-contrastive estimation without hidden units: weighted moments of data and of noise."""

import numpy as np

from ebmbench.kernels.api import NoiseContrast
from ebmbench.kernels.cpu.device import store
from ebmbench.kernels.cpu.graph.statistics import contrast, free_energy
from ebmbench.kernels.cpu.nce import Answers, outcome


def job(free_energy, contrast):
    """The job for a kind of model, from its energies and its `contrast`."""

    def nce(model, data, noise, data_offset, noise_offset) -> NoiseContrast:
        """See `Backend.nce`."""
        answers, weighted = [], []
        for v, offset, sign in ((data, data_offset, 1.0), (noise, noise_offset, -1.0)):
            found = Answers.of(sign * (-free_energy(model, v) - offset), len(data))
            answers.append(found)
            weighted.append(store(v * found.weights[:, None].astype(np.float32)))
        phases, _ = contrast(model, data, noise, weighted[0], weighted[1], 0.5)
        return NoiseContrast(phases.gradient, phases.means, *outcome(*answers))

    return nce


JOBS = {"nce": job(free_energy, contrast)}
