"""torch as one writes it: a kernel a line, in place where it can be."""

from ebmbench.peers import _torch

NAME = "torch_eager"
PACKAGE = "torch"
DEVICES = ("cpu", "cuda")
PRECISIONS = ("float32", "bfloat16")
JOBS = _torch.jobs(_torch.repeated)
missing = _torch.missing
settings = _torch.settings
