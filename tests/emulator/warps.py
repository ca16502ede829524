"""Instructions of a whole warp: tensor-core products, matrix loads from shared memory, shuffles.

Layouts as the PTX ISA states them (9.7.14, "Warp level matrix instructions"); arrays over lanes are
looked at as [warps, 32].
"""

import numpy as np

from emulator.arithmetic import from_bfloat16

LANE = np.arange(32)
GROUP, MEMBER = LANE >> 2, LANE & 3


def _halves(registers):
    """Two bfloat16 of each 32-bit register, lower half first, float32 [warps, 32, 2]."""
    bits = registers.reshape(-1, 32)
    return np.stack(
        [from_bfloat16(bits & np.uint32(0xFFFF)), from_bfloat16(bits >> np.uint32(16))], axis=-1
    )


def mma_m16n8k16(a, b, c):
    """C + A B with A 16x16 and B 16x8 in bfloat16, C 16x8 in float32; lists of registers."""
    warps = a[0].size // 32
    A = np.zeros((warps, 16, 16), np.float32)
    B = np.zeros((warps, 16, 8), np.float32)
    C = np.zeros((warps, 16, 8), np.float32)
    for n, register in enumerate(a):
        rows, columns = GROUP + 8 * (n & 1), 2 * MEMBER + 8 * (n >> 1)
        for half in range(2):
            A[:, rows, columns + half] = _halves(register)[..., half]
    for n, register in enumerate(b):
        for half in range(2):
            B[:, 2 * MEMBER + 8 * n + half, GROUP] = _halves(register)[..., half]
    for n, register in enumerate(c):
        C[:, GROUP + 8 * (n >> 1), 2 * MEMBER + (n & 1)] = register.reshape(-1, 32)
    D = (C + A.astype(np.float64) @ B).astype(np.float32)
    return [D[:, GROUP + 8 * (n >> 1), 2 * MEMBER + (n & 1)].reshape(-1) for n in range(4)]


def ldmatrix(load, address, count, transposed):
    """`count` matrices of 8x8 16-bit elements; matrix n's rows begin where lanes 8n to 8n+7 say.

    load: (addresses, dtype) -> values. Returns a register for each matrix.
    """
    rows = address.reshape(-1, 32)
    if (rows[:, : 8 * count] % np.uint64(16)).any():
        raise ValueError("ldmatrix: a row's address is not a multiple of 16")
    out = []
    for n in range(count):
        starts = rows[:, 8 * n : 8 * n + 8]  # [warps, 8]
        elements = load(starts[..., None] + np.uint64(2) * np.arange(8, dtype=np.uint64), np.dtype("u2"))
        if transposed:
            elements = elements.swapaxes(1, 2)
        pair = [elements[:, GROUP, 2 * MEMBER + half].astype(np.uint32) for half in range(2)]
        out.append((pair[0] | pair[1] << np.uint32(16)).reshape(-1))
    return out


def shuffle(mode, value, b, c):
    """shfl.sync.b32 of whole warps: (value, whether the source lane was in range)."""
    values = value.reshape(-1, 32)
    b = np.broadcast_to(np.asarray(b), value.shape).reshape(-1, 32).astype(np.int64)
    c = np.broadcast_to(np.asarray(c), value.shape).reshape(-1, 32).astype(np.int64)
    clamp, segment = c & 31, (c >> 8) & 31
    top, bottom = (LANE & segment) | (clamp & ~segment), LANE & segment
    source = {
        "up": LANE - b,
        "down": LANE + b,
        "bfly": LANE ^ b,
        "idx": bottom | (b & ~segment),
    }[mode]
    inside = source >= top if mode == "up" else source <= top
    source = np.where(inside, source, LANE)
    return np.take_along_axis(values, source, 1).reshape(-1), inside.reshape(-1)


def ballot(flags):
    """vote.ballot: the flags of a warp's lanes as bits."""
    bits = (flags.reshape(-1, 32).astype(np.uint64) << LANE.astype(np.uint64)).sum(axis=1)
    return np.repeat(bits.astype(np.uint32), 32)
