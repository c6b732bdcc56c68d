"""What is made of an exception: a failure with its kind, causes and place, or a wait."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from milepost import ArgumentInvalid
from milepost.executors import NOTHING, Later, Permanent, Verdict, WorkItem
from milepost.executors.vocabulary import Failing
from milepost.worker.attempts import Terms, attempt, attempt_awaited
from milepost.worker.failures import failure_of, judged
from milepost.worker.outcomes import Deferred, Fault, Given, NotGiven, Outcome
from milepost.worker.rules import error_rules


class HTTPStatusError(Exception):
    def __init__(self, status: object) -> None:
        super().__init__(f"status {status}")
        self.response = SimpleNamespace(status_code=status)


class RateLimitError(HTTPStatusError):
    pass


def outcome_of(raises: Callable[[], object], errors: object = None, **item: Any) -> Outcome:
    """What a worker makes of a function that ends like `raises`."""
    terms = Terms(most_bytes=10_000, rules=error_rules(errors))
    given = WorkItem(key="k", attempt=item.pop("attempt", 2), **item)
    outcome = attempt(lambda _: raises(), given, terms, typed=False).outcome
    assert isinstance(outcome, Given | NotGiven | Deferred)
    return outcome


def failed(raises: Callable[[], object], errors: object = None) -> NotGiven:
    outcome = outcome_of(raises, errors)
    assert isinstance(outcome, NotGiven), outcome
    pickle.loads(pickle.dumps(outcome))
    json.dumps(outcome.details, allow_nan=False)
    assert len(outcome.message) <= 2_000
    assert "\n" not in outcome.message
    return outcome


def throwing(error: BaseException, cause: BaseException | None = None) -> Callable[[], object]:
    def raises() -> object:
        raise error from cause

    return raises


def handled() -> object:
    try:
        return {}["user"]
    except KeyError as error:
        raise RuntimeError("cannot build the prompt") from error


def during() -> object:
    try:
        return {}["user"]
    except KeyError:
        raise RuntimeError("no prompt")  # noqa: B904 that it says no `from` is what is tested


def hidden() -> object:
    try:
        return {}["user"]
    except KeyError:
        raise RuntimeError("no prompt") from None


def noted() -> object:
    error = ValueError("bad\nvalue")
    error.add_note("of request 7")
    raise error


@pytest.mark.parametrize(
    ("raises", "message", "kind"),
    [
        (throwing(ValueError("bad")), "ValueError: bad", "ValueError"),
        (handled, "RuntimeError: cannot build the prompt, from KeyError: 'user'", "RuntimeError"),
        (during, "RuntimeError: no prompt, while handling KeyError: 'user'", "RuntimeError"),
        (hidden, "RuntimeError: no prompt", "RuntimeError"),
        (noted, "ValueError: bad value (of request 7)", "ValueError"),
        (
            throwing(ExceptionGroup("two", [OSError("a"), ValueError("b")])),
            "ExceptionGroup: two (2 sub-exceptions) [OSError: a; ValueError: b]",
            "ExceptionGroup",
        ),
        (
            throwing(ExceptionGroup("one", [ExceptionGroup("in", [HTTPStatusError(503)])])),
            f"ExceptionGroup: one (1 sub-exception) [{__name__}.HTTPStatusError: status 503]",
            "HTTPStatusError 503",
        ),
        (throwing(SystemExit(3)), "SystemExit: 3", "SystemExit"),
        (throwing(SystemExit(404)), "SystemExit: 404", "SystemExit"),
        (throwing(KeyboardInterrupt()), "KeyboardInterrupt", "KeyboardInterrupt"),
        (throwing(GeneratorExit()), "GeneratorExit", "GeneratorExit"),
        (
            throwing(asyncio.CancelledError("gone")),
            "asyncio.exceptions.CancelledError: gone",
            "CancelledError",
        ),
        (throwing(ValueError("\ud800")), r"ValueError: \ud800", "ValueError"),
    ],
)
def test_a_failure_tells_all_that_is_behind_it(
    raises: Callable[[], object], message: str, kind: str
) -> None:
    """On one line; the newest attempt is in its details, and so are its causes."""
    outcome = failed(raises)
    assert (outcome.message, outcome.kind, outcome.permanent) == (message, kind, False)
    assert outcome.details is not None
    assert outcome.details["attempt"] == 2
    assert outcome.details["took_s"] >= 0
    assert outcome.details["worker"]


def test_the_details_name_causes_members_and_places() -> None:
    """Places are those of the function: nothing of what called it, and no values."""
    details = failed(handled).details
    assert details is not None
    assert details["type"] == "RuntimeError"
    assert details["chain"] == [{"type": "KeyError", "message": "'user'"}]
    lines = details["traceback"].splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["RuntimeError:", "KeyError:"]
    assert lines[-1].endswith("""in handled: return {}["user"]""")
    assert "worker/attempts.py" not in details["traceback"]
    members = failed(throwing(ExceptionGroup("g", [OSError("a"), KeyError("b")]))).details
    assert members is not None
    assert members["members"] == [
        {"type": "OSError", "message": "a"},
        {"type": "KeyError", "message": "'b'"},
    ]


def test_everything_is_bounded() -> None:
    """Texts, causes, groups and depth of calls; what comes first is what was raised last."""

    def chained() -> object:
        error: BaseException = ValueError("first")
        for n in range(200):
            error, cause = RuntimeError(f"{n} " + "x" * 5_000), error
            error.__cause__ = cause
        raise error

    def deep(n: int) -> object:
        if n:
            return deep(n - 1)
        raise ValueError("x" * 10_000_000)

    many = ExceptionGroup("many", [ValueError("y" * 1_000) for _ in range(1_000)])
    nested: Exception = ValueError("inner")
    for _ in range(100):
        nested = ExceptionGroup("outer", [nested])
    circle = ValueError("round")
    circle.__cause__ = RuntimeError("and")
    circle.__cause__.__cause__ = circle
    for raises in (chained, lambda: deep(300), throwing(many), throwing(nested), throwing(circle)):
        outcome = failed(raises)
        assert len(json.dumps(outcome.details)) < 20_000
    assert failed(chained).message.startswith("RuntimeError: 199 xxx")
    assert "from RuntimeError: 198" in failed(chained).message
    assert "lines before" in failed(lambda: deep(300)).details["traceback"]  # type: ignore[index]


class Hostile(Exception):
    """Whatever is asked of it raises."""

    def __str__(self) -> str:
        raise OSError("no text")

    def __getattr__(self, name: str) -> object:
        raise OSError(f"no {name}")

    @property
    def response(self) -> object:
        raise OSError("no response")

    @property
    def status(self) -> object:
        raise SystemError("no status")


def test_nothing_is_raised_whatever_the_exception_does() -> None:
    outcome = failed(throwing(Hostile()))
    assert outcome.message == f"{__name__}.Hostile: <exception str() failed>"
    assert outcome.kind == "Hostile"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"status_code": 429}, " 429"),
        ({"status": HTTPStatus.BAD_GATEWAY}, " 502"),
        ({"code": 404}, " 404"),
        ({"response": {"ResponseMetadata": {"HTTPStatusCode": 400}}}, " 400"),
        ({"response": SimpleNamespace(status=503)}, " 503"),
        ({"status_code": True}, ""),
        ({"code": 99}, ""),
        ({"code": "404"}, ""),
        ({"status": 600, "code": 500}, " 500"),
    ],
)
def test_a_kind_has_the_status_of_http(fields: dict[str, object], status: str) -> None:
    error = RuntimeError("x")
    vars(error).update(fields)
    assert failed(throwing(error)).kind == f"RuntimeError{status}"


def named(name: str, base: type[Exception] = Exception) -> Exception:
    kind: type[Exception] = type(name, (base,), {})
    return kind("slow")


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("slow"),
        *map(named, ("ReadTimeout", "APITimeoutError", "TimeoutException", "DeadlineExceeded")),
        *map(named, ("ConnectTimeoutError", "TimeoutExpired", "GatewayTimeout", "TimedOut")),
        named("MyError", type(named("Timeout"))),
        ExceptionGroup("all", [TimeoutError("a"), named("ReadTimeout")]),
    ],
)
def test_what_libraries_call_a_timeout_is_one(error: Exception) -> None:
    """By the names of its classes: nothing is imported."""
    assert failed(throwing(error)).fault is Fault.TIMEOUT
    assert failure_of(error).fault is Fault.TIMEOUT


def test_a_deadline_of_grpc_is_a_timeout() -> None:
    error = RuntimeError("rpc")
    error.code = lambda: SimpleNamespace(name="DEADLINE_EXCEEDED")  # type: ignore[attr-defined]
    assert failed(throwing(error)).fault is Fault.TIMEOUT


@pytest.mark.parametrize(
    "error",
    [
        named("TimeoutPolicyMissing"),
        named("Timeless"),
        ExceptionGroup("some", [TimeoutError("a"), ValueError("b")]),
        ValueError("timeout"),
    ],
)
def test_what_only_sounds_like_it_is_none(error: Exception) -> None:
    assert failed(throwing(error)).fault is Fault.ERROR


def test_what_a_function_says() -> None:
    """For good, with the kind of what was behind it; and later, which is no failure."""
    outcome = failed(throwing(Permanent("refused"), HTTPStatusError(400)))
    assert (outcome.permanent, outcome.kind) == (True, "HTTPStatusError 400")
    assert outcome.message.startswith("milepost.executors.Permanent: refused, from ")
    later = Later("busy", after_s=3, note={"batch": (1, 2)}, everyone=True)
    outcome_later = outcome_of(throwing(later))
    assert outcome_later == Deferred(
        after_s=3, everyone=True, message="busy", note={"batch": [1, 2]}
    )
    assert outcome_of(throwing(Later())) == Deferred(after_s=0, note=NOTHING)
    assert isinstance(outcome_of(throwing(Later(note=object()))), NotGiven)
    again = pickle.loads(pickle.dumps(later))
    assert (str(again), again.after_s, again.note, again.everyone) == ("busy", 3, later.note, True)
    assert pickle.loads(pickle.dumps(Later())).note is NOTHING
    assert Later(after_s=-5).after_s == 0
    for wrong in (float("nan"), float("inf"), "3", None):
        with pytest.raises(ArgumentInvalid):
            Later(after_s=wrong)  # type: ignore[arg-type]


def test_the_nearest_that_says_something_decides() -> None:
    """What was raised last, then what it was raised from; what was only being handled does not."""
    assert failed(throwing(RuntimeError("x"), Permanent("no"))).permanent
    assert isinstance(outcome_of(throwing(RuntimeError("x"), Later())), Deferred)
    assert failed(throwing(Permanent("no"), Later())).permanent
    assert isinstance(outcome_of(throwing(Later(), Permanent("no"))), Deferred)

    def gave_up() -> object:
        try:
            raise Later("busy")
        except Later:
            raise RuntimeError("no patience")  # noqa: B904 as above

    outcome = failed(gave_up)
    assert (outcome.permanent, outcome.fault) == (False, Fault.ERROR)
    assert "while handling milepost.executors.Later: busy" in outcome.message


def test_a_group_is_what_its_members_are() -> None:
    """For good if one is, later if all are, and what is left is a failure."""
    permanent, later = Permanent("no"), Later("busy", after_s=2)
    longer = Later("busier", after_s=5, everyone=True, note=1)
    assert failed(throwing(ExceptionGroup("g", [OSError(), permanent]))).permanent
    assert failed(throwing(ExceptionGroup("g", [later, permanent]))).permanent
    assert not failed(throwing(ExceptionGroup("g", [later, OSError()]))).permanent
    outcome = outcome_of(throwing(ExceptionGroup("g", [later, ExceptionGroup("h", [longer])])))
    assert outcome == Deferred(after_s=5, everyone=True, message="busier", note=1)


def of_status(error: BaseException) -> Any:
    status = getattr(getattr(error, "response", None), "status_code", 0)
    return {400: "permanent", 408: "timeout", 429: Later(after_s=7)}.get(status)


@pytest.mark.parametrize(
    "errors",
    [
        of_status,
        {
            "HTTPStatusError 400": "permanent",
            HTTPStatusError: Verdict(),
            f"{__name__}.HTTPStatusError 408": "timeout",
            f"{__name__}.RateLimitError": Later(after_s=7),
        },
        {
            Exception: Verdict(),
            f"{__name__}.HTTPStatusError 400": Verdict(permanent=True),
            "HTTPStatusError 408": Verdict(timeout=True),
            "RateLimitError 429": Later(after_s=7),
        },
    ],
)
def test_rules_of_the_caller(errors: object) -> None:
    """By class, dotted name, name, kind, or a function; the most derived class decides."""
    assert failed(throwing(HTTPStatusError(400)), errors).permanent
    assert failed(throwing(HTTPStatusError(408)), errors).fault is Fault.TIMEOUT
    assert not failed(throwing(HTTPStatusError(503)), errors).permanent
    assert outcome_of(throwing(RateLimitError(429)), errors) == Deferred(after_s=7)
    assert not failed(throwing(OSError()), errors).permanent
    assert failed(throwing(ExceptionGroup("g", [HTTPStatusError(400)])), errors).permanent
    group = ExceptionGroup("g", [RateLimitError(429)] * 2)
    assert outcome_of(throwing(group), errors) == Deferred(after_s=7)


def test_what_a_function_says_counts_before_rules() -> None:
    """Which count before what the error was raised from."""
    rules: dict[object, object] = {Exception: Verdict(kind="any"), OSError: "permanent"}
    assert isinstance(outcome_of(throwing(Later()), rules), Deferred)
    assert failed(throwing(Permanent("no"), OSError()), rules).kind == "OSError"
    assert failed(throwing(OSError(), Later()), rules).permanent
    named_group = {ExceptionGroup: Verdict(kind="several")}
    assert failed(throwing(ExceptionGroup("g", [Permanent()])), named_group).kind == "several"


def test_a_verdict_names_the_kind() -> None:
    outcome = failed(throwing(OSError("disk")), {OSError: Verdict(kind="disk", permanent=True)})
    assert (outcome.kind, outcome.permanent) == ("disk", True)


def test_a_name_may_be_one_that_a_module_gives_it() -> None:
    """As `requests.Timeout`, which is defined in another module than it is imported from."""
    outcome = failed(
        throwing(json.JSONDecodeError("x", "y", 0)), {"json.JSONDecodeError": "permanent"}
    )
    assert outcome.permanent
    assert not failed(throwing(OSError()), {"nowhere.at.All": "permanent"}).permanent


def broken(error: BaseException) -> Any:
    raise LookupError("my own fault")


@pytest.mark.parametrize("errors", [broken, lambda error: "never", lambda error: True])
def test_a_rule_that_fails_says_so(errors: object) -> None:
    """The item has failed as it would have without; and why the rule said nothing is told."""
    outcome = failed(throwing(TimeoutError("slow")), errors)
    assert outcome.message.startswith("TimeoutError: slow; and errors= raised ")
    assert (outcome.fault, outcome.kind, outcome.permanent) == (
        Fault.TIMEOUT,
        "TimeoutError",
        False,
    )


@pytest.mark.parametrize(
    "errors",
    [3, {3: "timeout"}, {"": "timeout"}, {int: "permanent"}, {OSError: "never"}, {OSError: None}],
)
def test_rules_are_checked_before_anything_begins(errors: object) -> None:
    with pytest.raises(ArgumentInvalid, match="errors"):
        error_rules(errors)


@pytest.mark.parametrize(
    ("value", "says"),
    [(lambda: {"at": object()}, "ValueInvalid"), (lambda: "x" * 20_000, "TooLarge")],
)
def test_a_result_that_can_never_be_kept_is_a_failure_for_good(
    value: Callable[[], object], says: str
) -> None:
    outcome = failed(value)
    assert (outcome.permanent, outcome.kind) == (True, says)
    assert outcome.details is not None
    assert outcome.details["attempt"] == 2


def test_a_payload_says_what_the_event_has_fields_for() -> None:
    """As little as the event alone, or all that is known."""
    outcome = failed(throwing(Permanent("no"), HTTPStatusError(400)))
    causes = {Fault.ERROR: "broken", Fault.TIMEOUT: "slow", Fault.LOST: "gone"}
    bare = Failing(event="fail", cause="", message="", causes=causes)
    assert bare.payload(outcome) == {}
    full = Failing(
        event="fail",
        cause="why",
        message="text",
        causes=causes,
        kind="what",
        details="more",
        permanent="final",
    )
    assert full.payload(outcome) == {
        "why": "broken",
        "text": outcome.message,
        "what": "HTTPStatusError 400",
        "more": outcome.details,
        "final": True,
    }


def test_a_coroutine_that_cancels_itself_has_failed() -> None:
    """And one that is cancelled from without has not: whoever cancelled it is told."""
    terms = Terms(most_bytes=1_000)

    async def gives_up(item: WorkItem) -> object:
        raise asyncio.CancelledError("inner")

    async def waits(item: WorkItem) -> object:
        await asyncio.Event().wait()

    async def main() -> None:
        item = WorkItem(key="k")
        timed = await attempt_awaited(gives_up, item, terms, typed=False)
        assert isinstance(timed.outcome, NotGiven)
        assert timed.outcome.kind == "CancelledError"
        task = asyncio.create_task(attempt_awaited(waits, item, terms, typed=False))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_what_an_attempt_cost_is_told_whether_it_failed_or_not() -> None:
    def work(item: WorkItem) -> object:
        item.spent(0.25)
        item.spent(1)
        if item.value:
            raise ValueError("after all")
        return 1

    terms = Terms(most_bytes=1_000)
    for value in (0, 1):
        timed = attempt(work, WorkItem(key="k", value=value), terms, typed=False)
        assert timed.cost == 1.25
    with pytest.raises(ArgumentInvalid):
        WorkItem(key="k").spent(-1)


class _TextOfItsOwn(str):
    __slots__ = ()

    def __getitem__(self, key: object) -> str:
        raise RuntimeError(key)


class _BadText(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class _OddText(Exception):
    def __str__(self) -> str:
        return _TextOfItsOwn("odd")


class _BadCause(Exception):
    @property
    def __cause__(self) -> BaseException | None:  # type: ignore[override]
        raise RuntimeError("no cause")


_REFUSED_NAMES: set[str] = set()  # by a test alone: others look at all classes that there are


class _BadName(type):
    def __getattribute__(cls, name: str) -> Any:
        if name in _REFUSED_NAMES:
            raise RuntimeError(name)
        return super().__getattribute__(name)


class _Nameless(Exception, metaclass=_BadName):
    pass


class _Refused(Permanent, metaclass=_BadName):
    pass


@pytest.mark.parametrize("kind", [_BadText, _OddText, _BadCause, _Nameless, _Refused], ids=range(5))
def test_whatever_the_code_of_an_exception_does_it_is_a_failure(kind: type[Exception]) -> None:
    error = kind("it")
    _REFUSED_NAMES.update(("__name__", "__qualname__", "__module__"))
    try:
        both = judged(error), failure_of(error)
    finally:
        _REFUSED_NAMES.clear()
    for told in both:
        assert isinstance(told, NotGiven)
        assert told.kind == type.__dict__["__name__"].__get__(kind)
        assert told.kind in told.message
        msgspec.json.encode(told.details)
        assert told.permanent is (kind is _Refused)


def test_groups_in_groups_without_end_are_a_failure() -> None:
    """Deeper than the stack of any Python: the same number of groups takes less from 3.12 on."""
    error: Exception = ValueError("deep")
    for _ in range(100_000):
        error = ExceptionGroup("g", [error])
    told = judged(error)
    assert isinstance(told, NotGiven)
    assert told.kind == "ExceptionGroup"


class _WithoutInit(Later):
    def __init__(self) -> None:
        Exception.__init__(self, "not now")


def test_a_later_of_a_class_of_its_own_has_the_fields_of_one() -> None:
    told = judged(_WithoutInit())
    assert isinstance(told, Deferred)
    assert (told.after_s, told.everyone) == (0, False)


@pytest.mark.parametrize("after_s", ["5", float("nan"), None, -1.0])
def test_a_later_whose_time_was_spoiled_is_a_failure(after_s: Any) -> None:
    later = Later("not now")
    later.after_s = after_s
    told = judged(later)
    assert isinstance(told, NotGiven)
    assert told.kind == "Later"
