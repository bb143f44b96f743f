"""Styled training data: does a segmentation that was trained on one scanner survive another?

uv run python samples/scanner.py

Phantoms are drawn by formula: a body with a few round lesions, seen by scanner A, which is clean, and by scanner
B, which has less contrast, grain, and a bias field. A tiny network learns to find the lesions on A alone, from
plain phantoms and from ones that TorchIO's transforms or volstyle's have changed; what it finds on B is counted
(Dice, 1 is all). STEPS, SEEDS, SIDE, SCANS and NETWORK in the environment say how much work it is.
"""

# %% What all of it shares
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torchio
from torch import Tensor, nn

import volstyle
from volstyle.torchio import RandomStyle

HERE = Path(__file__).parent if "__file__" in globals() else Path("samples")
STEPS = int(os.environ.get("STEPS", "250"))
SEEDS = int(os.environ.get("SEEDS", "3"))
CHOICES = {"network.name": os.environ.get("NETWORK", "builtin"), "schedule.steps": min(STEPS, 30)}
SIDE, SCANS = int(os.environ.get("SIDE", "32")), int(os.environ.get("SCANS", "6"))


# %% Two scanners
def smooth(generator: torch.Generator, size: int) -> Tensor:
    """Noise of a deviation of 1 that changes over SIDE / size samples."""
    coarse = torch.randn(1, 1, size, size, size, generator=generator)
    fine = nn.functional.interpolate(coarse, (SIDE, SIDE, SIDE), mode="trilinear", align_corners=True)[0]
    return fine / fine.std()


def scan(seed: int, scanner: str) -> torchio.Subject:
    """A phantom as a scanner sees it, and where its lesions are."""
    generator = torch.Generator().manual_seed(seed)
    grid = torch.stack(torch.meshgrid(*[torch.linspace(-1, 1, SIDE)] * 3, indexing="ij"))
    body = ((grid / (0.75 + 0.2 * torch.rand(3, 1, 1, 1, generator=generator))).square().sum(0) < 1)[None]
    lesions = torch.zeros_like(body)
    for _ in range(4):
        center = torch.rand(3, 1, 1, 1, generator=generator) - 0.5
        radius = 0.14 + 0.12 * torch.rand(1, generator=generator)
        lesions |= ((grid - center).square().sum(0) < radius**2)[None]
    noise = torch.randn(body.shape, generator=generator)
    if scanner == "A":
        seen = 0.05 + 0.45 * body + 0.3 * lesions + 0.03 * noise
    else:
        grain, bias = smooth(generator, 12), smooth(generator, 3)
        seen = (0.05 + (0.4 + 0.06 * grain) * body + 0.2 * lesions) * (1 + 0.2 * bias) + 0.04 * noise
    return torchio.Subject(scan=torchio.ScalarImage(tensor=seen), lesions=torchio.LabelMap(tensor=lesions))


SEEN = [scan(seed, "A") for seed in range(SCANS)]
UNSEEN = {scanner: [scan(100 + seed, scanner) for seed in range(SCANS)] for scanner in "AB"}
SLICE = volstyle.Field.of(scan(99, "B")["scan"].data[0, SIDE // 2].clamp(0, 1), "yx")
"""One slice of scanner B, without labels: what a hospital has from its new machine on the first day."""


# %% What is learned from
def styled(styles: Sequence[object]) -> list[torchio.Subject]:
    """Each scan of A as it was, and twice as a style that is drawn has it; labels stay."""
    draw = RandomStyle(styles, strength=(0.5, 1.0), choices=CHOICES)
    return SEEN + [draw(one) for one in SEEN for _ in range(2)]


def same(subject: torchio.Subject) -> torchio.Subject:
    return subject


torch.manual_seed(0)
PAINTINGS = styled([HERE / f"{name}.jpg" for name in ("dots", "glass", "swirl", "woodcut")])
OTHER_SCANNER = styled([SLICE])
USUAL = torchio.Compose([torchio.RandomGamma(), torchio.RandomBiasField(), torchio.RandomNoise(std=(0, 0.1))])
LESSONS: dict[str, tuple[list[torchio.Subject], Callable[[torchio.Subject], torchio.Subject]]] = {
    "plain": (SEEN, same),
    "TorchIO's gamma, bias, noise": (SEEN, USUAL),
    "paintings": (PAINTINGS, same),
    "a slice of B": (OTHER_SCANNER, same),
    "a slice of B, and TorchIO's": (OTHER_SCANNER, USUAL),
}


# %% A network of 6,000 weights
def normal(subject: torchio.Subject) -> Tensor:
    """(1, 1, x, y, z) with mean 0 and deviation 1, as every pipeline has it."""
    data = subject["scan"].data[None]
    return (data - data.mean()) / data.std()


def learned(subjects: list[torchio.Subject], change: Callable[[torchio.Subject], torchio.Subject]) -> nn.Module:
    width = 8
    network = nn.Sequential(
        nn.Conv3d(1, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv3d(width, width, 3, padding=2, dilation=2),
        nn.ReLU(),
        nn.Conv3d(width, width, 3, padding=4, dilation=4),
        nn.ReLU(),
        nn.Conv3d(width, 1, 3, padding=1),
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(STEPS):
        subject = change(subjects[int(torch.randint(len(subjects), ()))])
        score, truth = network(normal(subject)).sigmoid(), subject["lesions"].data[None].float()
        loss = 1 - 2 * (score * truth).sum() / (score.sum() + truth.sum())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network


@torch.no_grad()
def dice(network: nn.Module, subjects: list[torchio.Subject]) -> float:
    found = []
    for subject in subjects:
        mask, truth = network(normal(subject)) > 0, subject["lesions"].data[None] > 0
        found.append(float(2 * (mask & truth).sum() / (mask.sum() + truth.sum())))
    return sum(found) / len(found)


# %% What it gained
for name, (subjects, change) in LESSONS.items():
    results = []
    for seed in range(SEEDS):
        torch.manual_seed(seed)
        network = learned(subjects, change)
        results.append([dice(network, UNSEEN[scanner]) for scanner in "AB"])
    here, there = torch.tensor(results).unbind(1)
    print(
        f"{name:<30} A {here.mean():.2f}  B {there.mean():.2f} ({there.min():.2f} to {there.max():.2f})",
        flush=True,
    )
