"""Every job of the Boltzmann machine whose units are all visible."""

from ebmbench.kernels.reference.undirected import jobs
from ebmbench.models import boltzmann

JOBS = jobs(boltzmann, boltzmann)
