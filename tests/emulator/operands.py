"""How an instruction reads and writes registers, immediates and special registers."""

from collections.abc import Callable

import numpy as np

from emulator.parse import immediate, width

UNSIGNED = {1: np.dtype("u1"), 2: np.dtype("u2"), 4: np.dtype("u4"), 8: np.dtype("u8")}


def dtype(kind: str) -> np.dtype:
    """The NumPy type of a PTX type; predicates are bool, bits and half-width floats unsigned."""
    if kind == "pred":
        return np.dtype(bool)
    letter = "f" if kind in ("f32", "f64") else "i" if kind[0] == "s" else "u"
    return np.dtype(f"{letter}{width(kind) if kind not in ('bf16', 'f16') else 2}")


def reader(text: str, kind: str, program) -> Callable:
    """team -> the operand's value in a type, an array over lanes or a scalar."""
    wanted = dtype(kind)
    unsigned = UNSIGNED[wanted.itemsize]
    number = immediate(text)
    if number is not None:
        if wanted.kind == "f" or number.dtype.itemsize == wanted.itemsize:
            value = (
                np.array(number)
                .astype(number.dtype)
                .view(f"f{number.dtype.itemsize}" if wanted.kind == "f" else wanted)
            )
            value = value.astype(wanted) if wanted.kind == "f" else value
        elif wanted.kind == "b":
            value = np.array(number != 0)
        else:
            value = np.array(number).astype(unsigned).view(wanted)
        value = value[()]
        return lambda team: value
    if text in program.shared or text in program.dynamic:
        return lambda team: np.uint64(team.shared_at[text]).astype(unsigned)
    if text.startswith(
        ("%tid", "%ntid", "%ctaid", "%nctaid", "%laneid", "%warpid", "%dynamic_smem_size")
    ):
        return lambda team: team.special[text].astype(unsigned)
    if text not in program.registers:
        raise NotImplementedError(f"operand {text}")
    if wanted.kind == "b":
        return lambda team: team.r[text]
    stored = program.registers[text]
    if wanted == UNSIGNED.get(stored):
        return lambda team: team.r[text]

    def read(team):
        bits = team.r[text]
        if stored != wanted.itemsize:
            bits = bits.astype(unsigned)
        return bits.view(wanted)

    return read


def writer(text: str, program) -> Callable:
    """(team, value, mask) writes a register in the lanes of mask; `_` takes what nobody wants."""
    if text == "_":
        return lambda team, value, mask: None
    stored = program.registers[text]
    if stored == 0:
        return lambda team, value, mask: np.copyto(team.r[text], value, where=mask)
    target = UNSIGNED[stored]

    def write(team, value, mask):
        value = np.asarray(value)
        if value.dtype != target:
            if value.dtype.kind == "f":
                value = value.view(UNSIGNED[value.dtype.itemsize])
            if value.dtype.itemsize != stored:
                # A signed value fills a wider register with its sign.
                value = value.astype(f"i{stored}" if value.dtype.kind == "i" else target)
            if value.dtype.kind == "i":
                value = value.view(target)
        np.copyto(team.r[text], value, where=mask)

    return write


def parts(text: str) -> list[str]:
    """The registers of {a, b, ...}, or the one."""
    return [part.strip() for part in text.strip("{} ").split(",")]


def address(text: str, program) -> Callable:
    """team -> addresses, uint64 over lanes, of [register + offset] or [name + offset]."""
    inside = text.strip("[] ")
    base, _, offset = inside.partition("+")
    base = base.strip()
    plus = np.uint64(int(offset.strip() or "0") % 2**64)
    if base in program.registers and program.registers[base] == 4:
        read = reader(base, "u32", program)
        return lambda team: read(team).astype(np.uint64) + plus
    read = reader(base, "u64", program)
    return lambda team: np.broadcast_to(read(team) + plus, team.lanes)
