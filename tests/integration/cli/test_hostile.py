"""Every command, on a store full of texts that misbehave, to a pipe, to a terminal and as JSON."""

from __future__ import annotations

import json
import logging
import os
import pty
import shutil
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
import pytest
from click.testing import CliRunner

from milepost import Item, ItemEvent, StateManager
from milepost.cli import main
from milepost.legacy.prodigy import ItemStatus
from milepost.testing import FakeClock
from tests.hostile import HALF_PAIRS, HOSTILE, misbehaving, without_drawing
from tests.integration.cli.test_verify import damage
from tests.integration.legacy.old_homes import MadeItem, job_state, write_state

TEXTS: Final = list(HOSTILE.values())
NAMES: Final = [text for text in TEXTS if "\0" not in text]
"""What may be a name, an owner or a reason."""

FOLDER: Final = "a\n\x1b[31mb\u202e[nothing] :smile:\t%s"
SOME: Final = "\x1b[31m[/x]\u202e\n\x9b\x7f\u2028"

STORE, HOME, NEW = "{store}", "{home}", "{new}"
DEFINITION: Final = str(Path(__file__).parents[3] / "statemachine.yaml")

COMMANDS: Final[Mapping[str, list[tuple[str, ...]]]] = {
    "jobs": [(), ("--stuck",), ("--prefix", SOME)],
    "show": [("hostile", "--failures", "200")],
    "history": [
        ("hostile", "--limit", "0"),
        ("hostile", "--item", SOME),
        ("hostile", "--glob", SOME),
        ("hostile", "--event", SOME),
        ("hostile", "--grep", SOME),
        ("hostile", "--follow", "--item", SOME),
    ],
    "items": [("hostile", "--limit", "0"), ("hostile", "--key", SOME)],
    "changes": [("hostile", "1", "--keys", "200"), ("hostile", SOME)],
    "checkpoint": [("hostile", "--list"), ("hostile", "--reason", SOME)],
    "plan": [
        ("hostile", "--keys", "200"),
        ("hostile", "--item", SOME),
        ("hostile", "--glob", SOME),
    ],
    "recover": [
        ("hostile", "--keys", "200"),
        ("hostile", "--apply", "--take-over", SOME),
        ("--expired",),
        ("--expired", "--apply", "--take-over", SOME),
    ],
    "rewind": [("hostile", "3", "--apply", "--reason", SOME, "--take-over", SOME)],
    "fork": [("hostile", "3", "forked", "--apply", "--reason", SOME), ("hostile", "3", SOME)],
    "dead": [
        ("hostile", "--limit", "0"),
        ("hostile", HOSTILE["red"]),
        ("hostile", SOME),
        ("hostile", "--export", "-"),
        ("hostile", "--export", NEW),
        ("hostile", "--details", "--limit", "0"),
    ],
    "failures": [
        ("hostile",),
        ("hostile", "--each", "--limit", "0"),
        ("hostile", "--details", "--limit", "0"),
        ("hostile", "--item", SOME),
    ],
    "requeue": [("hostile", "--keys", "200"), ("hostile", "--apply")],
    "redo": [("hostile", "--keys", "200"), ("hostile", "--apply", "--reason", SOME)],
    "skip": [("hostile", "--glob", "*", "--keys", "200"), ("hostile", "--item", SOME, "--apply")],
    "serve": [("--host", SOME), ("--host", "0.0.0.0")],  # noqa: S104 which is refused
    "pause": [("hostile",), ("hostile", "--apply")],
    "resume": [("hostile",), (SOME, "--apply")],
    "retry": [("hostile",), (SOME, "--apply")],
    "cancel": [("hostile",), ("hostile", "--apply", "--reason", SOME)],
    "watch": [(SOME,)],
    "results": [
        ("hostile", "--limit", "0"),
        ("hostile", HOSTILE["red"]),
        ("hostile", SOME),
        ("hostile", "--of-job"),
        ("hostile", "--format", "jsonl"),
        ("hostile", "--format", "csv", "--out", NEW),
    ],
    "allow-dead": [("hostile", "1"), ("hostile", "1", "--apply", "--reason", SOME)],
    "verify": [(), ("hostile",), ("--repair",), ("--quarantine",), ("--quarantine", "--results")],
    "conform": [
        ("--definition", DEFINITION),
        ("hostile", "--definition", DEFINITION),
        (SOME, "--definition", DEFINITION),
        ("--definition", NEW),
        ("--definition", STORE),
    ],
    "completion": [("bash",), (SOME,)],
    "salvage": [(STORE, NEW), (NEW, NEW)],
    "backup": [(NEW,), (STORE,)],
    "move": [(STORE, NEW), (STORE, NEW, "hostile", "--apply"), (NEW, STORE), (STORE, STORE)],
    "migrate": [(), ("--sql",)],
    "compact": [("hostile",), ("hostile", "--apply"), ("--all",)],
    "diagram": [
        ("hostile",),
        ("hostile", "--machine", "item"),
        ("hostile", "--mermaid"),
        ("hostile", "--out", NEW),
    ],
    "lifecycles": [
        (),
        ("--lifecycle", SOME),
        ("--lifecycle", NEW),
        ("--lifecycle", f"json:{SOME}"),
    ],
    "gc": [(), ("--failed", SOME), ("--of", SOME)],
    "delete": [("hostile",), ("hostile", "--apply", "--reason", SOME), (SOME, "--apply")],
    "keep": [
        ("hostile",),
        ("hostile", "--for", "never", "--reason", SOME),
        ("hostile", "--for", SOME),
    ],
    "sizes": [("hostile", "--largest", "400")],
    "export": [
        ("hostile",),
        *(("hostile", "--what", what) for what in ("items", "failures")),
        ("hostile", "--what", "failures", "--format", "csv", "--out", NEW),
        ("hostile", "--format", "parquet", "--out", NEW),
    ],
    "import": [("prodigy", HOME, "--notes"), ("prodigy", NEW), (SOME, HOME)],
}
"""By command: every way to call it that shows what it was given, or what was stored."""

OF_THE_COMPILER: Final = {"check", "compile", "diff", "explain", "schema", "traces"}
"""tests/unit/compiler/test_hostile_texts.py has them."""

SAID_IN_JSON: Final = {
    ("show", "hostile", "--failures", "200"),
    ("history", "hostile", "--limit", "0"),
    ("items", "hostile", "--limit", "0"),
    ("dead", "hostile", "--limit", "0"),
    ("failures", "hostile", "--each", "--limit", "0"),
    ("changes", "hostile", "1", "--keys", "200"),
    ("plan", "hostile", "--keys", "200"),
}
"""The answers in which every text is, to the character."""

CALLS: Final = [(name, *args) for name, calls in COMMANDS.items() for args in calls]


def _name(call: tuple[str, ...]) -> str:
    return " ".join(call[:3]).encode("unicode_escape").decode()


def _key(text: str) -> str:
    return text.replace("\0", "NUL")


def _told(folder: Path, clock: FakeClock) -> Path:
    """A store in which every text is a key, a value, a variable's name, an owner, a message."""
    store = folder / "jobs.db"
    with StateManager.open(store, clock=clock) as manager:
        manager.create_job(
            [Item(value={text: text}, key=_key(text)) for text in TEXTS],
            job_id="hostile",
            config={"max_attempts": 1},
            variables={text: [text, {text: text}] for text in NAMES},
        )
        manager.create_job(["a"], job_id="held")
        for text in NAMES:
            with manager.lease("hostile", text, renewed=False):
                pass
        manager.fire("hostile", "start_map")
        manager.record("hostile", [ItemEvent(_key(text), "start") for text in TEXTS])
        for text in NAMES:
            manager.create_checkpoint("hostile", reason=text)
        failures = [
            event
            for text in TEXTS
            for event in (
                ItemEvent(_key(text), "fail", {"cause": "error", "message": text}),
                ItemEvent(_key(text), "give_up"),
            )
        ]
        manager.record("hostile", failures)
        manager.keep("hostile", for_=None, reason=SOME)
        with manager.lease("held", SOME, ttl_s=1, renewed=False):
            for suffix in ("", "-wal"):
                shutil.copy(f"{store}{suffix}", f"{folder / 'left.db'}{suffix}")
    for rest in folder.glob("jobs.db*"):
        rest.unlink()
    StateManager.open(folder / "left.db").close()
    clock.advance(90)
    return folder / "left.db"


def _home(folder: Path) -> Path:
    """A home of the old tool with the same texts, and files with names that misbehave."""
    home = folder / "old\x1b[31m\u202e"
    items = [
        MadeItem(value={"text": text}, status=ItemStatus.FAILED, message=text, attempts=1)
        for text in TEXTS
    ]
    state = write_state(home, job_state(items, job_id="mapreduce-1"), job_id="mapreduce-1")
    for name in ("x\x1b[2J\u202e[].json", "y\n.json", os.fsdecode(b"\xff\x9b.json")):
        (state.parent / name).write_bytes(b"{torn")
    return home


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("told")
    _home(folder)
    return _told(folder, FakeClock())


@pytest.fixture
def place(told: Path, tmp_path: Path) -> Path:
    """A folder with a hostile name, and in it the store and the home of the old tool."""
    folder = tmp_path / FOLDER
    folder.mkdir()
    shutil.copy(told, folder / "jobs.db")
    shutil.copytree(next(told.parent.glob("old*")), folder / "home")
    return folder


def _args(call: tuple[str, ...], place: Path) -> list[str]:
    paths = {STORE: place / "jobs.db", HOME: place / "home", NEW: place / "new\x1b[31m"}
    return [str(paths.get(arg, arg)) for arg in call]


def _clock() -> FakeClock:
    clock = FakeClock()
    clock.advance(90)
    return clock


def _piped(args: list[str], place: Path) -> tuple[int, str, str]:
    env = {"MILEPOST_DB": str(place / "jobs.db")}
    done = CliRunner().invoke(main, args, obj=_clock(), env=env)
    assert done.exit_code in (0, 1, 2), done.output
    return done.exit_code, done.stdout, done.stderr


def _on_terminal(args: list[str], place: Path, patch: pytest.MonkeyPatch) -> str:
    """What a terminal gets of both streams, as it gets it."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    got: list[bytes] = []

    def read() -> None:
        try:
            while chunk := os.read(master, 1 << 16):
                got.append(chunk)
        except OSError:
            pass  # how Linux says that nobody writes to it any more

    reader = threading.Thread(target=read)
    reader.start()
    with patch.context() as inside:
        for name, value in {"TERM": "xterm-256color", "COLORTERM": "truecolor"}.items():
            inside.setenv(name, value)
        inside.setenv("MILEPOST_DB", str(place / "jobs.db"))
        inside.setenv("COLUMNS", "100")
        inside.delenv("NO_COLOR", raising=False)
        with os.fdopen(slave, "w", encoding="utf-8") as terminal:
            inside.setattr(sys, "stdout", terminal)
            inside.setattr(sys, "stderr", terminal)
            with pytest.raises(SystemExit) as ended:
                main(args, obj=_clock())
    reader.join()
    os.close(master)
    assert ended.value.code in (None, 0, 1, 2)
    return b"".join(got).decode()


def _strings(answer: Any) -> Iterator[str]:
    if isinstance(answer, str):
        yield answer
    elif isinstance(answer, dict):
        for name, value in answer.items():
            yield name
            yield from _strings(value)
    elif isinstance(answer, list):
        for each in answer:
            yield from _strings(each)


def test_every_command_is_covered() -> None:
    """A command that is added here or by another package fails until it has its calls."""
    assert set(COMMANDS) | OF_THE_COMPILER == set(main.list_commands(click.Context(main)))


@pytest.mark.parametrize("call", CALLS, ids=_name)
def test_to_a_pipe(call: tuple[str, ...], place: Path) -> None:
    """Text that steers nothing and is cut nowhere, and no defect."""
    _, out, err = _piped(_args(call, place), place)
    assert "defect" not in err
    assert misbehaving(out) == []
    assert misbehaving(err) == []
    made = place / "new\x1b[31m"
    if made.is_file() and call[0] in ("dead", "diagram"):
        assert misbehaving(made.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("call", CALLS, ids=_name)
def test_to_a_terminal(call: tuple[str, ...], place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but colours and the cursor of a bar is there beside the text."""
    output = without_drawing(_on_terminal(_args(call, place), place, monkeypatch))
    assert "defect" not in output
    assert misbehaving(output) == []


@pytest.mark.parametrize("call", CALLS, ids=_name)
def test_as_json(call: tuple[str, ...], place: Path) -> None:
    """Safe to print, and what a reader gets is what was stored."""
    code, out, err = _piped([*_args(call, place), "--json"], place)
    assert "defect" not in err
    assert misbehaving(err) == []
    assert misbehaving(out) == []
    if code == 2 or not out:
        return
    answers = (
        [json.loads(line) for line in out.splitlines()] if out[1] == '"' else [json.loads(out)]
    )
    if call in SAID_IN_JSON:
        said = set(_strings(answers))
        assert [text for text in NAMES if text not in said] == []


def test_an_export_says_every_text(place: Path) -> None:
    """A JSON object a line, whatever line ends are in the texts."""
    _, out, _ = _piped(["dead", "hostile", "--export", "-"], place)
    lines = [json.loads(line) for line in out.split("\n")[:-1]]
    assert [line["key"] for line in lines] == list(map(_key, TEXTS))
    assert [line["value"] for line in lines] == [{text: text} for text in TEXTS]
    assert [line["failures"][0]["message"] for line in lines] == TEXTS


def test_what_a_repair_sets_aside(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damaged logs, repairs and the quarantine, on both kinds of output and as JSON."""
    damage(place / "jobs.db", "UPDATE commits SET at_us = at_us + 1 WHERE job = 1 AND seq = 90")
    for args in (["verify"], ["show", "hostile"], ["verify", "--repair", "--apply"]):
        _, out, err = _piped(args, place)
        assert misbehaving(out + err) == []
    _, out, _ = _piped(["verify", "--quarantine", "--results"], place)
    assert out
    for more in ([], ["--results"], ["--json"]):
        _, out, err = _piped(["verify", "--quarantine", *more], place)
        assert misbehaving(out + err) == []
    output = _on_terminal(["verify", "--quarantine"], place, monkeypatch)
    assert misbehaving(without_drawing(output)) == []


@pytest.mark.parametrize("name", [*HOSTILE, *HALF_PAIRS])
def test_what_is_typed(name: str, place: Path) -> None:
    """As a command, an option, a job, an argument too many, a store: one message, on few lines."""
    text = {**HOSTILE, **HALF_PAIRS}[name]
    at = list({**HOSTILE, **HALF_PAIRS}).index(name)
    command = list(COMMANDS)[at % len(COMMANDS)]
    attempts = [
        [text],
        [f"--{text}"],
        [command, f"--x{text}"],
        ["show", text],
        ["show", "hostile", text],
        ["jobs", "--phase", text],
        ["jobs", "--db", f"{place}/{text}.db".replace("\0", "")],
    ]
    for args in attempts:
        code, out, err = _piped(args, place)
        assert misbehaving(out + err) == [], args
        assert "defect" not in err, args
        assert code in (0, 2)
        assert len(err.splitlines()) <= 4 or code == 0


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_encodings(encoding: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the encoding does not have is replaced, in the tables of a terminal too."""
    env = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict", "LC_ALL": "C"}
    base = [sys.executable, "-m", "milepost", "--db", str(place / "jobs.db")]
    for args in (
        ["show", "hostile"],
        ["dead", "hostile", "--limit", "0", "--json"],
        ["diagram", "hostile"],
    ):
        done = subprocess.run([*base, *args], capture_output=True, env=env, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")
        out = done.stdout.decode("utf-8" if args[0] != "show" else encoding)
        assert misbehaving(out) == []
        if "--json" in args:
            assert [one["key"] for one in json.loads(out)["letters"]] == list(map(_key, TEXTS))
    master, slave = pty.openpty()
    tty.setraw(slave)
    done = subprocess.run(
        [*base, "jobs"], stdout=slave, stderr=slave, env={**env, "TERM": "xterm"}, check=False
    )
    os.close(slave)
    output = os.read(master, 1 << 16).decode(encoding)
    os.close(master)
    assert done.returncode == 0
    assert "Error" not in output
    assert "map" in output
    assert "▶" not in output


def test_without_streams(place: Path) -> None:
    """A process whose stdout or stderr is closed ends as it would."""
    call = f"{sys.executable} -m milepost show hostile --db '{place}/jobs.db'"
    for closed in (">&-", ">&- 2>&-"):
        done = subprocess.run(f"{call} {closed}", shell=True, capture_output=True, check=False)  # noqa: S602
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_a_full_device(place: Path) -> None:
    """One line says why nothing can be written, for help too."""
    base = [sys.executable, "-m", "milepost"]
    for args in (["--help"], ["jobs", "--db", str(place / "jobs.db")]):
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            done = subprocess.run([*base, *args], stdout=full, stderr=subprocess.PIPE, check=False)
        assert done.stderr.startswith(b"milepost: [Errno 28]")
        assert b"Traceback" not in done.stderr


def test_logs_are_safe(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What the loggers say of jobs, holders, limits and reasons; one line each."""
    caplog.set_level(logging.DEBUG)
    _told(tmp_path, FakeClock())
    assert len(caplog.records) > 75
    said = [record.getMessage() for record in caplog.records if record.name.startswith("milepost")]
    assert [one for one in said if misbehaving(one, lines=False)] == []
    assert any("\\x1b[31mred" in one for one in said), "holders are told of"


def test_nothing_of_a_name_is_cut_in_a_pipe(place: Path) -> None:
    """Long keys stand whole in a pipe, and are wrapped on a terminal."""
    _, out, _ = _piped(["items", "hostile", "--limit", "0"], place)
    assert HOSTILE["long_word"] in out
    assert HOSTILE["wide"] in out


def test_raw_output_would_be_found(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: without the escapes, the same tests find what misbehaves."""
    monkeypatch.setattr("milepost.inspect.text.printable", str)
    _, out, _ = _piped(["show", "hostile"], place)
    assert misbehaving(out) != []
    monkeypatch.setattr("milepost.cli.terminal.printable", str)
    output = without_drawing(_on_terminal(["items", "hostile"], place, monkeypatch))
    assert misbehaving(output) != []
    monkeypatch.setattr("milepost.inspect.json.escaped", lambda text, _: text)
    _, out, _ = _piped(["items", "hostile", "--limit", "0", "--json"], place)
    assert misbehaving(out) != []
