"""What kernels and peers are timed on: sampling, annealing, gradients over single flips, training.

Each job knows what the plain dense algorithm must compute and move, how a backend does it, how a peer
does it, and how to see that it was done. What all run on is a `Subject`.
"""

from ebmbench.harness.jobs._deep import Stacked, Together
from ebmbench.harness.jobs._epoch import EPOCHS, MOMENTUM, RATE, Own
from ebmbench.harness.jobs._flips import Pseudolikelihood, RatioMatching
from ebmbench.harness.jobs._job import Cost, Job, Ours
from ebmbench.harness.jobs._lattice import Ising
from ebmbench.harness.jobs._layers import Classifier, Pair
from ebmbench.harness.jobs._restoring import Restore
from ebmbench.harness.jobs._sampling import Annealing, Gibbs
from ebmbench.harness.jobs._training import CD, SML

DEEP: dict[str, type[Own]] = {job.name: job for job in (Classifier, Stacked, Together, Pair)}
JOBS: dict[str, type[Job]] = {
    job.name: job for job in (Gibbs, Restore, Ising, Annealing, Pseudolikelihood, RatioMatching, SML, CD)
}
JOBS |= DEEP

__all__ = ["DEEP", "EPOCHS", "JOBS", "MOMENTUM", "RATE", "Cost", "Job", "Ours", "Own"]
