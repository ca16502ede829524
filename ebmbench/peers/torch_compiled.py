"""torch.compile: what lies between matrix products is fused into kernels of its own."""

from collections.abc import Callable
from typing import Any

from ebmbench.errors import Unavailable
from ebmbench.peers import _torch, _torch_jobs

NAME = "torch_compiled"
PACKAGE = "torch"
DEVICES = ("cpu", "cuda")
PRECISIONS = ("float32", "bfloat16")
_MOST = 200  # letters of a compiler's complaint


def _compiled(torch: Any, step: Callable[[], None], times: int) -> Callable[[], None]:
    torch.compiler.reset()
    compiled = torch.compile(step, dynamic=False)
    try:
        compiled()
    except Exception as error:  # there is no compiler, or it does not take this
        text = " ".join(str(error).split())[:_MOST]
        raise Unavailable(
            f"peer {NAME} cannot compile this here: {type(error).__name__}: {text}"
        ) from None
    return _torch.repeated(torch, compiled, times)


SLOW_TO_START = True  # a job takes up to a minute to compile
JOBS = _torch_jobs.jobs(_compiled)
missing = _torch.missing
