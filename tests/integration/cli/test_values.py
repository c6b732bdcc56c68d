"""Every option and argument of every command, with values that make no sense: usage, no defect."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import click
import pytest
from click.testing import CliRunner

from milepost.cli.commands import COMMANDS, command
from milepost.cli.program import main
from tests.integration.door import prepare

SOAK = bool(os.environ.get("MILEPOST_SOAK"))

VALUES = {
    "nothing": "",
    "a space": " ",
    "-1": "-1",
    "2**31": str(2**31),
    "2**63": str(2**63),
    "30 nines": "9" * 30,
    "5000 nines": "9" * 5_000,
    "1e400": "1e400",
    "nan": "nan",
    "a surrogate": "a\udcff",
    "marks": "\x1b[2J",
    "a long text": "x" * 5_000,
    "a range": "0.." + "9" * 30,
    "a range that crosses": "1..0",
    "an age": "999999999w",
    "the last moment": "9999-12-31T23:59:59.999999-23:59",
    "the first moment": "0001-01-01T00:00:00+23:59",
    "never": "never",
    "a folder": "/",
    "a glob": "[",
    "an id": "j",
}

STORES = {
    "nothing": "",
    "no path": "sqlite://",
    "no name": "sqlite:///",
    "an option there is not": "sqlite:///w.db?allow_network=2",
    "two options": "sqlite:///w.db?allow_network=1&x=1",
    "NUL": "sqlite:///%00",
    "no UTF-8": "sqlite:///%ff",
    "half a host": "sqlite://[",
    "a fragment": "sqlite:///w.db#j",
    "another scheme": "http://host/w.db",
    "a surrogate": "w\udcff",
    "a long name": "w" * 5_000,
    "a long path": "sqlite:///" + "w/" * 3_000,
    "a folder": ".",
    "marks": "\x1b[2J",
    "no scheme": "://",
}

ENDS = {"watch": ["--until-idle"]}
"""What else is given to a command that would wait for ever: the job has no driver."""

RIGHT = {"job": "j", "old": "t.db", "new": "n.db", "copy": "c.db"}


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path / "t.db")
    shutil.copyfile("t.db", "w.db")
    return tmp_path


def problem(words: list[str], env: dict[str, str] | None = None) -> str | None:
    """What is wrong with how a command ended, None if nothing is."""
    ended = CliRunner().invoke(main, words, env=env or {})
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        return repr(ended.exception)[:300]
    if "defect" in ended.output or "Traceback" in ended.output:
        return ended.output[-300:]
    return None if ended.exit_code in (0, 1, 2) else f"exit code {ended.exit_code}"


def cases(command: click.Command) -> Iterator[list[str]]:
    """The words after the name of the command, one parameter wrong at a time."""
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    right = [RIGHT.get(each.name or "", "2") for each in arguments]
    for parameter in command.params:
        for value in VALUES.values():
            if isinstance(parameter, click.Argument):
                pairs = zip(arguments, right, strict=True)
                yield ["--db", "w.db", "--", *(value if a is parameter else r for a, r in pairs)]
            elif not getattr(parameter, "is_flag", False) and "--db" not in parameter.opts:
                yield [parameter.opts[0], value, "--db", "w.db", "--", *right]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_options_that_make_no_sense_are_wrong_usage(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them in a soak, a part of them otherwise. A page that could be served is not."""
    monkeypatch.setattr("milepost.web.serving.run", lambda *_, **__: None)
    stride = 1 if SOAK else 7
    found = {}
    for words in list(cases(command(name)))[crc32(name.encode()) % stride :: stride]:
        for made in ("n.db", "c.db"):
            (folder / made).unlink(missing_ok=True)
        if told := problem([name, *ENDS.get(name, []), *words]):
            found[str(words)[:100]] = told
    assert found == {}


@pytest.mark.parametrize(
    "command", [["watch", "--until-idle"], ["history"]], ids=["watch", "history"]
)
@pytest.mark.parametrize("value", ["nan", "-nan", "inf", "0", "-1", ""])
def test_an_interval_is_a_number_within_bounds(command: list[str], value: str) -> None:
    ended = CliRunner().invoke(main, [*command, "--interval", value, "--db", "w.db", "--", "j"])
    assert ended.exit_code == 2
    assert "Invalid value for '--interval'" in ended.output


@pytest.mark.parametrize("name", sorted({*COMMANDS, "check", "compile", "diff", "traces"}))
def test_half_a_character_is_wrong_usage(name: str) -> None:
    """No shell hands such a word over, but a program that calls the command line in its process."""
    ended = CliRunner().invoke(main, [name, "a\ud800b", "--db", "w.db"])
    assert ended.exit_code == 2
    assert "half a character" in ended.output


@pytest.mark.parametrize("key", ["\udcff", "a\udcff", "[\udcff]", "*\udcff?"])
def test_no_key_fits_what_no_encoding_holds(key: str) -> None:
    ended = CliRunner().invoke(main, ["items", "--key", key, "--db", "w.db", "--", "j"])
    assert ended.exit_code == 0, ended.output
    assert "none of " in ended.output


@pytest.mark.parametrize("what", STORES)
@pytest.mark.parametrize("words", [["jobs"], ["show", "j"], ["backup", "c.db"]])
def test_a_store_that_is_none_is_said(what: str, words: list[str]) -> None:
    assert problem([*words, "--db", STORES[what]]) is None
    assert problem(words, {"MILEPOST_DB": STORES[what]}) is None
    assert CliRunner().invoke(main, [*words, "--db", STORES[what]]).exit_code == 2


def test_a_defect_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: a command that raises what is none of ours."""

    def broken(*_: object, **__: object) -> None:
        raise KeyError("j")

    monkeypatch.setattr(command("show"), "callback", broken)
    assert "a defect of milepost" in (problem(["show", "j", "--db", "w.db"]) or "")
