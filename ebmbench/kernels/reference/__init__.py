"""The oracle: every job in plain float64 NumPy, thin over `models`."""

from ebmbench.kernels.api import Backend
from ebmbench.kernels.reference import annealing, device, enumerate, gibbs, statistics, update

BACKEND = Backend(
    name="reference",
    device=device.FUNCTIONS,
    jobs={
        (job, "bernoulli_rbm"): function
        for file in (device, gibbs, statistics, enumerate, annealing, update)
        for job, function in file.JOBS.items()
    },
)
