"""The page: one document, its modules and its style, as they lie in this package. Nothing on it comes from elsewhere.

Knows nothing of what the page does: it asks this service's own API, as any client.
"""

from __future__ import annotations

import asyncio
import re
from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent / "page"
KINDS = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
NAME = re.compile(rf"[a-z0-9]+\.(?:{'|'.join(KINDS)})")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Only what this service serves runs and is shown; what documents and models say is text."""
FRAME_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-scripts"
)
"""Of the frame in which a report is shown: it has an origin of its own, so that nothing in it reaches the page's
storage or this service, and its one script is ours. A report's own style stands in it."""
PATHS = re.compile(r"/|/q/[^/]+|/page/[^/]+")
"""What needs no key: a browser has none yet, and the page is no secret. All that it shows comes from the API."""
PLOTS = ("js", "d3.v5.min.js")
"""In the package that brings the library for plots."""


@router.get("/")
async def page() -> Response:
    return _file(FOLDER / "index.html", "text/html")


@router.get("/q/{id}")
async def question(id: str) -> Response:  # noqa: A002 (the path's own name)
    """The same page, which opens this question."""
    return await page()


@router.get("/page/frame.html")
async def frame() -> Response:
    return _file(FOLDER / "frame.html", "text/html", FRAME_POLICY)


@router.get("/page/d3.js")
async def plots() -> Response:
    """The library that draws plots, from the package that it is installed with. The page has its tables without."""
    spec = await asyncio.to_thread(find_spec, "mpld3")
    path = Path(spec.origin).parent.joinpath(*PLOTS) if spec is not None and spec.origin else None
    if path is None or not await asyncio.to_thread(path.is_file):
        raise HTTPException(404, "plots need mpld3 0.5 (pip install mpld3): the tables do without")
    return _file(path, KINDS["js"], kept="max-age=86400")


@router.get("/page/{name}")
async def part(name: str) -> Response:
    """A module or the style."""
    path = FOLDER / name
    if not NAME.fullmatch(name) or not await asyncio.to_thread(path.is_file):
        raise HTTPException(404)
    return _file(path, KINDS[name.rpartition(".")[2]])


def guarded(policy: str = POLICY, kept: str = "no-cache") -> dict[str, str]:
    """Headers of what a browser shows. After an update it must not mix old modules with new ones: it asks again each
    time."""
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": kept,
    }


def _file(path: Path, kind: str, policy: str = POLICY, kept: str = "no-cache") -> Response:
    return FileResponse(path, media_type=kind, headers=guarded(policy, kept))
