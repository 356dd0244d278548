"""Parts of a run on parameter servers, each without the others."""

from __future__ import annotations

import os
import queue
import threading
import time
from typing import Any
from unittest import mock

import pytest
import torch

from tests.support.ranks import free_ports
from train.batch.losses import LossMeter, StepSums
from train.distributed.flat_vectors import flat_weights
from train.distributed.world import World
from train.parameter_server.file_keeper import OwnLink
from train.parameter_server.messages import Tally
from train.parameter_server.rendezvous import Rendezvous, tell_worker_ended
from train.parameter_server.server import ParameterServer, ServerContract, Update
from train.parameter_server.update_counter import UpdateCounter
from train.parameter_server.work import compute_gradient
from train.parameter_server.worker import Worker, stretch
from train.report.speed import ModelSpeed
from train.selftest.cases import FAMILIES, SOURCES, Case, Family
from train.selftest.run import build_trainer

CPU = torch.device("cpu")
SMALL = Family(
    name="small", model=FAMILIES[0].model | {"num_layers": 1}, objective=FAMILIES[0].objective
)


def trainer_with_items() -> tuple[Any, Any]:
    alone = World(rank=0, size=1, device=CPU)
    return build_trainer(SMALL, Case(name="one", parallel={}, microbatches=2), alone, "float32")


def update(labels: float, seconds: float) -> Update:
    meter = LossMeter(SOURCES, CPU)
    meter.add(torch.tensor([2.0 * labels, 0.0]), torch.tensor([labels, 0.0]))
    tally = Tally(labels=labels, waited_seconds=0.5, sums=meter.sums.pack())
    return Update(
        version=1, staleness=0, gradients=1, rate=0.1, norm=3.0, tally=tally, seconds=seconds
    )


def test_updates_of_a_step_add_up_to_its_record_and_the_next_step_begins_empty() -> None:
    trainer, _ = trainer_with_items()
    speed = ModelSpeed(
        flops_per_token=None, peak_flops=None, world=World(rank=0, size=1, device=CPU)
    )
    counter = UpdateCounter(trainer, speed)
    started = time.perf_counter()
    counter.add(update(3, started + 1))
    counter.add(update(5, started + 2))
    record = counter.close_step()

    assert (record["labels"], record["loss"], record["lr"], record["grad_norm"]) == (8, 2, 0.1, 3)
    assert record["seconds"] == pytest.approx(2, abs=0.5)
    assert record["wait_share"] == pytest.approx(0.5 / record["seconds"])
    counter.add(update(1, started + 3))
    assert counter.gradients == 1
    assert counter.close_step()["labels"] == 1


def test_a_workers_tally_has_the_labels_that_its_gradient_is_a_sum_over() -> None:
    trainer, items = trainer_with_items()
    tally = compute_gradient(trainer, items[0], waited_seconds=0.25)

    sums = StepSums.unpack(tally.sums, len(SOURCES))
    labels = sum(int((item.content.labels >= 0).sum()) for item in items[0])
    assert tally.labels == float(sums.labels) == labels
    assert tally.waited_seconds == 0.25
    assert all(p.grad is not None for p in trainer.strategy.parts[0].parameters())


def test_a_process_reads_the_server_in_it_as_any_other() -> None:
    weights = torch.arange(6.0)
    contract = ServerContract(bound=1, workers=0, rate_of=lambda _: 0.1)
    servers = [ParameterServer(weights[part], contract) for part in stretch(6, 2)]
    observer = Worker(torch.nn.Linear(2, 2), [OwnLink(server) for server in servers])

    assert flat_weights(observer.model).tolist() == [0, 1, 2, 3, 4, 5]
    assert observer.read(0).tolist() == [0.0] * 6


def test_processes_meet_at_the_store_and_a_dead_worker_is_not_waited_for() -> None:
    (port,) = free_ports(1)
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with mock.patch.dict(os.environ, address):
        server = Rendezvous.open(0, timeout_seconds=30)
        other = Rendezvous.open(1, timeout_seconds=30)
    other.tell_server_is_ready(1)
    server.wait_for_servers([1])
    server.tell_start_step(7)
    assert other.start_step() == 7

    received: queue.SimpleQueue[torch.Tensor] = queue.SimpleQueue()

    def join_and_receive() -> None:
        (link,) = other.links_to_servers(1, 0)
        received.put(link.receive(torch.empty(2)))

    joining = threading.Thread(target=join_and_receive)
    joining.start()
    server.links_to_workers(0, 2)[0]().send(torch.tensor([1.0, 2.0]))
    joining.join(30)
    assert received.get(timeout=30).tolist() == [1, 2]

    assert tell_worker_ended("127.0.0.1", port, 1)
    with pytest.raises(ConnectionError, match="worker 1 did not join"):
        server.links_to_workers(0, 2)[1]()
