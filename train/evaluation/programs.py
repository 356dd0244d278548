"""Run a program that a model wrote, in a locked-down child, and say how it ended.

The child is a fresh interpreter without site-packages, environment or arguments, in an empty folder
and a session of its own. It has so many seconds and so much memory; it starts no process, opens no
socket and changes no file; what it prints is thrown away. That stops accidents, loops and forks. It
is no prison: run code of a model that somebody else trained on a machine that may be lost.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

Outcome = Literal["ok", "failed", "time", "memory", "killed", "syntax"]
_MEMORY_BYTES = 1 << 30
# Read by the child from its input: a bound on the program, not on the pipe.
_MAX_PROGRAM_CHARS = 1_000_000
# Runs in the child before the program: bounds first, then names that reach outside, then the text.
_GUARD = r"""
import os, resource, sys
word = sys.stdin.readline().strip()
source = sys.stdin.read()
seconds, memory = int(sys.argv.pop()), int(sys.argv.pop())
for name, bound in (("RLIMIT_CPU", seconds), ("RLIMIT_AS", memory), ("RLIMIT_FSIZE", 0),
                    ("RLIMIT_NPROC", 0), ("RLIMIT_CORE", 0), ("RLIMIT_NOFILE", 16)):
    if hasattr(resource, name):
        resource.setrlimit(getattr(resource, name), (bound, bound))
MODULES = {"socket", "subprocess", "ctypes", "shutil", "ftplib", "smtplib", "urllib", "resource", "syslog"}
CALLS = {"os." + name for name in (
    "system exec fork forkpty posix_spawn spawn kill killpg remove rename rmdir mkdir truncate chmod chown "
    "link symlink utime setxattr removexattr chflags lchmod chdir fchdir startfile"
).split()}
CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
def audit(event, arguments):
    changes = event == "open" and (arguments[2] or 0) & CHANGES
    if changes or event in CALLS or event.partition(".")[0] in MODULES:
        raise PermissionError("a program of a model may not do this")
code = None
try:
    code = compile(source, "program", "exec")
except (SyntaxError, ValueError, MemoryError, RecursionError):
    sys.stdout.write("syntax"); sys.stdout.flush()
if code is not None:
    report = os.dup(1)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1); os.dup2(quiet, 2)
    said = "failed"
    sys.addaudithook(audit)
    try:
        exec(code, {"__name__": "__main__"})
        said = "ok"
    except MemoryError:
        said = "memory"
    except BaseException:
        pass
    os.write(report, (said + word).encode())
"""


def run_program(program: str, *, seconds: float) -> Outcome:
    """How a program ends: "ok" where it ran to its end without an exception.

    The child says so behind a word that only we know, so that a program which ends itself early, or
    prints what it likes, has not passed.
    """
    if len(program) > _MAX_PROGRAM_CHARS or "\0" in program:
        return "syntax"
    word = os.urandom(16).hex()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-I", "-S", "-c", _GUARD]
        child = subprocess.Popen(
            [*command, str(_MEMORY_BYTES), str(max(1, int(seconds) + 1))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(folder),
            env={},
            start_new_session=True,
            text=True,
            encoding="utf-8",
            errors="surrogatepass",
        )
        try:
            said, _ = child.communicate(f"{word}\n{program}", timeout=seconds)
        except subprocess.TimeoutExpired:
            return "time"
        finally:
            _end(child)
    if said == "syntax":
        return "syntax"
    reported: tuple[Outcome, ...] = ("ok", "failed", "memory")
    for outcome in reported:
        if said == outcome + word:
            return outcome
    return "time" if child.returncode == -signal.SIGXCPU else "killed"


def _end(child: subprocess.Popen[str]) -> None:
    """Kill the child with all that it started."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        child.kill()
    child.communicate()
