"""The options of `volstyle batch`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from ..options import LookOptions, Quality

_LOOK, _RUN, _FILES, _CLUSTER = "Look", "Machine", "Files", "Cluster"


class Engine(StrEnum):
    SLURM = "slurm"
    LOCAL = "local"


@dataclass(frozen=True, kw_only=True)
class ClusterOptions:
    """What each job gets of a cluster. None is for what was not given."""

    cluster: Annotated[
        Engine | None,
        Option(
            help="Make each result a job of its own: of Slurm (on a disk that all its machines see), or of this "
            "machine, local, to try it out.",
            rich_help_panel=_CLUSTER,
        ),
    ] = None
    minutes: Annotated[
        int | None,
        Option(
            min=5,
            help="Time of a job. When it is up, the job is queued again and goes on after the last stage that it "
            "finished. Default: 240.",
            rich_help_panel=_CLUSTER,
        ),
    ] = None
    cpus: Annotated[
        int | None, Option(min=1, help="Processor cores of a job. Default: 1.", rich_help_panel=_CLUSTER)
    ] = None
    gpus: Annotated[
        int | None, Option(min=0, help="Graphics cards of a job. Default: 0.", rich_help_panel=_CLUSTER)
    ] = None
    gigabytes: Annotated[
        float | None,
        Option(min=0.1, help="Memory of a job. Default: what the cluster gives.", rich_help_panel=_CLUSTER),
    ] = None
    partition: Annotated[
        str | None, Option(help="Slurm's partition. Default: its own default.", rich_help_panel=_CLUSTER)
    ] = None
    logs: Annotated[
        Path | None,
        Option(
            metavar="FOLDER",
            help="Where each job leaves its log, RESULT.NUMBER.log. Default: logs in the folder of the results.",
            rich_help_panel=_CLUSTER,
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class BatchOptions(ClusterOptions, LookOptions):
    """The options of `volstyle batch`."""

    inputs: Annotated[
        list[str],
        Argument(metavar="IN", help="Files, folders, and patterns in quotes: 'scans/**/*.nii.gz'."),
    ]
    style: Annotated[
        list[str],
        Option(
            metavar="FILE[@WEIGHT]|FOLDER|PATTERN",
            help="What is styled after; a folder or a pattern is each of its files. Again for a blend.",
            rich_help_panel=_LOOK,
        ),
    ]
    output: Annotated[
        Path,
        Option("--output", "-o", help="The folder of the results.", rich_help_panel=_FILES),
    ]
    jobs: Annotated[
        int | None,
        Option(
            min=1,
            help="How many at once, each in a process. Default: 1; of a cluster as many as it has room for.",
            rich_help_panel=_RUN,
        ),
    ] = None
    watch: Annotated[
        bool, Option("--watch", help="Go on with files as they arrive, until Ctrl-C.", rich_help_panel=_RUN)
    ] = False
    quality: Annotated[
        Quality, Option(help="How clips are encoded: visual looks lossless, lossless is.", rich_help_panel=_FILES)
    ] = Quality.VISUAL
    keep_going: Annotated[
        bool, Option("--keep-going", help="Leave out frames of clips that are damaged.", rich_help_panel=_FILES)
    ] = False
    no_resume: Annotated[
        bool, Option("--no-resume", help="Start over, though a run was cut off.", rich_help_panel=_FILES)
    ] = False
    json: Annotated[bool, Option("--json", help="Print what became of each, as JSON.", rich_help_panel=_FILES)] = (
        False
    )
