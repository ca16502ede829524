"""From an instruction to a Python function of (team, mask)."""

import numpy as np

from emulator import arithmetic, warps
from emulator.memory import SHARED_WINDOW, Fault
from emulator.operands import address, dtype, parts, reader, writer
from emulator.parse import immediate


def compiled(instruction, program):
    """What an instruction does to a team in the lanes of a mask; control flow is the machine's."""
    base, *modifiers = instruction.opcode.split(".")
    make = globals().get(f"_{base}")
    if make is None:
        make = _elementwise
    return make(base, modifiers, instruction.operands, program)


def _types(modifiers):
    names = ("pred", "bf16", "f16", "bf16x2")
    return [m for m in modifiers if m in names or (m[0] in "busf" and m[1:].isdigit())]


def _elementwise(base, modifiers, operands, program):
    kind = _types(modifiers)[-1]
    if base == "mov" and any(text.startswith("{") for text in operands):
        return _pack(kind, operands, program)
    if base == "mul" and "wide" in modifiers:
        function = arithmetic.wide
    elif base == "mul" and "hi" in modifiers:
        function = arithmetic.high
    elif base == "mul":
        function = np.multiply
    elif base == "div":
        function = arithmetic.divided
    elif base in ("shl", "shr"):
        return _shift(base, kind, operands, program)
    elif base == "not" and kind == "pred":
        function = np.logical_not
    else:
        function = {**arithmetic.UNARY, **arithmetic.BINARY}[base]
    reads = [reader(text, kind, program) for text in operands[1:]]
    write = writer(operands[0], program)
    if len(reads) == 1:
        (one,) = reads
        return lambda team, mask: write(team, function(one(team)), mask)
    if len(reads) == 2:
        a, b = reads
        return lambda team, mask: write(team, function(a(team), b(team)), mask)
    return lambda team, mask: write(team, function(*(read(team) for read in reads)), mask)


def _pack(kind, operands, program):
    """mov between a register and the vector of its parts."""
    size = dtype(kind).itemsize
    vector = parts(operands[1] if operands[1].startswith("{") else operands[0])
    part = f"b{8 * size // len(vector)}"
    steps = [np.uint64(8 * size // len(vector) * n) for n in range(len(vector))]
    if operands[1].startswith("{"):
        reads = [reader(text, part, program) for text in vector]
        write = writer(operands[0], program)

        def pack(team, mask):
            bits = sum(
                read(team).astype(np.uint64) << step for read, step in zip(reads, steps, strict=True)
            )
            write(team, bits.astype(dtype(kind)), mask)

        return pack
    read = reader(operands[1], f"b{8 * size}", program)
    writes = [writer(text, program) for text in vector]

    def unpack(team, mask):
        bits = read(team).astype(np.uint64)
        for write, step in zip(writes, steps, strict=True):
            write(team, (bits >> step).astype(dtype(part)), mask)

    return unpack


def _shift(base, kind, operands, program):
    read, count = reader(operands[1], kind, program), reader(operands[2], "u32", program)
    write = writer(operands[0], program)
    given = immediate(operands[2])
    if given is not None and given < 8 * dtype(kind).itemsize:
        by, function = given.astype(dtype(kind)), np.left_shift if base == "shl" else np.right_shift
        return lambda team, mask: write(team, function(read(team), by), mask)
    return lambda team, mask: write(team, arithmetic.shift(read(team), count(team), base == "shl"), mask)


def _fma(base, modifiers, operands, program):
    reads = [reader(text, _types(modifiers)[-1], program) for text in operands[1:]]
    write = writer(operands[0], program)
    return lambda team, mask: write(team, arithmetic.fused(*(read(team) for read in reads)), mask)


def _mad(base, modifiers, operands, program):
    kind = _types(modifiers)[-1]
    if kind[0] == "f":
        return _fma(base, modifiers, operands, program)
    double = f"{kind[0]}{2 * int(kind[1:])}" if "wide" in modifiers else kind
    a, b = (reader(text, kind, program) for text in operands[1:3])
    c = reader(operands[3], double, program)
    write = writer(operands[0], program)
    product = (
        arithmetic.wide if "wide" in modifiers else arithmetic.high if "hi" in modifiers else np.multiply
    )
    return lambda team, mask: write(team, product(a(team), b(team)) + c(team), mask)


def _setp(base, modifiers, operands, program):
    kind = _types(modifiers)[-1]
    targets = operands[0].split("|")
    a, b = (reader(text, kind, program) for text in operands[1:3])
    writes = [writer(text.strip(), program) for text in targets]
    combine = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}.get(modifiers[1])
    negated = combine is not None and operands[3].startswith("!")
    c = reader(operands[3].lstrip("!"), "pred", program) if combine else None

    def setp(team, mask):
        found = arithmetic.compare(modifiers[0], a(team), b(team))
        for n, write in enumerate(writes):
            value = found if n == 0 else ~found
            if combine:
                value = combine(value, ~c(team) if negated else c(team))
            write(team, value, mask)

    return setp


def _selp(base, modifiers, operands, program):
    a, b = (reader(text, modifiers[0], program) for text in operands[1:3])
    p, write = reader(operands[3], "pred", program), writer(operands[0], program)
    return lambda team, mask: write(team, np.where(p(team), a(team), b(team)), mask)


def _cvt(base, modifiers, operands, program):
    target, source = _types(modifiers)
    write = writer(operands[0], program)
    if target == "bf16x2":
        reads = [reader(text, "f32", program) for text in operands[1:]]

        def pair(team, mask):
            upper, lower = (arithmetic.to_bfloat16(read(team)).astype(np.uint32) for read in reads)
            write(team, upper << np.uint32(16) | lower, mask)

        return pair
    read = reader(operands[1], "b16" if source == "bf16" else source, program)
    return lambda team, mask: write(
        team, arithmetic.converted(modifiers, target, source, read(team), dtype), mask
    )


def _cvta(base, modifiers, operands, program):
    read, write = reader(operands[1], "u64", program), writer(operands[0], program)
    space = next(m for m in modifiers if m in ("global", "shared", "local", "const", "param"))
    offset = np.uint64(SHARED_WINDOW if space == "shared" else 0)
    if "to" in modifiers:
        return lambda team, mask: write(team, read(team) - offset, mask)
    return lambda team, mask: write(team, read(team) + offset, mask)


def _prmt(base, modifiers, operands, program):
    reads = [reader(text, "u32", program) for text in operands[1:]]
    write = writer(operands[0], program)
    return lambda team, mask: write(team, arithmetic.permuted(*(read(team) for read in reads)), mask)


def _lop3(base, modifiers, operands, program):
    reads = [reader(text, "u32", program) for text in operands[1:4]]
    write, table = writer(operands[0], program), int(operands[4], 0)
    return lambda team, mask: write(team, arithmetic.logic3(*(read(team) for read in reads), table), mask)


def _shf(base, modifiers, operands, program):
    low, high, count = (reader(text, "u32", program) for text in operands[1:])
    write = writer(operands[0], program)

    def funnel(team, mask):
        both = low(team).astype(np.uint64) | high(team).astype(np.uint64) << np.uint64(32)
        n = (count(team) & np.uint32(31)).astype(np.uint64)
        value = (both << n) >> np.uint64(32) if "l" in modifiers else both >> n
        write(team, (value & np.uint64(0xFFFFFFFF)).astype(np.uint32), mask)

    return funnel


def _bfe(base, modifiers, operands, program):
    """A field of bits; of a signed type filled with the field's sign."""
    bits = f"b{modifiers[0][1:]}"
    read = reader(operands[1], bits, program)
    start, length = (reader(text, "u32", program) for text in operands[2:])
    write = writer(operands[0], program)
    if modifiers[0][0] == "s":
        raise NotImplementedError("bfe of a signed type")

    def extract(team, mask):
        field = arithmetic.shift(read(team), start(team) & np.uint32(255), left=False)
        write(team, field & arithmetic.ones(length(team), field.dtype), mask)

    return extract


def _bfi(base, modifiers, operands, program):
    """A field of bits put into others."""
    field, whole = (reader(text, modifiers[0], program) for text in operands[1:3])
    start, length = (reader(text, "u32", program) for text in operands[3:])
    write = writer(operands[0], program)

    def insert(team, mask):
        into = whole(team)
        place = arithmetic.shift(arithmetic.ones(length(team), into.dtype), start(team), left=True)
        write(
            team, (into & ~place) | (arithmetic.shift(field(team), start(team), left=True) & place), mask
        )

    return insert


# --- memory -------------------------------------------------------------------------------------


def _space(modifiers):
    return next((m for m in modifiers if m in ("global", "shared", "param", "local")), "generic")


def _ld(base, modifiers, operands, program):
    kind, space = _types(modifiers)[-1], _space(modifiers)
    targets = [writer(text, program) for text in parts(operands[0])]
    if space == "param":
        name, _, offset = operands[1].strip("[] ").partition("+")
        assert not offset, "parameters are scalars"
        return lambda team, mask: targets[0](team, team.parameters[name].view(dtype(kind)), mask)
    at, size = address(operands[1], program), dtype(kind).itemsize

    def load(team, mask):
        lanes = np.flatnonzero(mask)
        first = at(team)[lanes]
        if (first % np.uint64(size * len(targets))).any():
            raise Fault("a vector load is not aligned")
        for n, write in enumerate(targets):
            whole = np.zeros(team.lanes, dtype(kind))
            whole[lanes] = team.load(space, first + np.uint64(n * size), dtype(kind))
            write(team, whole, mask)

    return load


def _st(base, modifiers, operands, program):
    kind, space = _types(modifiers)[-1], _space(modifiers)
    sources = [reader(text, kind, program) for text in parts(operands[1])]
    at, size = address(operands[0], program), dtype(kind).itemsize

    def store(team, mask):
        lanes = np.flatnonzero(mask)
        first = at(team)[lanes]
        if (first % np.uint64(size * len(sources))).any():
            raise Fault("a vector store is not aligned")
        for n, read in enumerate(sources):
            team.store(space, first + np.uint64(n * size), np.broadcast_to(read(team), team.lanes)[lanes])

    return store


def _atom(base, modifiers, operands, program):
    kind, space = _types(modifiers)[-1], _space(modifiers)
    operation = next(m for m in modifiers if m in ("add", "or", "and", "max", "min", "exch"))
    target = operands[0] if base == "atom" else "_"
    at, value = operands[1:3] if base == "atom" else operands[:2]
    at, value, write = address(at, program), reader(value, kind, program), writer(target, program)
    function = {**arithmetic.BINARY, "exch": lambda old, new: new}[operation]

    def atomic(team, mask):
        old = np.zeros(team.lanes, dtype(kind))
        for lane in np.flatnonzero(mask):
            where = at(team)[lane : lane + 1]
            old[lane] = team.load(space, where, dtype(kind))[0]
            new = function(old[lane], np.broadcast_to(value(team), team.lanes)[lane])
            team.store(space, where, np.array([new], dtype(kind)))
        write(team, old, mask)

    return atomic


_red = _atom


def _cp(base, modifiers, operands, program):
    """cp.async: the copy happens when it is waited for, as late as it may."""
    if "commit_group" in modifiers:
        return lambda team, mask: team.commit()
    if "wait_group" in modifiers or "wait_all" in modifiers:
        left = int(operands[0]) if operands else 0
        return lambda team, mask: team.wait(left)
    target, source = (address(text, program) for text in operands[:2])
    size = int(operands[2], 0)
    given = reader(operands[3], "u32", program) if len(operands) > 3 else None

    def copy(team, mask):
        lanes = np.flatnonzero(mask)
        to, of = target(team)[lanes], source(team)[lanes]
        if (to % np.uint64(size)).any() or (of % np.uint64(size)).any():
            raise Fault("cp.async: an address is not aligned to the copy's size")
        count = np.broadcast_to(given(team), team.lanes)[lanes] if given else np.full(lanes.size, size)
        team.pending.append((to, of, size, count))

    return copy


# --- whole warps --------------------------------------------------------------------------------


def _whole(team, mask):
    if not (mask.reshape(-1, 32).all(axis=1) | ~mask.reshape(-1, 32).any(axis=1)).all():
        raise Fault("a warp's instruction is executed by a part of the warp")


def _mma(base, modifiers, operands, program):
    assert ".".join(modifiers) == "sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", modifiers
    writes = [writer(text, program) for text in parts(operands[0])]
    a, b = ([reader(text, "b32", program) for text in parts(operand)] for operand in operands[1:3])
    c = [reader(text, "f32", program) for text in parts(operands[3])]

    def product(team, mask):
        _whole(team, mask)
        full = [[np.broadcast_to(read(team), team.lanes) for read in group] for group in (a, b, c)]
        for write, value in zip(writes, warps.mma_m16n8k16(*full), strict=True):
            write(team, value, mask)

    return product


def _ldmatrix(base, modifiers, operands, program):
    writes = [writer(text, program) for text in parts(operands[0])]
    at, transposed = address(operands[1], program), "trans" in modifiers

    def load(team, mask):
        _whole(team, mask)
        active = mask.reshape(-1, 32).all(axis=1)
        rows = at(team).reshape(-1, 32)[active]
        found = warps.ldmatrix(
            lambda where, kind: team.load("shared", where, kind), rows, len(writes), transposed
        )
        for write, value in zip(writes, found, strict=True):
            whole = np.zeros((team.lanes // 32, 32), np.uint32)
            whole[active] = value.reshape(-1, 32)
            write(team, whole.reshape(-1), mask)

    return load


def _shfl(base, modifiers, operands, program):
    targets = [text.strip() for text in operands[0].split("|")]
    value, b, c = (reader(text, "b32", program) for text in operands[1:4])
    writes = [writer(text, program) for text in targets]

    def exchange(team, mask):
        _whole(team, mask)
        found = warps.shuffle(modifiers[1], np.broadcast_to(value(team), team.lanes), b(team), c(team))
        for write, result in zip(writes, found, strict=False):
            write(team, result, mask)

    return exchange


def _vote(base, modifiers, operands, program):
    p, write = reader(operands[1].lstrip("!"), "pred", program), writer(operands[0], program)
    assert "ballot" in modifiers, modifiers

    def vote(team, mask):
        flags = ~p(team) if operands[1].startswith("!") else p(team)
        write(team, warps.ballot(flags & mask), mask)

    return vote


def _fence(base, modifiers, operands, program):
    return lambda team, mask: None


_membar = _fence
