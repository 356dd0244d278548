"""The life of a rank: its surroundings, its last words, its exit code."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from schemas.errors import run_main
from train import sections
from train.distributed.broken import is_of_collective
from train.supervisor.words import Words

_PR_SET_PDEATHSIG = 1
# The kernel that runs out of memory should take a rank, never who watches the ranks.
_OOM_SCORE = "500"


def die_with_parent(parent: int) -> None:
    """End this process when the one that forked it ends, however that happens."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def become_child(parent: int) -> None:
    """Give a forked process signals of its own and a parent to die with."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    die_with_parent(parent)


def stack_path(folder: Path, rank: int) -> Path:
    """Where a rank writes its stack when it is asked (SIGUSR1) or crashes."""
    return folder / f"rank-{rank}.stack"


def live(run_rank: Callable[[list[str]], int], argv: list[str], *, stack: Path) -> int:
    """Do the work of a rank in this process; returns its exit code.

    Args:
        run_rank: The run itself.
        argv: Its arguments.
        stack: File for the stack; it is written also inside a collective and while the GIL is held.
    """
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")
    stack.parent.mkdir(parents=True, exist_ok=True)
    file = stack.open("w", encoding="utf-8")
    faulthandler.enable(file=file)
    faulthandler.register(signal.SIGUSR1, file=file, all_threads=True)
    reporter = sections.attach()

    def told(arguments: list[str]) -> int:
        try:
            return run_rank(arguments)
        except BaseException as error:
            if reporter is not None:
                reporter.last_words(Words.of(error).as_dict())
            raise

    try:
        run_main(told, argv)
    except SystemExit as leaving:
        return int(leaving.code or 0)
    except BaseException as error:
        # That ranks lost each other follows from what one of them met, and people should read that one.
        traceback.print_exc(file=file if is_of_collective(error) else sys.stderr)
        file.flush()
        sys.stderr.flush()
    return 1
