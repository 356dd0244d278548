"""Facts of the stage `clean`: which entries of take-downs and address lists met a document."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from refinery.publish.facts import StageFacts

_SHOWN = 5


class CleanFacts(StageFacts):
    """What the recipe's lists of addresses did."""

    stage: ClassVar[str] = "clean"

    address_entries: dict[str, int] = Field(
        default_factory=dict,
        description="documents that each entry of exclude and of rules.urls means, 0 for those that mean none",
    )

    @property
    def unmatched(self) -> list[str]:
        """Entries that mean no document: misspelt, or of another corpus."""
        return [name for name, count in self.address_entries.items() if not count]

    @property
    def warnings(self) -> list[str]:
        """One line for all entries that mean no document."""
        unmatched = self.unmatched
        if not unmatched:
            return []
        more = f" and {len(unmatched) - _SHOWN} more" if len(unmatched) > _SHOWN else ""
        shown = ", ".join(f"'{name}'" for name in unmatched[:_SHOWN])
        return [f"no document's id or address matches {shown}{more}"]
