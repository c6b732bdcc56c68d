"""`milepost serve`: where the pages of a store are served, before anybody has asked for one."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from milepost.inspect.page import Fields, Page

__all__ = ["ServeView", "serve", "serve_page"]


class ServeView(Struct, frozen=True, kw_only=True):
    """The address of the pages, and what is shown to whom."""

    SCHEMA: ClassVar[str] = "milepost.serve/1"

    url: str
    token_needed: bool
    payloads_shown: bool


def serve(url: str, *, token_needed: bool, payloads_shown: bool) -> ServeView:
    """The pages at `url`."""
    return ServeView(url=url, token_needed=token_needed, payloads_shown=payloads_shown)


def serve_page(view: ServeView) -> Page:
    """Where to look, and what is asked for there."""
    asked = "the token, as the password of any name" if view.token_needed else "nothing"
    shown = "shown" if view.payloads_shown else "hidden"
    return (Fields(entries=(("pages", view.url), ("asked for", asked), ("payloads", shown))),)
