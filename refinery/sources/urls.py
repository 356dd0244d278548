"""Normalise URLs for ids of documents; any change here must raise URL_NORMALISER."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

URL_NORMALISER = 1

_DEFAULT_PORTS = {"http": "80", "https": "443"}


def normalise_url(url: str | None) -> str:
    """Lower-case scheme and host, drop default ports and fragments, give an empty path a slash.

    Query and path stay as they are: they name the document. What cannot be parsed stays unchanged.
    """
    if not url:
        return ""
    text = url.strip()
    try:
        parts = urlsplit(text)
        port = str(parts.port) if parts.port is not None else ""
    except ValueError:
        return text
    if not parts.scheme or not parts.hostname:
        return text
    scheme, host = parts.scheme.lower(), parts.hostname.lower().rstrip(".")
    if ":" in host:
        host = f"[{host}]"
    if port and _DEFAULT_PORTS.get(scheme) != port:
        host = f"{host}:{port}"
    return urlunsplit((scheme, host, parts.path or "/", parts.query, ""))


def domain_of(url: str | None) -> str:
    """Host name in lower case, empty where there is none."""
    try:
        return (urlsplit(url or "").hostname or "").lower()
    except ValueError:
        return ""
