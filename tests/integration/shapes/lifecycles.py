"""Lifecycles with two collections and with none, compiled as users compile theirs."""

from __future__ import annotations

import importlib.util
import re
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from click.testing import CliRunner

from milepost.machine import Lifecycle
from milepost_codegen.cli import compile_command

__all__ = ["APPROVAL", "SHIPPING", "compiled", "edited", "module_of"]

SHIPPING = """
lifecycle: shipping
version: 1
enums:
  Why: [torn, gone]
machines:
  line:
    initial: open
    states:
      open: {}
      packing: {}
      packed: {final: true}
      short: {}
      given_up: {}
      dropped: {final: true}
    context:
      tries: {type: int, initial: 0}
      most: {type: int, param: true, default: 2, where: "1 <= most and most <= 9"}
    events:
      pack: {}
      pack_done: {payload: {box: {type: json}}}
      miss: {payload: {why: {type: Why}, note: {type: str, default: ""}}}
      put_back: {}
      again: {}
      abandon: {}
      look_again: {}
      drop: {}
    guards:
      tries_left: tries < most
    transitions:
      - {from: open, on: pack, to: packing, set: {tries: tries + 1}}
      - {from: packing, on: pack_done, to: packed}
      - {from: packing, on: miss, to: short}
      - {from: packing, on: put_back, to: open, set: {tries: tries - 1}}
      - {from: short, on: again, to: open, when: tries_left, partial: true}
      - {from: short, on: abandon, to: given_up}
      - {from: given_up, on: look_again, to: open, set: {tries: 0}}
      - {from: [open, short, given_up], on: drop, to: dropped}
    roles:
      begin: pack
      result: pack_done.box
      failure: {event: miss, cause: why, message: note}
      release: put_back
      retry: again
      give_up: abandon
      requeue: look_again
      skip: drop
      attempts: {counts: tries, most: most}
  parcel:
    initial: waiting
    states:
      waiting: {}
      moving: {}
      arrived: {final: true}
      returned: {final: true}
      burnt: {final: true}
    context:
      legs: {type: int, initial: 0}
      most: {type: int, param: true, default: 5, where: most >= 1}
    events:
      pack: {}
      arrive: {payload: {weight: {type: int}}}
      return: {}
      burn: {}
    transitions:
      - {from: waiting, on: pack, to: moving, when: legs < most, partial: true, set: {legs: 1}}
      - {from: moving, on: arrive, to: arrived}
      - {from: moving, on: return, to: returned}
      - {from: [waiting, moving], on: burn, to: burnt}
    roles:
      begin: pack
      result: arrive.weight
  order:
    initial: placed
    states:
      placed: {}
      picking: {}
      sent: {}
      closed: {final: true}
    context:
      urgent: {type: bool, param: true, default: false}
    collections:
      lines:
        machine: line
        accepts: {picking: [pack, pack_done, miss, put_back, again, abandon, look_again, drop]}
      parcels:
        machine: parcel
        accepts: {picking: [pack, burn], sent: [pack, arrive, return, burn]}
    events:
      pick: {payload: {notes: {type: json, default: {}}}}
      send: {}
      close: {payload: {bill: {type: json, default: null}}}
      fire: {doc: The house burns down}
    guards:
      lines_done: lines.open + lines.packing + lines.short == 0
      parcels_done: parcels.waiting + parcels.moving == 0
    transitions:
      - {from: placed, on: pick, to: picking}
      - {from: picking, on: send, to: sent, when: lines_done or urgent, partial: true}
      - {from: sent, on: close, to: closed, when: lines_done and parcels_done, partial: true}
      - from: sent
        on: fire
        to: closed
        members: {lines: {open: drop, short: drop}, parcels: {waiting: burn, moving: burn}}
    roles:
      phases: {picking: send, sent: close}
      result: close.bill
      variables: [pick.notes]
"""
"""An order owns lines and parcels: one event name, one parameter in both; parcels fail nowhere."""

APPROVAL = """
lifecycle: approval
version: 1
enums:
  Reason: [late, wrong]
machines:
  request:
    initial: drafted
    states:
      drafted: {}
      submitted: {}
      held_back: {}
      granted: {final: true}
      refused: {final: true}
    context:
      rounds: {type: int, initial: 0}
      most_rounds: {type: int, param: true, default: 3, where: most_rounds >= 1}
    events:
      submit: {payload: {form: {type: json, default: {}}}}
      grant: {payload: {by: {type: str}}}
      refuse: {payload: {reason: {type: Reason}, words: {type: str, default: ""}}}
      send_back: {}
      hold: {}
      go_on: {}
    transitions:
      - from: drafted
        on: submit
        to: submitted
        when: rounds < most_rounds
        partial: true
        set: {rounds: rounds + 1}
      - {from: submitted, on: send_back, to: drafted}
      - {from: submitted, on: grant, to: granted}
      - {from: submitted, on: refuse, to: refused}
      - {from: drafted, on: refuse, to: refused}
      - {from: submitted, on: hold, to: held_back}
      - {from: held_back, on: go_on, to: submitted}
    roles:
      phases: {submitted: grant}
      pause: hold
      resume: {held_back: go_on}
      result: grant.by
      failure: {event: refuse, cause: reason, message: words}
      variables: [submit.form]
"""
"""A request that somebody decides: a job of no collection."""


def edited(text: str, *edits: tuple[str, str]) -> str:
    """`text` with each of the edits made; one that finds nothing is a mistake in the test."""
    for before, after in edits:
        assert before in text, f"{before!r} is not in the definition"
        text = text.replace(before, after)
    return text


def compiled(text: str, *earlier: str) -> Lifecycle:
    """The lifecycle of `text`, with upgrades from `earlier` versions."""
    lifecycle: Lifecycle = module_of(text, *earlier).LIFECYCLE
    return lifecycle


@cache
def module_of(text: str, *earlier: str) -> ModuleType:
    """The module that is generated from `text`."""
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"definition_{number}.yaml" for number in range(1 + len(earlier))]
        for path, one in zip(paths, (text, *earlier), strict=True):
            path.write_text(one, encoding="utf-8")
        arguments = [str(paths[0]), "--out", folder]
        for path in paths[1:]:
            arguments += ["--earlier", str(path)]
        done = CliRunner().invoke(compile_command, arguments)
        assert done.exit_code == 0, done.output
        named = re.search(r"^lifecycle: (\w+)$", text, re.MULTILINE)
        assert named is not None
        name = f"shapes_{named[1]}_{abs(hash(text))}"
        spec = importlib.util.spec_from_file_location(name, Path(folder) / f"{named[1]}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their own module up
        spec.loader.exec_module(module)
    return module
