"""The parameter server's contract, and the outer loop of DiLoCo."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.support.ranks import run_on_ranks
from train.parallel.asynchronous import (
    AsyncConfig,
    ParameterServer,
    Worker,
    flat_gradient,
    flat_weights,
    stretch,
    write_weights,
)
from train.parallel.diloco import OuterConfig, OuterLoop
from train.parallel.world import open_world


def model_of(seed: int = 1) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(5, 3)


def loss_of(worker: int, step: int) -> Callable[[nn.Module], Tensor]:
    generator = torch.Generator().manual_seed(100 * worker + step)
    x, y = torch.randn(8, 5, generator=generator), torch.randn(8, 3, generator=generator)
    return lambda model: (model(x) - y).square().mean()


class Servers:
    """Servers in threads of this process."""

    def __init__(self, config: AsyncConfig, count: int = 1) -> None:
        weights = flat_weights(model_of())
        self.servers = [ParameterServer(weights[p], config) for p in stretch(len(weights), count)]
        self._listeners = [socket.create_server(("127.0.0.1", 0)) for _ in self.servers]
        self.addresses = [one.getsockname()[:2] for one in self._listeners]
        pairs = zip(self.servers, self._listeners, strict=True)
        self._threads = [threading.Thread(target=s.serve, args=(one,)) for s, one in pairs]
        for thread in self._threads:
            thread.start()

    def join(self) -> Tensor:
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()
        for one in self._listeners:
            one.close()
        return torch.cat([server.weights for server in self.servers])


def run_workers(servers: Servers, jobs: list[Callable[[Worker], None]]) -> None:
    """Connect in the order of the jobs, then let all run."""
    workers = []
    for _ in jobs:
        workers.append(Worker(model_of(), servers.addresses))
        time.sleep(0.02)
    pairs = zip(jobs, workers, strict=True)
    threads = [threading.Thread(target=job, args=(worker,)) for job, worker in pairs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def steps(number: int, count: int, pause: float = 0.0) -> Callable[[Worker], None]:
    def slowly(loss: Callable[[nn.Module], Tensor], model: nn.Module) -> Tensor:
        time.sleep(pause)
        return loss(model)

    def job(worker: Worker) -> None:
        for step in range(count):
            worker.step(partial(slowly, loss_of(number, step)))
        worker.close()

    return job


@pytest.mark.parametrize("count", [1, 2])
def test_a_bound_of_zero_is_synchronous_sgd_bit_for_bit(count: int) -> None:
    servers = Servers(AsyncConfig(bound=0, workers=3, lr=0.1, momentum=0.9), count)
    run_workers(servers, [steps(number, 5) for number in range(3)])
    found = servers.join()

    model = model_of()
    weights = flat_weights(model)
    velocity = torch.zeros_like(weights)
    for step in range(5):
        total = torch.zeros_like(weights)
        for number in range(3):
            model.zero_grad()
            loss_of(number, step)(model).backward()
            total = flat_gradient(model) if number == 0 else total + flat_gradient(model)
        velocity = 0.9 * velocity + total / 3
        weights = weights - 0.1 * velocity
        write_weights(model, weights)
    assert torch.equal(found, weights) or torch.allclose(found, weights, rtol=0, atol=1e-7)
    assert all(dict(server.seen.applied) == {0: 15} for server in servers.servers)


def test_no_update_is_staler_than_the_bound_though_one_worker_is_slow() -> None:
    servers = Servers(AsyncConfig(bound=2, workers=3, lr=0.05))
    run_workers(servers, [steps(0, 30, 0.002), steps(1, 30, 0.002), steps(2, 4, 0.05)])
    servers.join()

    seen = servers.servers[0].seen
    assert max(seen.applied) <= 2
    assert seen.applied.total() == 64
    assert seen.refused > 0


def test_a_stale_gradient_moves_by_less() -> None:
    server = ParameterServer(torch.zeros(2), AsyncConfig(bound=4, workers=1, lr=1.0))
    server._push(0, torch.tensor([1.0, 0.0]), 0)
    server._push(0, torch.tensor([0.0, 1.0]), 0)  # one update old

    assert server.weights.tolist() == [-1.0, -0.5]


@pytest.mark.parametrize("bound", [0, 3])
def test_the_others_go_on_when_a_worker_dies(bound: int) -> None:
    def dies(worker: Worker) -> None:
        worker.step(loss_of(2, 0))
        for link in worker._links:
            link.close()  # no leave was taken

    servers = Servers(AsyncConfig(bound=bound, workers=3, lr=0.05))
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
            assert outer.after_step() == (step % 2 == 1)
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
    run_on_ranks(local_sgd, 2, OuterConfig(inner_steps=2, lr=1.0, momentum=0.0))


def test_the_outer_step_is_sgd_with_nesterov_momentum() -> None:
    model, twin = model_of(), model_of()
    outer = OuterLoop(model, OuterConfig(inner_steps=1, lr=0.7, momentum=0.9))
    reference = torch.optim.SGD(twin.parameters(), lr=0.7, momentum=0.9, nesterov=True)
    for step in range(3):
        before = flat_weights(model)
        moved = torch.full_like(before, 0.01 * (step + 1))
        write_weights(model, before - moved)
        outer.after_step()
        start = 0
        for parameter in twin.parameters():
            end = start + parameter.numel()
            parameter.grad = moved[start:end].view_as(parameter).clone()
            start = end
        reference.step()

    torch.testing.assert_close(flat_weights(model), flat_weights(twin))
