"""How long a user waits for a first result: four series that never mix with those of the kernels.

Each is taken in processes of its own, so asv only tracks the figure: import, a first call with an empty
cache of machine code, a first call that loads it, and a further call.
"""

import json
import os
import subprocess
import sys
from tempfile import TemporaryDirectory

import numpy as np

_STARTS = 3  # with a full cache, of which the medians count


class Start:
    """Ten Gibbs sweeps, an SML update or ten temperatures of AIS, 784 x 500, 100 chains."""

    unit = "seconds"
    timeout = 600
    params = ["gibbs", "sml", "ais"]
    param_names = ["job"]

    def setup_cache(self):
        """For every job the stages' seconds, as `track_` gives them."""
        return {job: _starts(job) for job in self.params}

    def track_import(self, stages, job):
        return stages[job]["import"]

    def track_first_call_compiled(self, stages, job):
        return stages[job]["cold"]

    def track_first_call_from_cache(self, stages, job):
        return stages[job]["loaded"]

    def track_further_call(self, stages, job):
        return stages[job]["again"]


Start.setup_cache.timeout = 600


def _starts(job):
    with TemporaryDirectory() as folder:
        cold, *warm = (_start(job, folder) for _ in range(1 + _STARTS))
    return {
        "import": float(np.median([one["numba_s"] + one["backend_s"] for one in warm])),
        "cold": cold["first_s"],
        "loaded": float(np.median([one["first_s"] for one in warm])),
        "again": float(np.median([one["again_s"] for one in warm])),
    }


def _start(job, folder):
    """What `ebmbench.harness.first_call` says of one process; its stages are part of the surface."""
    command = [sys.executable, "-m", "ebmbench.harness.first_call", job, "cpu", "784", "500", "100"]
    said = subprocess.run(
        command, env=os.environ | {"NUMBA_CACHE_DIR": folder}, capture_output=True, text=True, check=True
    )
    return json.loads(said.stdout.splitlines()[-1])
