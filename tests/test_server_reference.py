"""The API's description: every route and field stands on it, and no other host is asked for anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from service import House, served

from selfroute.server.reference import Piece, kind, page, reference

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def client(home: Any) -> Iterator[httpx.Client]:
    with served(House(home).app()) as client:
        yield client


class Tags(HTMLParser):
    """What stands on a page: tags, their attributes, ids, and what links point to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.addresses: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src"):
                self.addresses.add(value or "")


def test_the_api_is_described_without_a_script_and_without_another_host(client: httpx.Client) -> None:
    reply = client.get("/docs")
    policy = reply.headers["content-security-policy"]
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    tags = Tags(reply.text)
    assert not {"script", "style", "iframe", "form"} & set(tags.tags)
    assert not [name for name in tags.attributes if name == "style" or name.startswith("on")]
    assert all(address.startswith(("/", "#")) and not address.startswith("//") for address in tags.addresses)
    for address in (one for one in tags.addresses if one.startswith("/")):
        assert client.get(address).status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/page/docs.css"])
def test_what_describes_the_api_names_no_other_host(client: httpx.Client, path: str) -> None:
    assert re.findall(r"https?://[^\"' /]+", client.get(path).text) == []


@pytest.mark.parametrize("path", ["/redoc", "/docs/oauth2-redirect"])
def test_the_frameworks_own_pages_are_not_served(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_every_route_and_every_field_stands_in_the_description_and_every_link_leads_somewhere(
    client: httpx.Client,
) -> None:
    text, openapi = client.get("/docs").text, client.get("/openapi.json").json()
    tags = Tags(text)
    for path, methods in openapi["paths"].items():
        for method in methods:
            assert f'<span class="method">{method.upper()}</span> <code>{path}</code>' in text
    for name, shape in openapi["components"]["schemas"].items():
        part = text[text.index(f'<article id="{name}">') :].partition("</article>")[0]
        assert [one for one in shape.get("properties", {}) if f"<code>{one}</code>" not in part] == []
    assert len(tags.ids) == len(set(tags.ids))
    assert {one[1:] for one in tags.addresses if one.startswith("#")} <= set(tags.ids)


def test_a_fields_kind_its_bounds_and_what_it_is_else_are_told() -> None:
    [shape] = reference(_api(A={"required": ["a"], "properties": FIELDS})).shapes
    told = {one.name: ("".join(piece.text for piece in one.kind), one.required, one.notes) for one in shape.fields}
    assert told == {
        "a": ("integer or null", True, ("at least 1", "at most 1,000")),
        "b": ("list of Other", False, ("2 at most",)),
        "c": ('"x" or "y"', False, ('default "x"',)),
        "d": ("boolean", False, ("default false",)),
        "e": ('"only"', False, ()),
        "f": ("list of file", False, ("default []",)),
        "g": ("number", False, ("more than 0", "less than 0.5")),
        "h": ("anything", False, ()),
        "i": ("string or null", False, ("as ^a+$",)),
    }


FIELDS: dict[str, Any] = {
    "a": {"anyOf": [{"type": "integer", "minimum": 1.0, "maximum": 1000}, {"type": "null"}], "default": None},
    "b": {"type": "array", "items": {"$ref": "#/components/schemas/Other"}, "maxItems": 2},
    "c": {"enum": ["x", "y"], "default": "x"},
    "d": {"type": "boolean", "default": False},
    "e": {"const": "only"},
    "f": {"type": "array", "items": {"type": "string", "format": "binary"}, "default": []},
    "g": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5},
    "h": {},
    "i": {"type": ["string", "null"], "pattern": "^a+$"},
}


def test_replies_that_hold_the_same_are_told_together() -> None:
    wrong = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    replies = {
        "200": {"description": "Successful Response", "content": {"application/json": {"schema": {"type": "string"}}}},
        "204": {"description": "No Content"},
        "401": {"description": "Unauthorized", "content": wrong},
        "404": {"description": "Not Found", "content": wrong},
    }
    made = reference(_api() | {"paths": {"/a/{id}": {"get": {"responses": replies, "security": [{"K": []}]}}}})
    [operation] = made.sections["selfroute"]
    told = [(one.statuses, [(held.media, held.kind) for held in one.carried]) for one in operation.replies]
    assert told == [
        (("200",), [(None, (Piece("string"),))]),
        (("204 No Content",), []),
        (("401 Unauthorized", "404 Not Found"), [("application/problem+json", (Piece("Problem", "Problem"),))]),
    ]
    assert (operation.anchor, operation.keyed) == ("get-a-id", True)


def test_what_a_description_says_is_text_and_no_markup() -> None:
    evil = "<script>alert(1)</script> `<b>`"
    text = page(_api(A={"description": evil, "properties": {"<i>": {"type": "string", "description": evil}}}))
    assert "<script" not in text
    assert text.count("<code>&lt;b&gt;</code>") == 2
    assert "<code>&lt;i&gt;</code>" in text


def test_a_kind_that_another_names_is_linked_to_it() -> None:
    assert kind({"oneOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]}) == (
        Piece("A", "A"),
        Piece(" or "),
        Piece("null"),
    )


def _api(**shapes: Any) -> dict[str, Any]:
    return {"info": {"title": "it", "version": "1"}, "paths": {}, "components": {"schemas": shapes}}
