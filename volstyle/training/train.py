"""The training loop: resumable, from one seed, on a CPU or a GPU."""

from __future__ import annotations

import itertools
import json
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from volstyle.codecs.atomic import replacing
from volstyle.engine.machine import choose_precision
from volstyle.errors import InputError
from volstyle.networks.inflation import channels_last
from volstyle.networks.weights import load_weights
from volstyle.recipe import AUTO
from volstyle.training.batches import Batch, draw_batch
from volstyle.training.model import (
    ARCHITECTURES,
    MEAN,
    STD,
    Answers,
    Heads,
    Trunk,
    density,
    export,
    redundancy,
    sampled,
    take_up,
)
from volstyle.world.programs import Programs, draw_palettes

OBJECTIVE = (
    "programs of geometry and texture, and palettes apart from them, told from means and covariances of each "
    "stage; the programs' entries; lost phase and grain; the picture (L1); channels that differ and are picky"
)


@dataclass(frozen=True)
class Plan:
    """How a network is trained.

    name: the name of the network. programs, palettes: how many it has to tell apart. size: the side of the
    pictures. zoom: how large everything is in them; at 1, lengths are those of the programs. rate: the highest
    step size of AdamW, reached in 200 steps, kept, and brought to 0 along a line over the last quarter, so that a
    run that was stopped before may be resumed as a longer or shorter one. picture, redundancy, density: weights of
    these terms beside the questions'."""

    name: str = "builtin"
    steps: int = 8000
    batch: int = 32
    size: int = 64
    zoom: float = 1.0
    programs: int = 512
    palettes: int = 256
    rate: float = 3e-3
    picture: float = 4.0
    redundancy: float = 0.1
    density: float = 2.0
    seed: int = 0
    compiled: bool = True


PLANS = {"builtin": Plan(), "builtin3d": Plan("builtin3d", 1200, 12, 32, 1.8, programs=128, palettes=64)}
"""The plans by which the networks in the package were trained."""


@dataclass(frozen=True)
class Scores:
    """How well a network does. loss: the sum of all terms. accuracy, palettes: the shares of programs and of
    palettes that the last stage tells rightly. traits: its mean squared error in the entries of the programs,
    where guessing has 1. spoiled: its mean squared error in how far pictures are spoiled. error: the mean absolute
    error of the picture. redundancy, density: the terms of those names, of the features."""

    loss: float
    accuracy: float
    palettes: float
    traits: float
    spoiled: float
    error: float
    redundancy: float
    density: float


@dataclass(frozen=True)
class Progress:
    """step: the number of the step, from 1. scores: averages since the last report. rate: pictures per second.
    generating: seconds spent on painting pictures, beside training, for each second that passed."""

    step: int
    scores: Scores
    rate: float
    generating: float


def train(
    plan: Plan,
    out: Path,
    *,
    resume: bool,
    tell: Callable[[Progress], None],
    every: int = 50,
    start: Path | None = None,
) -> None:
    """Train and write the weights to out, a safetensors file; the state is kept beside it for `resume`.

    start: weights that a run of an earlier plan has written, to begin with instead of random ones.
    Raises InputError when the state or the start is another plan's, or the size does not fit the network.
    """
    architecture = ARCHITECTURES[plan.name]
    stride = architecture.stride
    if plan.size < 24 or plan.size % stride:
        raise InputError(f"size: {plan.size}, must be a multiple of {stride} from 24 on; give 32, 48 or 64")
    state_path = out.with_suffix(".state.pt")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(plan.seed)
    programs = Programs.draw(plan.programs, plan.seed)
    traits = programs.traits(architecture.axes).to(device)
    trunk = Trunk(architecture).to(device)
    heads = Heads(architecture, plan.programs, plan.palettes, traits.shape[1]).to(device)
    for weights in trunk.parameters():
        weights.data = channels_last(weights.data)
    solver = _solver(plan, trunk, heads)
    past = _take_up(trunk, start, _paint_batch(plan, programs, 0, device)[0].pictures) if start else {}
    parts: dict[str, Any] = {"trunk": trunk, "heads": heads, "solver": solver}
    first, seconds = _restore(plan, state_path, parts, device) if resume and state_path.is_file() else (0, 0.0)
    precision = choose_precision(AUTO, device)  # bfloat16 takes four times as long where it is not multiplied
    began = marked = time.perf_counter()
    generating, scores = 0.0, []
    batches = _batches(plan, programs, first, device)
    for step in range(first + 1, plan.steps + 1):
        batch, took = next(batches)
        generating += took
        for group in solver.param_groups:
            group["lr"] = group["gain"] * plan.rate * _share(step, plan.steps)
        trunk.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16):
            features = trunk(batch.pictures)
            answers: Answers = heads(features)
        score = _score(plan, batch, features, answers, traits[batch.labels])
        solver.zero_grad(set_to_none=True)
        torch.autograd.backward(score[0])
        torch.nn.utils.clip_grad_norm_([*trunk.parameters(), *heads.parameters()], 1.0)
        solver.step()
        scores.append(score.detach())
        if step % every == 0 or step == plan.steps:
            spent = time.perf_counter() - marked
            means = torch.stack(scores).mean(0).tolist()
            progress = Progress(step, Scores(*means), len(scores) * plan.batch / spent, generating / spent)
            tell(progress)
            marked, generating, scores = time.perf_counter(), 0.0, []
        if step % (4 * every) == 0 or step == plan.steps:
            spent = seconds + time.perf_counter() - began
            state = {name: part.state_dict() for name, part in parts.items()}
            state |= {"plan": asdict(plan), "step": step, "seconds": spent}
            _save(state_path, partial(torch.save, state))
            seen = [_paint_batch(plan, programs, plan.steps + k, device)[0].pictures for k in range(8)]
            card = _metadata(plan, progress, spent, precision, past)
            _save(out, partial(save_file, export(trunk, seen), metadata=card))


def _solver(plan: Plan, trunk: Trunk, heads: Heads) -> torch.optim.Optimizer:
    """AdamW; each answer adds up hundreds of statistics and would shake at the trunk's step size."""
    slow = [*heads.answers.parameters()]
    fast = [w for w in (*trunk.parameters(), *heads.parameters()) if all(w is not other for other in slow)]
    groups: list[dict[str, object]] = [{"params": fast, "gain": 1.0}, {"params": slow, "gain": 0.05}]
    return torch.optim.AdamW(groups, lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.02)


def _restore(plan: Plan, path: Path, parts: dict[str, Any], device: torch.device) -> tuple[int, float]:
    """The steps and seconds behind a stopped run, whose state is put into the parts."""
    state = torch.load(path, map_location=device, weights_only=True)
    if state["plan"] | {"steps": plan.steps} != asdict(plan):
        raise InputError(f"{path}: the state of another plan ({state['plan']}); remove it or --no-resume")
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return state["step"], state["seconds"]


def _take_up(trunk: Trunk, start: Path, pictures: Tensor) -> dict[str, object]:
    """The start's weights into the trunk; returns their card."""
    state = load_weights(start)
    try:
        take_up(trunk, state.tensors, pictures)
        card: dict[str, object] = json.loads(state.metadata["card"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise InputError(
            f"{start}: not weights of this network; give a file that this command has written"
        ) from error
    return card


def _score(plan: Plan, batch: Batch, features: list[Tensor], answers: Answers, traits: Tensor) -> Tensor:
    """The entries of `Scores` in their order, (8,), of which the first is the loss."""

    def average(terms: list[Tensor]) -> Tensor:
        return torch.stack(terms).mean()

    programs = average([functional.cross_entropy(logits.float(), batch.labels) for logits in answers.programs])
    palettes = average([functional.cross_entropy(logits.float(), batch.colors) for logits in answers.palettes])
    entries = [functional.mse_loss(told.float(), traits) for told in answers.traits]
    spoiled = [functional.mse_loss(told.float(), batch.spoiled) for told in answers.spoiled]
    error = (answers.picture.float() - batch.clean).abs().mean()
    rows = [sampled(f) for f in features]
    alike, dense = average([redundancy(r) for r in rows]), average([density(r) for r in rows])
    loss = programs + palettes + average(entries) + 6 * average(spoiled)
    loss = loss + plan.picture * error + plan.redundancy * alike + plan.density * dense
    form, color = answers.programs[-1].argmax(1) == batch.labels, answers.palettes[-1].argmax(1) == batch.colors
    told = (form.float().mean(), color.float().mean())
    return torch.stack((loss, *told, entries[-1], spoiled[-1], error, alike, dense))


def _metadata(
    plan: Plan, progress: Progress, seconds: float, precision: torch.dtype, past: dict[str, object]
) -> dict[str, str]:
    """The weights' card; each entry JSON. precision: of the steps since the run was last resumed."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    card = {
        "data": "made by formula (volstyle.world.leaves); no photograph, no painting",
        "objective": OBJECTIVE,
        **asdict(plan),
        "scores": {name: round(value, 4) for name, value in asdict(progress.scores).items()},
        "samples_per_second": round(progress.rate, 1),
        "generating": round(progress.generating, 3),
        "hours": round(seconds / 3600, 2),
        "precision": str(precision).removeprefix("torch."),
        "machine": f"{device}, {platform.machine()}, {torch.get_num_threads()} threads",
    }
    if past:
        card["started_from"] = past
    architecture = ARCHITECTURES[plan.name]
    values = {
        "mean": [MEAN] * 3,
        "std": [STD] * 3,
        "padding": "replicate",
        "pooling": "average",
        "style": architecture.style,
        "content": architecture.content,
        "card": card,
    }
    return {key: json.dumps(value) for key, value in values.items()}


def _batches(plan: Plan, programs: Programs, first: int, device: torch.device) -> Iterator[tuple[Batch, float]]:
    """`_paint_batch` from the first on, without end; one is painted while another is trained on."""
    with ThreadPoolExecutor(1) as painter:
        waiting = painter.submit(_paint_batch, plan, programs, first, device)
        for index in itertools.count(first + 1):
            ready, waiting = waiting, painter.submit(_paint_batch, plan, programs, index, device)
            yield ready.result()


def _paint_batch(plan: Plan, programs: Programs, index: int, device: torch.device) -> tuple[Batch, float]:
    """A batch and the seconds it took; the same index gives the same batch, whenever it is painted."""
    started = time.perf_counter()
    generator = torch.Generator().manual_seed((plan.seed << 32) + index)
    labels = torch.randint(plan.programs, (plan.batch,), generator=generator)
    palettes = draw_palettes(plan.palettes, torch.Generator().manual_seed(plan.seed))
    with torch.no_grad():
        axes = ARCHITECTURES[plan.name].axes
        batch = draw_batch(
            programs,
            palettes,
            labels,
            plan.size,
            generator,
            axes=axes,
            zoom=plan.zoom,
            device=device,
            compiled=plan.compiled,
        )
    return batch, time.perf_counter() - started


def _share(step: int, steps: int) -> float:
    """The step size at a step, as a share of the highest one."""
    return min(step / 200, 1.0, 4 * (1 - step / (steps + 1)))


def _save(path: Path, write: Callable[[Path], object]) -> None:
    """A file that is there whole or not at all, in a folder that is made if need be. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        write(temporary)
