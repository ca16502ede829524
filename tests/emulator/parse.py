"""From PTX text to instructions: opcodes, operands, registers and labels of one entry function."""

import re
from typing import NamedTuple

import numpy as np


class Instruction(NamedTuple):
    """predicate: a register's name, with ! in front where it is negated, or None."""

    predicate: str | None
    opcode: str
    operands: list[str]
    text: str


class Program(NamedTuple):
    """One entry function.

    code: instructions, with labels as numbers of instructions; registers: width in bytes by name (0 for
    predicates); parameters: width in bytes by name, in order; shared: size and alignment of static
    arrays in shared memory by name; dynamic: the names of the array whose size the launch decides.
    """

    code: list[Instruction]
    labels: dict[str, int]
    registers: dict[str, int]
    parameters: dict[str, int]
    shared: dict[str, tuple[int, int]]
    dynamic: list[str]


_WIDTH = {"pred": 0, "8": 1, "16": 2, "32": 4, "64": 8}


def width(kind: str) -> int:
    """Bytes of a type such as u32, b64 or pred."""
    return _WIDTH[kind.lstrip("busf") if kind != "pred" else kind]


def parse(text: str) -> Program:
    """The text's one entry function."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
    shared, dynamic = {}, []
    for alignment, name, size in re.findall(r"\.shared \.align (\d+) \.b8 (\w+)\[(\d*)\]", text):
        if size:
            shared[name] = (int(size), int(alignment))
        else:
            dynamic.append(name)
    entry = re.search(r"\.visible \.entry (\w+)\((.*?)\)[^{]*\{(.*)\}", text, re.S)
    assert entry, "no entry function"
    assert len(re.findall(r"\.func ", text)) == 0, "a device function was not inlined"
    parameters = {name: width(kind) for kind, name in re.findall(r"\.param \.(\w+) (\w+)", entry[2])}
    code, labels, registers = [], {}, {}
    for statement in re.split(r"[;\n]+|(?<=:)\s", _without_scopes(entry[3])):
        statement = statement.strip()
        if not statement or statement.startswith((".pragma", ".loc", ".file")):
            continue
        if statement.endswith(":"):
            labels[statement[:-1]] = len(code)
        elif statement.startswith(".reg"):
            _declare(statement, registers)
        elif statement.startswith(".local"):
            raise NotImplementedError(statement)
        else:
            code.append(_instruction(statement))
    return Program(code, labels, registers, parameters, shared, dynamic)


def _without_scopes(body: str) -> str:
    """The body without braces around statements; braces around operands stay."""
    body = re.sub(r"\n\s+", "\n", body)
    # A statement may run over several lines, an opening brace alone begins a scope.
    joined = re.sub(r"([,{])\s*\n\s*(?=[^.{}])", lambda m: m[1] + (" " if m[1] == "," else "\n"), body)
    return re.sub(r"(?m)^\s*[{}]\s*|(?<=;)\s*[{}]", "\n", joined)


def _declare(statement: str, registers: dict[str, int]) -> None:
    kind, names = re.fullmatch(r"\.reg \.(\w+)\s+(.*)", statement).groups()
    for name in re.split(r"\s*,\s*", names):
        many = re.fullmatch(r"(%?\w+)<(\d+)>", name)
        if many:
            registers |= {f"{many[1]}{n}": width(kind) for n in range(int(many[2]))}
        else:
            registers[name] = width(kind)


def _instruction(statement: str) -> Instruction:
    found = re.fullmatch(r"(?:@(!?%?\w+)\s+)?([\w.:]+)\s*(.*)", statement, re.S)
    assert found, statement
    operands = re.findall(r"\{[^}]*\}|\[[^\]]*\]|[^,\s][^,]*", found[3])
    return Instruction(found[1], found[2], [o.strip() for o in operands], statement)


def immediate(text: str) -> np.generic | None:
    """The bits of a number written in an instruction, None where it is none."""
    if re.fullmatch(r"0[fF][0-9a-fA-F]{8}", text):
        return np.uint32(int(text[2:], 16))
    if re.fullmatch(r"0[dD][0-9a-fA-F]{16}", text):
        return np.uint64(int(text[2:], 16))
    if re.fullmatch(r"-?(0x[0-9a-fA-F]+|\d+)U?", text):
        return np.uint64(int(text.rstrip("U"), 0) % 2**64)
    return None
