"""XML: text to bundles and back.

An element is a collection: its attributes are in ``_attributes``, its text in ``_value`` if it has
attributes or children as well (else the text itself stands for the element), and its children by
their names, each an array because tags may repeat. Names keep their prefixes. So Make's exported
blueprints write it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Annotated, Any, Literal
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.saxutils import escape, quoteattr

from defusedxml.common import DefusedXmlException
from defusedxml.sax import parseString

from junctor.errors import BundleInvalid, DataError
from junctor.language.connector import Bundle, Connector, Field
from junctor.language.forms import build, fields_of
from junctor.language.structures import bound, conform, fields, zone_of
from junctor.language.values import ERASE, IGNORE, as_number, show, to_text

__all__ = ["xml"]

xml = Connector(name="xml", label="XML")

_MOST_BYTES = 20_000_000
_MOST_ELEMENTS = 500_000
_DEEPEST = 200
_ATTRIBUTES, _VALUE = "_attributes", "_value"

_DECLARATION = re.compile(r"\s*<\?xml\b[^>]*\?>")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?", re.ASCII)
"""What becomes a number: spellings that no identifier or telephone number has to fear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parse:
    xml: Annotated[str | bytes, Field(label="XML", multiline=True)]
    structure: Annotated[
        Any,
        Field(
            label="Data structure",
            help="Says the types of the texts; without one, see below.",
            key="type",
            static=True,
        ),
    ] = None
    as_text: Annotated[
        bool,
        Field(
            label="Leave numbers as text",
            help="Without a data structure, texts that look like numbers become numbers.",
            key="preserveNumbersAsText",
            static=True,
        ),
    ] = False


@xml.transform("Parse XML", name="ParseXML", raw=True, typed=True, schema=fields_of(_Parse))
def parse_xml(parameters: Mapping[str, Any], mapper: Mapping[str, Any]) -> Bundle:
    """Gives the elements of an XML document as collections and arrays."""
    form = build(_Parse, {**parameters, **mapper})
    spec, _ = bound(parameters)  # documents hold more than a structure says, even a strict one
    tree = _Tree(as_text=form.as_text or bool(spec))
    _read(form.xml, tree)
    if not spec:
        return tree.document
    fitted = {key: _fitted(tree.document[key], spec, key) for key in tree.document}
    return conform(fitted, spec, zone=zone_of(parameters))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Create:
    structure: Annotated[Any, Field(label="Data structure", key="type", static=True)] = None
    space: Annotated[
        Literal["", "2", "4", "tab"], Field(label="Indentation", static=True, advanced=True)
    ] = ""
    declaration: Annotated[
        bool, Field(label="XML declaration", key="header", static=True, advanced=True)
    ] = True
    rest: Annotated[dict[str, Any], Field(label="Content")] = dataclass_field(default_factory=dict)


@xml.transform(
    "Create XML",
    name="CreateXML",
    raw=True,
    typed=True,
    aliases=("xml:TransformToXML",),
    schema=lambda: {
        **(whole := fields_of(_Create)()),
        "properties": {k: v for k, v in whole["properties"].items() if k != "rest"},
        "additionalProperties": True,
    },
)
def create_xml(parameters: Mapping[str, Any], mapper: Mapping[str, Any]) -> Bundle:
    """Gives an XML text made of the mapped fields: one root element, and what is in it."""
    form = build(_Create, {**parameters, "rest": {}})
    given = {name: value for name, value in mapper.items() if value is not IGNORE}
    spec, strict = bound(parameters)
    if spec:
        given = conform(given, spec, strict=strict, zone=zone_of(parameters))
    if len(given) != 1:
        raise BundleInvalid(
            field="xml",
            reason=f"an XML document has one root element, these are {len(given)} "
            f"({', '.join(list(given)[:5]) or 'none'}); put them into one collection",
        )
    (name, value), *_ = given.items()
    if isinstance(value, list):
        if len(value) != 1:
            raise BundleInvalid(
                field=name,
                reason=f"the root element occurs {len(value)} times; put it into another",
            )
        value = value[0]
    step = {"": None, "2": "  ", "4": "    ", "tab": "\t"}[form.space]
    writer = _Writer(step)
    if form.declaration:
        writer.parts.append('<?xml version="1.0" encoding="UTF-8"?>' + ("\n" if step else ""))
    writer.element(name, value, name, 0)
    return {"xml": "".join(writer.parts)}


# Reading


def _read(text: str | bytes, tree: _Tree) -> None:
    if isinstance(text, str):
        # It is decoded already, whatever its declaration says.
        text = _DECLARATION.sub("", text.lstrip("\ufeff"), count=1).strip()
        data = text.encode("utf-8", "replace")
    else:
        data = bytes(text)
    if len(data) > _MOST_BYTES:
        raise _refused(f"it has {len(data):,} bytes, the most is {_MOST_BYTES:,}; split it before")
    try:
        parseString(data, tree, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    except DefusedXmlException as error:
        raise _refused(
            "it defines entities or refers to other documents, which could make it endlessly "
            "large or read files; take its DOCTYPE away before"
        ) from error
    except SAXParseException as error:
        raise _refused(
            f"{show(data[:60].decode('utf-8', 'replace'))} is not valid XML (line "
            f"{error.getLineNumber()}, column {error.getColumnNumber()}: {error.getMessage()}); "
            "correct the text"
        ) from error
    except (LookupError, ValueError, RecursionError) as error:
        raise _refused(f"it can't be read ({error}); save it as UTF-8") from error


def _refused(reason: str) -> DataError:
    return DataError(reason=f"the XML was refused: {reason}")


class _Tree(ContentHandler):
    """Builds the collections while expat reads."""

    def __init__(self, *, as_text: bool) -> None:
        super().__init__()
        self.document: dict[str, Any] = {}
        self._as_text = as_text
        self._open: list[tuple[dict[str, Any], list[str]]] = []
        self._count = 0

    def startElement(self, _name: str, attrs: Any) -> None:  # noqa: N802  # the name SAX calls
        """One element more, within bounds."""
        self._count += 1
        if self._count > _MOST_ELEMENTS:
            raise _refused(f"it has more than {_MOST_ELEMENTS:,} elements; split it before")
        if len(self._open) >= _DEEPEST:
            raise _refused(f"it is nested deeper than {_DEEPEST} levels; take a part of it")
        found = dict(attrs.items())
        self._open.append(({_ATTRIBUTES: found} if found else {}, []))

    def characters(self, content: str) -> None:
        """Text of the innermost element, in pieces."""
        if self._open:
            self._open[-1][1].append(content)

    def endElement(self, name: str) -> None:  # noqa: N802  # the name SAX calls
        """The element goes to its parent."""
        element, pieces = self._open.pop()
        text = "".join(pieces)
        value: Any = element
        if not element:
            value = self._value(text)
        elif text.strip():
            inside = any(key != _ATTRIBUTES for key in element)
            element[_VALUE] = self._value(text.strip() if inside else text)
        if not self._open:
            self.document[name] = value
        else:
            self._open[-1][0].setdefault(name, []).append(value)

    def _value(self, text: str) -> Any:
        if not self._as_text and _NUMBER.fullmatch(text):
            return as_number(text)
        return text if text.strip() else ""


def _fitted(value: Any, spec: Any, name: str) -> Any:
    """Elements as the structure has them: a text may be a collection elsewhere, and once an array.

    Whether an element with attributes, or one without text, looks like the sample that a structure
    was made of differs from document to document.
    """
    field = next((field for field in fields(spec) if field["name"] == name), None)
    if field is None:
        return value
    inner, kind = field.get("spec"), field.get("type")
    if kind == "array":
        items = value if isinstance(value, list) else [value]
        return [_fitted_item(item, inner) for item in items]
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return _fitted_item(value, {"type": kind, "spec": inner})


def _fitted_item(value: Any, spec: Any) -> Any:
    if isinstance(spec, list):
        spec = {"type": "collection", "spec": spec}
    if not isinstance(spec, Mapping):
        return value
    if spec.get("type", "collection") == "collection":
        found = value if isinstance(value, dict) else {} if value == "" else {_VALUE: value}
        return {key: _fitted(item, spec.get("spec"), key) for key, item in found.items()}
    simple = spec["type"] not in {"array", "any"}
    return value.get(_VALUE, "") if simple and isinstance(value, dict) else value


# Writing

_NAME = re.compile(r"[^\W\d][\w.\-]*(?::[^\W\d][\w.\-]*)?")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


class _Writer:
    def __init__(self, step: str | None) -> None:
        self.parts: list[str] = []
        self._step = step
        self._count = 0

    def element(self, name: str, value: Any, path: str, depth: int) -> None:
        """One element with what is in it; null is an empty one."""
        self._count += 1
        if self._count > _MOST_ELEMENTS:
            raise BundleInvalid(field=path, reason=f"more than {_MOST_ELEMENTS:,} elements")
        if depth >= _DEEPEST:
            raise BundleInvalid(field=path, reason=f"nested deeper than {_DEEPEST} levels")
        tag = _checked_name(name, path)
        write = self.parts.append
        write(self._line(depth))
        if not isinstance(value, Mapping):
            text = _text(value, path)
            write(f"<{tag}>{escape(text)}</{tag}>" if text else f"<{tag}/>")
            return
        attributes = value.get(_ATTRIBUTES)
        shown = "".join(
            f" {_checked_name(key, f'{path}.{_ATTRIBUTES}')}="
            + quoteattr(_text(item, f"{path}.{_ATTRIBUTES}.{key}"))
            for key, item in (attributes.items() if isinstance(attributes, Mapping) else ())
            if item is not IGNORE and item is not ERASE and item is not None
        )
        text = _text(value.get(_VALUE), path)
        children = [
            (key, each, f"{path}.{key}[{index}]" if isinstance(item, list) else f"{path}.{key}")
            for key, item in value.items()
            if key not in {_ATTRIBUTES, _VALUE} and item is not IGNORE
            for index, each in enumerate(item if isinstance(item, list) else [item])
        ]
        if not text and not children:
            write(f"<{tag}{shown}/>")
            return
        write(f"<{tag}{shown}>{escape(text)}")
        for key, each, inside in children:
            self.element(key, each, inside, depth + 1)
        write(self._line(depth) if children else "")
        write(f"</{tag}>")

    def _line(self, depth: int) -> str:
        if self._step is None or not self._count or (depth == 0 and self._count == 1):
            return ""
        return "\n" + self._step * depth


def _checked_name(name: str, path: str) -> str:
    if not _NAME.fullmatch(name):
        raise BundleInvalid(
            field=path,
            reason=f"{show(name)} can't be the name of an element or attribute; use letters, "
            "digits, '.', '-' and '_', and begin with a letter",
        )
    return name


def _text(value: Any, path: str) -> str:
    try:
        text = to_text(value)
    except DataError as error:
        raise BundleInvalid(field=path, reason=str(error.params.get("reason"))) from error
    if _FORBIDDEN.search(text):
        raise BundleInvalid(
            field=path, reason="it holds a control character that XML can't; remove it before"
        )
    return text
