"""The application: addresses to answers, as HTML, JSON or CSV, their newest commit as ETag."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final, Literal, TypeAlias

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from milepost.clock import Clock, SystemClock, instant
from milepost.drawings.svg import RendererFailed, RendererMissing
from milepost.errors import (
    CommitAbsent,
    InputInvalid,
    ItemAbsent,
    JobAbsent,
    JobIdInvalid,
    RoleAbsent,
    StateError,
)
from milepost.inspect import diagram as diagrams
from milepost.inspect.csv import to_csv
from milepost.inspect.grid import GridView
from milepost.inspect.json import to_json
from milepost.inspect.path import path
from milepost.inspect.states import StateName, phase_of
from milepost.job.state import JobState
from milepost.refusals import MilepostError
from milepost.state.manager import StateManager
from milepost.text.escapes import printable
from milepost.web.answers import DATA_ALONE, JOB_PAGES, STORE_PAGES, Answer, Asking
from milepost.web.asking import Asked, QueryUnfitError
from milepost.web.guard import Guard
from milepost.web.rendering import Chrome, html, picture, static

__all__ = ["application"]

_Form: TypeAlias = Literal["html", "json", "csv"]

_HTML: Final = "text/html; charset=utf-8"
_JSON: Final = "application/json"
_CSV: Final = "text/csv; charset=utf-8; header=present"
_SUFFIXES: Final[dict[str, _Form]] = {".json": "json", ".csv": "csv"}
_STATIC: Final = {
    "style.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_ABSENT: Final = (JobAbsent, JobIdInvalid, ItemAbsent, CommitAbsent, RoleAbsent)
_STYLE: Final = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)


def application(
    manager: StateManager,
    *,
    host: str = "127.0.0.1",
    token: str | None = None,
    payloads: bool = False,
    clock: Clock | None = None,
) -> Guard:
    """The pages of the store of `manager`, as an ASGI application that only reads.

    `host` is where it will listen; with a `token` it answers nobody who does not give that.
    Payloads and variables are hidden unless `payloads` says otherwise.
    """
    pages = _Pages(manager, payloads=payloads, clock=clock or SystemClock())
    routes = [
        Route("/", pages.jobs),
        Route("/jobs", _to_jobs),
        Route("/{page}", pages.data),
        Route("/static/{name}", _asset),
        Route("/jobs/{job}", pages.job),
        Route("/jobs/{job}/lifecycle.svg", pages.drawing),
        Route("/jobs/{job}/{page}", pages.part),
    ]
    return Guard(app=Starlette(routes=routes), host=host, token=token)


class _Pages:
    """The addresses that ask the store. Each runs in a thread of its own: the manager is safe."""

    def __init__(self, manager: StateManager, *, payloads: bool, clock: Clock) -> None:
        self._manager = manager
        self._payloads = payloads
        self._clock = clock

    def jobs(self, request: Request) -> Response:
        """The jobs, as HTML."""
        return self._answered(request, "jobs", "", "html")

    def data(self, request: Request) -> Response:
        """The data of the store's pages."""
        name, form = _named(request.path_params["page"])
        if name not in STORE_PAGES or form == "html":
            return self._problem("there is no such page", 404, form)
        return self._answered(request, name, "", form)

    def job(self, request: Request) -> Response:
        """One job. The id of a job may end in `.json`: then the job goes first."""
        job: str = request.path_params["job"]
        name, form = _named(job)
        if form != "json" or self._manager.has_job(job):
            name, form = job, "html"
        return self._answered(request, "show", name, form)

    def part(self, request: Request) -> Response:
        """A page of one job; `show.json` is that of the job itself, whatever its id ends in."""
        name, form = _named(request.path_params["page"])
        if name not in JOB_PAGES or (name in ("show", *DATA_ALONE) and form == "html"):
            return self._problem("there is no such page", 404, form)
        return self._answered(request, name, request.path_params["job"], form)

    def drawing(self, request: Request) -> Response:
        """The lifecycle of a job with the path that it took."""
        job: str = request.path_params["job"]
        try:
            etag = self._etag(request, job, "svg")
            if etag and _known(request, etag):
                return Response(status_code=304, headers={"etag": etag})
            view = path(self._manager, job)
            drawn = diagrams.svg(view, self._manager.get_state(job).lifecycle)
        except (RendererMissing, RendererFailed) as error:
            return PlainTextResponse(f"{error}\n", 503)
        except MilepostError as error:
            return PlainTextResponse(f"{error}\n", _status(error))
        # Opened by itself it may have its own style, and nothing else.
        styles = " ".join(f"'{_hash(text)}'" for text in _STYLE.findall(drawn)) or "'none'"
        headers = {
            "etag": etag,
            "content-security-policy": f"default-src 'none'; style-src {styles}",
        }
        return Response(drawn, media_type="image/svg+xml", headers=headers)

    def _answered(self, request: Request, page: str, job: str, form: _Form) -> Response:
        try:
            etag = self._etag(request, job, form) if job else ""
            if etag and _known(request, etag):
                return Response(status_code=304, headers={"etag": etag})
            answer = self._ask(request, page, job)
        except QueryUnfitError as error:
            return self._problem(str(error), 400, form, job=job)
        except MilepostError as error:
            return self._problem(str(error), _status(error), form, error)
        if not etag:
            told = [to_json(view) for view in (answer.view, answer.facets) if view is not None]
            etag = f'W/"{_digest(form, request.url.query, str(answer.missed), *told)}"'
            if _known(request, etag):
                return Response(status_code=304, headers={"etag": etag})
        headers = {"etag": etag}
        if form == "json":
            return Response(to_json(answer.view), media_type=_JSON, headers=headers)
        if form == "csv":
            if answer.lines is None:
                return self._problem("this is no table: its data is JSON", 404, form)
            table = to_csv(answer.lines).encode(errors="backslashreplace")
            return Response(table, media_type=_CSV, headers=headers)
        return Response(self._drawn(request, page, job, answer), media_type=_HTML, headers=headers)

    def _ask(self, request: Request, page: str, job: str) -> Answer:
        asking = Asking(
            manager=self._manager,
            asked=Asked(request.query_params),
            now=instant(self._clock.now_us()),
            payloads=self._payloads,
            job=job,
        )
        return (JOB_PAGES if job else STORE_PAGES)[page](asking)

    def _drawn(self, request: Request, page: str, job: str, answer: Answer) -> str:
        name = f"/jobs/{job}/{page}" if job else "/jobs"
        query = f"?{request.url.query}" if request.url.query else ""
        live = any(each.meaning.worked for each in self._phases(job, answer))
        chrome = Chrome(
            title=f"{job}: {page}" if job and page != "show" else job or "jobs",
            job=job,
            page=page,
            data=f"{name}.json{query}",
            table=f"{name}.csv{query}" if answer.lines else "",
            whole=request.url.path,
            live=live,
            query=tuple((name, printable(text)) for name, text in request.query_params.items()),
        )
        cells = None
        if isinstance(answer.grid, GridView):
            cells = picture(answer.grid, f"/jobs/{job}/items")
        return html(chrome, answer=answer, picture=cells)

    def _phases(self, job: str, answer: Answer) -> list[StateName]:
        """The phases that say whether something may change soon."""
        if job:
            state: JobState = self._manager.get_state(job)
            return [phase_of(state)]
        return [line.phase for line in getattr(answer.view, "jobs", ())]

    def _etag(self, request: Request, job: str, what: str) -> str:
        """The newest commit of `job`, who holds it, and what was asked. Raises JobAbsent."""
        summary = self._manager.summary(job)
        state = self._manager.get_state(job)
        held = None if state.owner is None else self._manager.holder(job)
        standing = "" if held is None else f"{held.owner} {held.standing} {held.fence}"
        parts = (job, summary.created_at, summary.seq, summary.updated_at, standing)
        asked = (what, request.url.path, request.url.query, self._payloads)
        return f'W/"{_digest(*map(str, parts), *map(str, asked))}"'

    def _problem(
        self,
        told: str,
        status: int,
        form: _Form,
        error: MilepostError | None = None,
        *,
        job: str = "",
    ) -> Response:
        code = "not-found" if error is None and status == 404 else "query"
        code = error.code if isinstance(error, StateError) else code
        if form != "html":
            said = {"schema": "milepost.error/1", "code": code, "message": told}
            return Response(msgspec.json.encode(said) + b"\n", status, media_type=_JSON)
        chrome = Chrome(title="not here" if status == 404 else "no answer", job=job, problem=told)
        return Response(html(chrome, answer=None, picture=None), status, media_type=_HTML)


def _to_jobs(request: Request) -> Response:
    """The list of jobs has one address, by whichever name it was asked for."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/{query}", 307)


def _asset(request: Request) -> Response:
    """A file that pages load."""
    name: str = request.path_params["name"]
    if name not in _STATIC:
        return PlainTextResponse("there is no such file\n", 404)
    text = static(name)
    etag = f'"{_digest(text)}"'
    if _known(request, etag):
        return Response(status_code=304, headers={"etag": etag})
    return Response(text, media_type=_STATIC[name], headers={"etag": etag})


def _known(request: Request, etag: str) -> bool:
    """True if the asker names `etag` among those that it has, weak or strong: RFC 9110, 13.1.2."""
    named = request.headers.get("if-none-match", "").split(",")
    return etag.removeprefix("W/") in (each.strip().removeprefix("W/") for each in named)


def _named(part: str) -> tuple[str, _Form]:
    """The name in the last part of an address, and the form that its suffix asks for."""
    for suffix, form in _SUFFIXES.items():
        if part.endswith(suffix):
            return part.removesuffix(suffix), form
    return part, "html"


def _status(error: MilepostError) -> int:
    if isinstance(error, _ABSENT):
        return 404
    return 400 if isinstance(error, InputInvalid) else 503


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def _hash(style: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
