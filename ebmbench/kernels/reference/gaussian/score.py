"""Score matching, closed and denoising."""

from ebmbench.kernels.api import Phases
from ebmbench.models import score
from ebmbench.models.gaussian_rbm import hidden_probability
from ebmbench.randomness import VISIBLE, Key, normals


def score_matching(model, v, noise: float, key: Key | None):
    """See `Backend.score_matching`."""
    targets = None
    if key is not None:
        e = normals(key, len(v), model.n_visible, VISIBLE)
        v, targets = v + noise * e, -e / noise
    gradient, value = score.objective(model, v, targets)
    means = {"b": v.mean(axis=0), "c": hidden_probability(model, v).mean(axis=0)}
    return Phases(gradient, means), value


JOBS = {"score_matching": score_matching}
