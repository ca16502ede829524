"""Many updates of contrastive divergence or SML in one call, without what lies between them in Python.

An update one by one is seven calls and their bookkeeping, 35 us however small the model is: at 64 x 64
and a batch of 20, on one core, 60 us in all. In one call it takes 25, centred 29 where it took 78. The
floors, where a third of the units is on, are 10,000 additions of vectors of 16, two a cycle, 2,560 draws
and as many sigmoids: 4 us at 4 GHz. Beside them stand the starts of five parallel loops, or seven, of
1 us each, and each loop's room and lists.
"""

import numpy as np

from ebmbench.compile import inner, jit
from ebmbench.errors import UserError
from ebmbench.kernels.cpu import tiles
from ebmbench.kernels.cpu.contrast import climb_contrast, find_means, write_contrast
from ebmbench.kernels.cpu.copies import Copies
from ebmbench.kernels.cpu.device import BINARY, aligned_empty, aligned_zeros
from ebmbench.kernels.cpu.gibbs import draw_half, walk
from ebmbench.kernels.cpu.integers import NONE
from ebmbench.kernels.cpu.standing import rewritten
from ebmbench.kernels.cpu.statistics import find_probabilities
from ebmbench.kernels.cpu.threads import count_threads, group_size, launch, layer_work, limit, split
from ebmbench.kernels.cpu.update import centre_gradient, move_weights, slide, update_bias
from ebmbench.randomness import HIDDEN, VISIBLE

_WORK = 50_000_000  # units of it (see `threads`) in a call, which nothing can interrupt: less than 0.1 s


@inner
def _walk(threads, W, Wt, b, c, none, parts, start, last, h, sweeps, beta, seed, stream, step, chain):
    """What `gibbs.gibbs` does from start; sweeps: None for one; parts: of `_update_many`."""
    (across_h, group_h), (across_v, group_v), size = parts
    work = layer_work(start.shape[0], start.shape[1], c.size)
    if sweeps is None:
        limit(threads, work)
        draw_half(W, c, start, across_h, group_h, h, beta, seed, stream + HIDDEN, step, chain)
        draw_half(Wt, b, h, across_v, group_v, last, beta, seed, stream + VISIBLE, step, chain)
    else:
        limit(threads, 2 * sweeps * work)
        walk(W, Wt, none, none, b, c, start, size, last, h, sweeps, beta, seed, stream, step, chain)


@jit
def _update_many(
    threads, W, Wt, b, c, none, parts, copies, velocity, offsets, rows, index, starts, chains,
    sweeps, beta, seed, stream, step, chain, rates, momentum, decay, slidings, room,
):  # fmt: skip
    """As many updates as there are rates; returns how many were done, and whether all is within bounds.

    none: `NONE`; parts: of `split` for either layer, and how many chains walk together; velocity: of W, b
    and c; offsets: of b and c, or None; chains: uint8, where the negative phase starts and then what
    became of it, or no rows: it starts at the batch; sweeps: None for one; room: p of both phases,
    float32 [2, B, padded], a row of zeros, the gradient [n_visible, padded], or no rows of it without
    offsets, and a mask without columns. What is None is left out of the machine code, which saves a
    first start some seconds; CD and SML share theirs.
    """
    p, zero, gradient, unmasked = room
    units, n_hidden, columns = rows.shape[1], Wt.shape[0], c.size
    across, group = parts[0]
    of_b, of_c = np.empty((2, b.size), np.float32), np.empty((2, columns), np.float32)
    gb, mean_b, gc, mean_c = of_b[0], of_b[1], of_c[0], of_c[1]
    for n in range(rates.size):
        begin, end, now, rate = starts[n], starts[n + 1], step, rates[n]
        step += np.uint64(1 if sweeps is None else sweeps)
        batch = np.empty((end - begin, units), rows.dtype)
        for r in range(end - begin):
            batch[r] = rows[index[begin + r]]
        count = batch.shape[0] if chains.shape[0] == 0 else chains.shape[0]
        last, h = np.empty((count, units), np.uint8), np.empty((count, n_hidden), np.uint8)
        model, way = (W, Wt, b, c, none, parts), (sweeps, beta, seed, stream, now, chain)
        if chains.shape[0] == 0:
            _walk(threads, *model, batch, last, h, *way)
        else:
            _walk(threads, *model, chains, last, h, *way)
            chains[:] = last
        plus, minus = p[0, : batch.shape[0]], p[1, :count]
        work = layer_work(batch.shape[0] + count, units, columns)
        limit(threads, work)
        find_probabilities(W, none, c, batch, last, beta, n_hidden, across, group, plus, minus)
        used = limit(threads, batch.size + last.size + plus.size + minus.size)
        find_means(used, batch, last, plus, minus, gb, mean_b, gc, mean_c)
        used = limit(threads, W.size + work)
        moved = W, velocity[0], n_hidden, copies, rate, momentum, decay
        if offsets is None:
            climb_contrast(used, batch, last, plus, minus, zero, *moved)
        else:
            write_contrast(used, batch, last, plus, minus, zero, gradient, False)
            slide(offsets[0], mean_b, slidings[n])
            slide(offsets[1], mean_c, slidings[n])
            used = limit(threads, W.size)
            centre_gradient(gradient, gb, gc, offsets[0], offsets[1], gb.copy(), unmasked)
            move_weights(used, gradient, *moved)
        healthy = update_bias(b, velocity[1], gb, rate, momentum)
        healthy &= update_bias(c, velocity[2], gc, rate, momentum)
        if not healthy:
            return n + 1, False
    return rates.size, True


def contrastive_updates(model, trees, batches, negative, steps):
    """See `Backend.contrastive_updates`."""
    velocity, offsets = trees
    rows, index, starts = batches
    start, sweeps, key, beta = negative
    columns = model.c.size
    if tiles.worth(model.W.size) or (sweeps > 1 and tiles.allowed()):
        return None  # integers serve there, see `standing`
    if start is not None and start.dtype != BINARY:
        return None
    chains = np.empty((0, model.n_visible), np.uint8) if start is None else start.copy()
    many = max(int(np.diff(starts).max()), len(chains))
    parts = split(many, columns), split(many, model.b.size), group_size(many)
    work = model.W.size + (2 + 2 * sweeps) * layer_work(many, model.n_visible, columns)
    most = max(1, int(_WORK // work))
    taken = index[starts[0] : starts[-1]]
    if taken.min() < 0 or taken.max() >= len(rows):
        raise UserError(f"an index must number the {len(rows)} rows from 0")
    copies = Copies(model.Wt, NONE.planes, NONE.planes, 0.0)
    gradient = aligned_empty(len(model.W) if offsets else 0, columns)
    room = aligned_empty(2, many, columns), aligned_zeros(columns), gradient, np.empty((1, 0), np.float32)
    # As little work `launch` has it begin on one thread, and undoes afterwards what `limit` does within.
    done, healthy = launch(
        _update_many, 0, count_threads(), model.W, model.Wt, model.b, model.c, NONE, parts, copies,
        (velocity["W"], velocity["b"], velocity["c"]), offsets and (offsets["b"], offsets["c"]), rows,
        index, starts, chains, None if sweeps == 1 else sweeps, np.float32(beta), key.seed,
        int(key.stream), np.uint64(key.step), key.chain, steps.rates[:most].astype(np.float32),
        np.float32(steps.momentum), np.float32(steps.decay), steps.slidings[:most].astype(np.float32),
        room,
    )  # fmt: skip
    rewritten(model, copies, np.nan, 0.0)
    return (None if start is None else chains), done, healthy


FUSED = {"contrastive_updates": contrastive_updates}
