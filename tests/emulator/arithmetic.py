"""Instructions on numbers: opcode -> (operands of a type -> value)."""

import numpy as np

_COMPARISONS = {
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal, "lo": np.less, "ls": np.less_equal, "hi": np.greater, "hs": np.greater_equal,
}  # fmt: skip


def compare(name, a, b):
    """A comparison of setp; those that end on u are also true where an operand is NaN."""
    if name in ("num", "nan"):
        unordered = np.isnan(a) | np.isnan(b)
        return unordered if name == "nan" else ~unordered
    if np.asarray(a).dtype.kind != "f":
        return _COMPARISONS[name](a, b)
    unordered = np.isnan(a) | np.isnan(b)
    if name.endswith("u") and name != "u":
        return _COMPARISONS[name[:-1]](a, b) | unordered
    return _COMPARISONS[name](a, b) & ~unordered


def high(a, b):
    """The upper half of an integer product."""
    size = np.asarray(a).dtype.itemsize
    if size <= 4:
        wide = np.dtype(f"{np.asarray(a).dtype.kind}8")
        return ((np.asarray(a).astype(wide) * np.asarray(b).astype(wide)) >> (8 * size)).astype(
            np.asarray(a).dtype
        )
    x, y = np.broadcast_arrays(np.asarray(a), np.asarray(b))
    product = [int(p) * int(q) >> 64 for p, q in zip(x.ravel(), y.ravel(), strict=True)]
    return np.array([p % 2**64 for p in product], np.uint64).view(x.dtype).reshape(x.shape)


def wide(a, b):
    """The whole product of two integers."""
    double = np.dtype(f"{np.asarray(a).dtype.kind}{2 * np.asarray(a).dtype.itemsize}")
    return np.asarray(a).astype(double) * np.asarray(b).astype(double)


def fused(a, b, c):
    """a * b + c rounded once (twice in rare cases: see the package)."""
    kind = np.asarray(a).dtype
    longer = np.float64 if kind == np.float32 else np.longdouble
    return (np.asarray(a, longer) * np.asarray(b, longer) + np.asarray(c, longer)).astype(kind)


def shift(a, count, left):
    """Shifts hold their count at the width."""
    bits = 8 * np.asarray(a).dtype.itemsize
    held = np.minimum(count, np.uint32(bits - 1)).astype(np.asarray(a).dtype)
    shifted = (a << held) if left else (a >> held)
    beyond = np.zeros_like(shifted) if left or np.asarray(a).dtype.kind == "u" else shifted
    return np.where(count >= bits, beyond, shifted)


def ones(count, kind):
    """Numbers of a type whose lowest `count` bits are set."""
    return ~shift(np.array(~kind.type(0)), np.asarray(count) & np.uint32(255), left=True).astype(kind)


def popcount(a):
    """Bits that are set, as u32."""
    return np.bitwise_count(a).astype(np.uint32)


def leading_zeros(a):
    """Zeros above the highest bit that is set, as u32."""
    bits = 8 * np.asarray(a).dtype.itemsize
    found = np.zeros(np.shape(a), np.uint32)
    for n in range(bits):
        found = np.where((a >> np.asarray(a).dtype.type(n)) != 0, np.uint32(n + 1), found)
    return np.uint32(bits) - found


def reverse(a):
    """Bits in the opposite order."""
    out = np.zeros_like(a)
    one = np.asarray(a).dtype.type(1)
    for n in range(8 * np.asarray(a).dtype.itemsize):
        out = (out << one) | ((a >> np.asarray(a).dtype.type(n)) & one)
    return out


def permuted(a, b, selector):
    """prmt.b32: four of the eight bytes of b and a."""
    both = np.asarray(a).astype(np.uint64) | (np.asarray(b).astype(np.uint64) << np.uint64(32))
    out = np.zeros(np.broadcast(a, b, selector).shape, np.uint32)
    for n in range(4):
        pick = (np.asarray(selector) >> np.uint32(4 * n)) & np.uint32(15)
        byte = (both >> ((pick & np.uint32(7)).astype(np.uint64) * np.uint64(8))) & np.uint64(255)
        byte = np.where(pick & np.uint32(8), np.where(byte & np.uint64(128), 255, 0), byte).astype(
            np.uint32
        )
        out |= byte << np.uint32(8 * n)
    return out


def logic3(a, b, c, table):
    """lop3.b32 with its truth table."""
    out = np.zeros(np.broadcast(a, b, c).shape, np.uint32)
    for n in range(8):
        if table >> n & 1:
            out |= (a if n & 4 else ~a) & (b if n & 2 else ~b) & (c if n & 1 else ~c)
    return out


def to_bfloat16(x):
    """float32 to the nearest bfloat16's bits, ties to even."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(x), np.uint16(0x7FFF), rounded.astype(np.uint16)).astype(np.uint16)


def from_bfloat16(bits):
    """A bfloat16's bits as float32."""
    return (np.asarray(bits).astype(np.uint32) << np.uint32(16)).view(np.float32)


_ROUNDINGS = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


def converted(modifiers, target, source, a, dtype):
    """cvt: a of type `source` as `target`."""
    rounding = next((m for m in modifiers if m in _ROUNDINGS), None)
    if source == "bf16":
        a = from_bfloat16(a)
    if target == "bf16":
        return to_bfloat16(a)
    kind = dtype(target)
    a = np.asarray(a)
    if a.dtype.kind == "f" and rounding:
        a = _ROUNDINGS[rounding](a)
    if a.dtype.kind == "f" and kind.kind != "f":
        limits = np.iinfo(kind)
        held = np.clip(np.nan_to_num(a.astype(np.float64)), limits.min, limits.max)
        whole = held >= float(limits.max)  # the largest integer itself may not be a double
        return np.where(whole, limits.max, np.where(whole, 0, held).astype(kind)).astype(kind)
    if "sat" in modifiers and kind.kind == "f":
        a = np.clip(a, 0, 1)
    return a.astype(kind)


UNARY = {
    "mov": lambda a: a, "neg": np.negative, "not": np.invert, "abs": np.abs, "popc": popcount,
    "clz": leading_zeros, "brev": reverse, "sqrt": np.sqrt, "ex2": np.exp2, "lg2": np.log2,
    "rcp": lambda a: np.asarray(a).dtype.type(1) / a,
    "rsqrt": lambda a: np.asarray(a).dtype.type(1) / np.sqrt(a),
}  # fmt: skip
BINARY = {
    "add": np.add, "sub": np.subtract, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "min": np.fmin, "max": np.fmax, "rem": np.fmod,
}  # fmt: skip


def divided(a, b):
    """Integers towards zero."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype.kind == "f":
        return a / b
    if a.dtype.kind == "u":
        return a // b
    quotient = np.abs(a) // np.abs(b)
    return np.where((a < 0) != (b < 0), -quotient, quotient)
