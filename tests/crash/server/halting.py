"""Lives that each stand before a commit of their own, or behind it, when the server is crashed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from milepost.machine import MilepostError
from milepost.state.persistence import Durability
from tests.crash.power.holding import complaints
from tests.crash.server.playing import Outcome, Play, Recording
from tests.crash.server.stories import ServedStory
from tests.stores.postgres.proxy import Cut, Request

When: TypeAlias = Literal["before", "amid", "after"]
"""Whether the commit is on its way, just with the server, or done and not answered yet."""

_PATIENCE_S = 60.0


class Kind(NamedTuple):
    """A commit of a story: the step of that name, its so manieth commit."""

    story: str
    step: str
    commit: int = 1


@dataclass
class Gate:
    """Lets a commit wait, where it is armed for it; `reached` says that it does."""

    commit: int = 0
    when: When = "before"
    seen: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def meets(self, request: Request, cut: Cut) -> bool:
        self.seen += cut == "before"
        halts: Cut = "after" if self.when == "after" else "before"
        if self.seen != self.commit or cut != halts:
            return False
        self.reached.set()
        self.go.wait(_PATIENCE_S)
        return self.when != "amid"

    def arm(self, commit: int, when: When) -> None:
        self.commit, self.when, self.seen = commit, when, 0
        self.reached.clear()
        self.go.clear()


class Halted:
    """One life, played up to the step in which its commit is."""

    def __init__(
        self,
        kind: Kind,
        story: ServedStory,
        recording: Recording,
        place: tuple[str, Path],
        durability: Durability = "full",
    ) -> None:
        self.kind = kind
        self.recording = recording
        self.gate = Gate()
        self.play = Play(story, *place)
        self.play.proxy.meets = self.gate.meets
        self.play.life.durability = durability
        self.outcome = Outcome()
        self.error: MilepostError | None = None
        self.done = 0
        self._thread = threading.Thread()
        names = [step.name for step in story.steps]
        while names[self.done] != kind.step:
            self.advance()

    def advance(self) -> None:
        """Take the next step, with nothing in its way."""
        self.play.story.steps[self.done].do(self.play.life)
        self.done += 1

    def begin(self, when: When) -> None:
        """Begin the step in which the commit is, and return once that waits."""
        self.gate.arm(self.kind.commit, when)
        step = self.play.story.steps[self.done]

        def take() -> None:
            self.error = self.play.told(step, self.outcome)
            self.gate.reached.set()

        self._thread = threading.Thread(target=take)
        self._thread.start()
        assert self.gate.reached.wait(_PATIENCE_S), f"{self.kind} comes to no commit"

    def end(self, when: When) -> list[str]:
        """What is wrong in the store after the crash, and with what the driver was told."""
        self._thread.join()
        self.gate.commit = 0
        found, number = self.play.held(), self.done + 1
        self.play.look_away()
        recording, step = self.recording, self.play.story.steps[self.done]
        if step.moves:
            self.recording = recording = recording.without_digests()
        before, after = recording.held[number - 1 : number + 1]
        last = self.kind.commit == recording.commits[number]
        if when == "before" and self.kind.commit == 1 and not step.parts:
            after = before
        if when == "after" and last:
            before = after
        found = found if recording.by_digest else found.without_digests()
        wrong = complaints(found, before, after, recording.chains)
        wrong += recording.complaints(found, number, self.error, parts=step.parts)
        self.done += recording.has(found, number)
        return [*self.outcome.wrong, *(f"{self.kind}, {when}: {what}" for what in wrong)]

    def on_to_a_commit(self) -> bool:
        """Once it is made, go on to the next step that makes one; False if there is none."""
        steps, commits = self.play.story.steps, self.recording.commits
        while self.done < len(steps) and not commits[self.done + 1]:
            self.advance()
        if self.done == len(steps):
            return False
        if steps[self.done].name != self.kind.step:
            self.kind = self.kind._replace(step=steps[self.done].name, commit=1)
        return True
