"""Several processes that share one run, and the messages between them.

torchrun starts them, on one machine or on many, and torch.distributed carries the messages. The first process
leads: it reads, optimizes, writes and prints. The others know the objective of a stage and wait for samples. Then
each computes its own tiles; the sums of tiles that belong together are added up over all processes (law 3), and
the gradient and the costs are added up in the first. So only the first has an optimizer, and all use its samples.

For a field of S samples a step moves 4 S bytes of samples from the first to the others, 4 S bytes of gradient
back, and the sums: as much as one all-reduce of the gradient, whatever the number of processes. Within a machine
that is little beside what a step computes; between many fast graphics cards it would be most of a step, and only
the windows of tiles should be exchanged there (`tests/benchmarks/ranks.py`).
"""

from __future__ import annotations

import atexit
import os
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import timedelta
from functools import cache
from typing import Any

import torch
from torch import Tensor

from volstyle.engine.machine import is_out_of_memory
from volstyle.errors import RankError, RecipeError, VolstyleError
from volstyle.grid.tiles import Block, dealt

_BEGIN, _TRANSFER = timedelta(minutes=5), timedelta(minutes=1)
"""How long processes wait for each other to begin. A transfer between graphics cards, which begins when all are
there, may take as long."""

_WORK = timedelta(days=7)
"""How long one process may work while the others wait. One that dies is noticed at once: its connections close."""

_MOST_AXES = 6
_SAMPLES, _NEWS, _END = range(3)


class Ranks:
    """The processes that share a run. This class is a single process, which asks nobody and waits for nobody.

    index: the number of this process, from 0. count: how many processes there are. here: how many of them share
    this machine.
    """

    index = 0
    count = 1
    here = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the first."""
        return self.index == 0

    def own(self, blocks: Sequence[Block]) -> Sequence[Block]:
        """Those of some blocks that this process computes."""
        return blocks

    def summed(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Add up tensors over all processes, in which they have the same shapes. All must call it, in the same
        order."""
        return list(tensors)

    def gathered(self, gradient: Tensor, costs: Mapping[str, float]) -> tuple[Tensor, dict[str, float]]:
        """Add up a gradient and costs over all processes, for the first one. What the others get has no
        meaning."""
        return gradient, dict(costs)

    def shown(self, samples: Tensor) -> Tensor:
        """Send samples (C, *S) to all other processes, and return them."""
        return samples

    def tell(self, news: Callable[[], object]) -> None:
        """Send the others something that can be pickled. It is made only if there are others."""

    def use(self, device: torch.device) -> None:
        """Begin to compute on a device. Of several graphics cards each process takes the one with its own number
        on the machine. All must call it. Raises RecipeError for more processes than cards."""

    @contextmanager
    def agreeing(self) -> Iterator[None]:
        """A context in which all processes do something at once; if one fails, all do. Raises an out-of-memory
        error if another process ran out of memory, RankError if it failed otherwise."""
        yield


ALONE = Ranks()


class End:
    """The last message of the first process. outcome: what the others are given of the run, or None."""

    def __init__(self, outcome: object = None) -> None:
        self.outcome = outcome


class Joined(Ranks):
    """Processes that have found each other through torch.distributed. See `Ranks` for what they do."""

    def __init__(self) -> None:
        from torch import distributed

        self._net = distributed
        self.index, self.count = distributed.get_rank(), distributed.get_world_size()
        self.here = int(os.environ.get("LOCAL_WORLD_SIZE", self.count))
        self._words = distributed.new_group(backend="gloo", timeout=_WORK)
        self._cards: Any = None
        self._device = torch.device("cpu")
        self._ended = False
        self._told: BaseException | None = None
        self.moved = 0
        """How many bytes of samples, sums and gradients this process has sent or received."""

    def use(self, device: torch.device) -> None:
        self._device = device
        if device.type != "cuda":
            return
        with self.agreeing():
            cards = torch.cuda.device_count()
            if self.here > cards:
                raise RecipeError(
                    f"device: {self.here} processes share {cards} graphics cards of a machine; "
                    "start torchrun with as many --nproc-per-node as it has, or give --set device=cpu"
                )
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", self.index)))
        if self._cards is None:
            self._cards = self._net.new_group(backend="nccl", timeout=_TRANSFER)

    def own(self, blocks: Sequence[Block]) -> Sequence[Block]:
        return dealt(blocks, self.index, self.count)

    def summed(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        self._agree(None)
        flat = self._carried(torch.cat([tensor.reshape(-1) for tensor in tensors]))
        self._call(self._net.all_reduce, flat, group=self._group)
        pieces = torch.split(flat.to(tensors[0].device), [tensor.numel() for tensor in tensors])
        return [piece.view_as(tensor) for piece, tensor in zip(pieces, tensors, strict=True)]

    def gathered(self, gradient: Tensor, costs: Mapping[str, float]) -> tuple[Tensor, dict[str, float]]:
        total = torch.tensor(list(costs.values()), dtype=torch.float64)
        self._call(self._net.all_reduce, total, group=self._words)
        carried = self._carried(gradient)
        self._call(self._net.reduce, carried, 0, group=self._group)
        return carried.to(gradient.device), dict(zip(costs, total.tolist(), strict=True))

    def shown(self, samples: Tensor) -> Tensor:
        self._say(_SAMPLES, samples.shape)
        self._call(self._net.broadcast, self._carried(samples), 0, group=self._group)
        return samples

    def tell(self, news: Callable[[], object]) -> None:
        self._tell(_NEWS, news())

    def begin(self) -> None:
        """Begin another run; those before it have ended."""
        self._ended = False

    def end(self, outcome: object = None) -> None:
        """Tell the others that the run is over, if they are still there; the first time counts."""
        if not self._ended:
            self._ended = True
            with suppress(RankError):
                self._tell(_END, outcome)

    def heard(self) -> Tensor | object:
        """Wait for the next message of the first process: samples (C, *S), news, or the End."""
        head = torch.zeros(1 + _MOST_AXES, dtype=torch.int64)
        self._call(self._net.broadcast, head, 0, group=self._words)
        kind, *sizes = head.tolist()
        if kind == _SAMPLES:
            samples = torch.empty([size for size in sizes if size], device=self._carrier)
            self._call(self._net.broadcast, samples, 0, group=self._group)
            return samples.to(self._device)
        data = torch.empty(sizes[0], dtype=torch.uint8)
        self._call(self._net.broadcast, data, 0, group=self._words)
        news = pickle.loads(data.numpy().tobytes())
        return End(news) if kind == _END else news

    @contextmanager
    def agreeing(self) -> Iterator[None]:
        try:
            yield
        except (RankError, _OutOfMemoryElsewhereError):
            raise
        except BaseException as error:
            self._agree(error)
            self._told = error
            raise
        self._agree(None)

    def is_known(self, error: BaseException) -> bool:
        """Whether all processes know of an error, so that this one may wait for the next message of the first."""
        return error is self._told or isinstance(error, (_FailedElsewhereError, _OutOfMemoryElsewhereError))

    def _agree(self, error: BaseException | None) -> None:
        """Raise what went wrong in another process. All must call it, whether something went wrong here or not."""
        is_full = isinstance(error, RuntimeError) and is_out_of_memory(error)
        state = torch.tensor([is_full, 0 if error is None or is_full else self.index + 1])
        self._call(self._net.all_reduce, state, self._net.ReduceOp.MAX, group=self._words)
        full, failed = state.tolist()
        if failed:
            text = [_words_of(error)]
            self._call(self._net.broadcast_object_list, text, failed - 1, group=self._words)
            if error is None:
                raise _FailedElsewhereError(f"rank {failed - 1}: {text[0]}")
        elif full and error is None:
            raise _OutOfMemoryElsewhereError("another process cannot allocate memory")

    def _tell(self, kind: int, news: object) -> None:
        data = torch.frombuffer(bytearray(pickle.dumps(news)), dtype=torch.uint8)
        self._say(kind, data.shape)
        self._call(self._net.broadcast, data, 0, group=self._words)

    def _say(self, kind: int, sizes: Sequence[int]) -> None:
        head = torch.tensor([kind, *sizes, *[0] * (_MOST_AXES - len(sizes))])
        self._call(self._net.broadcast, head, 0, group=self._words)

    @property
    def _group(self) -> Any:
        return self._words if self._cards is None else self._cards

    @property
    def _carrier(self) -> torch.device:
        """The device on which a tensor must lie to be sent."""
        return torch.device("cpu") if self._cards is None else self._device

    def _carried(self, tensor: Tensor) -> Tensor:
        tensor = tensor.detach().to(self._carrier).contiguous()
        self.moved += tensor.numel() * tensor.element_size()
        return tensor

    def _call(self, operation: Callable[..., object], *given: Any, group: Any) -> None:
        try:
            operation(*given, group=group)
        except RuntimeError as error:
            self._ended = True  # the others are gone, so that nobody can be told
            raise RankError(
                f"ranks: one of the {self.count} processes is gone, so that all stop; what was reached is kept, "
                "the same command goes on"
            ) from error


def _words_of(error: BaseException | None) -> str:
    if isinstance(error, VolstyleError) or error is None:
        return str(error)
    return f"{type(error).__name__} {error}"


class _FailedElsewhereError(RankError):
    """Another process failed, and said how."""


class _OutOfMemoryElsewhereError(torch.OutOfMemoryError):
    """Another process ran out of memory, so that all of them must cut smaller tiles."""


@contextmanager
def joined() -> Iterator[Ranks]:
    """Wait for all the processes that torchrun started; ALONE if it did not start this one.

    In the end the first one tells the others that the run is over. Raises RankError when some do not come.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    ranks = _found()
    ranks.begin()
    token = _present.set(ranks)
    try:
        yield ranks
    finally:
        _present.reset(token)
        if ranks.leads:
            ranks.end()


@cache
def _found() -> Joined:
    """All processes, who find each other once and stay together until they exit: torch's store keeps where a
    process was, so that it cannot be found again elsewhere."""
    from torch import distributed

    if not distributed.is_initialized():  # else the program that called has joined them, and will part them
        try:
            distributed.init_process_group("gloo", timeout=_BEGIN)
        except (RuntimeError, ValueError) as error:
            raise RankError(
                f"ranks: the processes do not find each other ({error}); start them with torchrun"
            ) from error
        atexit.register(distributed.destroy_process_group)
    return Joined()


_present: ContextVar[Ranks] = ContextVar("ranks", default=ALONE)


def present() -> Ranks:
    """The processes that have joined, if they are free to share a run."""
    return _present.get()
