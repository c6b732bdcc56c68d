"""The real browser: where it is, and that its lack is told, by name here and as a fault in CI."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, sync_playwright

__all__ = ["launched", "needed", "where"]

_FINDER: Final = Path(__file__).parents[3] / "tools" / "chromium"
_LACKING: Final = "needs a Chromium: tools/chromium installs Debian's"


def where() -> str:
    """Where Chromium is; empty where there is none."""
    found = subprocess.run([_FINDER, "--where"], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def needed() -> str:
    """Where Chromium is; a test that asks is skipped where there is none, and fails in CI."""
    found = where()
    if not found:
        assert not os.environ.get("CI"), f"the pages were not looked at: {_LACKING}"
        pytest.skip(_LACKING)
    return found


@contextmanager
def launched(path: str) -> Iterator[Browser]:
    """The Chromium at `path`, headless. While it is open no other event loop runs in this thread.

    Its own walls need rights that root in a container lacks; it meets pages of ours alone.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
