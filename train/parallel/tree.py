"""The same bits whatever the number of data ranks: gradients are added in one fixed binary tree.

The leaves are the micro-batches of the global step, by their number. A rank owns neighbouring leaves and adds what lies
whole in them; the rest of the tree is added piece by piece: each rank gets one piece of every vector (all-to-all), adds
it in the tree's order, and all pieces are gathered. A sum of floats depends on its order alone, and the order is that
of the tree for any number of ranks. A leaf that does not exist is skipped: zero plus a number has other bits than it where
the number is minus zero.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn

from train.batch.batch import LossSums
from train.batch.losses import LossMeter, StepSums, StepTotals
from train.data.cursor import RankShare, leaves_of_rank
from train.distributed.seeds import seed_microbatch
from train.distributed.world import World
from train.parallel.gradients import ReducedGradients, filled_gradients
from train.parallel.strategy import count_losses


class Node(NamedTuple):
    """The leaves `number * 2 ** level` up to the next such node."""

    level: int
    number: int

    @property
    def parent(self) -> Node:
        return Node(self.level + 1, self.number // 2)


def whole_nodes(leaves: Iterable[int]) -> list[Node]:
    """The largest nodes that neighbouring leaves fill, in their order."""
    found: list[Node] = []
    for leaf in leaves:
        found.append(Node(0, leaf))
        while _has_sibling(found):
            found[-2:] = [found[-1].parent]
    return found


def _has_sibling(nodes: Sequence[Node]) -> bool:
    """Whether the last two are the children of one parent."""
    return (
        len(nodes) > 1
        and nodes[-2].number % 2 == 0
        and nodes[-1] == Node(nodes[-2].level, nodes[-2].number + 1)
    )


class LeafSums:
    """Adds vectors of neighbouring leaves, each in its turn; the left one of a pair is changed in place.

    It holds one vector for each node: the logarithm of the number of leaves at most.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.vectors: list[Tensor] = []

    def add(self, leaf: int, vector: Tensor) -> None:
        """Take the vector of the next leaf."""
        self.nodes.append(Node(0, leaf))
        self.vectors.append(vector)
        while _has_sibling(self.nodes):
            self.nodes[-2:] = [self.nodes[-1].parent]
            right = self.vectors.pop()
            self.vectors[-1].add_(right)


def add_in_tree(vectors: dict[Node, Tensor]) -> Tensor:
    """The sum at the root, of nodes that share no leaf."""
    level = 0
    while len(vectors) > 1:
        above = {node: vector for node, vector in vectors.items() if node.level > level}
        for node in sorted(node for node in vectors if node.level == level):
            parent = node.parent
            above[parent] = above[parent] + vectors[node] if parent in above else vectors[node]
        vectors, level = above, level + 1
    return next(iter(vectors.values()))


def leaves_by_rank(num_leaves: int, ranks: int) -> list[list[int]]:
    """The leaves of each rank where none is lost."""
    return [list(leaves_of_rank(num_leaves, RankShare(rank=r, ranks=ranks))) for r in range(ranks)]


def deal_missing(num_leaves: int, held: Sequence[Sequence[int]]) -> list[list[int]]:
    """Which of the leaves that no rank holds each rank takes over: neighbouring ones, more where it holds fewer."""
    missing = sorted(set(range(num_leaves)).difference(*held))
    counts = [len(leaves) for leaves in held]
    for _ in missing:
        counts[counts.index(min(counts))] += 1
    dealt, start = [], 0
    for count, leaves in zip(counts, held, strict=True):
        end = start + count - len(leaves)
        dealt.append(missing[start:end])
        start = end
    return dealt


def sum_in_tree(
    own: LeafSums, *, leaves: Sequence[Sequence[int]], size: int, world: World
) -> Tensor:
    """The sum of all leaves of all ranks, [size], equal on each; all ranks call it.

    Args:
        own: The nodes of this rank.
        leaves: Those of each rank, in the order in which it has added them.
        size: Length of each vector.
        world: The ranks.
    """
    if world.size == 1:
        return add_in_tree(dict(zip(own.nodes, own.vectors, strict=True)))
    nodes_of = [whole_nodes(one) for one in leaves]
    piece = -(-size // world.size)
    padded = [nn.functional.pad(vector, (0, piece * world.size - size)) for vector in own.vectors]
    sent = torch.cat([v.view(world.size, 1, piece) for v in padded], dim=1) if padded else None
    counts = [len(nodes) for nodes in nodes_of]
    received = torch.empty(sum(counts) * piece, device=world.device)
    dist.all_to_all_single(
        received,
        torch.empty(0, device=world.device) if sent is None else sent.reshape(-1),
        output_split_sizes=[count * piece for count in counts],
        input_split_sizes=[len(padded) * piece] * world.size,
    )
    every = [node for nodes in nodes_of for node in nodes]
    parts = dict(zip(every, received.view(-1, piece), strict=True))
    whole = torch.empty(piece * world.size, device=world.device)
    dist.all_gather_into_tensor(whole, add_in_tree(parts).contiguous())
    return whole[:size]


def digest_of(vector: Tensor) -> str:
    """SHA-256 of the bytes of a tensor."""
    data = vector.detach().reshape(-1).contiguous().cpu().view(torch.uint8).numpy()
    return hashlib.sha256(data.tobytes()).hexdigest()


@dataclass(kw_only=True)
class _Work:
    """What a rank has done of a step.

    Attributes:
        leaves: The micro-batches whose gradients it has, in the order in which they were added.
        counted: What each of them counted.
        by_rank: The leaves of each rank; None where that follows from their number.
        digest: SHA-256 of the gradient of the watched leaf, on the rank that has it.
    """

    leaves: list[int] = field(default_factory=list)
    sums: LeafSums = field(default_factory=LeafSums)
    counted: list[StepSums] = field(default_factory=list)
    by_rank: list[list[int]] | None = None
    digest: str | None = None


@dataclass(kw_only=True)
class TreeStrategy:
    """Data ranks whose weights do not depend on how many they are.

    Attributes:
        autocast: The type that forward passes compute in; None: that of the weights.
        share: Which leaves this rank reads; `block` is the number of rows of one.
        watched: The leaf of a step whose digest is kept, because another rank computes it too.
    """

    model: nn.Module
    world: World
    seed: int
    share: RankShare
    autocast: torch.dtype | None = None
    copies: int = 1
    readers: int = 1
    parts: Sequence[nn.Module] = field(init=False)
    watched: Callable[[int], int | None] = lambda step: None
    _work: _Work = field(default_factory=_Work)
    _is_left: bool = False  # whether the step goes on that a lost rank has interrupted

    def __post_init__(self) -> None:
        self.parts = (self.model,)

    def go_on(self) -> None:
        """Read the rows of this rank among those that are left, from the next step on."""
        self.share = replace(self.share, rank=self.world.rank, ranks=self.world.size)

    def take_over(self, num_leaves: int) -> list[int]:
        """Go on with an interrupted step without the ranks that are lost; all that are left call it.

        What they hold is kept; `accumulate` adds to it.

        Returns:
            The micro-batches of the step that this rank does for the lost ones, and for those that were not done yet.
        """
        held = self.world.gather_values(self._work.leaves)
        dealt = deal_missing(num_leaves, held)
        self._work.by_rank = [[*old, *new] for old, new in zip(held, dealt, strict=True)]
        self._is_left = True
        return dealt[self.world.rank]

    def accumulate(
        self, batches: Iterator[Any], meter: LossMeter, *, backward_scale: float
    ) -> None:
        """See `Strategy`; each micro-batch has a gradient of its own."""
        if not self._is_left:
            self._work = _Work()
        self._is_left = False
        for batch in batches:
            gradient = self._gradient(batch, meter, backward_scale=backward_scale)
            if batch.number == self.watched(batch.step):
                self._work.digest = digest_of(gradient)
            self._work.sums.add(batch.number, gradient)
            self._work.counted.append(meter.take())
            self._work.leaves.append(batch.number)

    @property
    def digest(self) -> str | None:
        """SHA-256 of the gradient of the watched leaf of this step; None on ranks that did not compute it."""
        return self._work.digest

    def digest_again(self, batch: Any, meter: LossMeter, *, backward_scale: float) -> str:
        """Compute a micro-batch of another rank, for its digest alone; nothing that is trained changes."""
        kept = [buffer.clone() for buffer in self.model.buffers()]
        gradient = self._gradient(batch, meter, backward_scale=backward_scale)
        for buffer, before in zip(self.model.buffers(), kept, strict=True):
            buffer.copy_(before)
        return digest_of(gradient)

    def _gradient(self, batch: Any, meter: LossMeter, *, backward_scale: float) -> Tensor:
        """The gradient of one micro-batch alone, as one vector."""
        seed_microbatch(seed=self.seed, step=batch.step, microbatch=batch.number, data_rank=0)
        for parameter in self.model.parameters():
            parameter.grad = None
        with self._precision():
            sums = self.model(batch.content)
        (sums.loss * backward_scale).backward()
        count_losses(meter, sums, batch)
        gradients = filled_gradients(self.parts).values()
        return torch.cat([one.reshape(-1) for one in gradients])

    def evaluate(self, batch: Any) -> LossSums | None:
        with self._precision():
            return self.model(batch)  # type: ignore[no-any-return]

    def total(self, meter: LossMeter, *, stop_asked: bool) -> StepTotals:
        """See `Strategy`; sums of losses are added in the order of the leaves as well."""
        world, own = self.world, [one.pack() for one in self._work.counted]
        leaves = self.leaves_by_rank()
        before = meter.take()
        nothing = meter.sums.pack()
        votes = replace(
            meter.sums,
            stop_votes=torch.full_like(before.stop_votes, stop_asked),
            requests=before.requests,
        )
        rows = [votes.pack(), *own, *[nothing] * (max(map(len, leaves)) - len(own))]
        every = world.gather(torch.stack(rows).reshape(-1)).view(world.size, len(rows), -1)
        of_leaf = {
            leaf: every[rank, 1 + number]
            for rank, numbers in enumerate(leaves)
            for number, leaf in enumerate(numbers)
        }
        in_order = torch.stack([of_leaf[leaf] for leaf in sorted(of_leaf)])
        for (
            one
        ) in self._work.counted:  # not before: where a rank is lost meanwhile, more are counted
            meter.sums.add_(one)
        totals = meter.totals_of(in_order.sum(0) + every[:, 0].sum(0))
        meter.take()
        return totals

    def leaves_by_rank(self) -> list[list[int]]:
        """The leaves of each rank in this step; all of them call it."""
        if self._work.by_rank is None:
            own = torch.tensor([len(self._work.leaves)], device=self.world.device)
            self._work.by_rank = leaves_by_rank(int(self.world.sum(own)), self.world.size)
        return self._work.by_rank

    def reduce_gradients(self, totals: StepTotals) -> ReducedGradients:
        gradients = filled_gradients(self.parts)
        sizes = [one.numel() for one in gradients.values()]
        whole = sum_in_tree(
            self._work.sums, leaves=self.leaves_by_rank(), size=sum(sizes), world=self.world
        )
        for gradient, part in zip(gradients.values(), torch.split(whole, sizes), strict=True):
            gradient.copy_(part.view_as(gradient))
        tensors = list(gradients.values())
        return ReducedGradients(tensors=tensors, counted=tensors)

    def _precision(self) -> AbstractContextManager[Any]:
        if self.autocast is None:
            return nullcontext()
        return torch.autocast(self.world.device.type, dtype=self.autocast)
