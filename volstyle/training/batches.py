"""Batches of pictures to train on: painted, under a canvas, and some of them spoiled."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from volstyle.training.programs import Programs, varied
from volstyle.training.world import paint

BANDS = ((0.3, 1.0), (0.12, 0.3), (0.02, 0.12))
"""Fine to coarse, in cycles per sample: where the phase is lost in spoiled pictures."""


@dataclass(frozen=True)
class Batch:
    """pictures: (B, 3, S, S) in [0, 1]; clean: the same before `spoil`; labels: (B,), which program; colors:
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
    device: torch.device | None = None,
    compiled: bool = False,
) -> Batch:
    """Pictures of the programs with these labels, each in one of the palettes (Q, 4, 3), varied a little; places
    and a zoom are drawn anew. Half of the pictures are spoiled. All dice are thrown on the CPU, so that any device
    paints the same."""
    count = labels.shape[0]
    chosen = programs[labels].zoomed(torch.exp(0.5 * torch.rand(count, generator=generator) - 0.25)).stacked()
    colors = torch.randint(palettes.shape[0], (count,), generator=generator)
    inks = varied(palettes[colors], generator)
    scene = torch.rand(count, 12, generator=generator)
    salt = torch.randint(2**31 - 1, (count,), generator=generator).int()
    noise = torch.randn(count, 2, size, size, generator=generator)
    dice = torch.rand(count, 6, generator=generator)
    tint = torch.rand(count, 3, 1, 1, generator=generator)
    drawn = (chosen, inks, scene, salt, noise, dice, tint, labels, colors)
    chosen, inks, scene, salt, noise, dice, tint, labels, colors = (number.to(device) for number in drawn)
    pictures = paint(chosen, inks, scene, salt, size, compiled=compiled)
    pictures = (pictures + _canvas(noise[:, :1], Programs(*chosen))).clamp(0, 1)
    clean, spoiled, losses = _spoil(pictures, noise[:, 1:], dice, tint)
    return Batch(spoiled, clean, labels, colors, losses)


def _canvas(noise: Tensor, programs: Programs) -> Tensor:
    """Noise of spectrum 1/f^rough, longer along the programs' angle, scaled by their canvas; (B, 1, S, S)."""
    u, v = _frequencies(noise)
    angle = programs.angle.view(-1, 1, 1)
    along, across = u * torch.cos(angle) + v * torch.sin(angle), v * torch.cos(angle) - u * torch.sin(angle)
    radius = ((along * (1 + 3 * programs.oriented.view(-1, 1, 1))) ** 2 + across**2).sqrt().clamp_min(0.02)
    gain = radius ** -programs.rough.view(-1, 1, 1)
    gain = gain / gain.square().mean((1, 2), keepdim=True).sqrt()
    noise = torch.fft.irfft2(torch.fft.rfft2(noise) * gain[:, None], s=noise.shape[-2:])
    return noise * programs.canvas.view(-1, 1, 1, 1)


def _spoil(pictures: Tensor, noise: Tensor, dice: Tensor, tint: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What synthesis gets wrong when a network does not see it: structure replaced by noise of the same spectrum,
    band by band, and grain. dice: (B, 6) and tint: (B, 3, 1, 1), in [0, 1]. Returns the pictures without grain,
    with it, and `Batch.spoiled`."""
    lost = dice[:, :3] * (dice[:, 3:4] < 0.35)
    grain = dice[:, 4] * (dice[:, 5] < 0.5)
    u, v = _frequencies(pictures)
    radius = (u**2 + v**2).sqrt()
    bands = ((radius >= low) & (radius < high) for low, high in BANDS)
    turn = torch.stack([band * share.view(-1, 1, 1) for band, share in zip(bands, lost.unbind(1), strict=True)])
    spectrum = torch.fft.rfft2(noise[:, 0])
    rotation = torch.polar(torch.ones_like(radius), spectrum.angle() * turn.sum(0))[:, None]
    clean = torch.fft.irfft2(torch.fft.rfft2(pictures) * rotation, s=pictures.shape[-2:]).clamp(0, 1)
    speckle = noise.flip(-1) + 0.7 * (tint - 0.5) * noise.roll(7, -1)
    spoiled = (clean + 0.15 * grain.view(-1, 1, 1, 1) * speckle).clamp(0, 1)
    return clean, spoiled, torch.cat((lost, grain[:, None]), dim=1)


def _frequencies(pictures: Tensor) -> tuple[Tensor, Tensor]:
    size, device = pictures.shape[-1], pictures.device
    return torch.fft.rfftfreq(size, device=device)[None, :], torch.fft.fftfreq(size, device=device)[:, None]
