"""python -m volstyle.training builtin: train the network that the package carries."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from volstyle.errors import VolstyleError
from volstyle.training.train import Plan, Progress, train


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m volstyle.training", description=__doc__)
    parser.add_argument("name", choices=["builtin"], help="which network")
    parser.add_argument("--out", type=Path, default=Path("builtin.safetensors"), help="the weights to write")
    parser.add_argument(
        "--resume", action=argparse.BooleanOptionalAction, default=True, help="go on where a run was stopped"
    )
    parser.add_argument("--start", type=Path, help="weights to begin with, of an earlier run")
    for field in fields(Plan):
        if field.name != "compiled":
            parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    values = vars(parser.parse_args())
    plan = Plan(**{field.name: values[field.name] for field in fields(Plan) if field.name in values})
    try:
        train(plan, values["out"], resume=values["resume"], tell=_tell, start=values["start"])
    except VolstyleError as error:
        sys.stderr.write(f"volstyle.training: {error}\n")
        return 2
    return 0


def _tell(progress: Progress) -> None:
    s = progress.scores
    sys.stdout.write(
        f"step {progress.step}: loss {s.loss:.3f}, programs {s.accuracy:.0%}, palettes {s.palettes:.0%}, "
        f"traits {s.traits:.3f}, spoiled {s.spoiled:.3f}, picture {s.error:.3f}, redundancy {s.redundancy:.2f}, "
        f"density {s.density:.3f}, {progress.rate:.0f} samples/s, {progress.generating:.0%} generating\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
