"""A page that is looked at: what goes wrong in it is kept, and looked up at the end."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Frame, Page, Request, Response
from playwright.sync_api import Error as BrowserError

__all__ = ["Watched"]

_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy: ${event.violatedDirective} forbids ${event.blockedURI}`);
});
"""
_SAID_OF_A_STATUS = "Failed to load resource"
_GIVEN_UP = "net::ERR_ABORTED"


class Watched:
    """One page of a context of its own. `faults` is what the browser complains of, in its words.

    That is: what is written to the console as an error or a warning, exceptions, what the
    policy forbids, and requests that fail or are answered by 400 or more; but of a page that is
    itself meant to be such an answer, that answer; and no request that the browser gave up since
    its page was left. It asks for an icon after a page is loaded, so any link may overtake that.
    """

    def __init__(self, browser: Browser, address: str, **context: Any) -> None:
        self.address = address.rstrip("/")
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.context = browser.new_context(**context)
        self.context.set_default_timeout(20_000)
        self.context.add_init_script(_VIOLATIONS)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        self.page.on("request", self._asks)
        self.page.on("framenavigated", self._arrived)
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)
        self._status = 200
        self._leaving = False
        self._asked_here: list[Request] = []

    def open(self, path: str, status: int = 200) -> Page:
        """The page at `path`, loaded whole; it is expected to be answered by `status`."""
        self._status = status
        answer = self.page.goto(self.address + path, wait_until="load")
        assert answer is not None
        assert answer.status == status, (path, answer.status)
        return self.page

    def close(self) -> None:
        """Leave the page."""
        with suppress(BrowserError):  # a browser that fell has said so already
            self.context.close()

    def _said(self, message: ConsoleMessage) -> None:
        expected = self._status >= 400 and message.text.startswith(_SAID_OF_A_STATUS)
        if message.type in ("error", "warning") and not expected:
            self.faults.append(f"console: {message.text}")

    def _asks(self, request: Request) -> None:
        self.asked.append(request.url)
        if request.is_navigation_request():
            self._leaving = True
        else:
            self._asked_here.append(request)

    def _arrived(self, frame: Frame) -> None:
        if self._leaving and frame == self.page.main_frame:
            self._leaving = False
            self._asked_here.clear()

    def _failed(self, request: Request) -> None:
        left = self._leaving or request not in self._asked_here
        if request.is_navigation_request() or not left or request.failure != _GIVEN_UP:
            self.faults.append(f"failed: {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.status != self._status:
            self.faults.append(f"{response.status}: {response.url}")
