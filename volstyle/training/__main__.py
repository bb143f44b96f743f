"""python -m volstyle.training NAME: train a network that the package carries."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

from volstyle.errors import VolstyleError
from volstyle.training.train import PLANS, Plan, Progress, train


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m volstyle.training", description=__doc__)
    parser.add_argument("name", choices=list(PLANS), help="which network")
    parser.add_argument("--out", type=Path, help="the weights to write; NAME.safetensors if not given")
    parser.add_argument(
        "--resume", action=argparse.BooleanOptionalAction, default=True, help="go on where a run was stopped"
    )
    parser.add_argument("--start", type=Path, help="weights to begin with, of an earlier run")
    for field in fields(Plan):
        if field.name not in ("name", "compiled"):
            parser.add_argument(f"--{field.name}", type=type(field.default))
    values = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    plan = PLANS[values["name"]]
    plan = replace(plan, **{field.name: values[field.name] for field in fields(Plan) if field.name in values})
    out = values.get("out", Path(f"{plan.name}.safetensors"))
    try:
        train(plan, out, resume=values["resume"], tell=_tell, start=values.get("start"))
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
