"""The pictures of docs/how-to/serve.md: `python -m tests.web.browser.pictures` takes them anew.

The same store, clock and windows each time; only fonts are those of the machine.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image
from playwright.sync_api import Browser

from milepost import ItemEvent, StateManager
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from tests.stores.make import NoProcesses
from tests.web.browser.chromium import launched, where
from tests.web.browser.furnished import served
from tests.web.browser.watched import Watched

__all__ = ["FOLDER", "PICTURES", "taken", "told"]

FOLDER: Final = Path(__file__).parents[3] / "docs" / "how-to" / "pictures"
_COLOURS: Final = 256
_STARTS_AT_US: Final = 1_780_279_200_000_000  # 2026-06-01, two in the morning
_JOB: Final = "nightly-report"
_KEYS: Final = [f"{place}/{n:03}" for place in ("eu", "us", "asia", "au") for n in range(100)]


class Picture(NamedTuple):
    """What a picture shows: the page at `path`, in a window of that height."""

    path: str
    height: int
    scheme: str = "light"
    width: int = 1_000


PICTURES: Final = {
    "jobs": Picture("/", 620),
    "job": Picture(f"/jobs/{_JOB}", 760),
    "items": Picture(f"/jobs/{_JOB}/items", 620),
    "items-dark": Picture(f"/jobs/{_JOB}/items", 620, "dark"),
    "plan": Picture(f"/jobs/{_JOB}/plan", 560),
    "history": Picture(f"/jobs/{_JOB}/history", 620),
}
"""By the name of the file, without its ending."""


@contextmanager
def told(folder: Path, clock: FakeClock) -> Iterator[StateManager]:
    """A manager of a store of some jobs of one night, one of which its executor left."""
    store = open_store(folder / "jobs.db")
    with StateManager(store, clock=clock, processes=NoProcesses()) as manager:
        _ended(manager, clock, "hourly-import-01", 240, dead=0)
        _ended(manager, clock, "hourly-import-02", 260, dead=2)
        _given_up(manager, clock, "backfill-2025")
        manager.create_job([f"page-{n}" for n in range(90)], job_id="weekly-digest")
        clock.advance(40)
        manager.create_job(
            _KEYS,
            job_id=_JOB,
            config={"max_attempts": 3, "max_dead": 5},
            variables={"day": "2026-05-31"},
        )
        with manager.lease(_JOB, "worker-1", renewed=False):
            _working(manager, clock)
            yield manager


def _ended(manager: StateManager, clock: FakeClock, job: str, count: int, *, dead: int) -> None:
    keys = [f"file-{n:03}" for n in range(count)]
    config = {"max_attempts": 1, "max_dead": 5, "has_reduce": False}
    manager.create_job(keys, job_id=job, config=config)
    manager.fire(job, "start_map")
    manager.record(job, [ItemEvent(key, "start") for key in keys])
    clock.advance(900)
    lost = {"cause": "timeout", "message": "no answer in 30 s"}
    for key in keys[:dead]:
        manager.record(job, [ItemEvent(key, "fail", lost), ItemEvent(key, "give_up")])
    manager.record(job, [ItemEvent(key, "succeed", {"result": 1}) for key in keys[dead:]])
    manager.fire(job, "finish_map")
    clock.advance(2_700)


def _given_up(manager: StateManager, clock: FakeClock, job: str) -> None:
    keys = [f"2025-{n:03}" for n in range(1, 366)]
    manager.create_job(keys, job_id=job)
    manager.fire(job, "start_map")
    manager.record(job, [ItemEvent(key, "start") for key in keys[:120]])
    clock.advance(400)
    manager.record(job, [ItemEvent(key, "succeed", {"result": 1}) for key in keys[:120]])
    manager.fire(job, "pause")
    clock.advance(300)


def _working(manager: StateManager, clock: FakeClock) -> None:
    """Most is done, some of it failed in two ways, some is at work."""
    keys = _KEYS
    clock.advance(5)
    manager.fire(_JOB, "start_map")
    troubles = {
        23: ("error", "HTTP 503: over capacity"),
        24: ("error", "HTTP 503: over capacity"),
        117: ("timeout", "no answer in 30 s"),
        118: ("timeout", "no answer in 30 s"),
        196: ("error", "HTTP 503: over capacity"),
    }
    for first in range(0, 260, 20):
        part = keys[first : first + 20]
        manager.record(_JOB, [ItemEvent(key, "start") for key in part])
        clock.advance(41)
        events = []
        for place, key in enumerate(part, first):
            if place in troubles:
                cause, message = troubles[place]
                told = {"cause": cause, "message": message, "kind": "HTTPError"}
                events.append(ItemEvent(key, "fail", told))
            else:
                events.append(ItemEvent(key, "succeed", {"result": place}))
        manager.record(_JOB, events)
    for key in (keys[117], keys[118]):
        manager.record(_JOB, [ItemEvent(key, "give_up")])
    for key in (keys[23], keys[24]):
        manager.record(_JOB, [ItemEvent(key, "retry")])
    manager.create_checkpoint(_JOB)
    manager.record(_JOB, [ItemEvent(key, "skip") for key in keys[390:]])
    manager.record(_JOB, [ItemEvent(key, "start") for key in keys[260:276]])
    clock.advance(12)


def taken(browser: Browser, folder: Path) -> list[Path]:
    """Every picture, in `folder`: what was written. A fault of a page is an error."""
    clock = FakeClock(_STARTS_AT_US)
    written = []
    with (
        tempfile.TemporaryDirectory() as stored,
        told(Path(stored), clock) as manager,
        served(manager, clock) as address,
    ):
        for name, picture in PICTURES.items():
            written.append(folder / f"{name}.png")
            written[-1].write_bytes(_shot(browser, address, picture))
    return written


def _shot(browser: Browser, address: str, picture: Picture) -> bytes:
    size = {"width": picture.width, "height": picture.height}
    watched = Watched(browser, address, viewport=size, color_scheme=picture.scheme)
    shot = watched.open(picture.path).screenshot()
    watched.close()
    assert watched.faults == []
    out = io.BytesIO()
    colours = Image.open(io.BytesIO(shot)).convert("RGB").quantize(_COLOURS)
    colours.save(out, "PNG", optimize=True)
    return out.getvalue()


def main() -> None:
    """Take all of them."""
    path = where()
    if not path:
        sys.exit("there is no Chromium here: tools/chromium installs Debian's")
    FOLDER.mkdir(exist_ok=True)
    with launched(path) as browser:
        for written in taken(browser, FOLDER):
            print(written.relative_to(Path.cwd()), written.stat().st_size)


if __name__ == "__main__":
    main()
