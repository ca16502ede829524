"""The same bits on every processor: digests of what jobs give, as x86 and ARM gave them alike.

No sum of the kernels may be added up in an order, or rounded in a way, that a processor or its compiler
chooses; but a matrix unit's sums are of integers, so it is left out here. The jobs are among those whose
results no function of the C library enters, the last bits of which are its own. A change that rounds
otherwise changes digests, and says so: then write down those that the test found.
"""

from hashlib import sha256

import numba
import numpy as np
import pytest

from ebmbench.harness import gate
from ebmbench.kernels.cpu.processor import FUSED

pytestmark = [
    pytest.mark.skipif(not FUSED, reason="this processor rounds a product before it is added"),
    pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="Numba compiles nothing here"),
]

JOBS = gate.jobs_at((31, 33, 7))
DIGESTS = {
    ("visible_input", "float"): "3cdf1ff7f24b",
    ("hidden_probability", "float"): "45baa18a4dd8",
    ("gibbs", "float"): "f60001111b38",
    ("posterior", "float"): "3fdc3b97d04c",
    ("mean_field", "float"): "c694ba9ab2e0",
    ("moments", "float"): "1edc1694dd8f",
    ("train", "float"): "e213ba1b0751",
    ("train_plainly", "float"): "401e18e3bd87",
    ("train_masked", "float"): "45348511acf5",
    ("train_at_once", "float"): "4bc093490940",
    ("visible_input", "grid"): "ffa7f8ae2d2d",
    ("gibbs", "grid"): "f60001111b38",
    ("posterior", "grid"): "010c3c422888",
    ("visible_input", "gaussian"): "0e739b2b67e9",
    ("gibbs", "gaussian"): "c4a1bd7b8cfb",
    ("posterior", "gaussian"): "9b6e7e9f976e",
    ("moments", "gaussian"): "881b24a52366",
    ("train", "gaussian"): "ff51560bfdcd",
    ("gibbs", "undirected"): "97e972dc5c03",
    ("gibbs_long", "undirected"): "3ff702091aea",
    ("posterior", "undirected"): "b16039329850",
    ("moments", "undirected"): "3efdbefce7d5",
    ("mean_field", "undirected"): "4056e08169ef",
    ("train_centred", "undirected"): "0ee59f62abb9",
    ("gibbs", "directed"): "17dcc90683d1",
    ("posterior", "directed"): "5271926ca3fc",
    ("moments", "directed"): "f4f93ea6c475",
    ("gibbs", "field"): "380950e72395",
    ("posterior", "field"): "23e266ccc20c",
    ("moments", "field"): "a66ee715849f",
    ("train", "field"): "263e263f4db5",
    ("forward", "network"): "2150c03e495a",
    ("backward", "network"): "f6094264fe15",
    ("dropout", "network"): "de9b580e7df8",
    ("add_noise", "network"): "19c8fc9afd72",
    ("train_adam", "network"): "37b6c5d8567e",
    ("train_sgd", "network"): "efc07b6294da",
}


def digest(arrays):
    """Of all numbers as float64, which hold each float32."""
    found = sha256()
    for array in arrays:
        found.update(np.asarray(array, np.float64).tobytes())
    return found.hexdigest()[:12]


@pytest.mark.parametrize(("job", "kind"), DIGESTS)
def test_bits_are_those_of_all_processors(cpu, monkeypatch, job, kind):
    monkeypatch.setattr("ebmbench.kernels.cpu.tiles.allowed", lambda: False)
    assert digest(getattr(JOBS[kind](cpu), job)()) == DIGESTS[job, kind]
