"""What an estimator asks of a model's visible units."""

from ebmbench.errors import Unavailable
from ebmbench.models.model import Model


def check_visible(model: Model, wanted: str, estimator: str) -> None:
    """`Unavailable` with the reason where the model's visible units are not the wanted ones."""
    if model.visible != wanted:
        raise Unavailable(
            f"{estimator} needs {wanted} visible units, but the model's are {model.visible}"
        )
