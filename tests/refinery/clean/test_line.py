"""Documents go to a child through memory that both see, and answers come back through the pipe."""

import multiprocessing
import os
from multiprocessing.connection import Connection

import pytest

from refinery.clean.line import SHARED_BYTES, Line, shared_memory


def make_lines(*, is_shared: bool = True) -> tuple[Line, Line, Connection]:
    """Both ends, and the pipe of the second one."""
    ours, theirs = multiprocessing.Pipe()
    shared = shared_memory() if is_shared else None
    return Line(ours, shared), Line(theirs, shared), theirs


@pytest.mark.parametrize("is_shared", [True, False])
def test_documents_arrive_as_they_were(*, is_shared: bool) -> None:
    ours, theirs, _ = make_lines(is_shared=is_shared)
    for documents in ([(b"x" * 5_000, "a"), (b"", None)], [b"y" * 9_000, b"z" * 4_096, "w"]):
        ours.send_documents(documents)

        assert theirs.receive_documents() == documents


def test_pages_do_not_go_through_the_pipe() -> None:
    ours, _, pipe = make_lines()

    ours.send_documents([b"x" * 1_000_000, b"y" * 1_000_000])

    assert len(pipe.recv_bytes()) < 200


def test_what_has_no_room_in_the_shared_memory_goes_through_the_pipe() -> None:
    ours, theirs, _ = make_lines()
    documents = [b"x" * (SHARED_BYTES - 10), b"y" * 20_000]

    ours.send_documents(documents)

    assert theirs.receive_documents() == documents


def test_a_fork_reads_what_is_written_later() -> None:
    ours, theirs, _ = make_lines()
    child = os.fork()
    if child == 0:
        theirs.send([len(document) for document in theirs.receive_documents()])
        os._exit(0)

    ours.send_documents([b"x" * 70_000, b"y"])

    assert ours.receive() == [70_000, 1]
    os.waitpid(child, 0)


def test_an_answer_and_the_other_ends_death_are_both_seen() -> None:
    ours, theirs, _ = make_lines()
    assert not ours.has_answer(0)

    theirs.send("done")

    assert ours.has_answer(0)
    assert ours.receive() == "done"
    theirs.close()
    assert ours.has_answer(0)
    with pytest.raises(EOFError):
        ours.receive()
