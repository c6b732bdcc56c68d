"""What every request passes: its method, its host and its token; and the headers of each answer."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard", "is_loopback", "is_wildcard"]

_METHODS: Final = ("GET", "HEAD")
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "private, no-cache",
}
"""An answer may have stricter ones of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """An application that only those reach who read, by a known name, with the token if any.

    `host` is where it listens. The Host header must name that, or this machine: a page of another
    site that was resolved to this address names its own. Behind a wildcard address any name will
    do, since the token is asked for.
    """

    app: ASGIApp
    host: str
    token: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI asks."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        head = scope["method"] == "HEAD"

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            elif head and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        if not self._known(headers.get("host", "")):
            return PlainTextResponse("the Host header names another machine\n", 421)
        if self.token is not None and not _holds(headers.get("authorization", ""), self.token):
            asked = {"www-authenticate": 'Basic realm="milepost", charset="UTF-8"'}
            return PlainTextResponse("the token is needed\n", 401, headers=asked)
        if scope["method"] not in _METHODS:
            return PlainTextResponse(
                "these pages are read, and change nothing\n",
                405,
                headers={"allow": ", ".join(_METHODS)},
            )
        return None

    def _known(self, host: str) -> bool:
        named = _name(host)
        if is_wildcard(self.host) and self.token is not None:
            return bool(named)
        return named in _LOOPBACK_NAMES or named == self.host.lower()


def is_loopback(host: str) -> bool:
    """True if only this machine reaches what listens at `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_wildcard(host: str) -> bool:
    """True if `host` stands for every address of this machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _name(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _holds(authorization: str, token: str) -> bool:
    """True if the header gives the token: as a bearer, or as the password of any name."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.encode(), token.encode())
