"""What is only linked into other machine code is not made machine code itself.

Numba optimises and compiles every function by itself before it links it into those that call it; of a
parallel loop the body, two wrappers around it, and the function with the loop, into which the others are
linked. Here only what Python calls is optimised and compiled, together with all that is linked into it,
which takes half as long. `_library_class` and what `Library` overrides are no public part of Numba; they
were tried with 0.62 and 0.68.
"""

from typing import Any

from numba.core import codegen, compiler
from numba.core.environment import lookup_environment

# In the name of a loop's body: Numba asks for its address and never uses it.
_BODY = "__numba_parfor_gufunc"
_ENVIRONMENT = "_ZN08NumbaEnv"  # how the name of a function's environment begins


class _Nowhere:
    """In place of the code generator of a library that is no machine code yet."""

    def set_env(self, name: str, env: Any) -> None:
        """Left to the library that becomes machine code, see `Library._make`."""


class Library(codegen.JITCodeLibrary):
    """Optimised and compiled when somebody first asks for the address of a function that it has.

    One that comes from the cache is machine code already.
    """

    _made = False

    def _optimize_final_module(self) -> None:
        """Left to `_make`."""

    def _finalize_final_module(self) -> None:
        if self._object_caching_enabled and self._compiled_object:  # from the cache
            super()._finalize_final_module()
            self._made = True
        else:
            self._finalized = True  # as far as what links it needs

    def _make(self) -> None:
        """Make machine code; what is linked into it prints and raises by its own environment."""
        super()._optimize_final_module()
        super()._finalize_final_module()
        self._made = True
        names = [variable.name for variable in self._final_module.global_variables]
        found = {name: lookup_environment(name) for name in names if name.startswith(_ENVIRONMENT)}
        self._environments = {name: env for name, env in found.items() if env is not None}  # kept alive
        for name, env in self._environments.items():
            super().codegen.set_env(name, env)

    def get_pointer_to_function(self, name: str) -> int:
        """The address of a function; 0 where the library has none of that name, and of a loop's body."""
        self._ensure_finalized()
        if not self._made:
            if _BODY in name or all(found.name != name for found in self.get_defined_functions()):
                return 0
            self._make()
        return super().get_pointer_to_function(name)

    def serialize_using_object_code(self) -> Any:
        """For the cache."""
        self._ensure_finalized()
        if not self._made:
            self._make()
        return super().serialize_using_object_code()

    @property
    def codegen(self) -> Any:
        """The code generator, or what stands in its place."""
        return super().codegen if self._made else _Nowhere()


class Compiler(compiler.Compiler):
    """Numba's own; all libraries made while it works, foreign functions' too, are of the class above."""

    def compile_extra(self, func: Any) -> Any:
        """See Numba's `CompilerBase`; `TypeError` for what a `compile.inner` must not return."""
        owner = codegen.JITCPUCodegen
        before = owner._library_class
        owner._library_class = Library
        try:
            made = super().compile_extra(func)
        finally:
            owner._library_class = before
        model = self.state.targetctx.data_model_manager[made.signature.return_type]
        if not self.state.flags.nrt and model.contains_nrt_meminfo():
            raise TypeError(f"{func.__name__} returns an array, but counts no references to it")
        return made
