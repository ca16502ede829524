"""The tests of the tests: every fault of `mutants.py` is seen red by the ordinary tests it names.

A detector is an ordinary test (or the gate) called with a backend. Each is first shown green on the
sound backend, so that red means the fault and nothing else.
"""

import functools

import pytest
import test_enumerate
import test_estimators
import test_gibbs
import test_invariance
import test_partition
import test_sandwich
import test_training
from conftest import BACKENDS, backend
from mutants import MUTANTS

from ebmbench.harness import gate
from ebmbench.models.rbm import RBM

pytestmark = pytest.mark.usefixtures("one_thread")


def gate_is_green(k):
    """As `gate.check`, but content with the first job that is red."""
    findings = gate.findings(k, only=gate.labels([RBM.kind]))
    assert next((finding for finding in findings if finding.red), None) is None


def fit(name):
    return lambda k: test_training.test_fit_is_the_plain_loop(k, test_training.OPTIMISERS[name])


def sweeps(count, beta):
    return lambda k: test_gibbs.test_sweeps_follow_the_transition_matrix(k, count, beta, "float")


def well_annealed(name):
    test = test_sandwich.test_it_agrees_with_enumeration_when_annealed_well
    return lambda k: test(k, name, "float")


DETECTORS = {
    "gate": gate_is_green,
    "transition": sweeps(1, 1.0),
    "transition of 3 sweeps": sweeps(3, 1.0),
    "transition at beta 0.5": sweeps(1, 0.5),
    "transition of a square model": test_gibbs.test_sweeps_of_a_square_model,
    "stationarity": lambda k: test_gibbs.test_the_stationary_law_stays(k, 5),
    "split": lambda k: test_invariance.test_a_split_batch_is_the_same_batch(
        k, k.put(test_invariance.MODEL), (0, 7, 23)
    ),
    "continuation": lambda k: test_invariance.test_runs_that_follow_each_other_are_one_run(
        k, k.put(test_invariance.MODEL), (10, 10)
    ),
    "log Z": lambda k: test_enumerate.test_log_z_is_the_sum_over_all_joint_states(k.log_z, (6, 6), 1.0),
    "differences": lambda k: test_estimators.test_exact_is_the_gradient_of_the_log_likelihood(k, (5, 4)),
    "cd": lambda k: test_estimators.test_cd_follows_the_transition_matrix_on_average(k, 1),
    "cd-2": lambda k: test_estimators.test_cd_follows_the_transition_matrix_on_average(k, 2),
    "sml": test_estimators.test_sml_at_stationarity_is_unbiased,
    "uphill": lambda k: test_estimators.test_the_gradient_points_uphill(k, "cd"),
    "uphill exactly": lambda k: test_estimators.test_the_gradient_points_uphill(k, "exact"),
    "copies": lambda k: test_estimators.test_copies_of_a_batch_do_not_change_the_mean_gradient(k, "cd"),
    "ais": lambda k: test_partition.test_ais_agrees_with_enumeration_when_annealed_well(k, "float"),
    "spread": test_partition.test_the_standard_error_is_the_spread_over_seeds,
    "mean weight": test_partition.test_the_mean_weight_is_unbiased,
    "mean inverse weight": test_sandwich.test_the_mean_inverse_weight_is_unbiased,
    "reverse": well_annealed("reverse_ais"),
    "bridge": well_annealed("bridge"),
    "80 models": test_sandwich.test_the_sandwich_on_80_models,
    "spread of the bridge": lambda k: test_sandwich.test_the_standard_error_is_the_spread_over_seeds(
        k, "bridge"
    ),
    "gaussian works": lambda k: test_sandwich.test_acceptance_ratio_of_gaussian_works(k, 4000, 4000),
    "unequal works": lambda k: test_sandwich.test_acceptance_ratio_of_gaussian_works(k, 6000, 500),
    "update by hand": test_training.test_update_by_hand,
    "momentum": fit("momentum"),
    "decay": fit("decay"),
    "linear": fit("linear"),
    "centring": lambda k: test_training.test_centring_is_the_derivation(k, (6, 6)),
}
PAIRS = [(mutant, detector) for mutant in MUTANTS for detector in mutant.seen_by]


@functools.cache
def is_green(name, detector):
    try:
        DETECTORS[detector](backend(name))
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize(("mutant", "detector"), PAIRS, ids=[f"{m.name}-{d}" for m, d in PAIRS])
@pytest.mark.parametrize("name", BACKENDS)
def test_fault_is_seen(name, mutant, detector, monkeypatch):
    assert is_green(name, detector), f"{detector} is red without the fault"
    faulty = mutant.apply(backend(name), monkeypatch)
    with pytest.raises(AssertionError):
        DETECTORS[detector](faulty)


def test_faults_are_many_and_every_detector_is_tried():
    names = [mutant.name for mutant in MUTANTS]
    assert len(set(names)) == len(names) >= 10
    assert {detector for _, detector in PAIRS} == set(DETECTORS)
