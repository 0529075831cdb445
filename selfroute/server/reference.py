"""The API's description as one page: no script, nothing from another host. Made from the OpenAPI that the routes give.

Knows nothing of routes or of HTTP.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

Schema = Mapping[str, Any]

OURS = "selfroute"
"""The heading of routes that have no tag."""
MEDIA = "application/json"
"""What is sent and told where nothing else is said."""
BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "{} characters or more",
    "maxLength": "{} characters at most",
    "minItems": "{} or more",
    "maxItems": "{} at most",
    "pattern": "as {}",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words of a type; `shape` is the name of the one that they stand for, which is described on the page."""

    text: str
    shape: str | None = None


Kind = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a shape, or a parameter, which has a `place`: path, query or header. `notes` are its bounds and what
    it is when it is left out."""

    name: str
    kind: Kind
    required: bool
    about: str
    notes: tuple[str, ...]
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Carried:
    """What a request or a reply holds: JSON of a kind, unless `media` names something else."""

    media: str | None
    kind: Kind


@dataclass(frozen=True, slots=True)
class Reply:
    """`statuses` (200 OK, ...) that hold the same."""

    statuses: tuple[str, ...]
    carried: tuple[Carried, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    about: str
    keyed: bool
    parameters: tuple[Field, ...]
    body: tuple[Carried, ...]
    replies: tuple[Reply, ...]

    @property
    def anchor(self) -> str:
        return f"{self.method}-{re.sub(r'[^a-z0-9]+', '-', self.path.lower()).strip('-')}"


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of object, or of word if it has no fields."""

    name: str
    about: str
    fields: tuple[Field, ...]
    kind: Kind


@dataclass(frozen=True, slots=True)
class Reference:
    title: str
    version: str
    about: str
    keys: str
    sections: Mapping[str, Sequence[Operation]]
    shapes: Sequence[Shape]


def page(openapi: Schema) -> str:
    """The page, as HTML."""
    return _template().render(reference=reference(openapi))


def reference(openapi: Schema) -> Reference:
    """What an OpenAPI document (3.1) says, as far as this service's says anything."""
    sections: dict[str, list[Operation]] = {}
    for path, methods in openapi["paths"].items():
        for method, said in methods.items():
            sections.setdefault(said.get("tags", [OURS])[0], []).append(_operation(method, path, said))
    parts = openapi.get("components", {})
    return Reference(
        title=openapi["info"]["title"],
        version=openapi["info"]["version"],
        about=openapi["info"].get("summary", ""),
        keys=" ".join(one.get("description", "") for one in parts.get("securitySchemes", {}).values()),
        sections=sections,
        shapes=[_shape(name, said) for name, said in sorted(parts.get("schemas", {}).items())],
    )


def kind(schema: Schema) -> Kind:
    """What a schema allows, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return (Piece(name, name),)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return _either([kind(one) for one in schema[union]])
    if "const" in schema:
        return (Piece(_written(schema["const"])),)
    if "enum" in schema:
        return _either([(Piece(_written(one)),) for one in schema["enum"]])
    named = schema.get("type", "anything")
    if named == "array":
        return (Piece("list of "), *kind(schema.get("items", {})))
    if schema.get("format") == "binary":
        return (Piece("file"),)
    return (Piece(named if isinstance(named, str) else " or ".join(named)),)


def _either(kinds: Sequence[Kind]) -> Kind:
    return tuple(chain.from_iterable((Piece(" or "), *one) if at else one for at, one in enumerate(kinds)))


def _operation(method: str, path: str, said: Schema) -> Operation:
    together: dict[tuple[Carried, ...], list[str]] = {}
    for status, reply in said.get("responses", {}).items():
        held = tuple(_carried(reply.get("content", {})))
        words = reply.get("description", "")
        together.setdefault(held, []).append(status if words == "Successful Response" else f"{status} {words}")
    return Operation(
        method=method,
        path=path,
        about=said.get("description", ""),
        keyed=bool(said.get("security")),
        parameters=tuple(
            _field(one["name"], one.get("schema", {}), one.get("required", False), one.get("description"), one["in"])
            for one in said.get("parameters", ())
        ),
        body=tuple(_carried(said.get("requestBody", {}).get("content", {}))),
        replies=tuple(Reply(tuple(statuses), held) for held, statuses in together.items()),
    )


def _carried(content: Mapping[str, Schema]) -> Iterator[Carried]:
    for media, held in content.items():
        schema = held.get("schema") or held.get("itemSchema") or {}
        yield Carried(None if media == MEDIA else media, _spelled(schema))


def _spelled(schema: Schema) -> Kind:
    """An object that has no name is told by its fields."""
    fields = schema.get("properties")
    if not fields:
        return kind(schema)
    inner = [(Piece(f"{', ' if at else ''}{name}: "), *_spelled(one)) for at, (name, one) in enumerate(fields.items())]
    return (Piece("{ "), *chain.from_iterable(inner), Piece(" }"))


def _shape(name: str, said: Schema) -> Shape:
    needed = said.get("required", ())
    fields = tuple(_field(one, schema, one in needed) for one, schema in said.get("properties", {}).items())
    return Shape(name, said.get("description", ""), fields, kind(said))


def _field(name: str, schema: Schema, required: bool, about: str | None = None, place: str | None = None) -> Field:
    notes = [*_bounds(schema)]
    if "default" in schema and schema["default"] is not None:
        notes.append(f"default {_written(schema['default'])}")
    return Field(name, kind(schema), required, about or schema.get("description", ""), tuple(notes), place)


def _bounds(schema: Schema) -> Iterator[str]:
    for one in (schema, *schema.get("anyOf", ())):
        yield from (said.format(_written(one[name], bare=True)) for name, said in BOUNDS.items() if name in one)


def _written(value: object, *, bare: bool = False) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,.10g}"
    return value if bare and isinstance(value, str) else json.dumps(value)


def _pieces(text: str) -> list[tuple[bool, str]]:
    """Text by turns: words, and what stands between backquotes, which is code."""
    return [(at % 2 == 1, one) for at, one in enumerate(text.replace("``", "`").split("`")) if one]


@cache
def _template() -> Template:
    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters["pieces"] = _pieces
    text = files(__package__).joinpath("page", "docs.html.jinja").read_text(encoding="utf-8")
    return made.from_string(text)
