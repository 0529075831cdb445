"""Lets in who has a key, before anything of a request is read, whatever the route: what is mounted, and what nobody
thought of yet, is closed too. Where there are no keys, it keeps the pages of other sites out.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import unquote_plus, urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from selfroute.errors import ForeignSite, NotAdmitted, SelfrouteError
from selfroute.server.access import Caller
from selfroute.server.parts import parts_of
from selfroute.server.problems import headers_of, respond, told
from selfroute.server.site import PATHS

OPEN = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json"})
"""Paths that need no key: a prober has none, and what the API is like is no secret."""

AUDITED = frozenset({"/metrics"})
"""Paths that need a key that may see what others do."""

_KEY = re.compile(r"sk-selfroute-|(?:^|[&;])(?:api[-_]?key|access[-_]?token)=", re.I)


class Admission:
    """Puts the `Caller` where routes find it, `request.state.caller`, or answers in their place."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            caller = await self._admitted(scope)
        except SelfrouteError as error:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            request = Request(scope)
            await respond(request, told(error), headers_of(error))(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)

    async def _admitted(self, scope: Scope) -> Caller:
        if scope["path"] in OPEN or PATHS.fullmatch(scope["path"]):
            return Caller()
        if _KEY.search(unquote_plus(scope["query_string"].decode("latin-1"))):
            raise NotAdmitted("an API key stands in the address, where it is logged, so revoke it")
        sent = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
        if len(sent) > 1:
            raise NotAdmitted("more than one API key was sent")
        scheme, _, token = sent[0].partition(" ") if sent else ("", "", "")
        bearer = token.strip() if scheme.lower() == "bearer" else None
        caller = await parts_of(Request(scope)).access.admit(bearer)
        if caller.key is None and _is_foreign(scope):
            raise ForeignSite
        if scope["path"] in AUDITED:
            caller.require_audit()
        return caller


def _is_foreign(scope: Scope) -> bool:
    """Whether what came to an address of this machine alone came under another's name, or from a page of another's.

    A browser on this machine lets any page send what forms can send, uploads too, and read what is answered under a
    name that was made to point here. It cannot be made to send a key, so where one is needed this is not asked; and a
    proxy in front gives other names than ours.
    """
    if not _is_here((scope.get("server") or ("",))[0]):
        return False
    hosts = [f"//{value.decode('latin-1')}" for name, value in scope["headers"] if name == b"host"]
    origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
    return not hosts or not all(map(_is_of_here, hosts + origins))


def _is_of_here(address: str) -> bool:
    try:
        return _is_here(urlsplit(address).hostname or "")
    except ValueError:
        return False


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
