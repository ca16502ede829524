"""Adam's settings; what a step does is tested with the networks' other jobs."""

import pytest
from conftest import complaint

from ebmbench.training.adam import Adam

BAD = {
    "learning rate": [{"rate": rate} for rate in (0.0, -1.0, float("nan"), float("inf"))],
    "beta1": [{"beta1": beta} for beta in (1.0, -0.1, float("nan"))],
    "beta2": [{"beta2": beta} for beta in (1.0, -0.1, float("nan"))],
    "epsilon": [{"epsilon": epsilon} for epsilon in (0.0, -1e-8, float("inf"), float("nan"))],
    "schedule": [{"schedule": "cosine"}],
}


@pytest.mark.parametrize(("words", "settings"), [(w, s) for w, all_ in BAD.items() for s in all_])
def test_an_optimiser_that_cannot_be_is_named(words, settings):
    assert words in complaint(Adam, **settings)


def test_rates_over_a_run():
    assert [Adam(0.5).rate_at(step, 4) for step in range(4)] == [0.5] * 4
    falling = Adam(0.5, schedule="linear")
    assert [falling.rate_at(step, 4) for step in range(4)] == [0.5, 0.375, 0.25, 0.125]
