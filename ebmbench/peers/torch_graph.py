"""torch under CUDA graphs: all kernels of a piece of work are launched at once."""

from collections.abc import Callable
from typing import Any

from ebmbench.peers import _torch, _torch_jobs

NAME = "torch_graph"
PACKAGE = "torch"
DEVICES = ("cuda",)
PRECISIONS = ("float32", "bfloat16")
_WARM_UPS = 3  # before a capture, as torch's manual has it: libraries choose their kernels then


def _captured(torch: Any, step: Callable[[], None], times: int) -> Callable[[], None]:
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(_WARM_UPS):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(times):
            step()
    return graph.replay


JOBS = _torch_jobs.jobs(_captured)
missing = _torch.missing
