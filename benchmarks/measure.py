"""Times one value-and-gradient: compilation, CPU and wall, for every peer alike."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np


class Timing(NamedTuple):
    """CPU seconds to compile; milliseconds of one value-and-gradient; its value."""

    compile_cpu_s: float
    cpu_ms: float
    wall_ms: float
    value: float
    dimensions: int


def time_gradient(
    potential: Callable[..., Any], point: Any, *arguments: Any, repeats: int
) -> Timing:
    """Timing of `value_and_grad(potential)(point, *arguments)`.

    `arguments` (data) are traced. Wall is the median of the repeats, CPU their mean.
    """
    jax.clear_caches()  # what building the model has traced is traced again
    before = time.process_time()
    function = jax.jit(jax.value_and_grad(potential))
    program = function.lower(point, *arguments).compile()
    compiled = time.process_time() - before
    value, _ = jax.block_until_ready(program(point, *arguments))  # warms the buffers
    before, walls = time.process_time(), []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(program(point, *arguments))
        walls.append(time.perf_counter() - start)
    cpu = 1e3 * (time.process_time() - before) / repeats
    size = sum(np.size(leaf) for leaf in jax.tree.leaves(point))
    return Timing(compiled, cpu, 1e3 * float(np.median(walls)), float(value), size)
