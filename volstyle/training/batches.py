"""Batches of pictures, or of solids, to train on: painted, under a canvas, and some of them spoiled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from volstyle.world.leaves import paint
from volstyle.world.programs import Programs, varied

BANDS = ((0.3, 1.0), (0.12, 0.3), (0.02, 0.12))
"""Fine to coarse, in cycles per sample: where the phase is lost in spoiled pictures."""


@dataclass(frozen=True)
class Batch:
    """pictures: (B, 3, *S) in [0, 1]; clean: the same before `spoil`; labels: (B,), which program; colors:
    (B,), which palette; spoiled: (B, 4) in [0, 1], how much of each band's phase is lost, fine to coarse, and how
    much noise there is."""

    pictures: Tensor
    clean: Tensor
    labels: Tensor
    colors: Tensor
    spoiled: Tensor


def draw_batch(
    programs: Programs,
    palettes: Tensor,
    labels: Tensor,
    size: int,
    generator: torch.Generator,
    *,
    axes: int = 2,
    zoom: float = 1.0,
    device: torch.device | None = None,
    compiled: bool = False,
) -> Batch:
    """Pictures of the programs with these labels, of so many axes of this size, each in one of the palettes
    (Q, 4, 3), varied a little; places are drawn anew, and sizes around the zoom. Half of the pictures are spoiled.
    All dice are thrown on the CPU, so that any device paints the same."""
    count = labels.shape[0]
    larger = zoom * torch.exp(0.5 * torch.rand(count, generator=generator) - 0.25)
    chosen = programs[labels].zoomed(larger).stacked()
    colors = torch.randint(palettes.shape[0], (count,), generator=generator)
    inks = varied(palettes[colors], generator)
    scene = torch.rand(count, 12, generator=generator)
    salt = torch.randint(2**31 - 1, (count,), generator=generator).int()
    noise = torch.randn(count, 2, *(size,) * axes, generator=generator)
    dice = torch.rand(count, 6, generator=generator)
    tint = torch.rand(count, 3, *(1,) * axes, generator=generator)
    drawn = (chosen, inks, scene, salt, noise, dice, tint, labels, colors)
    chosen, inks, scene, salt, noise, dice, tint, labels, colors = (number.to(device) for number in drawn)
    pictures = paint(chosen, inks, scene, salt, size, axes=axes, compiled=compiled)
    pictures = (pictures + _canvas(noise[:, :1], Programs(*chosen))).clamp(0, 1)
    clean, spoiled, losses = _spoil(pictures, noise[:, 1:], dice, tint)
    return Batch(spoiled, clean, labels, colors, losses)


def _canvas(noise: Tensor, programs: Programs) -> Tensor:
    """Noise of spectrum 1/f^rough, longer along the programs' angle, scaled by their canvas; (B, 1, *S)."""
    sides = tuple(range(2, noise.dim()))
    u, v, *others = _frequencies(noise)
    entries = (programs.angle, programs.oriented, programs.rough, programs.canvas)
    angle, oriented, rough, canvas = (entry.view(-1, *(1,) * len(sides)) for entry in entries)
    along, across = u * torch.cos(angle) + v * torch.sin(angle), v * torch.cos(angle) - u * torch.sin(angle)
    radius = _radius((along * (1 + 3 * oriented), across, *others)).clamp_min(0.02)
    gain = radius**-rough
    gain = gain / gain.square().mean(tuple(range(1, gain.dim())), keepdim=True).sqrt()
    noise = torch.fft.irfftn(torch.fft.rfftn(noise, dim=sides) * gain[:, None], s=noise.shape[2:], dim=sides)
    return noise * canvas[:, None]


def _spoil(pictures: Tensor, noise: Tensor, dice: Tensor, tint: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What synthesis gets wrong when a network does not see it: structure replaced by noise of the same spectrum,
    band by band, and grain. dice: (B, 6) and tint: (B, 3, 1, …), in [0, 1]. Returns the pictures without grain,
    with it, and `Batch.spoiled`."""
    lost = dice[:, :3] * (dice[:, 3:4] < 0.35)
    grain = dice[:, 4] * (dice[:, 5] < 0.5)
    sides, flat = tuple(range(2, pictures.dim())), (-1, *(1,) * (pictures.dim() - 2))
    radius = _radius(_frequencies(pictures))
    bands = ((radius >= low) & (radius < high) for low, high in BANDS)
    turn = torch.stack([band * share.view(flat) for band, share in zip(bands, lost.unbind(1), strict=True)])
    spectrum = torch.fft.rfftn(noise[:, 0], dim=tuple(side - 1 for side in sides))
    rotation = torch.polar(torch.ones_like(radius), spectrum.angle() * turn.sum(0))[:, None]
    turned = torch.fft.rfftn(pictures, dim=sides) * rotation
    clean = torch.fft.irfftn(turned, s=pictures.shape[2:], dim=sides).clamp(0, 1)
    speckle = noise.flip(-1) + 0.7 * (tint - 0.5) * noise.roll(7, -1)
    spoiled = (clean + 0.15 * grain.view(-1, 1, *flat[1:]) * speckle).clamp(0, 1)
    return clean, spoiled, torch.cat((lost, grain[:, None]), dim=1)


def _frequencies(pictures: Tensor) -> list[Tensor]:
    """In cycles per sample, along x first, each shaped to go with half a spectrum (*S)."""
    size, axes, device = pictures.shape[-1], pictures.dim() - 2, pictures.device
    half, whole = torch.fft.rfftfreq(size, device=device), torch.fft.fftfreq(size, device=device)
    return [half, *(whole.view(-1, *(1,) * behind) for behind in range(1, axes))]


def _radius(frequencies: Sequence[Tensor]) -> Tensor:
    total = torch.zeros((), device=frequencies[0].device)
    for f in frequencies:
        total = total + f**2
    return total.sqrt()
