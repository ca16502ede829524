"""Sums over all states on the GPU, of more states than a block has threads in the simulator."""

import numpy as np
import pytest
from conftest import random_rows

from ebmbench.harness.sources import random_model
from ebmbench.kernels.api import load
from ebmbench.models.rbm import RBM

SIZES = [(5, 9), (9, 4), (1, 6), (6, 6)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_log_z(cuda, size):
    """Float64 to 2 units in the last place an exponential: far below 1e-12 of 20 nats."""
    host = random_model(*size, 1.0)
    assert abs(cuda.log_z(host) - load("reference").log_z(host)) < 1e-11


def test_log_z_of_a_steep_model(cuda):
    """Biases of 500 nats a unit: weights of states that differ by more than float64 holds."""
    host = random_model(5, 6, 1.0)
    host = RBM(host.W, 500 * host.b, 500 * host.c)
    wanted = load("reference").log_z(host)
    assert abs(cuda.log_z(host) - wanted) < 1e-13 * abs(wanted)


@pytest.mark.parametrize("size", SIZES[:2], ids=str)
def test_the_exact_gradient(cuda, size):
    """The positive phase is float32: means of 3 numbers below 1."""
    host, v = random_model(*size, 1.0), random_rows(3, size[0])
    reference = load("reference")
    models = [k.put(host) for k in (cuda, reference)]
    found, log_z = cuda.exact_gradient(models[0], cuda.put_rows(v))
    wanted, exact = reference.exact_gradient(models[1], reference.put_rows(v))
    assert abs(log_z - exact) < 1e-5  # from float32 weights, of which there are 45
    for tree, other in zip(found, wanted, strict=True):
        one, two = cuda.get_tree(models[0], tree), reference.get_tree(models[1], other)
        assert all(np.abs(one[name] - two[name]).max() < 1e-6 for name in one)
