"""What an error of the GPU means, in one sentence for a person."""

from collections.abc import Iterator
from contextlib import contextmanager

from numba.cuda.cudadrv.driver import CudaAPIError

from ebmbench.errors import DeviceError

OUT_OF_MEMORY = "OUT_OF_MEMORY"
# After these every further call on the same context fails.
_LOST = (
    "ILLEGAL_ADDRESS", "LAUNCH_FAILED", "ILLEGAL_INSTRUCTION", "MISALIGNED_ADDRESS", "INVALID_PC",
    "INVALID_ADDRESS_SPACE", "HARDWARE_STACK_ERROR", "ECC_UNCORRECTABLE", "LAUNCH_TIMEOUT",
    "CONTEXT_IS_DESTROYED", "DEVICE_UNAVAILABLE", "ASSERT",
)  # fmt: skip


@contextmanager
def explained() -> Iterator[None]:
    """Turn the driver's errors into `DeviceError`; running out of memory is left to who asked for it."""
    try:
        yield
    except CudaAPIError as error:
        text = " ".join(str(error).split())
        if any(name in text for name in _LOST):
            raise DeviceError(
                f"the GPU's context was lost ({text}); finished rows are kept: run the same command again"
            ) from error
        if OUT_OF_MEMORY in text:
            raise
        raise DeviceError(f"the GPU refused ({text})") from error
