"""A Stan peer in its own Python: its log posterior and gradient, timed; prints JSON.

    PYTHON stan_row.py PROGRAM POINT.json ARGUMENT...

Run in a copy of the peers' folder. PROGRAM (of pystan, or of the interpreter stanli) is
run as it is, to build its model on its data; the model is then evaluated at both points
of the file, which are unconstrained vectors. Needs nothing of ours.
"""

import json
import os
import resource
import runpy
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from statistics import median
from typing import Any

BATCHES = 5  # the median of so many is what is said
BATCH_S = 0.3  # of one batch, at the least


def main() -> None:
    program, points, *arguments = sys.argv[1:]
    built = kept_models(program)
    sys.argv = [program, *arguments]
    sys.path.insert(0, os.getcwd())  # where its own modules are
    before = cpu_seconds()
    with suppress(SystemExit):  # it ends so after its own timing
        runpy.run_path(program, run_name="__main__")
    spent = cpu_seconds() - before
    with open(points) as file:
        here, there = json.load(file)
    density, gradient = functions(built[0])
    cpu, wall = timed(lambda: gradient(here))
    found = {"rise": density(here) - density(there), "cpu_ms": cpu, "wall_ms": wall}
    print(json.dumps(found | {"program_cpu_s": spent}))


def kept_models(program: str) -> list[Any]:
    """A list that will hold every model which the program builds."""
    built: list[Any] = []

    def kept(build: Callable[..., Any]) -> Callable[..., Any]:
        def made(*given: Any, **named: Any) -> Any:
            built.append(build(*given, **named))
            return built[-1]

        return made

    if "stanli" in program:
        import stanli

        stanli.Model = kept(stanli.Model)
    else:
        import stan

        stan.build = kept(stan.build)
    return built


def functions(model: Any) -> tuple[Callable[..., float], Callable[..., Any]]:
    """Log posterior, and its gradient, of an unconstrained vector."""
    if hasattr(model, "log_prob_grad"):
        return lambda at: float(model.log_prob_grad(at)[0]), model.log_prob_grad
    return lambda at: float(model.log_prob(at)), model.grad_log_prob


def timed(call: Callable[[], Any]) -> tuple[float, float]:
    """CPU and wall milliseconds of a call: medians of five batches, after one call."""
    call()
    begun = time.perf_counter()
    call()
    repeats = max(int(BATCH_S / (time.perf_counter() - begun)), 1)
    found = [batch(call, repeats) for _ in range(BATCHES)]
    cpu, wall = (1e3 * median(each) / repeats for each in zip(*found, strict=True))
    return cpu, wall


def batch(call: Callable[[], Any], repeats: int) -> tuple[float, float]:
    cpu, wall = cpu_seconds(), time.perf_counter()
    for _ in range(repeats):
        call()
    return cpu_seconds() - cpu, time.perf_counter() - wall


def cpu_seconds() -> float:
    """Of this process and of those that it has started and that have ended."""
    whose = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    used = [resource.getrusage(who) for who in whose]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
