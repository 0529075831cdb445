"""The page's files: what they may load, where they come from, and that nothing else is served."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
from service import House, served

from selfroute.server.reference import rendering
from selfroute.server.site import FOLDER, PATHS, router

MODULES = sorted(path.name for path in FOLDER.glob("*.js"))


@pytest.fixture
def client(home: Path) -> Iterator[httpx.Client]:
    with served(House(home).app()) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/q/a-question"])
def test_the_page_may_load_only_what_this_service_serves(client: httpx.Client, path: str) -> None:
    reply = client.get(path)
    policy = reply.headers["content-security-policy"]
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script>", reply.text)


@pytest.mark.parametrize("name", [*MODULES, "page.css", "icon.svg"])
def test_every_part_of_the_page_is_served_and_names_no_other_host(client: httpx.Client, name: str) -> None:
    reply = client.get(f"/page/{name}")
    assert reply.status_code == 200
    assert reply.headers["cache-control"] == "no-cache"
    assert set(re.findall(r"https?://[^\"' /]+", reply.text)) <= {"http://www.w3.org"}


def test_no_module_writes_markup_or_runs_text(client: httpx.Client) -> None:
    written = "".join(client.get(f"/page/{name}").text for name in MODULES)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", written)


def test_the_frame_of_a_report_has_an_origin_of_its_own(client: httpx.Client) -> None:
    policy = client.get("/page/frame.html").headers["content-security-policy"]
    assert policy.endswith("sandbox allow-scripts")
    assert "connect-src" not in policy  # so that `default-src 'none'` stands


def test_the_paths_of_the_page_are_known_and_none_of_the_api_is_among_them(client: httpx.Client) -> None:
    served_here = [route.path.replace("{id}", "some").replace("{name}", "main.js") for route in router.routes]
    assert len(served_here) == 5
    assert all(PATHS.fullmatch(path) for path in served_here)
    others = [path for path in client.get("/openapi.json").json()["paths"] if PATHS.fullmatch(path)]
    assert others == []


def test_the_library_for_plots_comes_from_the_package_that_it_is_installed_with(client: httpx.Client) -> None:
    reply = client.get("/page/d3.js")
    assert reply.status_code == (200 if find_spec("mpld3") else 404)
    assert reply.headers["content-type"].startswith("text/javascript") or "mpld3" in reply.json()["detail"]


@pytest.mark.parametrize(
    "name", ["none.js", "index.html", "..%2Fsite.py", "%2e%2e%2fsite.py", "site.py", "PAGE.CSS", ""]
)
def test_nothing_else_is_served_beside_the_page(client: httpx.Client, name: str) -> None:
    assert client.get(f"/page/{name}").status_code == 404


def test_the_description_of_the_api_loads_nothing_from_elsewhere_and_runs_nothing(client: httpx.Client) -> None:
    reply = client.get("/docs")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert "<script" not in reply.text
    assert all(part.startswith(("/", "#")) for part in re.findall(r'(?:href|src)="([^"]*)"', reply.text))


def test_the_description_of_the_api_has_every_route_and_its_links_lead_somewhere(client: httpx.Client) -> None:
    told = client.get("/docs").text
    paths = client.get("/openapi.json").json()["paths"]
    for method, path in [(method.upper(), path) for path, by in paths.items() for method in by]:
        assert f'<h2 id="{method}-{path}">{method} <code>{path}</code></h2>' in told
    ids = re.findall(r'id="([^"]+)"', told)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', told)) <= set(ids)
    assert "max_input_tokens" in told  # a field of what is sent


def test_what_a_description_holds_is_text_on_its_page() -> None:
    written = rendering(
        {
            "info": {"title": "<b>t</b>", "version": "1", "summary": "s"},
            "paths": {"/x": {"get": {"description": "<script>1</script>", "responses": {}}}},
            "components": {
                "schemas": {
                    "Plain": {"enum": ["<i>", 2]},
                    "Full": {
                        "required": ["one"],
                        "properties": {
                            "one": {"type": "array", "items": {"anyOf": [{"$ref": "#/components/schemas/Plain"}, {}]}},
                            "two": {"type": "object", "additionalProperties": {"type": "string"}},
                            "three": {"type": "object", "properties": {"in": {"const": 3}}},
                        },
                    },
                }
            },
        }
    )
    assert "<script>" not in written
    assert "<b>" not in written
    assert "<code>&lt;i&gt;</code> | <code>2</code>" in written
    assert '<td>array of <a href="#Plain">Plain</a> or anything</td>' in written
    assert "<td>object of string, optional</td>" in written
    assert "<td>object with <code>in</code>: <code>3</code>, optional</td>" in written


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/docs", "/page/page.css", "/v1/corpora", "/v1/corpora/nope"]
)
def test_a_head_is_answered_as_a_get_without_its_content(client: httpx.Client, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    changing = {"date"}
    assert {k: v for k, v in head.headers.items() if k not in changing} == {
        k: v for k, v in got.headers.items() if k not in changing
    }
    assert client.get("/healthz").json() == {"status": "alive"}  # the connection is good for the next


def test_a_head_of_what_only_takes_posts_is_refused_as_a_get(client: httpx.Client) -> None:
    assert client.head("/v1/ask").status_code == 405
