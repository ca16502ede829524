"""How a layer's units are drawn once their pre-activations are there: one pass over the layer."""

import numpy as np

from ebmbench.compile import jit
from ebmbench.randomness import fill_uniforms
from ebmbench.scalar import sigmoid


@jit(forceinline=True)
def draw(x, beta, u, state, chain, step, seed, stream, first=0):
    """Sample units from `first` on, a multiple of 4, of pre-activations x at inverse temperature beta."""
    fill_uniforms(u, chain, step, seed, stream, first)
    for j in range(state.size):
        state[j] = u[j] < sigmoid(np.float32(beta * x[j]))


@jit(forceinline=True)
def draw_from(p, u, state, chain, step, seed, stream):
    """Sample units that are on with probabilities p."""
    fill_uniforms(u, chain, step, seed, stream)
    for j in range(state.size):
        state[j] = u[j] < p[j]


@jit(forceinline=True)
def draw_between(base, x, beta, u, state, chain, step, seed, stream):
    """`draw` on the path from base to x, at pre-activations (1 - beta) base + beta x."""
    fill_uniforms(u, chain, step, seed, stream)
    rest, beta = np.float32(1.0 - beta), np.float32(beta)
    for i in range(state.size):
        between = np.float32(np.float32(rest * base[i]) + np.float32(beta * x[i]))
        state[i] = u[i] < sigmoid(between)
