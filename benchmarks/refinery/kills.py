"""Kill the refinery at seeded moments, start it again, and compare the content root each time.

    python -m benchmarks.refinery.kills --kills 30 --seed 1

A moment is drawn over the whole length of an undisturbed run, and one of three processes gets
SIGKILL: the driver's JVM, the driver's Python, a Python worker of an executor. The run is started
again on what is left, and killed again, until one ends before its moment comes; its root, its debris
and its finished stages are looked at, and the next one begins in an empty folder. The result is written
after each dataset, so that a stopped benchmark leaves its part.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import Progress

from benchmarks.record import argument_parser, record
from schemas.manifest import Manifest
from tests.support.corpus import write_corpus
from tests.support.killing import Victim, debris, published, run_and_kill
from tests.support.submitting import refine, refine_command

VICTIMS: tuple[Victim, ...] = ("jvm", "driver", "worker")


@dataclass
class Tally:
    """Kills by process and by moment, and what was found when a run had ended."""

    kills: Counter[str] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)
    datasets: int = 0
    roots_equal: int = 0
    finished_stages_repeated: int = 0
    debris: int = 0
    seconds_undisturbed: float = 0.0

    def record(self, seed: int) -> None:
        """Write what was counted so far to the results."""
        # Not `asdict`: it copies a Counter by counting its pairs.
        record("kills", {"seed": seed, **vars(self)})


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--documents", type=int, default=300)
    args = parser.parse_args()
    generator = random.Random(args.seed)
    tally = Tally()
    with tempfile.TemporaryDirectory() as scratch, Progress() as progress:
        recipe = write_corpus(Path(scratch) / "corpus", documents=args.documents)
        clock = time.monotonic()
        expected = refine(recipe, Path(scratch) / "undisturbed", "local[2]")
        tally.seconds_undisturbed = round(time.monotonic() - clock, 1)
        task = progress.add_task("kills", total=args.kills)
        while tally.kills.total() < args.kills:
            output = Path(scratch) / f"run-{tally.datasets}"
            done: dict[str, str] = {}
            while tally.kills.total() < args.kills:
                moment = generator.uniform(0, tally.seconds_undisturbed)
                victim = generator.choice(VICTIMS)
                command = refine_command(recipe, output, "local[2]")
                hit = run_and_kill(command, victim, lambda now, moment=moment: now >= moment)  # type: ignore[misc]
                now = published(output)
                tally.finished_stages_repeated += not done.items() <= now.items()
                done = now
                if not hit:
                    break
                tally.kills[victim] += 1
                tally.moments[f"after {len(now)} stages"] += 1
                progress.advance(task)
            manifest: Manifest = refine(recipe, output, "local[2]")
            tally.finished_stages_repeated += not done.items() <= published(output).items()
            tally.debris += len(debris(output, manifest))
            tally.roots_equal += manifest.root == expected.root
            tally.datasets += 1
            tally.record(args.seed)


if __name__ == "__main__":
    main()
