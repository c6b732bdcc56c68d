"""Three lifecycles that are no MapReduce: an order without items, reviews, and two collections."""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from click.testing import CliRunner

from milepost.machine import Lifecycle
from milepost_codegen.cli import compile_command

__all__ = ["ORDER", "PARCEL", "REVIEW", "compiled", "loaded"]

ORDER = """
lifecycle: orders
version: 1
machines:
  order:
    initial: placed
    states:
      placed: {}
      paid: {doc: The money is here}
      on_hold: {}
      shipped: {final: true}
      refunded: {final: true}
    groups:
      open: [placed, paid]
    events:
      pay: {}
      ship: {payload: {parcel: {type: str}}}
      hold: {}
      go_on: {}
      refund: {payload: {reason: {type: str, default: ""}}}
    transitions:
      - {from: placed, on: pay, to: paid}
      - {from: paid, on: ship, to: shipped}
      - {from: open, on: hold, to: on_hold}
      - {from: on_hold, on: go_on, to: {history: open}}
      - {from: [placed, paid, on_hold], on: refund, to: refunded}
    roles:
      phases: {placed: pay, paid: ship}
      result: ship.parcel
      pause: hold
      resume: {on_hold: go_on}
      cancel: refund
"""

REVIEW = """
lifecycle: reviews
version: 1
machines:
  paper:
    initial: submitted
    states:
      submitted: {}
      read: {}
      accepted: {final: true}
      withdrawn: {final: true}
    events:
      assign: {}
      accept: {payload: {verdict: {type: json}}}
      give_back: {}
      withdraw: {}
    transitions:
      - {from: submitted, on: assign, to: read}
      - {from: read, on: accept, to: accepted}
      - {from: read, on: give_back, to: submitted}
      - {from: submitted, on: withdraw, to: withdrawn}
    roles:
      begin: assign
      result: accept.verdict
      release: give_back
  round:
    initial: reading
    states: {reading: {}, closed: {final: true}}
    collections:
      papers: {machine: paper, accepts: {reading: [assign, accept, give_back, withdraw]}}
    events:
      close: {}
    guards:
      all_read: papers.submitted + papers.read == 0
    transitions:
      - {from: reading, on: close, to: closed, when: all_read, partial: true}
    roles:
      phases: {reading: close}
"""

PARCEL = """
lifecycle: parcels
version: 1
enums:
  Why: [broken, lost_it]
machines:
  line:
    initial: open
    states: {open: {}, picked: {}, packed: {final: true}, missing: {}}
    context:
      tries: {type: int, initial: 0}
      most: {type: int, param: true, where: "1 <= most and most <= 9", default: 2}
    events:
      pick: {}
      pack: {payload: {box: {type: json}}}
      miss: {payload: {why: {type: Why}, note: {type: str}}}
      look_again: {}
    guards:
      may_look: tries < most
    transitions:
      - {from: open, on: pick, to: picked, set: {tries: tries + 1}}
      - {from: picked, on: pack, to: packed}
      - {from: picked, on: miss, to: missing}
      - {from: missing, on: look_again, to: open, when: may_look, partial: true}
    roles:
      begin: pick
      result: pack.box
      failure: {event: miss, cause: why, message: note}
      retry: look_again
      attempts: {counts: tries, most: most}
  payment:
    initial: due
    states: {due: {}, settled: {final: true}, waived: {final: true}}
    events:
      settle: {}
      waive: {}
    transitions:
      - {from: due, on: settle, to: settled}
      - {from: due, on: waive, to: waived}
  parcel:
    initial: packing
    states: {packing: {}, sent: {final: true}}
    collections:
      lines: {machine: line, accepts: {packing: [pick, pack, miss, look_again]}}
      payments: {machine: payment, accepts: {packing: [settle, waive]}}
    events:
      send: {}
    guards:
      ready: lines.open + lines.picked + lines.missing + payments.due == 0
    transitions:
      - {from: packing, on: send, to: sent, when: ready, partial: true}
    roles:
      phases: {packing: send}
"""


def compiled(text: str, folder: Path) -> Path:
    """The module that the compiler makes of a definition, as users call it."""
    source = folder / "definition.yaml"
    source.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(compile_command, [str(source), "--out", str(folder)])
    assert done.exit_code == 0, done.output
    (module,) = folder.glob("*.py")
    return module


@cache
def loaded(module: Path) -> Lifecycle:
    """The lifecycle that a compiled module holds."""
    spec = spec_from_file_location(f"shown_{module.stem}", module)
    assert spec is not None
    assert spec.loader is not None
    made = module_from_spec(spec)
    sys.modules[spec.name] = made  # dataclasses look their own module up
    spec.loader.exec_module(made)
    lifecycle: Lifecycle = made.LIFECYCLE
    return lifecycle
