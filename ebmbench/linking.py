"""What is only linked into other machine code is not made machine code itself.

Numba optimises and compiles every function by itself before it links it into those that call it; of a
parallel loop the body, two wrappers around it, and the function with the loop, into which the others are
linked. Of these somebody calls only the last.
"""

from typing import Any

from numba.core import codegen, compiler

# In the name of a loop's body: Numba asks for its address and never uses it.
_BODY = "__numba_parfor_gufunc"


class _Nowhere:
    """The code generator's part towards a library that nobody runs."""

    def set_env(self, name: str, env: Any) -> None:
        """Machine code that is not there has no environment."""


class Library(codegen.JITCodeLibrary):
    """Optimised and compiled when somebody first asks for the address of a function that it has."""

    _made = False

    def _optimize_final_module(self) -> None:
        """Left to `get_pointer_to_function`."""

    def _finalize_final_module(self) -> None:
        if not (self._object_caching_enabled and self._compiled_object):
            self._finalized = True  # as far as what links it needs
        else:  # from the cache
            self._made = True
            super()._finalize_final_module()

    def get_pointer_to_function(self, name: str) -> int:
        """The address of a function of the library, or 0 where nobody can call one of that name."""
        self._ensure_finalized()
        if not self._made:
            if _BODY in name or all(found.name != name for found in self.get_defined_functions()):
                return 0
            self._made = True
            super()._optimize_final_module()
            super()._finalize_final_module()
        return super().get_pointer_to_function(name)

    @property
    def codegen(self) -> Any:
        """What Numba tells of the function's environment once it has its address."""
        return super().codegen if self._made else _Nowhere()


class Compiler(compiler.Compiler):
    """Numba's own; while it works, all libraries that it and Numba make are of the class above."""

    def compile_extra(self, func: Any) -> Any:
        """See `numba.core.compiler.CompilerBase`."""
        owner = codegen.JITCPUCodegen
        before = owner._library_class
        owner._library_class = Library
        try:
            return super().compile_extra(func)
        finally:
            owner._library_class = before
