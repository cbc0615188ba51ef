"""Value and gradient of a trial's log-density on 2 and 4 devices, as JSON.

Run as a program with XLA_FLAGS=--xla_force_host_platform_device_count=4, with the name
of the trial and a folder that holds `position.npy`, to which the trial is written.
"""

import json
import sys
from pathlib import Path

import jax
import numpy as np

from imak_pkpd.scale.devices import shard_subjects
from tests.fit.trials import SMALL, TRIALS, make_trial


def main(folder: Path, name: str) -> None:
    jax.config.update("jax_enable_x64", True)
    text, step = (SMALL | TRIALS)[name]
    trial = make_trial(text, folder, step)
    position = np.load(folder / "position.npy")
    answers = {}
    for count in (2, 4):
        args = shard_subjects(*trial.args, jax.devices()[:count])
        value, gradient = trial.density.evaluate(position, args)
        used = {shard.device.id for shard in args[0].begin.addressable_shards}
        answers[count] = {
            "value": float(value),
            "gradient": np.asarray(gradient).tolist(),
            "devices": len(used),
            "rows": args[0].subjects,
        }
    print(json.dumps(answers))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
