"""Normal forms of addresses: for ids of documents, for take-downs, and for lists of hosts.

Everything that compares addresses or hosts does it here. Any change of `normalise_url` must raise
URL_NORMALISER.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

URL_NORMALISER = 2

_DEFAULT_PORTS = {"http": "80", "https": "443"}
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://")
_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")
# What may stand in a path or query as it is (RFC 3986), and the sign of escapes.
_SAFE = "%/:@!$&'()*+,;=~-._?"
_MOST_CHARS = 10_000


def normalise_url(url: str | None) -> str:
    """Lower-case scheme and host, drop default ports and fragments, give an empty path a slash.

    The host has no user, no trailing dot, and is written in ASCII (punycode). Query and path stay as
    they are: they name the document. What cannot be parsed stays unchanged.
    """
    if not url:
        return ""
    text = url.strip()
    parts = _split(text)
    if parts is None or not parts.scheme or not parts.hostname:
        return text
    scheme, host = parts.scheme.lower(), normal_host(parts.hostname)
    port = str(parts.port) if parts.port is not None else ""
    if ":" in host:
        host = f"[{host}]"
    if port and _DEFAULT_PORTS.get(scheme) != port:
        host = f"{host}:{port}"
    return urlunsplit((scheme, host, parts.path or "/", parts.query, ""))


def normal_host(host: str) -> str:
    """A host in lower case and in ASCII, without the dot of the root."""
    plain = host.strip().lower().replace("\u3002", ".").rstrip(".")
    if plain.isascii():
        return plain
    try:
        return plain.encode("idna").decode("ascii")
    except UnicodeError:  # a label that is too long, or characters that no name may have
        return plain


def host_of(url: str | None) -> str:
    """The host of an address, with a scheme or without, in its normal form; empty where there is none."""
    parts = _split_any(url or "")
    return normal_host(parts.hostname) if parts is not None and parts.hostname else ""


def address_key(url: str, *, any_scheme: bool = True, any_www: bool = False) -> str:
    """What two spellings of one address share.

    Its normal form, with the path's escapes in one form, too.

    Args:
        url: The address; one without a scheme counts as http.
        any_scheme: http and https are one address.
        any_www: A host with `www.` in front and without are one.
    """
    text = url.strip()
    normal = normalise_url(text if _SCHEME.match(text) else f"http://{text}")
    parts = _split(normal)
    if parts is None or not parts.hostname:
        return normal
    host = parts.netloc.removeprefix("www.") if any_www else parts.netloc
    scheme = "" if any_scheme and parts.scheme in _DEFAULT_PORTS else f"{parts.scheme}://"
    query = f"?{_escaped(parts.query)}" if parts.query else ""
    return f"{scheme}{host}{_escaped(parts.path)}{query}"


def domains_of(host: str) -> Iterator[str]:
    """A host in its normal form, and the domains above it."""
    labels = host.split(".")
    for first in range(len(labels)):
        yield ".".join(labels[first:])


def names_of(url: str) -> Iterator[str]:
    """All names by which a list may mean an address, in lower case.

    Its host without `www.`, the domains above it, and the host with each start of the path.
    """
    host = host_of(url).removeprefix("www.")
    if not host:
        return
    yield from domains_of(host)
    parts = _split_any(url)
    path = ""
    for step in _escaped(parts.path if parts else "").lower().strip("/").split("/"):
        path += f"/{step}"
        yield host + path
    if parts and parts.query:
        yield f"{host}{path}?{_escaped(parts.query).lower()}"


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text[:_MOST_CHARS] if len(text) > _MOST_CHARS else text)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _split_any(text: str) -> SplitResult | None:
    text = text.strip()
    return _split(text if _SCHEME.match(text) else f"//{text.removeprefix('//')}")


def _escaped(path: str) -> str:
    """A path or query with all that is not ASCII as escapes, and escapes in one form (RFC 3986, 6.2.2)."""
    return _ESCAPE.sub(_one_escape, quote(path, safe=_SAFE))


def _one_escape(found: re.Match[str]) -> str:
    sign = chr(int(found[0][1:], 16))
    is_plain = sign.isascii() and (sign.isalnum() or sign in "-._~")
    return sign if is_plain else found[0].upper()
