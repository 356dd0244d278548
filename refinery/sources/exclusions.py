"""Documents that a recipe takes down: by id, address, domain, or a list of them."""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

from refinery.publish import storage
from refinery.sources.config import ExcludeConfig
from refinery.sources.url_lists import entries_of, is_listed
from refinery.sources.urls import address_key, domains_of, host_of, normal_host
from schemas.errors import ContractError

EXCLUDED = "excluded"
MOST_LISTED = 10_000


class Exclusions:
    """The entries of a recipe in their normal forms; each has a name for people."""

    def __init__(self, config: ExcludeConfig) -> None:
        self._config = config
        self._addresses: Mapping[str, list[str]] = _by_key(
            (self._key(url), f"url {url}") for url in config.urls
        )
        self._domains: Mapping[str, list[str]] = _by_key(
            (_domain(domain), f"domain {domain}") for domain in config.domains
        )
        self._lists = {f"list {uri}": entries_of(uri) for uri in config.lists}

    def _key(self, url: str) -> str:
        config = self._config
        return address_key(url, any_scheme=config.any_scheme, any_www=config.any_www)

    @property
    def names(self) -> list[str]:
        """Names of all entries, ids included."""
        config = self._config
        return [
            *(f"id {doc_id}" for doc_id in config.doc_ids),
            *(f"url {url}" for url in config.urls),
            *(f"domain {domain}" for domain in config.domains),
            *self._lists,
            *(f"documents {uri}" for uri in config.documents),
        ]

    def find(self, url: str | None) -> list[str]:
        """Names of the entries that mean an address."""
        if not url:
            return []
        found = list(self._addresses.get(self._key(url), ())) if self._addresses else []
        if self._domains:
            for domain in domains_of(host_of(url)):
                found += self._domains.get(domain, ())
        return found + [name for name, names in self._lists.items() if is_listed(url, names)]


def _by_key(pairs: Iterable[tuple[str, str]]) -> Mapping[str, list[str]]:
    by_key: dict[str, list[str]] = defaultdict(list)
    for key, name in pairs:
        by_key[key].append(name)
    return dict(by_key)


def _domain(entry: str) -> str:
    """A domain, whatever stands around it: a scheme, a path, a star."""
    return host_of(entry.removeprefix("*.")) or normal_host(entry)


def has_addresses(config: ExcludeConfig) -> bool:
    return bool(config.urls or config.domains or config.lists)


@functools.cache
def listed_ids(uri: str) -> tuple[str, ...]:
    """The ids in a file of documents, without repetitions; read once per process.

    Raises:
        ContractError: A line is no object with a doc_id, or there are more than a recipe may take down one by one.
    """
    found: dict[str, None] = {}
    for number, line in enumerate(storage.read_bytes(uri).splitlines(), 1):
        if not line.strip():
            continue
        try:
            doc_id = json.loads(line)["doc_id"]
        except (ValueError, TypeError, KeyError) as error:
            raise ContractError(f"{uri}: line {number}: expected an object with doc_id") from error
        if not isinstance(doc_id, str) or not doc_id:
            raise ContractError(f"{uri}: line {number}: doc_id is {doc_id!r}, expected a text")
        found[doc_id] = None
    if len(found) > MOST_LISTED:
        raise ContractError(
            f"{uri}: {len(found):,} ids, at most {MOST_LISTED:,} are taken down one by one; use lists"
        )
    return tuple(found)


def is_excluded(config: ExcludeConfig) -> Column:
    """Whether the recipe takes a document down, by id, address or domain (subdomains included)."""
    ids = [*config.doc_ids, *(one for uri in config.documents for one in listed_ids(uri))]
    by_id = F.col("doc_id").isin(ids) if ids else F.lit(False)
    if not has_addresses(config):
        return by_id
    return by_id | _found(config, F.col("url")).isNotNull()


def excluded_by(config: ExcludeConfig) -> Column:
    """Names of the entries that take a document down, as an array; empty for none."""
    parts = [_named(config.doc_ids, F.concat(F.lit("id "), F.col("doc_id")))]
    parts += [_named(listed_ids(uri), F.lit(f"documents {uri}")) for uri in config.documents]
    by_id = F.concat(*parts)
    if not has_addresses(config):
        return by_id
    none = F.array().cast("array<string>")
    return F.concat(by_id, F.coalesce(_found(config, F.col("url")), none))


def _named(doc_ids: Sequence[str], name: Column) -> Column:
    """An array with the name where a document is one of those; else an empty one."""
    is_one = F.col("doc_id").isin(list(doc_ids))
    return F.when(is_one, F.array(name)).otherwise(F.array().cast("array<string>"))


def _found(config: ExcludeConfig, url: Column) -> Column:
    """Names of the entries that mean an address; null for none."""
    loaded: list[Exclusions] = []

    def find(address: str | None) -> list[str] | None:
        if not loaded:
            loaded.append(Exclusions(config))
        return loaded[0].find(address) or None

    udf = F.udf(find, "array<string>", useArrow=True)
    return udf(url)
