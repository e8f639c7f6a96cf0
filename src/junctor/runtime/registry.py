"""The connectors on offer: ours and those that other packages bring.

A package offers a connector by an entry point of the group ``junctor.connectors``: its name is the
connector's, its value ``package.module:attribute``. Nothing is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import Self

from junctor.errors import Misconfigured
from junctor.language.connector import Connector, ModuleDef
from junctor.runtime.documents import Documents

__all__ = ["BUILT_IN", "GROUP", "Registry"]

GROUP = "junctor.connectors"

BUILT_IN: Mapping[str, str] = {
    "builtin": "junctor.connectors.tools:builtin",
    "code": "junctor.connectors.code:code",
    "crisp": "junctor.connectors.crisp:crisp",
    "csv": "junctor.connectors.csv:csv",
    "email": "junctor.connectors.email:email",
    "datastore": "junctor.connectors.datastore:datastore",
    "gateway": "junctor.connectors.gateway:gateway",
    "highlevel": "junctor.connectors.highlevel:highlevel",
    "http": "junctor.connectors.http:http",
    "json": "junctor.connectors.json:json",
    "markdown": "junctor.connectors.markdown:markdown",
    "placeholder": "junctor.connectors.tools:placeholder",
    "regexp": "junctor.connectors.regexp:regexp",
    "rss": "junctor.connectors.rss:rss",
    "scenario-service": "junctor.connectors.scenario_service:service",
    "signalwire": "junctor.connectors.signalwire:signalwire",
    "toky": "junctor.connectors.toky:toky",
    "util": "junctor.connectors.tools:util",
    "wait": "junctor.connectors.wait:wait",
    "xml": "junctor.connectors.xml:xml",
}
"""Our own entry points, for runs from a source tree that isn't installed; a test compares them."""


class Registry:
    """Finds connectors by name and modules by id. Made by `load`."""

    def __init__(self, sources: Mapping[str, str], documents: Documents | None = None) -> None:
        self._sources = dict(sorted(sources.items()))
        self._documents = documents
        self._loaded: dict[str, Connector] = {}
        self._aliases: dict[str, ModuleDef] | None = None

    @classmethod
    def load(cls, documents: Documents | None = None) -> Self:
        """Ours, all installed ones, and those of OpenAPI ``documents``, whose names never win.

        `Misconfigured` if a package takes a name of ours.
        """
        found: dict[str, str] = {}
        for entry in entry_points(group=GROUP):
            known = found.get(entry.name) or BUILT_IN.get(entry.name)
            if known is not None and known != entry.value:
                raise Misconfigured(
                    reason=f"two packages offer a connector {entry.name!r} "
                    f"({known} and {entry.value}); uninstall one"
                )
            found[entry.name] = entry.value
        return cls({**BUILT_IN, **found}, documents)

    @property
    def names(self) -> tuple[str, ...]:
        """The connectors' names; none is imported for it."""
        imported = self._documents.names() if self._documents is not None else ()
        return tuple(sorted({*self._sources, *imported}))

    def packaged(self, name: str) -> bool:
        """Whether a package (ours or another) offers a connector of this name."""
        return name in self._sources

    def source(self, name: str) -> str:
        """Where a package offers it, as ``package.module:attribute``."""
        return self._sources[name]

    def connector(self, name: str) -> Connector | None:
        """A connector. `Misconfigured` if its package or document is there and can't be loaded.

        A document that was added since is found, too; one that was replaced stays as it was.
        """
        loaded = self._loaded.get(name)
        if loaded is not None:
            return loaded
        if name in self._sources:
            loaded = _imported(name, self._sources[name])
        elif self._documents is not None:
            loaded = self._documents.connector(name)
        if loaded is not None:
            self._loaded[name] = loaded
        return loaded

    def connectors(self) -> list[Connector]:
        """All connectors, by name; without documents that can't be read, which only their own
        users need mind.
        """
        found = []
        for name in self.names:
            try:
                connector = self.connector(name)
            except Misconfigured:
                if name in self._sources:
                    raise
                continue
            if connector is not None:
                found.append(connector)
        return found

    def find(self, id_: str) -> ModuleDef | None:
        """A module by its id ``connector:name``, or by an alias; ``None`` if nobody offers it."""
        prefix, _, name = id_.partition(":")
        connector = self.connector(prefix)
        module = connector.modules.get(name) if connector is not None else None
        return module or self._by_alias().get(id_)

    def modules(self) -> Iterable[ModuleDef]:
        """Every module of every connector."""
        for connector in self.connectors():
            yield from connector.modules.values()

    def near(self, name: str) -> list[str]:
        """Names of connectors that look like a mistyped one."""
        return get_close_matches(name.lower(), self.names, n=3, cutoff=0.5)

    def _by_alias(self) -> dict[str, ModuleDef]:
        # An alias may name any connector, so all are loaded once; ids that exist win.
        if self._aliases is None:
            self._aliases = {alias: module for module in self.modules() for alias in module.aliases}
        return self._aliases


def _imported(name: str, source: str) -> Connector:
    module, _, attribute = source.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise Misconfigured(
            reason=f"the connector {name!r} can't be loaded from {source} ({error}); "
            "reinstall its package or remove it"
        ) from error
    if not isinstance(found, Connector) or found.name != name:
        raise Misconfigured(reason=f"{source} is not the connector {name!r} that it is said to be")
    return found
