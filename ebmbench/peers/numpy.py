"""Plain NumPy in float32; matrix products by its BLAS."""

import numpy as np

from ebmbench.peers import _arrays

NAME = "numpy"
PACKAGE = "numpy"
DEVICES = ("cpu",)
PRECISIONS = ("float32",)
JOBS = _arrays.jobs(PACKAGE, lambda: None, np.asarray)
