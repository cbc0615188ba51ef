"""Times one value-and-gradient: compilation, CPU and wall, for every peer alike.

A call from Python costs some 0.08 ms whatever it does; a sampler makes none, because it
runs inside a compiled loop. So the gradient is timed both ways.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

BATCHES = 5  # the median of so many is what is said
NEARBY = 1e-9  # of the gradient: each turn of the loop is at another point, as good


class Timing(NamedTuple):
    """CPU seconds to compile; milliseconds of one value-and-gradient: called from
    Python (CPU, wall) and inside a compiled loop (CPU); its value; its dimensions."""

    compile_cpu_s: float
    cpu_ms: float
    wall_ms: float
    loop_cpu_ms: float
    value: float
    dimensions: int


def time_gradient(
    potential: Callable[..., Any], point: Any, *arguments: Any, repeats: int
) -> Timing:
    """Timing of `value_and_grad(potential)(point, *arguments)`.

    `arguments` (data) are traced. Times are medians of five batches of `repeats`.
    """
    jax.clear_caches()  # what building the model has traced is traced again
    before = time.process_time()
    function = jax.jit(jax.value_and_grad(potential))
    program = function.lower(point, *arguments).compile()
    compiled = time.process_time() - before
    value, _ = program(point, *arguments)
    looped = in_loop(potential, point, *arguments)
    cpu, wall = median_ms(lambda: program(point, *arguments), repeats)
    loop_cpu, _ = median_ms(lambda: looped(repeats), 1)
    size = sum(np.size(leaf) for leaf in jax.tree.leaves(point))
    return Timing(compiled, cpu, wall, loop_cpu / repeats, float(value), size)


def in_loop(
    potential: Callable[..., Any], point: Any, *arguments: Any
) -> Callable[[int], Any]:
    """So many value-and-gradients in one compiled loop, each at its own point."""

    @jax.jit
    def many(turns: int, start: Any, *given: Any) -> Any:
        def turn(_: Any, carry: tuple[Any, Any]) -> tuple[Any, Any]:
            position, total = carry
            value, slope = jax.value_and_grad(potential)(position, *given)
            moved = jax.tree.map(lambda x, g: x - NEARBY * g, position, slope)
            return moved, total + value

        return jax.lax.fori_loop(0, turns, turn, (start, jnp.zeros(())))

    return lambda turns: many(turns, point, *arguments)


def median_ms(call: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """CPU and wall milliseconds of a call: medians of five batches, after one call."""
    jax.block_until_ready(call())  # warms the buffers
    found = []
    for _ in range(BATCHES):
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(repeats):
            jax.block_until_ready(call())
        found.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpu, wall = 1e3 * np.median(found, axis=0) / repeats
    return float(cpu), float(wall)
