"""The parameter server's contract, and the outer loop of DiLoCo."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributed import HashStore

from tests.support.ranks import run_on_ranks
from train.distributed.flat_vectors import flat_weights, write_weights
from train.distributed.links import GlooLink
from train.distributed.world import open_world
from train.parallel.config import DilocoConfig
from train.parallel.diloco import OuterLoop
from train.parameter_server.messages import Tally
from train.parameter_server.server import ParameterServer, ServerContract
from train.parameter_server.worker import Worker, stretch


def model_of(seed: int = 1) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(5, 3)


def loss_of(worker: int, step: int) -> Callable[[nn.Module], Tensor]:
    generator = torch.Generator().manual_seed(100 * worker + step)
    x, y = torch.randn(8, 5, generator=generator), torch.randn(8, 3, generator=generator)
    return lambda model: (model(x) - y).square().mean()


class Servers:
    """Servers in threads of this process."""

    def __init__(self, config: ServerContract, count: int = 1) -> None:
        weights = flat_weights(model_of())
        self.count, self._store = count, HashStore()
        self.servers = [ParameterServer(weights[p], config) for p in stretch(len(weights), count)]
        self._threads = [
            threading.Thread(
                target=server.serve,
                args=([partial(self.link, n, w, "server") for w in range(config.workers)],),
            )
            for n, server in enumerate(self.servers)
        ]
        for thread in self._threads:
            thread.start()

    def link(self, server: int, worker: int, end: str) -> GlooLink:
        return GlooLink(self._store, f"{server}-{worker}", end=end, timeout_seconds=30)

    def worker(self, number: int) -> Worker:
        return Worker(model_of(), [self.link(n, number, "worker") for n in range(self.count)])

    def join(self) -> Tensor:
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()
        return torch.cat([server.weights for server in self.servers])


def run_workers(servers: Servers, jobs: list[Callable[[Worker], None]]) -> None:
    workers = [servers.worker(number) for number in range(len(jobs))]
    pairs = zip(jobs, workers, strict=True)
    threads = [threading.Thread(target=job, args=(worker,)) for job, worker in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def tally(labels: float) -> Tally:
    return Tally(labels=labels, waited_seconds=0.0, sums=torch.zeros(0, dtype=torch.float64))


def gradient_of(worker: Worker, number: int, step: int) -> Tally:
    """Gradients of a sum of `number + 1` equal losses: workers have unequal counts."""
    labels = number + 1
    (labels * loss_of(number, step)(worker.model)).backward()
    return tally(labels)


def steps(number: int, count: int) -> Callable[[Worker], None]:
    def job(worker: Worker) -> None:
        for step in range(count):
            worker.step(partial(gradient_of, worker, number, step))
        worker.close()

    return job


@pytest.mark.parametrize("count", [1, 2])
def test_a_bound_of_zero_is_synchronous_sgd(count: int) -> None:
    config = ServerContract(bound=0, workers=3, rate_of=lambda _: 0.1, momentum=0.9)
    servers = Servers(config, count)
    run_workers(servers, [steps(number, 5) for number in range(3)])
    found = servers.join()

    model = model_of()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for step in range(5):
        optimizer.zero_grad()
        losses = [(number + 1) * loss_of(number, step)(model) for number in range(3)]
        (torch.stack(losses).sum() / 6).backward()  # one division by the count of all
        optimizer.step()
    torch.testing.assert_close(found, flat_weights(model), rtol=0, atol=1e-6)
    assert all(dict(server.seen.applied) == {0: 15} for server in servers.servers)


@pytest.mark.parametrize("count", [1, 2])
def test_a_worker_that_takes_leave_in_a_round_ends_it_for_all_unapplied(count: int) -> None:
    servers = Servers(ServerContract(bound=0, workers=2, rate_of=lambda _: 0.1), count)
    after: list[Tally | None] = []

    def stays(worker: Worker) -> None:
        for step in range(9):
            if not worker.is_over:
                after.append(worker.step(partial(gradient_of, worker, 0, step)))
        worker.close()

    run_workers(servers, [stays, steps(1, 3)])
    found = servers.join()

    assert [server.version for server in servers.servers] == [3] * count
    # It may hear of it with the answer to the third round already.
    assert [tally is not None for tally in after] in ([True] * 3, [True, True, True, False])
    whole = Servers(ServerContract(bound=0, workers=2, rate_of=lambda _: 0.1), count)
    run_workers(whole, [steps(0, 3), steps(1, 3)])
    assert torch.equal(found, whole.join())


def test_no_update_is_staler_than_the_bound_though_one_worker_is_slow() -> None:
    servers = Servers(ServerContract(bound=2, workers=3, rate_of=lambda _: 0.05))
    is_ahead = threading.Event()

    def leads(worker: Worker) -> None:
        for step in range(30):
            worker.step(partial(gradient_of, worker, 0, step))
            if step == 4:
                is_ahead.set()
        worker.close()

    def lags(worker: Worker) -> None:
        def late(step: int) -> Tally:
            # Of the weights that the worker read before any update: five updates old at least.
            assert is_ahead.wait(30)
            return gradient_of(worker, 2, step)

        for step in range(4):
            worker.step(partial(late, step))
        worker.close()

    run_workers(servers, [leads, steps(1, 30), lags])
    servers.join()

    seen = servers.servers[0].seen
    assert max(seen.applied) <= 2
    assert seen.applied.total() == 64
    assert seen.refused > 0


def test_a_stale_gradient_moves_by_less() -> None:
    config = ServerContract(bound=4, workers=1, rate_of=lambda _: 1.0)
    server, one = ParameterServer(torch.zeros(2), config), tally(1)
    server.push(0, torch.tensor([1.0, 0.0]), one, 0)
    server.push(0, torch.tensor([0.0, 1.0]), one, 0)  # one update old

    assert server.weights.tolist() == [-1.0, -0.5]


def test_clipping_and_decay_are_those_of_torch() -> None:
    config = ServerContract(
        bound=4, workers=1, rate_of=lambda _: 0.5, momentum=0.9, max_grad_norm=1.0
    )
    start = torch.tensor([2.0, -1.0])
    server = ParameterServer(start, config, decay=torch.tensor([0.1, 0.0]))
    twin = start.clone().requires_grad_()
    groups = [{"params": [twin], "weight_decay": 0.0}]
    reference = torch.optim.SGD(groups, lr=0.5, momentum=0.9)
    for gradient in (torch.tensor([3.0, 4.0]), torch.tensor([0.1, 0.2])):
        server.push(0, gradient * 7, tally(7), server.version)
        twin.grad = gradient.clone()
        torch.nn.utils.clip_grad_norm_([twin], 1.0)
        twin.grad += torch.tensor([0.1, 0.0]) * twin.detach()
        reference.step()

    torch.testing.assert_close(server.weights, twin.detach())


@pytest.mark.parametrize("bound", [0, 3])
def test_the_others_go_on_when_a_worker_leaves_without_a_word(bound: int) -> None:
    servers = Servers(ServerContract(bound=bound, workers=3, rate_of=lambda _: 0.05))

    def dies(worker: Worker) -> None:
        worker.step(partial(gradient_of, worker, 2, 0))
        worker._links.clear()  # closes its sockets

    run_workers(servers, [steps(0, 6), steps(1, 6), dies])
    servers.join()

    seen = servers.servers[0].seen
    assert seen.lost_workers == 1
    assert seen.applied.total() == 13


def local_sgd(config: Any) -> None:
    with open_world(timeout_seconds=60) as world:
        model = model_of()
        start = flat_weights(model)
        outer = OuterLoop(model, config)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for step in range(4):
            optimizer.zero_grad()
            loss_of(world.rank, step)(model).backward()
            optimizer.step()
            assert outer.after_step(step + 1) == (step % 2 == 1)
        found = flat_weights(model)

        expected = start
        for begin in (0, 2):
            ends = []
            for rank in range(world.size):
                write_weights(model, expected)
                for step in (begin, begin + 1):
                    optimizer.zero_grad()
                    loss_of(rank, step)(model).backward()
                    optimizer.step()
                ends.append(flat_weights(model))
            expected = torch.stack(ends).mean(0)
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.distributed
def test_without_momentum_the_outer_loop_averages_weights() -> None:
    run_on_ranks(local_sgd, 2, DilocoConfig(inner_steps=2, lr=1.0, momentum=0.0))


def test_the_outer_step_is_sgd_with_nesterov_momentum() -> None:
    model, twin = model_of(), model_of()
    outer = OuterLoop(model, DilocoConfig(inner_steps=1, lr=0.7, momentum=0.9))
    reference = torch.optim.SGD(twin.parameters(), lr=0.7, momentum=0.9, nesterov=True)
    for step in range(3):
        before = flat_weights(model)
        moved = torch.full_like(before, 0.01 * (step + 1))
        write_weights(model, before - moved)
        outer.after_step(step + 1)
        start = 0
        for parameter in twin.parameters():
            end = start + parameter.numel()
            parameter.grad = moved[start:end].view_as(parameter).clone()
            start = end
        reference.step()

    torch.testing.assert_close(flat_weights(model), flat_weights(twin))
