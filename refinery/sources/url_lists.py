"""Lists of hosts and addresses in files of the user, in the forms that such lists have.

One entry per line: a domain (its subdomains are meant, too), the start of an address, with its scheme
or without; a line of a hosts file (`0.0.0.0 ads.example`); a rule of a blocker (`||ads.example^`);
`*.ads.example` or `.ads.example`; several hosts with commas between them. What stands behind # or in a
line that begins with ! or [ is a comment; exceptions of a blocker (`@@`) are left out.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator

from refinery.publish import storage
from refinery.sources.urls import host_of, names_of

URL_LISTS_VERSION = 2

_HOSTS_LINE = re.compile(
    r"^(?:0\.0\.0\.0|127\.\d+\.\d+\.\d+|::1?|fe80::1(?:%\w+)?|255\.255\.255\.255)\s+(.+)$"
)
_OF_MACHINES = {
    "localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost",
    "ip6-loopback", "ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters",
    "ip6-allhosts", "0.0.0.0",
}  # fmt: skip
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_FRAGMENT = re.compile(r"#.*$")
_OPTIONS = re.compile(r"\^\$.*$")  # of a blocker's rule: for which requests it counts


@functools.cache
def entries_of(uri: str) -> frozenset[str]:
    """The names of a list, in the form of `urls.names_of`; read once per process."""
    return frozenset(parse_list(storage.read_bytes(uri)))


def parse_list(data: bytes) -> Iterator[str]:
    """Names of a list's entries, in their normal form."""
    for line in data.decode("utf-8-sig", "replace").splitlines():
        text = _COMMENT.sub("", line).strip()
        if not text or text[0] in "![" or text.startswith("@@"):
            continue
        if found := _HOSTS_LINE.match(text):
            yield from _names(host for host in found[1].split() if host not in _OF_MACHINES)
        else:
            entry = _OPTIONS.sub("", text.split()[0])
            # An address may have commas, a host has none.
            yield from _names([entry] if "/" in entry else entry.split(","))


def _names(entries: Iterable[str]) -> Iterator[str]:
    for entry in entries:
        plain = _FRAGMENT.sub("", entry).strip("\"'").removeprefix("||").removeprefix("*")
        plain = plain.lstrip(".").strip("|^")
        if name := entry_name(plain):
            yield name


def entry_name(entry: str) -> str:
    """The name of one entry: its host, or its host and path; empty where it has no host."""
    host = host_of(entry).removeprefix("www.")
    if not host:
        return ""
    *_, longest = names_of(entry)
    return longest.rstrip("/") if "/" in longest else host


def is_listed(url: str | None, names: frozenset[str]) -> bool:
    """Whether an address, its host or a domain above it is among the names."""
    return bool(url) and bool(names) and any(name in names for name in names_of(url or ""))
