"""What the compiler refuses, the plain reader refuses, or it is said why it need not see it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from milepost.definition import NotUnderstood, Unreadable, definition_of, read_definition
from milepost.testing.definition import Definition
from milepost_codegen.compiler import compile_definition
from milepost_codegen.findings import DefinitionError
from tests.conformance.definitions import DEFINITIONS, ROOT
from tests.contract.lifecycles.texts import TEXTS

FIXTURES: Final = sorted((ROOT / "tests" / "findings").glob("*.yaml"))
NOT_SEEN: Final = {
    r"E211": "what names of the generated module would be",
    r"E309": "a proof that no parameters satisfy a 'where': no job of it can begin",
    r"E40[127]": "which states and rows a run comes to",
    r"E405": "a proof that two rows can be taken at once: the step that both would take is refused",
    r"E408": "a proof that a guard always holds",
    r"E409_history": "which states a run comes to: a history that was not left has its beginning",
    r"E7(0\d|1\d)(?!_unknown)": "what roles mean; that their names are there is seen",
    r"W\d\d\d": "it compiles",
}
"""The findings by their codes that a plain reader need not see, each with what it would need."""

SMALL: Final = """\
lifecycle: small
version: 1
enums: {Cause: [error, timeout], Level: [error, warning]}
machines:
  task:
    initial: open
    states: {open: {}, busy: {}, closed: {final: true}}
    groups: {active: [open, busy]}
    context:
      tries: {type: int, initial: 0}
      most: {type: int, param: true, where: 0 < most, default: 3}
      why: {type: Cause, initial: error}
      sure: {type: bool, initial: false}
    events:
      begin: {}
      close:
        payload:
          cause: {type: Cause}
          level: {type: Level, default: warning}
          note: {type: json}
          size: {type: int, default: 1}
      stop: {}
      again: {}
    guards: {left: tries < most, few: left and tries < 2}
    transitions:
      - {from: open, on: begin, to: busy, when: few, set: {tries: tries + 1}}
      - {from: open, on: begin, to: closed, when: otherwise}
      - {from: busy, on: close, to: closed, when: event.cause == error, set: {why: event.cause}}
      - {from: busy, on: close, to: open, when: otherwise, set: {sure: event.size > 1}}
      - {from: active, on: stop, to: closed}
    ignored:
      - {in: closed, on: [stop, again]}
      - {in: open, on: again}
    invariants: {small: {in: active, holds: why == error implies tries <= 2 or sure}}
"""
EDITS: Final[dict[str, tuple[str, str]]] = {
    "an integer of 19 digits": ("tries: {type: int, initial: 0}", "1234567890123456789"),
    "an integer of 19 characters": ("tries: {type: int, initial: 0}", "-123456789012345678"),
    "a number in quotes": ("tries: {type: int, initial: 0}", "'0'"),
    "a truth value in quotes": ("sure: {type: bool, initial: false}", "'false'"),
    "a truth value for a number": ("tries: {type: int, initial: 0}", "false"),
    "nothing as a value": ("tries: {type: int, initial: 0}", ""),
    "octal digits": ("tries: {type: int, initial: 0}", "007"),
    "a default below its where": ("default: 3", "default: 0"),
    "a version in quotes": ("version: 1", "version: '1'"),
    "no version": ("version: 1", "version: 0"),
    "quoted numbers as names of states": ("busy", "'2'"),
    "a truth value as a name": ("busy", "true"),
    "a name in capitals": ("busy", "Busy"),
    "a name of 40 characters": ("busy", "b" * 40),
    "a no-break space": ("tries < most", "tries\u00a0< most"),
    "a wide space": ("tries < most", "tries \u3000< most"),
    "a digit of another script": ("tries < 2", "tries < \u0662"),
    "a letter of another script": ("few: left", "few: l\u0435ft"),
    "a number beyond 64 bits": ("tries < 2", "tries < 9223372036854775808"),
    "a number with zeros before it": ("tries < 2", "tries < 02"),
    "a number with signs in it": ("tries < 2", "tries < 1_0"),
    "a fraction": ("tries < 2", "tries < 1.5"),
    "a power": ("tries < 2", "2 ** 2 > tries"),
    "a product of variables": ("tries < 2", "tries * most < 2"),
    "a dot without a name": ("tries < 2", "tries. < 2"),
    "a text in an expression": ("tries < 2", 'why == "error"'),
    "a member of another enum": ("== error implies", "== warning implies"),
    "a member alone": ("== error implies", "== error and error implies"),
    "enums in order": ("why == error implies", "why < error implies"),
    "a number as a condition": ("holds: why", "holds: tries implies why"),
    "a condition as a number": ("set: {tries: tries + 1}", "set: {tries: tries < 1}"),
    "another enum": ("set: {why: event.cause}", "set: {why: warning}"),
    "a field that is carried": ("sure: event.size > 1", "sure: event.note == 1"),
    "a field of another event": ("when: few", "when: event.size > 1"),
    "a field in a guard": ("few: left", "few: event.size > 1 and left"),
    "a history of no row": ("sure}", "history.active == open}"),
    "a variable in a where": ("where: 0 < most", "where: tries < most"),
    "a guard in a where": ("where: 0 < most", "where: left"),
    "guards in a ring": ("left: tries", "left: few and tries"),
    "a word as a name": ("few", "implies"),
    "a key that is null": ("groups: {active: [open, busy]}", "groups:"),
    "a doc that is a number": ("open: {}", "open: {doc: 7}"),
    "a mark that is a number": ("{final: true}", "{final: 1}"),
    "an own tag": ("initial: open", "initial: !name open"),
    "a known tag": ("initial: open", "initial: !!str open"),
    "an anchor on a key": ("initial: open", "&a initial: open"),
    "a second document": ("lifecycle: small", "--- {}\n---\nlifecycle: small"),
    "a directive that there is not": ("lifecycle: small", "%YAML 9.9\n---\nlifecycle: small"),
    "half of a character": ("open: {}", 'open: {doc: "\\ud800"}'),
    "an escape out of range": ("open: {}", 'open: {doc: "\\UFFFFFFFF"}'),
    "an empty list": ("[stop, again]", "[]"),
    "an event twice": ("[stop, again]", "[stop, stop]"),
    "a row beside an ignored pair": ("in: closed", "in: [closed, busy]"),
    "two ways to lead": ("to: busy", "to: {state: busy, history: active}"),
    "no way to lead": ("to: busy", "to: {}"),
    "a default beside a state": ("to: busy", "to: {state: busy, default: open}"),
    "a row out of the end": ("from: active", "from: [active, closed]"),
    "an id of odd letters": ("on: stop,", "on: stop, id: a b,"),
    "an enum with a type's name": ("Level", "json"),
    "a member twice": ("[error, warning]", "[error, error]"),
    "bytes with a default": ("note: {type: json}", "note: {type: bytes, default: a}"),
    "a text that is null": ("note: {type: json}", "note: {type: str, default: null}"),
    "an opaque variable": ("sure: {type: bool, initial: false}", "sure: {type: str, initial: a}"),
    "its own earlier name": ("open: {}", "open: {was: busy}"),
    "a role of another tool": ("version: 1", "version: 1\nroles: {}"),
}
"""What a definition could have that the compiler refuses: a part of it, and what stands there."""
_VALUE: Final = re.compile(r"(?<=initial: )\w+")


def edited(old: str, new: str) -> str:
    """The small definition with another part; of a variable, another value."""
    assert old in SMALL
    if _VALUE.search(old) and "{" not in new and ":" not in new and "initial" not in new:
        new = _VALUE.sub(lambda _: new, old)
    return SMALL.replace(old, new)


SPREAD_OUT: Final = """\
lifecycle: spread
version: 2
enums:
  Cause:
    - error
    - timeout
machines:
  task:
    initial: open
    states:
      open: {}
      busy:
        was: working
      closed:
        final: true
    groups:
      active:
        - open
        - busy
    context:
      tries:
        type: int
        initial: 0
      most:
        type: int
        param: true
        where: most > 0
        default: 3
    events:
      begin: {}
      close:
        payload:
          cause:
            type: Cause
            default: error
      stop: {}
    transitions:
      - from: open
        on: begin
        to: busy
        when: tries < most
        set:
          tries: tries + 1
        partial: true
      - from: busy
        on: close
        to:
          history: active
          default: open
        when: event.cause == error
      - from: busy
        on: close
        to: closed
        when: otherwise
      - from:
          - open
          - busy
        on: stop
        to: closed
    ignored:
      - in:
          - closed
        on:
          - begin
          - stop
    invariants:
      few:
        in:
          - open
          - busy
        holds: tries <= most
    progress:
      decreases:
        - most - tries
      except:
        - close
    roles:
      waiting:
        - open
      begin: begin
      failure:
        event: close
        cause: cause
        causes:
          error: error
          timeout: timeout
      attempts:
        counts: tries
        most: most
  batch:
    initial: taking
    states:
      taking: {}
      over:
        final: true
    collections:
      tasks:
        machine: task
        accepts:
          taking:
            - begin
            - close
        grows:
          - taking
    events:
      end: {}
    transitions:
      - from: taking
        on: end
        to: over
        members:
          tasks:
            open: stop
migrations:
  - from: 1
    states:
      task:
        gone: open
    events:
      task:
        left: stop
    context:
      task:
        tries: old_tries
    old:
      task:
        old_tries: int
    retired:
      batch:
        - over.end
"""
"""Each name, and each value, in a line of its own."""
VALUES: Final = tuple(
    at
    for at, line in enumerate(SPREAD_OUT.split("\n"))
    if re.search(r"(: |- )\w+( .*)?$", line) and not line.startswith(("lifecycle", "version"))
)


def need_not_be_seen(code: str) -> bool:
    return any(re.match(one, code) for one in NOT_SEEN)


def refusal(content: bytes) -> str:
    """What the plain reader says of a file, "" if it reads it."""
    try:
        definition_of(content, "edited.yaml")
    except Unreadable as error:
        return str(error)
    return ""


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_definition_that_the_compiler_refuses_is_refused(path: Path) -> None:
    """Or read, for the reasons that are listed: the list has nothing else."""
    content = path.read_bytes()
    plain = refusal(content)
    if need_not_be_seen(path.stem):
        assert not plain
        return
    assert plain
    assert "Error" not in plain, "it is told in words of the language"
    assert line_of(content) in lines_of_findings(content)


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_that_the_compiler_refuses_is_refused(edit: str) -> None:
    content = edited(*EDITS[edit]).encode()
    with pytest.raises(DefinitionError) as caught:
        compile_definition(content, "edited.yaml")
    assert any(not need_not_be_seen(one.code) for one in caught.value.findings)
    assert refusal(content)
    if edit != "an escape out of range":  # of which the reader of YAML says no place
        assert line_of(content) in lines_of_findings(content)


@pytest.mark.parametrize("value", ["unheard_of", "0", "{}", "open"])
def test_what_is_wrong_is_told_at_its_own_line(value: str) -> None:
    """Where each part has its line, the part's line and not that of what it is a part of."""
    assert refusal(SPREAD_OUT.encode()) == ""
    told = 0
    for at in VALUES:
        lines = SPREAD_OUT.split("\n")
        lines[at] = re.sub(r"(.*(?:: |- ))\w+.*", rf"\g<1>{value}", lines[at])
        content = "\n".join(lines).encode()
        if refusal(content):
            told += 1
            assert line_of(content) in lines_of_findings(content), (lines[at], refusal(content))
    assert told > len(VALUES) // 2


def line_of(content: bytes) -> int:
    """The line at which the plain reader refuses a file."""
    with pytest.raises(Unreadable) as caught:
        definition_of(content, "edited.yaml")
    assert str(caught.value).startswith(f"edited.yaml:{caught.value.line}: ")
    return caught.value.line


def lines_of_findings(content: bytes) -> set[int]:
    """The lines at which the compiler does."""
    with pytest.raises(DefinitionError) as caught:
        compile_definition(content, "edited.yaml")
    return {one.place.line for one in caught.value.findings}


@pytest.mark.parametrize(
    ("says", "read"),
    [
        ("(error if sure else warning) == (warning if sure else error)", False),
        ("(error if sure else timeout) == (timeout if sure else error)", True),
        ("(error if sure else warning) == why", False),
        ("(error if sure else timeout) == why", True),
        ("error == (timeout if sure else error)", True),
        ("(error if sure else error) == error", False),
        ("warning == (error if sure else warning)", False),
        ("error == why", True),
        ("open == closed", False),
    ],
)
def test_members_of_several_enums_are_told_apart_as_the_compiler_does(
    says: str, read: bool
) -> None:
    """By what stands beside them, or their only enum; never by what their enums have in common."""
    text = SMALL.replace("Level: [error, warning]", "Level: [error, warning], Worse: [warning]")
    text = text.replace(
        "size: {type: int", "worse: {type: Worse, default: warning}\n          size: {type: int"
    )
    content = text.replace("why == error implies", f"({says}) implies").encode()
    try:
        compile_definition(content, "edited.yaml")
        compiles = True
    except DefinitionError as error:
        compiles = all(need_not_be_seen(one.code) for one in error.findings)
    assert compiles == read
    assert bool(refusal(content)) != read


def test_other_encodings_are_refused() -> None:
    """A byte order mark of UTF-8 is none; two bytes for each character are."""
    assert refusal(b"\xef\xbb\xbf" + SMALL.encode()) == ""
    assert refusal(SMALL.encode("utf-16"))


@pytest.mark.parametrize("ends", ["\n", "\r", "\r\n", "\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("wrong", [b"\0", b"\xff", b"&a "], ids=["null", "no UTF-8", "an anchor"])
def test_lines_are_counted_as_yaml_has_them(ends: str, wrong: bytes) -> None:
    """Whatever ends them, and whichever part of the reader finds what is wrong."""
    content = SMALL.replace("\n", ends).encode().replace(b"closed", wrong + b"closed", 1)
    assert line_of(content) == SMALL[: SMALL.index("closed")].count("\n") + 1
    assert line_of(content) in lines_of_findings(content)


def test_guards_that_double_are_refused_at_once() -> None:
    """Each uses the one before twice, so that they would be a billion parts written out."""
    doubled = [f"g{n}: g{n - 1} and g{n - 1}" for n in range(1, 31)]
    guards = "{left: tries < most, g0: left, " + ", ".join(doubled) + ", few: g30}"
    content = SMALL.replace("{left: tries < most, few: left and tries < 2}", guards).encode()
    with pytest.raises(DefinitionError):
        compile_definition(content, "doubled.yaml")
    assert "too large" in refusal(content)


def test_groups_that_double_are_read_at_once() -> None:
    """Each holds the one before twice, which compiles."""
    groups = [f"g{n}: [g{n - 1}, g{n - 1}]" for n in range(1, 31)]
    held = "{g0: [open, busy], " + ", ".join(groups) + ", active: g30}"
    content = SMALL.replace("{active: [open, busy]}", held).encode()
    assert compile_definition(content, "doubled.yaml")
    rows = definition_of(content, "doubled.yaml").machines["task"].rows
    assert {("open", "stop"), ("busy", "stop")} <= rows.keys()


@pytest.mark.parametrize("order", [1, -1], ids=["inner first", "outer first"])
def test_groups_may_hold_groups_as_deep_as_a_file_has_room(order: int) -> None:
    """In any order; and a ring of as many is refused at one of its parts, and not at its end."""
    deep = 3000
    groups = [f"g{n}: [g{n - 1}]" for n in range(1, deep)][::order]
    held = "{g0: [open, busy], " + ", ".join(groups) + f", active: g{deep - 1}}}"
    content = SMALL.replace("{active: [open, busy]}", held).encode()
    assert compile_definition(content, "deep.yaml")
    rows = definition_of(content, "deep.yaml").machines["task"].rows
    assert {("open", "stop"), ("busy", "stop")} <= rows.keys()
    ring = content.replace(b"g0: [open, busy]", f"g0: [open, g{deep - 1}]".encode())
    assert "holds itself" in refusal(ring)
    assert line_of(ring) in lines_of_findings(ring)


@pytest.mark.parametrize("said", ["      begin: begin\n", "        event: close\n"])
def test_a_role_that_is_an_event_names_no_field_of_it(said: str) -> None:
    """As `result` and others do, which say which field is meant."""
    content = SPREAD_OUT.replace(said, f"{said.rsplit(' ', 1)[0]} close.cause\n").encode()
    assert "unknown event 'close.cause'" in refusal(content)
    assert line_of(content) in lines_of_findings(content)


def test_a_migration_gives_a_history_its_state() -> None:
    """As a machine's rows lead back to a group that the earlier version had not, or knew not."""
    entry = "tries: old_tries\n"
    content = SPREAD_OUT.replace(entry, f"{entry}        history.active: busy\n").encode()
    assert compile_definition(content, "history.yaml")
    answers = definition_of(content, "history.yaml").migrations[1]["task"]
    assert answers.given["history.active"].value({}) == "busy"
    for wrong in ("history.none: busy", "history.active: closed", "history.active: tries"):
        wrongly = content.replace(b"history.active: busy", wrong.encode())
        assert line_of(wrongly) in lines_of_findings(wrongly)


def test_what_compiles_is_read() -> None:
    """The definition that is edited, and all others that compile."""
    assert compile_definition(SMALL.encode(), "small.yaml")
    assert refusal(SMALL.encode()) == ""
    for path in DEFINITIONS:
        assert read_definition(path).machines
    for text in TEXTS.values():
        assert definition_of(text, "text").machines


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("to: closed}", "to: clsed}", "unknown state 'clsed'"),
        ("machines:\n", "machines:\n  other: {initial: on, states: {on: {}}}\n", "not 2"),
    ],
)
def test_a_test_of_a_lifecycle_refuses_it_too(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    """And whatever has more than one job in it."""
    path = tmp_path / "definition.yaml"
    path.write_text(SMALL.replace(old, new), encoding="utf-8")
    with pytest.raises(NotUnderstood, match=said):
        Definition.read(path)
