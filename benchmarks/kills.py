"""Kill the refinery at seeded moments, start it again, and compare the content root each time.

    python -m benchmarks.kills --kills 30 --seed 1

A moment is drawn over the whole length of an undisturbed run, and one of three processes gets
SIGKILL: the driver's JVM, the driver's Python, a Python worker of an executor. The run is started
again on what is left, and killed again, until one ends before its moment comes; its root, its debris
and its finished stages are looked at, and the next one begins in an empty folder. Standard output:
one JSON line.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from rich.progress import Progress

from schemas.manifest import Manifest
from tests.support.corpus import write_corpus
from tests.support.killing import Victim, debris, published, run_and_kill
from tests.support.submitting import refine, refine_command

VICTIMS: tuple[Victim, ...] = ("jvm", "driver", "worker")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--documents", type=int, default=300)
    args = parser.parse_args()
    generator = random.Random(args.seed)
    kills: Counter[str] = Counter()
    stages: Counter[str] = Counter()
    repeated = left = runs = 0
    with tempfile.TemporaryDirectory() as scratch, Progress() as progress:
        recipe = write_corpus(Path(scratch) / "corpus", documents=args.documents)
        clock = time.monotonic()
        expected = refine(recipe, Path(scratch) / "undisturbed", "local[2]")
        length = time.monotonic() - clock
        task = progress.add_task("kills", total=args.kills)
        roots: list[str] = []
        while kills.total() < args.kills:
            output = Path(scratch) / f"run-{runs}"
            done: dict[str, str] = {}
            while kills.total() < args.kills:
                moment, victim = generator.uniform(0, length), generator.choice(VICTIMS)
                command = refine_command(recipe, output, "local[2]")
                hit = run_and_kill(command, victim, lambda now, moment=moment: now >= moment)  # type: ignore[misc]
                now = published(output)
                repeated += not done.items() <= now.items()
                done = now
                if not hit:
                    break
                kills[victim] += 1
                stages[f"after {len(now)} stages"] += 1
                progress.advance(task)
            manifest: Manifest = refine(recipe, output, "local[2]")
            repeated += not done.items() <= published(output).items()
            left += len(debris(output, manifest))
            roots.append(manifest.root)
            runs += 1
    print(
        json.dumps(
            {
                "kills": dict(sorted(kills.items())),
                "moments": dict(sorted(stages.items())),
                "datasets": runs,
                "seconds_undisturbed": round(length, 1),
                "roots_equal": sum(root == expected.root for root in roots),
                "finished_stages_repeated": repeated,
                "debris": left,
            }
        )
    )


if __name__ == "__main__":
    main()
