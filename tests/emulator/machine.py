"""Running a kernel: blocks one after the other, warps between barriers in any order."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from emulator.instructions import compiled
from emulator.memory import SHARED_WINDOW, Fault, Memory
from emulator.operands import UNSIGNED, reader, writer
from emulator.parse import parse

_SHARED_BASE = 1024
LARGEST_SHARED = 48 * 1024


class Reduction(NamedTuple):
    """What a barrier makes of a predicate of all threads."""

    read: Callable
    write: Callable
    combine: Callable


def _reduction(instruction, program):
    """The `Reduction` of a barrier, None for one that only waits; every barrier is number 0."""
    _, kind, *modifiers = instruction.opcode.split(".")
    assert instruction.operands[kind != "sync"] == "0", instruction.text
    if kind == "sync":
        return None
    combine = {"or": np.any, "and": np.all, "popc": lambda votes: np.uint32(np.count_nonzero(votes))}
    target, source = instruction.operands[0], instruction.operands[2]
    return Reduction(reader(source, "pred", program), writer(target, program), combine[modifiers[0]])


class Team:
    """Threads that run in step: a warp, or a whole block; lanes: a multiple of 32."""

    def __init__(self, machine, parameters, special, live, shared, shared_at):
        self.lanes, self.live = live.size, live
        self.heap, self.shared, self.shared_at = machine.heap, shared, shared_at
        self.parameters, self.special = parameters, special
        self.r = {}
        for size, names in machine.registers.items():
            # Registers hold noise before they are written.
            kind, noise = (
                (UNSIGNED[size], 0xA5A5A5A5A5A5A5A5 & (256**size - 1)) if size else (bool, False)
            )
            self.r |= zip(names, np.full((len(names), self.lanes), noise, kind), strict=True)
        self.waiting = {0: live.copy()}  # lanes by the instruction they are at
        self.barrier = None
        self.votes, self.reduction = np.zeros(self.lanes, bool), None  # at a barrier that also counts
        self.pending, self.groups = [], []

    def _memory(self, space, address):
        if space == "generic":
            inside = address >= np.uint64(SHARED_WINDOW)
            if inside.any() and not inside.all():
                raise NotImplementedError("a generic access to both memories at once")
            space = "shared" if inside.all() and address.size else "global"
            address = address - np.uint64(SHARED_WINDOW if space == "shared" else 0)
        return (self.shared if space == "shared" else self.heap), address

    def load(self, space, address, kind):
        memory, address = self._memory(space, address)
        return memory.load(address, kind)

    def store(self, space, address, values):
        memory, address = self._memory(space, address)
        memory.store(address, values)

    def commit(self):
        self.groups.append(self.pending)
        self.pending = []

    def wait(self, left):
        while len(self.groups) > left:
            for to, of, size, count in self.groups.pop(0):
                for n in range(size // 4):
                    given = count > 4 * n
                    values = np.zeros(to.size, np.uint32)
                    values[given] = self.heap.load(of[given] + np.uint64(4 * n), np.dtype("u4"))
                    self.shared.store(to + np.uint64(4 * n), values)


class Machine:
    """One kernel's PTX, ready to be launched on a heap.

    order: "lockstep" runs a block's threads together; a random generator runs its warps one by one,
    in an order of its own between any two barriers.
    """

    def __init__(self, text, heap, order="lockstep"):
        self.program, self.heap, self.order = parse(text), heap, order
        self.steps = 0  # instructions executed, by all teams
        p = self.program
        self.registers = {}  # names by width
        for name, size in p.registers.items():
            self.registers.setdefault(size, []).append(name)
        self._code = []
        for instruction in p.code:
            base = instruction.opcode.split(".")[0]
            if base == "bra":
                self._code.append(("bra", p.labels[instruction.operands[-1]], instruction.predicate))
            elif base in ("ret", "exit", "trap"):
                self._code.append((base, None, instruction.predicate))
            elif base in ("bar", "barrier"):
                self._code.append(("bar", _reduction(instruction, p), instruction.predicate))
            else:
                try:
                    self._code.append(("do", compiled(instruction, p), instruction.predicate))
                except Exception as error:
                    raise NotImplementedError(f"{instruction.text} ({error!r})") from error

    def launch(self, grid, threads, values, dynamic=0):
        """Run all blocks; values: of the parameters in order, integers or floats."""
        parameters = {}
        for (name, size), value in zip(self.program.parameters.items(), values, strict=True):
            number = np.asarray(value)
            kind = np.dtype(f"{'f' if number.dtype.kind == 'f' else 'u'}{size}")
            parameters[name] = number.astype(kind).view(UNSIGNED[size])[()]
        gx, gy = (grid, 1) if isinstance(grid, int) else (*grid, 1)[:2]
        blocks = [(x, y) for y in range(gy) for x in range(gx)]
        if self.order != "lockstep":
            blocks = [blocks[n] for n in self.order.permutation(len(blocks))]
        with np.errstate(all="ignore"):
            for x, y in blocks:
                self._block(x, y, gx, gy, threads, parameters, dynamic)

    def _shared(self, dynamic):
        at, places = _SHARED_BASE, {}
        for name, (size, alignment) in self.program.shared.items():
            at = -(-at // alignment) * alignment
            places[name] = at
            at += size
        at = -(-at // 16) * 16
        places |= dict.fromkeys(self.program.dynamic, at)
        used = at + dynamic - _SHARED_BASE
        if used > LARGEST_SHARED:
            raise Fault(f"{used} bytes of shared memory are more than a block may have")
        memory = Memory(at + dynamic - _SHARED_BASE, _SHARED_BASE)
        for name, (size, _) in self.program.shared.items():
            memory.own(places[name], size)
        if dynamic:
            memory.own(at, dynamic)
        return memory, places

    def _block(self, x, y, gx, gy, threads, parameters, dynamic):
        lanes = -(-threads // 32) * 32
        shared, places = self._shared(dynamic)
        thread = np.arange(lanes, dtype=np.uint32)
        size = lanes if self.order == "lockstep" else 32
        teams = []
        for first in range(0, lanes, size):
            mine = thread[first : first + size]
            constants = {
                "%dynamic_smem_size": dynamic,
                "%ntid.x": threads,
                "%ctaid.x": x,
                "%ctaid.y": y,
                "%nctaid.x": gx,
                "%nctaid.y": gy,
            }
            special = {name: np.full(size, value, np.uint32) for name, value in constants.items()}
            special |= {"%tid.x": mine, "%laneid": mine % 32, "%warpid": mine // 32}
            special |= {name: np.zeros(size, np.uint32) for name in ("%tid.y", "%tid.z", "%ctaid.z")}
            special |= {name: np.ones(size, np.uint32) for name in ("%ntid.y", "%ntid.z", "%nctaid.z")}
            teams.append(Team(self, parameters, special, mine < threads, shared, places))
        running = teams
        while running:
            order = (
                range(len(running)) if self.order == "lockstep" else self.order.permutation(len(running))
            )
            for n in order:
                self._run(running[n])
            stopped = {team.barrier for team in running if team.barrier is not None}
            arrived = [team for team in running if team.barrier is not None]
            for team in arrived:
                if not (team.at_barrier == team.live).all():
                    raise Fault("a barrier is not reached by every thread of a block")
                team.waiting, team.barrier = {team.barrier: team.at_barrier}, None
            if arrived and (reduction := arrived[0].reduction):
                votes = np.concatenate([team.votes[team.at_barrier] for team in arrived])
                for team in arrived:
                    reduction.write(team, reduction.combine(votes), team.at_barrier)
            if len(stopped) > 1:
                raise Fault("threads of a block wait at different barriers")
            running = arrived

    def _run(self, team):
        """Until every lane is at a barrier or done."""
        while team.waiting:
            at = min(team.waiting)
            mask = team.waiting.pop(at)
            while True:
                kind, what, predicate = self._code[at] if at < len(self._code) else ("ret", None, None)
                self.steps += 1
                active, some = mask, True  # a mask has lanes
                if predicate:
                    flags = team.r[predicate.lstrip("!")]
                    active = mask & (~flags if predicate[0] == "!" else flags)
                    some = active.any()
                if kind == "do":
                    if some:
                        what(team, active)
                elif kind == "bar":
                    if not (active == mask).all():
                        raise Fault("a barrier under a predicate")
                    if team.barrier not in (None, at + 1):
                        raise Fault("threads of a warp wait at different barriers")
                    team.at_barrier = mask if team.barrier is None else team.at_barrier | mask
                    team.reduction = what
                    if what:
                        np.copyto(team.votes, what.read(team), where=mask)
                    team.barrier = at + 1
                    break
                elif kind == "trap":
                    if some:
                        raise Fault("trap")
                else:
                    if kind == "bra" and some:
                        before = team.waiting.get(what)
                        team.waiting[what] = active if before is None else before | active
                    elif kind != "bra":
                        team.live &= ~active
                    mask = mask & ~active
                    if not mask.any():
                        break
                at += 1
                if team.waiting and (at in team.waiting or min(team.waiting) < at):
                    before = team.waiting.get(at)
                    team.waiting[at] = mask if before is None else before | mask
                    break
