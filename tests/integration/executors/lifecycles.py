"""Lifecycles that are no MapReduce, and MapReduce with every name of its machines changed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from tests.integration.shapes.lifecycles import compiled, edited

__all__ = ["MAPREDUCE", "ORDER", "RENAMED", "REVIEW", "WAREHOUSE", "compiled", "edited", "renamed"]

MAPREDUCE = (Path(__file__).parents[3] / "statemachine.yaml").read_text(encoding="utf-8")

REVIEW = """
lifecycle: review
version: 1
enums:
  Why: [unreadable, late]
machines:
  paper:
    initial: submitted
    states:
      submitted: {}
      reading: {}
      accepted: {final: true}
      returned: {}
    context:
      readings: {type: int, initial: 0}
      most: {type: int, param: true, default: 2, where: "1 <= most and most <= 9"}
    events:
      open: {}
      accept: {payload: {grade: {type: int}}}
      send_back: {payload: {why: {type: Why}, words: {type: str}}}
      lay_down: {}
      read_again: {}
    guards:
      may_read: readings < most
    transitions:
      - {from: submitted, on: open, to: reading, set: {readings: readings + 1}}
      - {from: reading, on: accept, to: accepted}
      - {from: reading, on: send_back, to: returned}
      - {from: reading, on: lay_down, to: submitted, set: {readings: readings - 1}}
      - {from: returned, on: read_again, to: submitted, when: may_read, partial: true}
    roles:
      begin: open
      result: accept.grade
      failure: {event: send_back, causes: {error: unreadable, timeout: late}}
      release: lay_down
      retry: read_again
      attempts: {counts: readings, most: most}
  issue:
    initial: reading
    states:
      reading: {}
      printing: {}
      printed: {final: true}
    collections:
      papers: {machine: paper, accepts: {reading: [open, accept, send_back, lay_down, read_again]}}
    events:
      close: {}
      print: {payload: {pages: {type: int}}}
    guards:
      all_read: papers.submitted + papers.reading + papers.returned == 0
    transitions:
      - {from: reading, on: close, to: printing, when: all_read, partial: true}
      - {from: printing, on: print, to: printed}
    roles:
      phases: {reading: close, printing: print}
      result: print.pages
"""
"""Papers that are read once or twice: no dead letters, no suspects, no setup, no recovery event."""

ORDER = """
lifecycle: order
version: 1
enums:
  Why: [broken, slow]
machines:
  order:
    initial: received
    states:
      received: {}
      charging: {}
      packing: {}
      sent: {final: true}
      stuck: {}
      dropped: {final: true}
    events:
      accept: {payload: {facts: {type: json}}}
      charged: {payload: {receipt: {type: str}, cents: {type: int}}}
      packed: {}
      posted: {payload: {label: {type: json}}}
      note: {payload: {facts: {type: json}}}
      fail: {payload: {why: {type: Why}, words: {type: str}}}
      unstick: {}
      drop: {}
    groups:
      working: [received, charging, packing]
    context:
      weighed: {type: bool, initial: false}
    transitions:
      - {from: received, on: accept, to: charging}
      - {from: charging, on: charged, to: packing}
      - from: packing
        on: packed
        to: packing
        when: not weighed
        partial: true
        set: {weighed: true}
      - {from: packing, on: posted, to: sent, when: weighed, partial: true}
      - {from: working, on: fail, to: stuck}
      - {from: stuck, on: unstick, to: {history: working}}
      - {from: [working, stuck], on: drop, to: dropped}
      - {from: received, on: note, to: received}
      - {from: charging, on: note, to: charging}
      - {from: packing, on: note, to: packing}
      - {from: stuck, on: note, to: stuck}
    roles:
      phases: {received: accept, charging: charged, packing: posted}
      variables: [accept, note]
      result: posted.label
      failure: {event: fail, causes: {error: broken, timeout: slow}}
      resume: {stuck: unstick}
      cancel: drop
"""
"""An order that owns nothing: each phase has a function, and gives what the next event carries."""

WAREHOUSE = """
lifecycle: warehouse
version: 1
enums:
  Why: [torn, gone]
machines:
  line:
    initial: open
    states: {open: {}, packing: {}, packed: {final: true}, short: {}, given_up: {}}
    context:
      tries: {type: int, initial: 0}
      most: {type: int, param: true, default: 2, where: "1 <= most and most <= 9"}
    events:
      pack: {}
      pack_done: {payload: {box: {type: json}}}
      miss: {payload: {why: {type: Why}, note: {type: str}}}
      put_back: {}
      again: {}
      abandon: {}
      look_again: {}
    transitions:
      - {from: open, on: pack, to: packing, set: {tries: tries + 1}}
      - {from: packing, on: pack_done, to: packed}
      - {from: packing, on: miss, to: short}
      - {from: packing, on: put_back, to: open, set: {tries: tries - 1}}
      - {from: short, on: again, to: open, when: tries < most, partial: true}
      - {from: short, on: abandon, to: given_up}
      - {from: given_up, on: look_again, to: open, set: {tries: 0}}
    roles:
      begin: pack
      result: pack_done.box
      failure: {event: miss, causes: {error: torn, lost: gone}}
      release: put_back
      retry: again
      give_up: abandon
      requeue: look_again
      attempts: {counts: tries, most: most}
  parcel:
    initial: waiting
    states: {waiting: {}, moving: {}, arrived: {final: true}, returned: {final: true}}
    context:
      most: {type: int, param: true, default: 5, where: most >= 1}
      moves: {type: int, initial: 0}
    events:
      pack: {}
      arrive: {payload: {weight: {type: int}}}
      return: {payload: {words: {type: str}}}
    transitions:
      - {from: waiting, on: pack, to: moving, when: moves < most, partial: true, set: {moves: 1}}
      - {from: moving, on: arrive, to: arrived}
      - {from: moving, on: return, to: returned}
    roles:
      begin: pack
      result: arrive.weight
      failure: return
  order:
    initial: picking
    states: {picking: {}, moving: {}, billing: {}, closed: {final: true}}
    collections:
      lines:
        machine: line
        accepts: {picking: [pack, pack_done, miss, put_back, again, abandon, look_again]}
      parcels: {machine: parcel, accepts: {moving: [pack, arrive, return]}}
    events:
      send: {}
      land: {}
      close: {payload: {bill: {type: json}}}
    guards:
      picked: lines.open + lines.packing + lines.short == 0
      moved: parcels.waiting + parcels.moving == 0
    transitions:
      - {from: picking, on: send, to: moving, when: picked, partial: true}
      - {from: moving, on: land, to: billing, when: moved, partial: true}
      - {from: billing, on: close, to: closed}
    roles:
      phases: {picking: send, moving: land, billing: close}
      result: close.bill
"""
"""Lines are picked, then parcels moved; parcels have no way back from an executor's hands."""


def renamed(text: str) -> str:
    """`text` with every machine, state, event, guard and group called otherwise."""
    machines: dict[str, Any] = yaml.safe_load(text)["machines"]
    names = set(machines)
    for machine in machines.values():
        for part in ("states", "events", "guards", "groups"):
            names.update(machine.get(part, {}))
    longest_first = "|".join(sorted(names, key=len, reverse=True))
    lines: list[str] = []
    in_roles = False
    for line in text.splitlines():
        in_roles = line == "    roles:" or (in_roles and line.startswith("      "))
        key, rest = ("", line) if not in_roles else re.fullmatch(r"(\s+\w+:)?(.*)", line).groups("")
        lines.append(key + re.sub(rf"\b({longest_first})\b", r"x_\1", rest))
    return "\n".join(lines)


_FIRST = re.sub(r"migrations:\n(  .*\n)+", "", MAPREDUCE)
RENAMED = edited(
    renamed(_FIRST),
    ("lifecycle: mapreduce", "lifecycle: renamed"),
    (", x_note: x_note, marks", ", note: x_note, marks"),  # the first is a key of the role
)
"""The built-in lifecycle with other names for all that has one."""
