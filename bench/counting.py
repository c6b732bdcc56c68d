"""Counts what the interpreter does in a block: no clock is read, so a busy machine counts the same.

It loads next to nothing, so that a block that imports can be counted from a bare interpreter on.
"""

from __future__ import annotations

import gc
import sys
from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["counts_of_python"]


def counts_of_python(act: Callable[[], object]) -> dict[str, int]:
    """What `act` does in this thread, and in those that it begins if `threading` is loaded by now.

    `instructions` are those of the bytecode; `calls` those of functions, in Python and in C;
    `modules` those that are loaded; `sources` texts that are compiled, as a dataclass does it for
    its methods.
    """
    instructions, calls, sources = count(), count(), count()
    counting = True
    threading = sys.modules.get("threading")

    def each_instruction(_frame: Any, event: str, _argument: object) -> Any:
        if event == "opcode":
            next(instructions)
        return each_instruction

    def each_frame(frame: Any, _event: str, _argument: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return each_instruction

    def each_call(_frame: object, event: str, _argument: object) -> None:
        if event in ("call", "c_call"):
            next(calls)

    def each_audit(event: str, _arguments: object) -> None:
        if counting and event == "compile":
            next(sources)

    gc.collect()
    gc.disable()  # what it finalises, and when, is no part of the work
    sys.addaudithook(each_audit)
    loaded = len(sys.modules)
    if threading is not None:
        threading.setprofile(each_call)
        threading.settrace(each_frame)
    sys._getframe().f_trace_opcodes = True  # noqa: SLF001 what makes 3.12 look at instructions
    sys.setprofile(each_call)
    sys.settrace(each_frame)
    try:
        act()
    finally:
        sys.settrace(None)
        sys.setprofile(None)
        if threading is not None:
            threading.settrace(None)
            threading.setprofile(None)
        counting = False
        gc.enable()
    return {
        "instructions": next(instructions),
        "calls": next(calls),
        "modules": len(sys.modules) - loaded,
        "sources": next(sources),
    }
