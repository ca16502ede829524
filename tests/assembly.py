"""What Numba made of a kernel: its innermost loops in machine language, and whether they are vectors.

`loops(text)` finds the innermost loops of a kernel's assembly (`versions`), and `vectorised` whether one
of them does all of the wanted operations on whole vectors. The operations are named in `PACKED`, for
every processor that the tests know.
"""

import inspect
import platform
import re
from typing import NamedTuple

MACHINE = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())


def _x86(name, single):
    suffix = "s" if single else "d"
    return rf"v?{name}p{suffix}\b", rf"v?{name}s{suffix}\b"


def _arm(name, single):
    lanes, register = ("4s", "s") if single else ("2d", "d")
    return rf"{name}(\.{lanes}\s+v|\s+v\d+\.{lanes})", rf"{name}\s+{register}\d"


# Each operation as an instruction on vectors, and on a single number.
PACKED = {
    "x86_64": {
        "add": _x86("add", True),
        "subtract": _x86("sub", True),
        "multiply": _x86("mul", True),
        "divide": _x86("div", True),
        "multiply-add": (r"vfmadd\d+ps\b", r"vfmadd\d+ss\b"),
        "square root": _x86("sqrt", True),
        "compare": (r"v?cmp\w*ps\b", r"v?(u?comiss|cmp\w*ss)\b"),
        "maximum": _x86("max", True),
        "add float64": _x86("add", False),
        "multiply float64": _x86("mul", False),
        "divide float64": _x86("div", False),
        "multiply whole numbers": (r"v?pmuludq\b", r"(i?mulq|mulxq|imull)\b"),
        "to whole numbers": (r"v?cvtt?ps2dq\b", r"v?cvtt?ss2si\b"),
    },
    "aarch64": {
        "add": _arm("fadd", True),
        "subtract": _arm("f(sub|abd)", True),  # the latter without the sign
        "multiply": _arm("fmul", True),
        "divide": _arm("fdiv", True),
        "multiply-add": (r"fmla(\.4s\s+v|\s+v\d+\.4s)", r"fmadd\s+s\d"),
        "square root": _arm("fsqrt", True),
        "compare": (r"fcm(gt|ge|lt|le|eq)(\.4s\s+v|\s+v\d+\.4s)", r"fcmp\s+s\d"),
        "maximum": _arm("fmax(nm)?", True),
        "add float64": _arm("fadd", False),
        "multiply float64": _arm("fmul", False),
        "divide float64": _arm("fdiv", False),
        "multiply whole numbers": (r"umull2?(\.2d\s+v|\s+v\d+\.2d)", r"(umull|umulh|mul|madd)\s+x\d"),
        "to whole numbers": (r"fcvt[nz]s(\.4s\s+v|\s+v\d+\.4s)", r"fcvt[nz]s\s+[wx]\d"),
    },
}
# A place on the stack, where a value waits that had no register.
STACK = {"x86_64": r"\(%rsp|\(%rbp\)", "aarch64": r"\[sp"}
_CALL = re.compile(r"(callq?|blr?)\b")
_JUMP = re.compile(r"(j\w+|b(\.\w+)?|cbn?z|tbn?z)\s")
# Functions of the C library that take one float32 each. Those of float64 are none of them: one logarithm
# serves hundreds of units.
LIBRARY = re.compile(r"\b(expf|exp2f|expm1f|logf|log1pf|log2f|powf|tanhf)\b")


class Loop(NamedTuple):
    """An innermost loop: the function it stands in, and its instructions."""

    function: str
    instructions: list

    def count(self, pattern):
        """How many of its instructions begin so."""
        return sum(bool(re.match(pattern, line)) for line in self.instructions)

    def spilled(self, machine=MACHINE):
        """Its instructions that read or write the stack."""
        return [line for line in self.instructions if re.search(STACK[machine], line)]

    @property
    def calls(self):
        """Whether it calls a function."""
        return any(_CALL.match(line) for line in self.instructions)


def versions(kernel, **dtypes):
    """The assembly of each compiled version of a kernel whose arguments of these names have these dtypes.

    Of what came from the cache as well, which `kernel.inspect_asm()` does not show: with its machine code
    Numba keeps the optimised module that it was made of.
    """
    names = list(inspect.signature(kernel.py_func).parameters)
    found = []
    for signature, result in kernel.overloads.items():
        arguments = dict(zip(names, signature, strict=True))
        if all(str(arguments[name].dtype) == dtype for name, dtype in dtypes.items()):
            library = result.library
            module = library._get_module_for_linking()
            found.append(str(library._codegen._tm.emit_assembly(module)))
    return found


def loops(text):
    """The innermost loops of a text of assembly."""
    found, function, labels, lines = [], "", {}, []
    for line in text.splitlines():
        label = re.match(r"([\w.$@\"]+):", line)
        if label and not label[1].startswith((".L", "L")):
            function, labels, lines = label[1], {}, []
        elif label:
            labels[label[1]] = len(lines)
        elif re.match(r"\s+[a-z]", line):
            instruction = line.strip()
            lines.append(instruction)
            target = instruction.split()[-1]
            if _JUMP.match(instruction) and target in labels:
                found.append((function, labels[target], len(lines), lines))
    return [
        Loop(name, whole[first:last])
        for name, first, last, whole in found
        if not any(
            other is whole and first <= start and end <= last and (start, end) != (first, last)
            for _, start, end, other in found
        )
    ]


def vectorised(text, operations, machine=MACHINE, without=()):
    """Whether an innermost loop does all of these on vectors, none of them singly, and calls nothing.

    without: operations that it must not do at all.
    """
    wanted, refused = ([PACKED[machine][name] for name in names] for names in (operations, without))
    return any(
        not loop.calls
        and all(loop.count(packed) > 0 and loop.count(single) == 0 for packed, single in wanted)
        and not any(loop.count(form) for forms in refused for form in forms)
        for loop in loops(text)
    )
