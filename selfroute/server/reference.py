"""The description of the API as a page: what `/openapi.json` says, in words. It runs nothing and loads nothing from
elsewhere, so that it is there without a network, and no one else's script runs where the page keeps its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from selfroute.server.site import FOLDER, guarded

router = APIRouter(include_in_schema=False)

REF = "#/components/schemas/"


@router.get("/docs")
async def docs(request: Request) -> Response:
    rendered = rendering(request.app.openapi())
    return HTMLResponse(rendered, headers=guarded())


def rendering(described: Mapping[str, Any]) -> str:
    """The page of an OpenAPI description. Pure, but for the template."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((FOLDER / "reference.html").read_text(encoding="utf-8"))
    return template.render(
        info=described["info"],
        routes=[_route(path, method, one) for path, by in described["paths"].items() for method, one in by.items()],
        schemas=[(name, one.get("description"), _fields(one)) for name, one in _schemas(described)],
    )


def _schemas(described: Mapping[str, Any]) -> Sequence[tuple[str, Mapping[str, Any]]]:
    return sorted(described.get("components", {}).get("schemas", {}).items())


def _route(path: str, method: str, said: Mapping[str, Any]) -> dict[str, Any]:
    body = said.get("requestBody", {}).get("content", {})
    return {
        "method": method.upper(),
        "path": path,
        "description": said.get("description"),
        "parameters": [
            (one["name"], one["in"], kind(one["schema"]), one.get("required", False), one.get("description"))
            for one in said.get("parameters", ())
        ],
        "bodies": [(media, kind(one.get("schema", {}))) for media, one in body.items()],
        "answers": _answers(said["responses"]),
    }


def _answers(by_status: Mapping[str, Any]) -> list[tuple[list[tuple[str, str]], list[tuple[str, Markup]]]]:
    """(Statuses with what they are, what is answered with each of them), the statuses in their order."""
    alike: dict[tuple[tuple[str, Markup], ...], list[tuple[str, str]]] = {}
    for status, one in sorted(by_status.items()):
        content = one.get("content", {}).items()
        told = tuple((media, kind(how.get("schema") or how.get("itemSchema", {}))) for media, how in content)
        alike.setdefault(told, []).append((status, one["description"]))
    return [(statuses, list(told)) for told, statuses in alike.items()]


def _fields(schema: Mapping[str, Any]) -> list[tuple[str, Markup, bool, str | None]]:
    """Name, kind, whether it must be there, and what it is. A schema that has none is told as a field of no name."""
    if "properties" not in schema:
        return [("", kind(schema), True, None)]
    needed = schema.get("required", ())
    return [(name, kind(one), name in needed, one.get("description")) for name, one in schema["properties"].items()]


def kind(schema: Mapping[str, Any]) -> Markup:
    """What a value is, in words; what has a name is a link to it."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REF)
        return Markup('<a href="#{0}">{0}</a>').format(name)
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return Markup(" or ").join(map(kind, schema[several]))
    if "enum" in schema or "const" in schema:
        return Markup(" | ").join(
            Markup("<code>{}</code>").format(one) for one in schema.get("enum", [schema.get("const")])
        )
    if schema.get("type") == "array":
        return Markup("array of ") + kind(schema.get("items", {}))
    extra = schema.get("additionalProperties")
    if schema.get("type") == "object" and isinstance(extra, Mapping) and extra:
        return Markup("object of ") + kind(extra)
    if "properties" in schema:
        inner = [Markup("<code>{}</code>: {}").format(name, kind(one)) for name, one in schema["properties"].items()]
        return Markup("object with ") + Markup(", ").join(inner)
    return escape(schema.get("type", "anything"))
