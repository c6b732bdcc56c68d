"""What every command answers, as a page and in JSON, over stores with everything in them.

To write the file anew after a change that is meant: python -m tests.integration.cli.answers
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest import mock

from click.testing import CliRunner

from milepost import ItemEvent, StateManager
from milepost.cli import main
from milepost.machine import Lifecycle
from milepost.testing import FakeClock
from tests.integration.cli import old_home
from tests.integration.cli.story import tell
from tests.integration.cli.test_verify import damage
from tests.stores import make

__all__ = ["CALLS", "KEPT", "Spelling", "answered", "ask", "fill"]

KEPT: Final = Path(__file__).parents[2] / "golden" / "answers.txt"

DEFINITION: Final = (Path(__file__).parents[3] / "statemachine.yaml").read_text(encoding="utf-8")

_DAY_S: Final = 86_400

CALLS: Final = (
    "jobs",
    "jobs --phase map --limit 1",
    "jobs --stuck",
    "show nightly",
    "show weekly-1",
    "show whole",
    "show broken",
    "history nightly",
    "history whole --limit 3",
    "items nightly",
    "items nightly --failed --key eu/*",
    "items whole --state done --limit 2",
    "changes nightly 4",
    "changes nightly 2 -1 --keys 1",
    "checkpoint nightly --reason noon",
    "checkpoint weekly-1 --list",
    "plan nightly",
    "plan nightly --failed --cause timeout --attempts-below 9",
    "plan nightly --phase map",
    "plan whole --phase reduce",
    "plan nightly --from-checkpoint 5 --exactly",
    "rewind nightly 4",
    "fork nightly 5 other",
    "fork nightly 5 other --apply",
    "dead nightly",
    "dead nightly eu/2",
    "dead spoilt",
    "dead nightly --details",
    "failures nightly",
    "failures nightly --each --limit 2",
    "failures spoilt --details",
    "failures whole",
    "dead nightly --cause error",
    "redo nightly --item eu/0",
    "allow-dead nightly 1",
    "requeue nightly",
    "requeue nightly --apply",
    "requeue other --glob us/*",
    "requeue spoilt",
    "recover --expired",
    "recover nightly",
    "recover nightly --apply",
    "recover broken --apply",
    "rewind nightly 4 --apply",
    "rewind whole -1",
    "show nightly",
    "history nightly",
    "items nightly",
    "diagram nightly",
    "diagram nightly --machine item",
    "diagram nightly --machine item --mermaid",
    "diagram whole --mermaid",
    "sizes nightly --largest 3",
    "compact whole",
    "compact --all --apply",
    "keep nightly --for 2d --reason audit",
    "keep nightly",
    "keep weekly-1 --for never",
    "keep weekly-1 --by-policy",
    "gc",
    "gc --cancelled 0s --apply --vacuum",
    "gc --completed 0s --checkpoints 1 --apply",
    "import prodigy HOME --dry-run --notes",
    "import prodigy HOME",
    "recover --expired --apply --db LEFT",
    "jobs --stuck --db LEFT",
    "move LEFT MOVED",
    "move LEFT MOVED weekly-1 --apply",
    "move LEFT MOVED --apply",
    "migrate",
    "verify",
    "conform --definition DEFINITION",
    "conform nightly --definition DEFINITION",
    "backup COPY",
    "verify --db TORN",
    "salvage TORN SAVED",
    "verify --repair --db TORN",
    "verify --repair --apply --db TORN",
    "verify --quarantine --db TORN",
    "migrate --sql --db OLD",
    "migrate --apply --db OLD",
)

_SIZES: Final = ("backup", "compact", "gc", "move", "sizes")
"""Pages of these hold sizes of what was compressed, which the library for that decides."""


@dataclass(frozen=True)
class Spelling:
    """How a lifecycle spells what the stores and calls here say by the built-in one's names.

    `manager` makes a manager understand these names, `arguments` spells those of a call, and
    `back` gives the text of an answer by these names. `environment` lets the command line find
    the lifecycle, whose definition is `definition`. Calls that begin with one of `left_out` are not
    asked.
    """

    lifecycles: tuple[Lifecycle, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    definition: str = DEFINITION
    left_out: tuple[str, ...] = ()
    manager: Callable[[StateManager], Any] = lambda manager: manager
    arguments: Callable[[list[str]], list[str]] = lambda arguments: arguments
    back: Callable[[str], str] = lambda text: text


BUILT_IN: Final = Spelling()


def ask(spelling: Spelling = BUILT_IN) -> str:
    """Every call with its answer, as a page and in JSON, on stores of its own.

    What differs between machines stands as a word: paths, sizes in bytes, digests.
    """
    told: list[str] = []
    with _stores(spelling) as (clock, as_pages), _stores(spelling) as (other, in_json):
        for call in CALLS:
            if call.startswith(spelling.left_out or ("-",)):
                continue
            page = answered(call, clock, as_pages, spelling)
            answer = answered(f"{call} --json", other, in_json, spelling)
            drawn = call.startswith("diagram") and "--mermaid" not in call
            if not drawn and call.split()[0] not in _SIZES:
                told.append(f"$ milepost {call}\n{page}")
            told.append(f"$ milepost {call} --json\n{answer}")
    return "\n".join(told)


@contextlib.contextmanager
def _stores(spelling: Spelling) -> Iterator[tuple[FakeClock, Path]]:
    """A folder with a store of everything, one that is damaged, one of format 1, an old home."""
    with tempfile.TemporaryDirectory() as name:
        folder, clock = Path(name), FakeClock()
        store = tell(folder, clock, silent_s=0, lifecycles=spelling.lifecycles, of=spelling.manager)
        shutil.copy(store, folder / "left.db")
        with StateManager.open(store, clock=clock, lifecycles=spelling.lifecycles) as manager:
            fill(spelling.manager(manager), clock)
        shutil.copy(store, folder / "torn.db")
        damage(folder / "torn.db", "UPDATE commits SET at_us = at_us + 1 WHERE job = 1 AND seq > 7")
        shutil.copy(make.store_of(1), folder / "old.db")
        old_home.leave(folder)
        yield clock, folder


def fill(manager: StateManager, clock: FakeClock) -> None:
    """Jobs that ended in every way, one whose items died with their executors, one that is kept."""
    make.tell(manager, clock)
    for job_id in ("broken", "stopped", "spoilt"):
        manager.create_job(["a", "b"], job_id=job_id, config={"max_crashes": 2})
        manager.fire(job_id, "start_map")
    manager.record("broken", [ItemEvent("a", "start")])
    manager.fire("broken", "fail", {"cause": "error", "message": "no route"})
    manager.fire("stopped", "cancel", {"reason": "not wanted"})
    for _ in range(3):
        manager.record("spoilt", [ItemEvent("a", "start")])
        manager.fire("spoilt", "recover", {"reason": "it ended", "lost": True})
    manager.record("spoilt", [ItemEvent("a", "give_up")])
    manager.keep("stopped", for_=None, reason="the audit of May")
    clock.advance(10 * _DAY_S)


def answered(call: str, clock: FakeClock, folder: Path, spelling: Spelling, store: str = "") -> str:
    """The answer to `call` on the store at `store`, or on jobs.db in `folder`."""
    names = {"HOME": "prodigy", "COPY": "copy.db", "TORN": "torn.db", "SAVED": "saved.db"}
    names |= {
        "DEFINITION": "definition.yaml",
        "OLD": "old.db",
        "LEFT": "left.db",
        "MOVED": "moved.db",
    }
    if "DEFINITION" in call:
        (folder / "definition.yaml").write_text(spelling.definition, encoding="utf-8")
    args = [str(folder / names[arg]) if arg in names else arg for arg in call.split()]
    args = spelling.arguments(args)
    env = {"MILEPOST_DB": store or str(folder / "jobs.db"), **spelling.environment}
    with mock.patch("milepost.cli.commands.recover.default_owner", return_value="host:4711"):
        result = CliRunner().invoke(main, args, obj=clock, env=env, terminal_width=80)
    assert result.exit_code in (0, 1), (call, result.output)
    shown = spelling.back(result.stdout)
    with contextlib.suppress(ValueError):
        answer = _plain(json.loads(shown))
        shown = json.dumps(answer, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    stderr = spelling.back(result.stderr)
    notes = [line for line in stderr.splitlines() if line.startswith("milepost: ")]
    shown += "".join(f"! {line}\n" for line in notes)  # what is logged is no answer
    shown = shown.replace(str(folder), "FOLDER")
    return re.sub(r"\b[0-9a-f]{64}\b", "DIGEST", shown) + f"= {result.exit_code}\n"


def _plain(answer: Any) -> Any:
    """`answer` without what a compressor decides."""
    if isinstance(answer, dict):
        return {name: _of(name, given) for name, given in answer.items()}
    return [_plain(each) for each in answer] if isinstance(answer, list) else answer


def _of(name: str, given: Any) -> Any:
    if isinstance(given, int) and "bytes" in name:
        return "SIZE"
    return "BYTES" if name in ("content",) else _plain(given)


if __name__ == "__main__":
    KEPT.write_text(ask(), encoding="utf-8")
