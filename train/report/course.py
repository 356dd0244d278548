"""What turned a run from its course, and what it certifies: spikes, returns, branches, tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pages.tables import escaped, table
from train.report.events import EVENTS_NAME, Event, read_events

_CERTIFICATE_NAME = "certificate.json"
_DONE = {
    "note": "noted",
    "skip_update": "the update was left out",
    "skip_batches": "the update was left out, batches were jumped over",
    "roll_back": "the run went back",
    "rewarm": "the update was left out, the rate climbs again",
    "stop": "the run ended",
}


def course_section(run: Path) -> str:
    """A table of turns; empty for a run without any."""
    path = run / EVENTS_NAME
    events = read_events(path) if path.is_file() else []
    rows = [row for event in events if (row := _row(event)) is not None]
    if not rows:
        return ""
    head = ("what", "step", "what was done, and why")
    caption = "Spikes, returns, swaps and branches, in the order in which they happened"
    return table(caption, head, map(escaped, rows), ends_in_words=True)


def _row(event: Event) -> tuple[str, str, str] | None:
    turn = _turn(event)
    return None if turn is None else (turn[0], f"{event['step']:,}", "; ".join(turn[1:]))


def _turn(event: Event) -> tuple[str, str, str] | None:
    """What an event was, what was done and why; None for events that turn nothing."""
    match event["kind"]:
        case "spike":
            why = "; ".join(map(str, event["reasons"]))
            if event.get("sample") is not None:
                why += f" (sample {event['sample']:,})"
            done = _DONE.get(event["action"], str(event["action"]))
            return str(event["found"]).replace("_", " "), done, why
        case "rollback":
            return "return", _return(event), f"from step {event['from_step']:,}"
        case "no_checkpoint":
            return "no return", "the update was left out", "there was no checkpoint to go to"
        case "swap":
            rewarm = event["rewarm_steps"]
            slowly = [f"the rate climbs for {rewarm:,} steps"] if rewarm else []
            if event.get("blend_steps"):
                slowly.append(f"blended over {event['blend_steps']:,} steps")
            return "swap", ", ".join(event["overrides"]), ", ".join(slowly) or "at once"
        case "swap_refused":
            return "swap refused", "the run went on without it", str(event["reason"])
        case "branch":
            changes = ", ".join(event["changes"]) or "nothing"
            return "branch", f"changed: {changes}", f"from {event['run']}"
        case "audit":
            return "audit", "a replayed step differed", "; ".join(event["differences"])
    return None


def _return(event: Event) -> str:
    parts = [f"{event['batches']:,} batches jumped over"] if event["batches"] else []
    if event["rate_scale"] != 1:
        parts.append(f"the rate times {event['rate_scale']:g}")
    if event["rewarm_steps"]:
        parts.append(f"the rate climbs for {event['rewarm_steps']:,} steps")
    return ", ".join(parts) or "the same batches again"


def certificate_section(run: Path) -> str:
    """What the weights have seen; empty before the end of the run."""
    path = run / _CERTIFICATE_NAME
    if not path.is_file():
        return ""
    body: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    jumped = sum(end - start for start, end in body["samples_jumped_over"])
    rows = [
        ("steps", f"{body['steps']:,}"),
        ("rows read", f"{body['rows']:,}"),
        ("rows jumped over", f"{jumped:,}"),
        *(
            (f"tokens of {name}", f"{count:,}")
            for name, count in sorted(body["tokens_by_source"].items())
        ),
        ("tokens whose update was left out", f"{body['tokens_without_update']:,}"),
        *(("manifest", one["root"]) for one in body["manifests"]),
        ("SHA-256 of the weights", body["weights_sha256"]),
        ("SHA-256 of the last event", body["last_event_sha256"]),
        ("SHA-256 of the certificate", body["sha256"]),
    ]
    caption = "What the weights of this run have seen"
    return table(caption, ("fact", "value"), map(escaped, rows), ends_in_words=True)
