"""A GPU in NumPy: runs the PTX of a kernel instruction by instruction, where there is no GPU.

The simulator runs a kernel's Python; this runs what NVIDIA's compiler made of it, tensor-core products,
shuffles and asynchronous copies too. It knows every array's bounds, poisons what was never written, and
can run the warps of a block in any order between barriers, so that a missing barrier shows. It says
nothing about speed, and a fused multiply-add of doubles is rounded from an 80-bit intermediate.
"""
