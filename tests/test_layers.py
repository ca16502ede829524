"""Who may import whom: downwards only; and that a module stays small enough to hold one idea."""

import ast
from pathlib import Path

import pytest

import ebmbench

PACKAGE = Path(ebmbench.__file__).parent
LINES = 300

# What everything may stand on; these stand on nothing but each other.
BASE = {"errors", "options", "discovery", "compile", "linking", "files", "nvidia"}
BASE |= {"instructions", "normal", "philox", "pool", "randomness", "scalar"}

# Of the mathematics a compiled backend takes the names of things, but no formula.
COMPILED = {"kernels.api", "models.rbm.RBM", "models.rbm.GRID_STEP", "models.arithmetic.TERMS"} | {
    *("models.mlp.MLP", "models.mlp.Activations", "models.dropout.Dropout"),
    *(f"models.enumerate.{name}" for name in ("MOST_UNITS", "Moments", "check_enumerable")),
    *(f"models.gaussian_rbm.{name}" for name in ("GaussianRBM", "TREE")),
    *("models.boltzmann.BoltzmannMachine", "models.boltzmann.PairMoments", "models.bayes_net.BayesNet"),
    "models.markov_field.MarkovField",
    # Exact inference in a Markov field is the same code, on the host, for all backends.
    "models.elimination",
}

# A module may import BASE, its own layer, and what its layer names here. The longest prefix counts.
MAY = {
    **{module: set() for module in BASE},
    "models": set(),
    "datasets": set(),
    "kernels.api": {"models"},
    "kernels.reference": {"kernels.api", "models"},
    "kernels.cpu": COMPILED,
    "kernels.cuda": COMPILED,
    "samplers": {"kernels.api", "models"},
    "estimators": {"samplers", "kernels.api", "models"},
    "partition": {"samplers", "kernels.api", "models"},
    "training": {"estimators", "partition", "samplers", "kernels.api", "models"},
    "evaluation": {"estimators", "partition", "samplers", "kernels.api", "models"},
    "peers": {"models"},
    "harness": {"training", "evaluation", "estimators", "partition", "samplers", "datasets", "peers"}
    | {"kernels.api", "models"},
    "report": {"harness.table", "harness.measures"},  # rows, and what their figures mean
    # The top: it hands on what the user asked for, to the layers below report and harness too.
    "cli": {"report", "harness", "training", "evaluation", "estimators", "partition", "samplers"}
    | {"datasets", "kernels.api", "models", "peers"},
    "__main__": {"cli"},
    "__init__": set(),  # finds its public names when they are asked for
    "kernels": set(),
}
# Libraries that must not be called in a kernel.
FOREIGN = {"torch", "cupy", "jax"}


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(path):
    """Every name that a module imports: `a.b.name` for `from a.b import name`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} has a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(path):
    """What a module imports from the package, without the package's own name."""
    return [name.removeprefix("ebmbench.") for name in imports(path) if name.startswith("ebmbench.")]


def inside(name, layers):
    return any(name == layer or name.startswith(f"{layer}.") for layer in layers)


def layer_of(module):
    """The entry of MAY that a module belongs to; None where it has none."""
    found = [layer for layer in MAY if inside(module, {layer})]
    return max(found, key=len, default=None)


def forbidden(module, names):
    """Those of the imported names that the module's layer may not import."""
    layer = layer_of(module)
    allowed = BASE | {layer} | MAY[layer]
    return [name for name in names if not inside(name, allowed)]


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_downwards(module):
    assert layer_of(module) is not None, f"{module} belongs to no layer of the design"
    assert forbidden(module, ours(MODULES[module])) == []


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("estimators.cd", "partition.ais"),
        ("partition.ais", "estimators.cd"),
        ("kernels.cpu.gibbs", "kernels.reference.gibbs"),
        ("kernels.reference.gibbs", "kernels.cpu.gibbs"),
        ("kernels.cpu.gibbs", "models.rbm.hidden_probability"),
        ("kernels.api", "kernels.cpu"),
        ("samplers.gibbs", "estimators.cd"),
        ("models.rbm", "kernels.api"),
        ("scalar", "kernels.api"),
        ("report.figures", "harness.run"),
        ("harness.run", "report"),
        ("harness.run", "kernels.cpu"),
        ("datasets.mnist", "models.rbm"),
        ("peers._torch", "kernels.api"),
        ("peers.numpy", "harness.made_up"),
        ("training.fit", "harness.spec"),
    ],
)
def test_the_rule_forbids(module, name):
    assert forbidden(module, [name]) == [name]


def test_only_load_names_a_backend():
    """By an import outside its own folder, or in a string for a lazy one."""
    for module, path in MODULES.items():
        if layer_of(module) == "kernels.api":
            continue
        own = layer_of(module)
        for backend in ("kernels.reference", "kernels.cpu", "kernels.cuda"):
            assert own == backend or not any(inside(name, {backend}) for name in ours(path)), module
        strings = [
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        named = {text for text in strings if text.startswith("ebmbench.kernels.")}
        assert named <= {"ebmbench.kernels.api"}, module


@pytest.mark.parametrize(
    "module", [m for m in MODULES if m.startswith(("instr", "kernels", "normal", "philox", "scalar"))]
)
def test_kernels_call_no_other_library(module):
    roots = {name.split(".")[0] for name in imports(MODULES[module])}
    assert not roots & FOREIGN


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_compiled_with_fast_math(module):
    """Neither by an option of a decorator nor by flags of an instruction."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not any(keyword.arg == "fastmath" for call in calls for keyword in call.keywords)
    emitted = [c for c in calls if ast.unparse(c.func).startswith("builder.")]
    assert not any(keyword.arg == "flags" for call in emitted for keyword in call.keywords)


COMPILED_BY = {"inner", "jit", "njit", "overload", "intrinsic", "register_jitable"}


def decorators(function):
    """The names of a function's decorators, without what they are called with."""
    return {ast.unparse(getattr(one, "func", one)).split(".")[-1] for one in function.decorator_list}


def called_by_python(tree):
    """What a module calls, or hands on to what it calls, outside functions that are compiled."""
    if isinstance(tree, ast.FunctionDef) and decorators(tree) & COMPILED_BY:
        return
    if isinstance(tree, ast.Call):
        named = [tree.func, *tree.args, *(keyword.value for keyword in tree.keywords)]
        yield from (ast.unparse(one) for one in named if isinstance(one, ast.Name | ast.Attribute))
    for node in ast.iter_child_nodes(tree):
        yield from called_by_python(node)


def names_of(functions, tree, module):
    """By which names a module may call some of the package's functions."""
    for node in ast.walk(tree):
        for one in node.names if isinstance(node, ast.ImportFrom) else []:
            whole, name = f"{node.module}.{one.name}".removeprefix("ebmbench."), one.asname or one.name
            if whole in functions:
                yield name
            yield from (
                f"{name}.{i.rpartition('.')[2]}" for i in functions if i.rpartition(".")[0] == whole
            )
    yield from (name.rpartition(".")[2] for name in functions if name.rpartition(".")[0] == module)


def inner_functions(path):
    """The functions of a module that only compiled code may call."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {
        node.name for node in body if isinstance(node, ast.FunctionDef) and "inner" in decorators(node)
    }


INNER = {f"{module}.{name}" for module, path in MODULES.items() for name in inner_functions(path)}


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("kernels.cpu")])
def test_what_only_compiled_code_calls_is_not_called_by_python(module):
    """It would run, as slowly as Python does."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    assert not set(names_of(INNER, tree, module)) & set(called_by_python(tree))


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("def f(): return lambda: room(1)", "room"),
        ("from ebmbench.kernels.cpu import chain as c\ndef f(): c.room(1)", "c.room"),
        ("from ebmbench.kernels.cpu.chain import room as r\ndef f(): return map(r, [1])", "r"),
        ("@inner\ndef f(): room(1)\n@overload(g)\ndef h(): room(1)", None),
    ],
)
def test_the_call_of_an_inner_function_is_found(source, seen):
    tree = ast.parse(source)
    found = set(names_of(INNER, tree, "kernels.cpu.chain")) & set(called_by_python(tree))
    assert found == ({seen} if seen else set())


def references(tree):
    """Inner functions that count no references, and the names of others that return something."""
    inner = [f for f in tree.body if isinstance(f, ast.FunctionDef) and "inner" in decorators(f)]
    counting = {f.name: f for f in inner if "allocates=True" in ast.unparse(f.decorator_list)}
    returning = {
        name for name, f in counting.items() if any(isinstance(n, ast.Return) for n in ast.walk(f))
    }
    return {f.name: f for f in inner if f.name not in counting}, returning


MAKERS = {
    f"{module}.{name}"
    for module, path in MODULES.items()
    for name in references(ast.parse(path.read_text(encoding="utf-8")))[1]
}


def leaks(tree, module):
    """Functions that count no references, but may be given new arrays by what they call."""
    makers = set(names_of(MAKERS, tree, module))
    for name, function in references(tree)[0].items():
        calls = {ast.unparse(n.func) for n in ast.walk(function) if isinstance(n, ast.Call)}
        if calls & makers:
            yield name


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("kernels.cpu")])
def test_who_counts_no_references_is_given_no_new_arrays(module):
    """Nobody would free them."""
    assert not list(leaks(ast.parse(MODULES[module].read_text(encoding="utf-8")), module))


def test_a_leak_is_found():
    made = "from ebmbench.kernels.cpu.chain import room as r\n@inner{}\ndef f(): x = r(1)"
    assert list(leaks(ast.parse(made.format("")), "any")) == ["f"]
    assert not list(leaks(ast.parse(made.format("(allocates=True)")), "any"))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_short(module):
    lines = len(MODULES[module].read_text(encoding="utf-8").splitlines())
    assert lines <= LINES, f"{module} has {lines} lines"
