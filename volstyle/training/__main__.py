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
    parser.add_argument("--no-resume", action="store_true", help="start over")
    for field in fields(Plan):
        if field.name != "compiled":
            parser.add_argument(f"--{field.name}", type=type(field.default), default=field.default)
    values = vars(parser.parse_args())
    plan = Plan(**{field.name: values[field.name] for field in fields(Plan) if field.name in values})
    try:
        train(plan, values["out"], resume=not values["no_resume"], tell=_tell)
    except VolstyleError as error:
        sys.stderr.write(f"volstyle.training: {error}\n")
        return 2
    return 0


def _tell(progress: Progress) -> None:
    sys.stdout.write(
        f"step {progress.step}: loss {progress.loss:.3f}, programs {progress.accuracy:.0%}, "
        f"picture {progress.error:.3f}, {progress.rate:.0f} samples/s, {progress.generating:.0%} generating\n"
    )
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
