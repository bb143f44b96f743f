"""How a network made for n axes acts on a field of m axes: the one place where axes are counted.

The law of constant extension: repeat an input along a new axis where nothing changes, and the features and
their mean Gram matrix must not change. It leaves two ways to add an axis to a kernel and one to take it away:

- "center": the kernel is the center slice of the larger one; the slices along the new axis stay independent
  and can be folded into the batch. On a clip this is the 2-D network, frame by frame.
- "mean": the kernel is repeated along the new axis and divided by its width k (Carreira & Zisserman 2017,
  arXiv 1705.07750, section 2.4). By the box identity that equals a box filter of width k along the new axis
  followed by the original convolution, at a k-th of the arithmetic; it asks for replicate padding along the
  new axis. `inflate_kernel` builds the explicit kernel, the reference for the identity.
- a lost axis is summed over: on an input that is constant along it the two act alike.

New axes are never pooled: they have no scale of their own in the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from volstyle.errors import ShapeError, nearest

INFLATIONS = ("center", "mean")
LOOKS = (*INFLATIONS, "planes", "native")
"""How a network looks at a field with more axes: through its last ones, with kernels inflated over those in front;
through slices along each axis in turn; or not at all, since it has all axes itself."""

_CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {
    1: functional.conv1d,
    2: functional.conv2d,
    3: functional.conv3d,
}
_POOLINGS: dict[tuple[str, int], Callable[..., Tensor]] = {
    ("average", 1): functional.avg_pool1d,
    ("average", 2): functional.avg_pool2d,
    ("average", 3): functional.avg_pool3d,
    ("max", 1): functional.max_pool1d,
    ("max", 2): functional.max_pool2d,
    ("max", 3): functional.max_pool3d,
}
_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


@dataclass(frozen=True)
class Placement:
    """How the axes of a network lie on the axes of a field.

    axes: one entry per axis of the field: the number of the network's axis that lies along it, or "center" or
    "mean" for an axis the network does not have. Network axes that are not named are summed over.

    A 2-D network on a clip (t, y, x): ("center", 0, 1); on slices across the middle axis: (0, "center", 1);
    on a signal: (1,). A 3-D network on a volume: (0, 1, 2).
    """

    axes: tuple[int | str, ...]

    def __post_init__(self) -> None:
        own = [axis for axis in self.axes if isinstance(axis, int)]
        new = [axis for axis in self.axes if isinstance(axis, str)]
        if not own or len(set(own)) < len(own) or any(axis not in INFLATIONS for axis in new):
            raise ShapeError(
                f"placement: {self.axes} must name at least one network axis, each once, "
                f"and {' or '.join(INFLATIONS)} for the others"
            )

    @property
    def own(self) -> tuple[int, ...]:
        """Field axes that the network has itself."""
        return tuple(i for i, axis in enumerate(self.axes) if isinstance(axis, int))

    @property
    def new(self) -> tuple[int, ...]:
        """Field axes that are new to the network."""
        return tuple(i for i, axis in enumerate(self.axes) if isinstance(axis, str))

    @property
    def meaned(self) -> tuple[int, ...]:
        """Those of `new` along which kernels are inflated as a mean."""
        return tuple(i for i in self.new if self.axes[i] == "mean")


def standard_placement(network_axes: int, field_axes: int, inflation: str) -> Placement:
    """The network's axes along the field's last ones; axes in front are new, axes too many are summed over."""
    shared = min(network_axes, field_axes)
    own = range(network_axes - shared, network_axes)
    return Placement((inflation,) * (field_axes - shared) + tuple(own))


def placements(network_axes: int, field_axes: int, look: str) -> tuple[Placement, ...]:
    """All the ways in which a network lies on a field for one of `LOOKS`; more than one for "planes".

    "planes": the center-inflated network turned each way, for a 2-D network on a volume kernels of 1×k×k, k×1×k
    and k×k×1. "native": the network's own axes, as many as the field's. Raises ShapeError.
    """
    if look not in LOOKS:
        raise ShapeError(f"inflation: {look!r} is unknown; {nearest(look, LOOKS)}")
    if look == "native" and network_axes != field_axes:
        raise ShapeError(
            f"inflation: native needs a network of {field_axes} axes, this one has {network_axes}; "
            "choose another network (builtin3d, or random, which has any number), or planes"
        )
    if look != "planes" or network_axes >= field_axes:
        return (standard_placement(network_axes, field_axes, look),)
    turned = []
    for own in combinations(range(field_axes), network_axes):
        numbers = {axis: number for number, axis in enumerate(own)}
        turned.append(Placement(tuple(numbers.get(axis, "center") for axis in range(field_axes))))
    return tuple(reversed(turned))


def reduce_kernel(kernel: Tensor, placement: Placement) -> Tensor:
    """Kernel (O, I, *k) with the lost axes summed over and the others in the order of the field."""
    named = [axis for axis in placement.axes if isinstance(axis, int)]
    axes = kernel.dim() - 2
    if max(named) >= axes:
        raise ShapeError(f"placement: {placement.axes} names axis {max(named)}, the network has {axes} axes")
    lost = [2 + axis for axis in range(axes) if axis not in named]
    ordered = kernel.permute(0, 1, *(2 + axis for axis in named), *lost)
    return ordered.sum(dim=tuple(range(2 + len(named), ordered.dim()))) if lost else ordered


def inflate_kernel(kernel: Tensor, placement: Placement) -> Tensor:
    """Kernel (O, I, *k) of the network as one over all axes of the field, (O, I, *K): the reference.

    New axes get the width of the kernel's widest own axis for "mean" and for "center".
    """
    kernel = reduce_kernel(kernel, placement)
    width = max(kernel.shape[2:])
    for axis in placement.new:
        kernel = kernel.unsqueeze(2 + axis)
        if placement.axes[axis] == "mean":
            kernel = kernel.repeat_interleave(width, dim=2 + axis) / width
        else:
            before = (width - 1) // 2
            after = width - 1 - before
            trailing = (0, 0) * (kernel.dim() - 3 - axis)
            kernel = functional.pad(kernel, (*trailing, before, after))
    return kernel


def fold(samples: Tensor, placement: Placement) -> Tensor:
    """(1, C, *S) -> (N, C, *own) with the new axes folded into the batch; undone by `unfold`."""
    order = (*(2 + i for i in placement.new), 1, *(2 + i for i in placement.own))
    moved = samples.permute(0, *order)
    return moved.reshape(-1, *moved.shape[1 + len(placement.new) :])


def unfold(slab: Tensor, new_shape: tuple[int, ...], placement: Placement) -> Tensor:
    """(N, K, *own) -> (1, K, *S): the axes back in the order of the field; a view wherever that is possible."""
    spread = slab.reshape(1, *new_shape, *slab.shape[1:])
    channel = 1 + len(new_shape)
    source = {axis: 1 + i for i, axis in enumerate(placement.new)}
    source |= {axis: channel + 1 + i for i, axis in enumerate(placement.own)}
    return spread.permute(0, channel, *(source[i] for i in range(len(placement.axes))))


def box_filter(slab: Tensor, new_shape: tuple[int, ...], axis: int, width: int) -> Tensor:
    """Mean over `width` neighbors along one folded axis, ends repeated: the box of the box identity.

    slab: (N, C, *own), N the product of new_shape; axis: which entry of new_shape.
    """
    before = (width - 1) // 2
    spread = slab.reshape(prod(new_shape[:axis]), new_shape[axis], -1)
    last = new_shape[axis] - 1
    index = torch.arange(new_shape[axis], device=slab.device)
    total = torch.zeros_like(spread)
    for offset in range(-before, width - before):
        total = total + spread.index_select(1, (index + offset).clamp(0, last))
    return _like_channels_last((total / width).reshape(slab.shape), slab)


def convolve(
    slab: Tensor, kernel: Tensor, bias: Tensor | None, stride: tuple[int, ...], replicate: tuple[bool, ...]
) -> Tensor:
    """Convolution over all axes behind (N, C), the same size at stride 1.

    kernel: (O, I, *k), k odd; stride and replicate: one entry per axis, which is padded by k // 2 on either
    side, with the border value where replicate is True and with zeros elsewhere.
    """
    widths = tuple(kernel.shape[2:])
    zeros = tuple(0 if r else k // 2 for k, r in zip(widths, replicate, strict=True))
    edges = tuple(((k - 1) // 2, k // 2) if r else (0, 0) for k, r in zip(widths, replicate, strict=True))
    if any(replicate):
        slab = cast(Tensor, _ReplicateBorders.apply(slab, edges))
    return _CONVOLUTIONS[len(widths)](slab, kernel, bias, stride=stride, padding=zeros)


def pool(slab: Tensor, kind: str, widths: tuple[int, ...], *, partial: bool = False) -> Tensor:
    """Pooling ("average" or "max") over windows of `widths`, one per axis behind (N, C).

    partial: whether what is left at an end, smaller than a window, is one too; else it is dropped.
    """
    axes = slab.dim() - 2
    if axes == 3 and slab.dtype == torch.bfloat16 and slab.device.type == "cpu":
        # torch has no such kernel.
        return _POOLINGS[kind, axes](slab.float(), widths, ceil_mode=partial).to(slab.dtype)
    return _POOLINGS[kind, axes](slab, widths, ceil_mode=partial)


def mean_around(slab: Tensor, side: int) -> Tensor:
    """The mean around each sample of (N, C, *S), over a square or a cube with an odd side, cut off at the ends. It
    is taken along one axis after the other, which is the same and takes less."""
    axes = slab.dim() - 2
    for axis in range(axes):
        widths = [side if other == axis else 1 for other in range(axes)]
        around = [width // 2 for width in widths]
        slab = _POOLINGS["average", axes](slab, widths, 1, around, count_include_pad=False)
    return slab


def continued_to(slab: Tensor, multiples: tuple[int, ...]) -> Tensor:
    """(N, C, *own) with the border value beyond the end of each own axis, up to a multiple of its entry."""
    sides = tuple((0, -size % step) for size, step in zip(slab.shape[2:], multiples, strict=True))
    return cast(Tensor, _ReplicateBorders.apply(slab, sides)) if any(after for _, after in sides) else slab


def to_blocks(slab: Tensor, widths: tuple[int, ...]) -> Tensor:
    """(N, C, *own) -> (N, C · Π widths, *own / widths): the samples of a block as channels. Sizes are
    multiples."""
    batch, channels, *sizes = slab.shape
    counts = [size // width for size, width in zip(sizes, widths, strict=True)]
    split = slab.reshape(batch, channels, *(n for pair in zip(counts, widths, strict=True) for n in pair))
    inner = [3 + 2 * axis for axis in range(len(widths))]
    outer = [2 + 2 * axis for axis in range(len(widths))]
    return split.permute(0, 1, *inner, *outer).reshape(batch, channels * prod(widths), *counts)


def from_blocks(slab: Tensor, widths: tuple[int, ...]) -> Tensor:
    """(N, C · Π widths, *own) -> (N, C, *own · widths), the inverse of `to_blocks`."""
    batch, channels, *counts = slab.shape
    axes = len(widths)
    split = slab.reshape(batch, channels // prod(widths), *widths, *counts)
    order = [n for axis in range(axes) for n in (2 + axes + axis, 2 + axis)]
    sizes = [count * width for count, width in zip(counts, widths, strict=True)]
    return split.permute(0, 1, *order).reshape(batch, channels // prod(widths), *sizes)


def channels_last(slab: Tensor) -> Tensor:
    """The same tensor, channels fastest in memory where torch knows such a format (2 and 3 axes)."""
    memory_format = _CHANNELS_LAST.get(slab.dim())
    return slab if memory_format is None else slab.contiguous(memory_format=memory_format)


def _like_channels_last(slab: Tensor, model: Tensor) -> Tensor:
    return slab if slab.stride() == model.stride() else channels_last(slab)


class _ReplicateBorders(torch.autograd.Function):
    """Replicate padding whose backward adds border slices; torch's own scatters and costs as much as a
    convolution on the CPU."""

    @staticmethod
    def forward(ctx: Any, slab: Tensor, edges: tuple[tuple[int, int], ...]) -> Tensor:
        ctx.edges = edges
        return functional.pad(slab, [n for pair in reversed(edges) for n in pair], mode="replicate")

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        for axis, (before, after) in enumerate(ctx.edges, start=2):
            if before or after:
                size = gradient.shape[axis]
                inner = gradient.narrow(axis, before, size - before - after).clone()
                inner.narrow(axis, 0, 1).add_(gradient.narrow(axis, 0, before).sum(axis, keepdim=True))
                tail = gradient.narrow(axis, size - after, after).sum(axis, keepdim=True)
                inner.narrow(axis, inner.shape[axis] - 1, 1).add_(tail)
                gradient = inner
        return gradient, None
