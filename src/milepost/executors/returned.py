"""What a function returns the call of, read from its bytecode: nothing of it is called.

For a function of one straight line, as a lambda is. Where there are branches, or the bytecode does
what is not known here, nothing is claimed. Works by the layout of calls of CPython 3.11 to 3.14.
"""

from __future__ import annotations

import builtins
import dis
import inspect
import sys
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, NamedTuple

__all__ = ["Generated", "callee_of"]

_UNKNOWN: Final = object()
_NULL: Final = object()
_NULL_FIRST: Final = sys.version_info < (3, 13)
_UNTOUCHED: Final = frozenset(
    (
        *("RESUME", "NOP", "CACHE", "PRECALL", "KW_NAMES", "COPY_FREE_VARS", "MAKE_CELL"),
        *("EXTENDED_ARG", "NOT_TAKEN"),
    )
)
_BRANCHES: Final = frozenset((*dis.hasjrel, *dis.hasjabs))


class Generated(NamedTuple):
    """A function that the code itself makes, a generator expression's for one."""

    code: CodeType


class _Called(NamedTuple):
    """The result of a call of `callee`."""

    callee: object


def callee_of(function: FunctionType) -> object:
    """What `function` returns the call of: a function, a Generated, None where that is not known.

    Attributes are looked up without calling anything. Cost: its bytecode is read once.
    """
    try:
        return _Reading(function).callee()
    except Exception:  # noqa: BLE001 bytecode of a Python that is not known: nothing is claimed
        return None


class _Reading:
    def __init__(self, function: FunctionType) -> None:
        self._function = function
        self._stack: list[object] = []
        code, defaults = function.__code__, function.__defaults__ or ()
        named = code.co_varnames[: code.co_argcount]
        self._locals: dict[str, object] = dict(
            zip(named[len(named) - len(defaults) :], defaults, strict=True)
        )
        self._locals.update(function.__kwdefaults__ or {})
        if named:
            self._locals.pop(named[0], None)  # the item

    def callee(self) -> object:
        code = self._function.__code__
        if code.co_exceptiontable:
            return None
        for each in dis.get_instructions(code):
            if each.opcode in _BRANCHES:
                return None
            if each.opname == "RETURN_VALUE":
                found = self._stack[-1]
                return found.callee if isinstance(found, _Called) else None
            if each.opname not in _UNTOUCHED:
                self._follow(each)
        return None

    def _follow(self, each: dis.Instruction) -> None:
        """Do to the stack what the instruction does, as far as it is known."""
        name, stack = each.opname, self._stack
        effect = dis.stack_effect(each.opcode, each.arg, jump=False)
        if name in ("CALL", "CALL_KW", "CALL_FUNCTION_EX"):
            self._call(name, each.arg or 0, effect)
        elif name.startswith("LOAD_FAST") and effect in (1, 2):
            names = each.argval if isinstance(each.argval, tuple) else (each.argval,)
            stack.extend(self._locals.get(one, _UNKNOWN) for one in names)
        elif name == "STORE_FAST_LOAD_FAST":
            stored, loaded = each.argval
            self._locals[stored] = stack.pop()
            stack.append(self._locals.get(loaded, _UNKNOWN))
        elif name == "STORE_FAST":
            self._locals[each.argval] = stack.pop()
        elif name == "LOAD_GLOBAL":
            self._load(self._global(each.argval), effect)
        elif name == "LOAD_DEREF":
            stack.append(self._cell(each.argval))
        elif name == "PUSH_NULL":
            stack.append(_NULL)
        elif name == "LOAD_CONST":
            stack.append(each.argval)
        elif name == "MAKE_FUNCTION":
            made = stack.pop()
            del stack[len(stack) + effect :]
            stack.append(Generated(made) if isinstance(made, CodeType) else _UNKNOWN)
        elif name in ("LOAD_ATTR", "LOAD_METHOD"):
            stack.append(_attribute(stack.pop(), each.argval))
            if effect == 1:
                stack.append(_UNKNOWN)  # the object whose method it is
        else:
            self._touch(effect)

    def _call(self, name: str, arg: int, effect: int) -> None:
        """Put the result of a call in the place of what was called and its arguments."""
        if name == "CALL_FUNCTION_EX":
            base = len(self._stack) + effect - 1
        else:
            base = len(self._stack) - arg - (3 if name == "CALL_KW" else 2)
        first, second = self._stack[base], self._stack[base + 1]
        del self._stack[base:]
        self._stack.append(_Called(second if first is _NULL else first))

    def _load(self, value: object, effect: int) -> None:
        pair = [_NULL, value] if _NULL_FIRST else [value, _NULL]
        self._stack.extend(pair if effect == 2 else [value])

    def _touch(self, effect: int) -> None:
        """The top of the stack is something else, and so much higher or lower."""
        if effect < 0:
            del self._stack[effect:]
        else:
            self._stack.extend([_UNKNOWN] * effect)
        if self._stack and effect <= 0:
            self._stack[-1] = _UNKNOWN

    def _global(self, name: str) -> object:
        spaces: tuple[Any, ...] = (self._function.__globals__, vars(builtins))
        return next((space[name] for space in spaces if name in space), _UNKNOWN)

    def _cell(self, name: str) -> object:
        names, cells = self._function.__code__.co_freevars, self._function.__closure__ or ()
        return cells[names.index(name)].cell_contents if name in names else _UNKNOWN


def _attribute(of: object, name: str) -> object:
    """The attribute as it is stored, without asking a property; a method as its function."""
    if of in (_UNKNOWN, _NULL) or isinstance(of, _Called | Generated):
        return _UNKNOWN
    if isinstance(of, ModuleType):
        return vars(of).get(name, _UNKNOWN)
    found = inspect.getattr_static(of, name, _UNKNOWN)
    return found.__func__ if isinstance(found, staticmethod | classmethod) else found
