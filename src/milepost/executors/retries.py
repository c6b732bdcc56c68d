"""Retries: how long an item that failed waits for its next attempt, by the cause of the failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, Literal, NamedTuple, TypeAlias

from pyroaring import BitMap

from milepost import arguments
from milepost.clock import microseconds
from milepost.executors.due import DueTimes
from milepost.executors.vocabulary import Vocabulary
from milepost.items.ledger import bitmap
from milepost.job.state import JobState
from milepost.machine import frozen
from milepost.state.reading.failures import FailedAttempt, Failure
from milepost.state.recovering.scope import Scope
from milepost.text.wording import short_repr

__all__ = ["Backoff", "Decided", "Now", "RetryPolicy", "RetryRule", "Waiting", "longest_wait_s"]

_HASHED: Final = 2**64
_RULES: Final = ("at once", "give up")


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Backoff:
    """Waits that grow: `base_s` after the first attempt, `factor` times that after each more.

    Never longer than `max_s`. Up to the part `jitter` (0 to 1) is taken off, so that items that
    failed together do not come back together; how much is worked out of job, item and attempt, so
    that it is the same after a restart.
    """

    base_s: float = 1.0
    factor: float = 2.0
    max_s: float = 300.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        plain = {
            "max_s": arguments.seconds("max_s", self.max_s),
            "base_s": arguments.seconds("base_s", self.base_s),
            "factor": arguments.number("factor", self.factor, 1),
            "jitter": arguments.number("jitter", self.jitter, 0, 1),
        }
        if plain["base_s"] > plain["max_s"]:
            arguments.refuse("base_s", self.base_s, f"a number up to max_s, {plain['max_s']:g},")
        for name, value in plain.items():
            object.__setattr__(self, name, value)

    def wait_us(self, job_id: str, key: str, attempts: int) -> int:
        """How many microseconds an item waits before its next attempt.

        Args:
            job_id: The job.
            key: The key of the item.
            attempts: How many attempts it has had, from 1.
        """
        try:
            wait_s = min(self.base_s * self.factor ** (attempts - 1), self.max_s)
        except OverflowError:
            wait_s = self.max_s
        name = f"{job_id}\0{key}\0{attempts}".encode()
        part = int.from_bytes(blake2b(name, digest_size=8).digest(), "big") / _HASHED
        return int(wait_s * (1 - self.jitter * part) * 1_000_000)


RetryRule: TypeAlias = Backoff | Literal["at once", "give up"]
"""What follows a failure: a wait, the next attempt at once, or none at all."""


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RetryPolicy:
    """The answer to a failure: by its kind, else by its cause, else the `default`.

    A kind is named as failures tell it, `"HTTPStatusError 503"`, or by its first word for all that
    begin so; the whole counts before the word; a lifecycle whose failures have no field for the
    kind is refused a policy that asks for it. What is permanent is given up whatever the policy.
    Causes are called as the job's lifecycle calls them (MapReduce: `error`, `timeout`,
    `executor_lost`). How many attempts an item has is the lifecycle's to say (MapReduce: the job's
    `max_attempts`), whatever the policy.
    """

    default: RetryRule = "at once"
    causes: Mapping[str, RetryRule] = field(default_factory=dict[str, RetryRule])
    kinds: Mapping[str, RetryRule] = field(default_factory=dict[str, RetryRule])

    def __post_init__(self) -> None:
        for name, given in (("causes", self.causes), ("kinds", self.kinds)):
            rules = arguments.mapping(name, given)
            for rule in rules.values():
                _check_rule(name, rule)
            object.__setattr__(self, name, frozen(rules))
        _check_rule("default", self.default)

    @property
    def rules(self) -> tuple[RetryRule, ...]:
        """All rules of the policy."""
        return (self.default, *self.causes.values(), *self.kinds.values())

    def rule(self, cause: str, kind: str = "") -> RetryRule:
        """The answer to a failure.

        Args:
            cause: The cause, as the lifecycle calls it.
            kind: What it was in a word or two, empty where that is not known.
        """
        for name in (kind, kind.partition(" ")[0]):
            if name in self.kinds:
                return self.kinds[name]
        return self.causes.get(cause, self.default)


def _check_rule(name: str, rule: object) -> None:
    if not isinstance(rule, Backoff) and not (isinstance(rule, str) and rule in _RULES):
        wanted = " or ".join(map(repr, _RULES))
        arguments.refuse(name, rule, f"a Backoff, or {wanted},")


class Decided(NamedTuple):
    """Of the items that could be retried: those that are due, and those to be given up."""

    due: BitMap
    hopeless: BitMap


class Now(NamedTuple):
    """The time by the wall clock, which may be set, and by the steady one, in microseconds."""

    wall_us: int
    steady_us: int


class _Last(NamedTuple):
    """The last failure of an item, as far as a policy asks for it."""

    cause: str
    kind: str
    at_us: int

    @classmethod
    def of(cls, failure: Failure) -> _Last:
        return cls(failure.cause, failure.kind, microseconds(failure.at))


class Waiting:
    """The items of a run that failed, and until when each waits, by a time that nobody sets.

    What is not known of an item is read from the log, so that a restart begins no wait anew; of
    what is left by the wall clock, which may have been set since, no more than the whole wait is
    believed.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        failures: Callable[[Scope], Iterable[FailedAttempt]],
        words: Vocabulary,
    ) -> None:
        self._policy = policy
        self._words = words
        self._failures = failures
        self._known = bitmap()
        self._due = bitmap()
        self._hopeless = bitmap()
        self._times = DueTimes()

    @property
    def count(self) -> int:
        """How many items wait for a time."""
        return len(self._times)

    @property
    def next_due_us(self) -> int | None:
        """When the next of those that wait is due, by the steady time; None if none waits."""
        return self._times.next_us

    def failed(
        self,
        state: JobState,
        ordinal: int,
        cause: str,
        kind: str,
        now: Now,
        at_us: int | None = None,
    ) -> None:
        """Take note that the item failed just now, or at `at_us` by the wall clock.

        `state` is from just after that, or later.
        """
        self._forget(bitmap([ordinal]))
        self._known.add(ordinal)
        rule = self._policy.rule(cause, kind)
        if isinstance(rule, Backoff):
            words = self._words.of(state, ordinal)
            attempts = state.ledgers[words.collection].member(ordinal)[1][words.attempts]
            wait_us = rule.wait_us(state.id, state.inputs.key(ordinal), attempts)
            if at_us is not None:
                wait_us = min(max(at_us + wait_us - now.wall_us, 0), wait_us)
            self._times.put(ordinal, now.steady_us + wait_us)
        elif rule == "give up":
            self._hopeless.add(ordinal)
        else:
            self._due.add(ordinal)

    def decide(self, state: JobState, now: Now) -> Decided:
        """Who of the items that could be retried is due `now`, and who is not tried again."""
        retriable = self._words.retriable(state)
        self._forget(self._known - retriable)
        unknown = retriable - self._known
        if unknown:
            self._learn(state, unknown, now)
        for ordinal in self._times.take(now.steady_us):
            self._due.add(ordinal)
        return Decided(self._due & retriable, self._hopeless & retriable)

    def _learn(self, state: JobState, unknown: BitMap, now: Now) -> None:
        """From the log: when and why those failed that this run has not seen failing."""
        wanted = Scope.keys(*map(state.inputs.key, unknown))
        last = {ordinal: _Last.of(failure) for ordinal, _, failure in self._failures(wanted)}
        for ordinal in unknown:
            found = last.get(ordinal)
            if found is not None:
                self.failed(state, ordinal, found.cause, found.kind, now, found.at_us)
            else:
                self._known.add(ordinal)
                self._due.add(ordinal)

    def _forget(self, gone: BitMap) -> None:
        """Drop what is known of items that somebody has decided about."""
        self._known -= gone
        self._due -= gone
        self._hopeless -= gone
        for ordinal in gone:
            self._times.drop(ordinal)


def longest_wait_s(look_every_s: float, next_due_us: int | None, now_us: int) -> float:
    """How long a run with nothing else to do may sleep: until it is due, at most one look."""
    if next_due_us is None:
        return look_every_s
    return min(look_every_s, max(next_due_us - now_us, 0) / 1_000_000)
