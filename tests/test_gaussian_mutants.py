"""Faults of Gaussian visible units, each seen red by the gate and by the ordinary tests it names."""

import numpy as np
import pytest
import test_gaussian_kernels as kernels
import test_gaussian_models as models
import test_gaussian_restoration as restoration
from conftest import BACKENDS, backend, device, with_job
from scipy.special import expit

from ebmbench.harness import gate
from ebmbench.kernels.api import Phases
from ebmbench.models.gaussian_rbm import GaussianRBM
from ebmbench.randomness import HIDDEN, VISIBLE, normals, uniforms

pytestmark = pytest.mark.usefixtures("one_thread")


def swept(k, handle, v, steps, key, beta, hidden_input, spread):
    """Sweeps with one's own input of h and standard deviation of v's noise."""
    model, v = k.get(handle), np.array(k.get_rows(v), float)
    for t in range(steps):
        now = key.advance(t)
        p = expit(beta * hidden_input(model, v))
        h = (uniforms(now, *p.shape, HIDDEN) < p).astype(float)
        v = model.b + h @ model.W.T + normals(now, *v.shape, VISIBLE) * spread(model)
    return k.put_rows(v), k.put_rows(h.astype(np.uint8))


def right_input(model, v):
    return model.c + (v * model.precision) @ model.W


def without_noise(k, job, handle, v, steps, key, beta):
    return swept(k, handle, v, steps, key, beta, right_input, lambda model: 0.0)


def input_without_precision(k, job, handle, v, steps, key, beta):
    return swept(
        k, handle, v, steps, key, beta, lambda model, v: model.c + v @ model.W,
        lambda model: 1.0 / np.sqrt(beta * model.precision),
    )  # fmt: skip


def noise_as_cold_as_the_model(k, job, handle, v, steps, key, beta):
    return swept(k, handle, v, steps, key, beta, right_input, lambda model: model.precision**-0.5)


def precision_as_standard_deviation(k, job, handle, v, steps, key, beta):
    return swept(k, handle, v, steps, key, beta, right_input, lambda m: 1.0 / (beta**0.5 * m.precision))


def derivative_by_the_precision_itself(k, job, handle, *rest):
    (gradient, means), value = job(handle, *rest)
    tree, model = k.get_tree(handle, gradient), k.get(handle)
    changed = {"log_precision": tree["log_precision"] / model.precision}
    return Phases(device(k, {**tree, **changed}, model), means), value


def curvature_without_its_weights(k, job, handle, v, noise, key):
    (gradient, means), value = job(handle, v, noise, key)
    if key is not None:
        return Phases(gradient, means), value
    model, tree = k.get(handle), k.get_tree(handle, gradient)
    s = np.array(k.get_rows(k.hidden_probability(handle, v)), float)
    bend = 2.0 * model.precision[:, None] ** 2 * model.W * (s * (1.0 - s)).mean(axis=0)
    return Phases(device(k, {**tree, "W": tree["W"] + bend}, model), means), value


def targets_of_the_other_sign(k, job, handle, v, noise, key):
    (gradient, means), value = job(handle, v, noise, key)
    if key is None:
        return Phases(gradient, means), value
    tree = {name: -x for name, x in k.get_tree(handle, gradient).items()}
    return Phases(device(k, tree, k.get(handle)), means), value


def chains_start_too_narrow(k, job, handle, base, betas, start, key):
    return job(handle, base * np.array([[1.0], [2.0]]), betas, start, key)


def evidence_without_its_precision(k, job, handle, v, evidence, *rest):
    """Known is known, and all else is seen as well as any other unit."""
    seen, precision = np.hsplit(np.array(k.get_rows(evidence), float), 2)
    changed = np.where(precision < 1e20, np.minimum(precision, 1.0), precision)
    return job(handle, v, k.put_evidence(np.hstack([seen, changed])), *rest)


def evidence_counts_twice(k, job, handle, v, evidence, *rest):
    seen, precision = np.hsplit(np.array(k.get_rows(evidence), float), 2)
    return job(handle, v, k.put_evidence(np.hstack([seen, 2.0 * precision])), *rest)


def log_z_without_the_normals(k, job, model):
    return job(model) + 0.5 * np.log(model.precision).sum()


def v_of_a_sweep(k):
    kernels.test_v_of_a_sweep_is_normal_about_its_mean(k, 1.0)


def v_of_a_warm_sweep(k):
    kernels.test_v_of_a_sweep_is_normal_about_its_mean(k, 0.4)


def h_of_a_sweep(k):
    kernels.test_h_of_a_sweep_follows_its_law(k, 1.0)


def exact_gradient(k):
    kernels.test_exact_gradient_is_that_of_the_log_likelihood(k, (4, 3, 3))


def closed_form(k):
    kernels.test_score_matching_is_the_gradient_of_the_definition(k, (4, 3, 3), 0.0)


def denoising(k):
    kernels.test_score_matching_is_the_gradient_of_the_definition(k, (4, 3, 3), 0.4)


def stationarity(k):
    kernels.test_the_stationary_law_stays(k, 4)


def means_of_the_posterior(k):
    restoration.check_means(k, "noise")


def integral(k):
    models.test_log_z_is_the_integral(k, (1, 5))


MUTANTS = [
    ("gibbs", without_noise, [v_of_a_sweep, stationarity]),
    ("gibbs", input_without_precision, [h_of_a_sweep, stationarity]),
    ("gibbs", noise_as_cold_as_the_model, [v_of_a_warm_sweep]),
    ("gibbs", precision_as_standard_deviation, [v_of_a_sweep, stationarity]),
    ("exact_gradient", derivative_by_the_precision_itself, [exact_gradient]),
    ("score_matching", curvature_without_its_weights, [closed_form]),
    ("score_matching", targets_of_the_other_sign, [denoising]),
    ("anneal", chains_start_too_narrow, [kernels.test_the_mean_weight_is_unbiased]),
    ("log_z", log_z_without_the_normals, [integral]),
    ("posterior", evidence_without_its_precision, [means_of_the_posterior]),
    ("posterior", evidence_counts_twice, [means_of_the_posterior]),
]


def gate_is_green(k):
    assert gate.check(k, [GaussianRBM.kind]) is None


@pytest.mark.parametrize(("job", "fault", "seen_by"), MUTANTS, ids=[m[1].__name__ for m in MUTANTS])
@pytest.mark.parametrize("name", BACKENDS)
def test_fault_is_seen(name, job, fault, seen_by, monkeypatch):
    monkeypatch.setattr(gate, "SIZES", gate.SIZES[:3])  # a few show it; the others take their time
    k = backend(name)
    faulty = with_job(k, job, lambda *args: fault(k, *args), GaussianRBM.kind)
    for detector in (gate_is_green, *seen_by):
        with pytest.raises(AssertionError):
            detector(faulty)
