"""How often do detectors of loss spikes err? False alarms on clean curves, recall of spikes that are put in.

    python -m benchmarks.train.spike_policies WORK [--spikes 5]

Reads the runs of `benchmarks.train.clean_curves WORK`.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.record import argument_parser, record
from benchmarks.train.clean_curves import FILES, SEEDS, curve_folder
from train.commands.simulate_policies import (
    known_policies,
    policy_row,
    read_curve,
    with_equal_detectors,
)


def main() -> None:
    """Judge every known policy by all runs; prints the table as the docs have it."""
    parser = argument_parser(__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--spikes", type=int, default=5)
    args = parser.parse_args()
    curves = [
        read_curve(curve_folder(args.work, language, seed) / "metrics.jsonl")
        for language in FILES
        for seed in SEEDS
    ]
    policies = with_equal_detectors(known_policies())
    rows = [policy_row(name, config, curves, args.spikes) for name, config in policies.items()]
    head = list(rows[0])
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(row[key]) for key in head) + " |")
    steps = [len(curve) for curve in curves]
    record(
        "spike_policies", {"steps_of_runs": steps, "spikes_of_a_kind": args.spikes, "rows": rows}
    )


if __name__ == "__main__":
    main()
