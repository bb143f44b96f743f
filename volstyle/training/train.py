"""The training loop: resumable, from one seed, on a CPU or a GPU."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from volstyle.errors import InputError
from volstyle.training.model import MEAN, STD, Heads, Trunk, export
from volstyle.training.world import Programs, draw_batch, paint_leaf


@dataclass(frozen=True)
class Plan:
    """programs: how many to tell apart. size: of the pictures. rate: the highest step size of AdamW, reached after
    a twentieth of the steps and then brought to 0 by a cosine."""

    steps: int = 6000
    batch: int = 32
    size: int = 96
    programs: int = 1024
    rate: float = 2e-3
    seed: int = 0
    compiled: bool = True


@dataclass(frozen=True)
class Progress:
    """step: from 1. loss: of all heads; accuracy: of the last stage's head; error: mean absolute, of the picture.
    rate: samples per second so far; generating: share of the time spent on making them."""

    step: int
    loss: float
    accuracy: float
    error: float
    rate: float
    generating: float


def train(plan: Plan, out: Path, *, resume: bool, tell: Callable[[Progress], None], every: int = 50) -> None:
    """Train and write the weights to out, a safetensors file; the state is kept beside it for `resume`.

    Raises InputError when the state is another plan's.
    """
    state_path = out.with_suffix(".state.pt")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(plan.seed)
    trunk, heads = Trunk().to(device), Heads(plan.programs).to(device)
    trunk = trunk.to(memory_format=torch.channels_last)
    weights = [*trunk.parameters(), *heads.parameters()]
    solver = torch.optim.AdamW(weights, lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.02)
    first, seconds = 0, 0.0
    if resume and state_path.is_file():
        state = torch.load(state_path, map_location=device, weights_only=True)
        if state["plan"] != asdict(plan):
            raise InputError(
                f"{state_path}: the state of another plan ({state['plan']}); remove it or --no-resume"
            )
        trunk.load_state_dict(state["trunk"])
        heads.load_state_dict(state["heads"])
        solver.load_state_dict(state["solver"])
        first, seconds = state["step"], state["seconds"]
    began, generating = time.perf_counter(), 0.0
    pictures = _pictures(plan, first, device)
    progress = Progress(first, 0.0, 0.0, 0.0, 0.0, 0.0)
    for step in range(first + 1, plan.steps + 1):
        started = time.perf_counter()
        picture, labels = next(pictures)
        generating += time.perf_counter() - started
        for group in solver.param_groups:
            group["lr"] = plan.rate * _warm_cosine(step / plan.steps)
        trunk.train()
        with torch.autocast(device.type, torch.bfloat16):
            features = trunk(picture.contiguous(memory_format=torch.channels_last))
            logits, drawn = heads(features)
        told = [functional.cross_entropy(logit.float(), labels) for logit in logits]
        error = (drawn.float() - picture).abs().mean()
        loss = torch.stack(told).mean() + 4 * error
        solver.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        solver.step()
        if step % every == 0 or step == plan.steps:
            spent = time.perf_counter() - began
            accuracy = float((logits[-1].argmax(1) == labels).float().mean())
            rate = (step - first) * plan.batch / spent
            progress = Progress(
                step, float(loss.detach()), accuracy, float(error.detach()), rate, generating / spent
            )
            tell(progress)
        if step % (20 * every) == 0 or step == plan.steps:
            state = {"plan": asdict(plan), "step": step, "seconds": seconds + time.perf_counter() - began}
            state |= {"trunk": trunk.state_dict(), "heads": heads.state_dict(), "solver": solver.state_dict()}
            _replace(state_path, partial(torch.save, state))
            card = {"data": "formula-made pictures (volstyle.training.world)", **asdict(plan), **asdict(progress)}
            card |= {"hours": round(state["seconds"] / 3600, 2), "machine": f"{device.type} {platform.machine()}"}
            metadata = {key: json.dumps([value] * 3) for key, value in (("mean", MEAN), ("std", STD))}
            metadata |= {"padding": "replicate", "pooling": "average", "card": json.dumps(card)}
            tensors = export(trunk, (next(pictures)[0] for _ in range(8)))
            tensors = {name: tensor.cpu() for name, tensor in tensors.items()}
            _replace(out, partial(save_file, tensors, metadata=metadata))


def _pictures(plan: Plan, first: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without end; the same whether resumed or not, but for those that an export looked at."""
    programs = Programs.draw(plan.programs, plan.seed)
    leaf = torch.compile(paint_leaf, dynamic=False) if plan.compiled else paint_leaf
    index = first
    while True:
        generator = torch.Generator().manual_seed((plan.seed << 32) + index)
        labels = torch.randint(plan.programs, (plan.batch,), generator=generator)
        with torch.no_grad():
            batch = draw_batch(programs, labels, plan.size, generator, leaf)
        yield batch.pictures.to(device), batch.labels.to(device)
        index += 1


def _warm_cosine(done: float) -> float:
    return min(done / 0.05, 1.0) * 0.5 * (1 + float(torch.cos(torch.tensor(torch.pi * done))))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """All or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    write(temporary)
    temporary.replace(path)
