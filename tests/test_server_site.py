"""The page's files: what they may load, where they come from, and that nothing else is served."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec

import httpx
import pytest
from service import House, served

from selfroute.server.site import FOLDER, PATHS, router

pytestmark = pytest.mark.end_to_end

MODULES = sorted(path.name for path in FOLDER.glob("*.js"))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with served(House(tmp_path_factory.mktemp("site") / "indexes").app()) as client:
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


@pytest.mark.parametrize("name", [*MODULES, "page.css", "docs.css", "icon.svg"])
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
    assert len(served_here) == 6
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
