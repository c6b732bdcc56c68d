"""The calls of a model: under their limit, killed, gone on with, and each paid for once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from milepost import StateManager
from tests.integration.examples.programs import (
    EXAMPLES,
    begun_since,
    imported,
    killed_once,
    recorded,
)

FOLDER = EXAMPLES / "model_calls"
PROMPTS = 40


@pytest.fixture
def model() -> Iterator[Any]:
    """The fake service, on loopback.

    It takes so long that a run sends no two prompts in one call, as it does with what takes less
    than 5 ms: then the answer to the first would be recorded when the second has one.
    """
    with imported("model_calls", "server") as server, server.Model(takes_s=0.01) as model:
        thread = Thread(target=model.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield model
        finally:
            model.shutdown()
            thread.join()


def test_calls_stay_under_their_limit_and_are_paid_once(
    model: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With 429s, a limit that stops the run, a kill while calls are under way, a refused prompt."""
    db = tmp_path / "answers.db"
    given = [f"http://127.0.0.1:{model.server_port}", "--db", str(db), "--prompts", str(PROMPTS)]
    with imported("model_calls", "calls") as calls, StateManager.open(db) as manager:
        assert calls.main([*given, "--most", "0.01"]) == 3
        assert "the cost limit is reached" in capsys.readouterr().out
        assert model.charged == manager.get_state("answers").progress.done == 10

        with _held_after(model, 20):
            killed_once(
                [str(FOLDER / "calls.py"), *given], tmp_path, recorded(manager, "answers", 20)
            )
        killed = manager.get_state("answers")
        assert 20 <= killed.progress.done < PROMPTS
        done = set(killed.processed_items)

        assert calls.main(given) == 0
        assert "completed" in capsys.readouterr().out
        assert model.charged == PROMPTS, "each answer was paid for once"
        left = {f"q{n:03}" for n in range(PROMPTS)} - done
        assert begun_since(manager, "answers", killed.seq) - {"q-bad"} == left
        assert round(manager.result("answers"), 6) == PROMPTS * 0.001
        assert model.too_many >= 8
        assert [dead.key for dead in manager.dead_letters("answers")] == ["q-bad"]
        failed = [one.failure for one in manager.failed_attempts("answers")]
        assert [one.message for one in failed if not one.permanent] == []
        assert len(failed) == 1


@contextmanager
def _held_after(model: Any, answers: int) -> Iterator[None]:
    """Within the block, whoever asks after so many answers waits; who then is gone is charged."""
    over, answer = Event(), model.answer

    def held(key: str, prompt: str) -> Any:
        if model.charged >= answers:
            over.wait(60)
        return answer(key, prompt)

    model.answer = held
    try:
        yield
    finally:
        model.answer = answer
        over.set()
