"""The jobs of a Gaussian-Bernoulli RBM.

v -> h multiplies by precision * W, kept beside W; h -> v adds rows of the transposed W, as for binary
units. v is float32, or uint8 where the data happen to be binary.
"""

from ebmbench.kernels.cuda.gaussian import device

FILES = (device,)
