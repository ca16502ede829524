"""Other software under our clock and before our judge: code of the user's own, and peers that train.

A suite names it where one of ours stands: a library by its name, or the user's file or module as
`user_code` has it. Such code has a function for each task that it takes part in, see `training`,
`gradients`, `sampling` and `partition`; what else the suite's table says are further arguments of it.
What it depends on beside the case is a digest of its file, or the version of a library.
"""
