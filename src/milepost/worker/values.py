"""Values as JSON: plain ones as they are, what JSON has a plain form for converted to it, once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn, TypeAlias

import msgspec

from milepost.errors import ValueInvalid
from milepost.text.wording import shown
from milepost.worker.forms import form_of, hint

__all__ = ["UNDECODABLE", "Encode", "EncodeHere", "Encoded", "encode_value", "plain_value"]

Encode: TypeAlias = Callable[[Any], object]
"""What gives a value that JSON has no word for as one that it has; as `default` of json.dumps."""

UNDECODABLE: Final = (ValueError, msgspec.MsgspecError, RecursionError)
"""What decoders raise for bytes that are damaged, of another shape or nested too deeply."""

_MAX_DEPTH: Final = 200  # of what is stored; readers take what was stored deeper before

_json_encoder: Final = msgspec.json.Encoder()
_json_decoder: Final = msgspec.json.Decoder()


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """A value as the JSON that `encode_value` gave for it: whoever stores it does not look again.

    So a result is encoded once, on its worker, and no time goes by for it where all of them meet.
    """

    json: bytes


class EncodeHere:
    """An Encode that is for this process: pickled with what it is in, it is left behind.

    So an item stays one that its function may send to another process, whatever `encode` is.
    """

    def __init__(self, encode: Encode) -> None:
        self._encode = encode

    def __call__(self, value: Any) -> object:  # Any: what JSON has no word for
        """What `encode` makes of it."""
        return self._encode(value)

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return _left_behind, ()

    def __copy__(self) -> EncodeHere:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> EncodeHere:
        del memo
        return self


def _left_behind() -> None:
    """What it is where it was sent to: none."""


def encode_value(value: object, what: str, encode: Encode | None = None) -> bytes:
    """`value` as JSON that decodes to its plain form. Raises ValueInvalid with the place in it.

    Plain values, of the types that JSON decodes to, come back equal. Tuples are taken for lists;
    members of subclasses of str, int, float, list, tuple and dict for what they are a kind of; a
    scalar of numpy, or of an array library like it, by its `item()`; dataclasses, attrs classes,
    and models of pydantic and msgspec as objects. `encode` is asked for any other object. Not JSON:
    NaN and infinities, keys that are not text, dates and bytes, unless in a model that has a JSON
    form for them; nor is what is nested deeper than 200 levels. Integers may be of any size:
    nothing but a body holds them.
    """
    try:
        encoded = _json_encoder.encode(value)
        if type(value) is str:  # and it may be long: text that has an encoding comes back
            return encoded
        decoded = _json_decoder.decode(encoded)
        if decoded == value and not _too_deep(encoded, decoded):
            return encoded
    except Exception:  # noqa: BLE001, S110 what a stranger's object raises: the walk says what it was
        pass
    return _encoded(_Converting(what, encode).plain(value, "$", 0), what)


def plain_value(value: object, what: str, encode: Encode | None = None) -> tuple[Any, bytes]:
    """The plain form of `value`, which shares nothing with it, and its JSON; as `encode_value`."""
    try:
        encoded = _json_encoder.encode(value)
        if type(value) is str:
            return value, encoded
        decoded = _json_decoder.decode(encoded)
        if decoded == value and not _too_deep(encoded, decoded):
            return decoded, encoded
    except Exception:  # noqa: BLE001, S110 as above
        pass
    plain = _Converting(what, encode).plain(value, "$", 0)
    return plain, _encoded(plain, what)


def _too_deep(encoded: bytes, decoded: object) -> bool:
    """True if JSON is nested deeper than may be stored; without brackets enough, at once.

    Cost beyond that: one pass over what it holds, level by level.
    """
    if type(decoded) is not list and type(decoded) is not dict:  # a long text, say
        return False
    if encoded.count(b"[") + encoded.count(b"{") <= _MAX_DEPTH:
        return False
    level: list[Any] = [decoded]
    for _ in range(_MAX_DEPTH + 1):
        lists = [each for each in level if type(each) is list]
        dicts = [each for each in level if type(each) is dict]
        if not lists and not dicts:
            return False
        level = [inner for each in lists for inner in each]
        level += [inner for each in dicts for inner in each.values()]
    return True


def _encoded(plain: object, what: str) -> bytes:
    try:
        return _json_encoder.encode(plain)
    except Exception as error:
        raise ValueInvalid(what=what, path="$", problem=f"is not JSON: {error}") from error


def _encodes(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Converting:
    """One value on its way to its plain form; `what` names it in messages."""

    def __init__(self, what: str, encode: Encode | None) -> None:
        self._what = what
        self._encode = encode

    def plain(self, value: object, path: str, depth: int) -> Any:  # Any: JSON
        """The plain form of `value`, which stands at `path`. Raises ValueInvalid.

        A conversion counts as a level, so that one that never ends does.
        """
        if depth > _MAX_DEPTH:
            self._refuse(path, f"is nested deeper than {_MAX_DEPTH} levels")
        kind = type(value)
        if value is None or kind is bool or kind is int:
            return value
        if isinstance(value, str):
            return self._text(value, path)
        if isinstance(value, float):
            return self._finite(value, path)
        if isinstance(value, dict):
            return self._object(dict.items(value), path, depth)
        if isinstance(value, list | tuple):
            members = list.__iter__(value) if isinstance(value, list) else tuple.__iter__(value)
            return [
                self.plain(inner, f"{path}[{index}]", depth + 1)
                for index, inner in enumerate(members)
            ]
        if isinstance(value, int):
            return int.__index__(value)
        return self.plain(self._unwrapped(value, path), path, depth + 1)

    def _text(self, value: str, path: str) -> str:
        plain = str.__str__(value)
        if not _encodes(plain):
            self._refuse(path, "is text with a lone surrogate, which has no encoding")
        return plain

    def _finite(self, value: float, path: str) -> float:
        plain = float.__float__(value)
        if not math.isfinite(plain):
            self._refuse(path, f"is {plain}, which JSON cannot hold: use null or text")
        return plain

    def _object(
        self, members: Iterable[tuple[object, object]], path: str, depth: int
    ) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key, inner in members:
            if not isinstance(key, str):
                self._refuse(
                    path,
                    f"has the key {shown(key)} of type {type(key).__name__}: JSON keys are text",
                )
            name = str.__str__(key)
            if not _encodes(name):
                problem = f"has a key with a lone surrogate, {shown(key)}: it has no encoding"
                self._refuse(path, problem)
            if name in plain:
                self._refuse(path, f"has two keys whose text is {shown(name)}")
            plain[name] = self.plain(inner, f"{path}.{name}", depth + 1)
        return plain

    def _unwrapped(self, value: object, path: str) -> object:
        """What `value` stands for: its own JSON form, its fields, or what `encode` gives."""
        try:
            form = form_of(value, lambda inner: self._in_form(inner, path))
            if form is not None:
                return form()
        except ValueInvalid:
            raise
        except Exception as error:  # noqa: BLE001 what a stranger's object raises
            if self._encode is None:
                problem = f"is of type {type(value).__name__}, whose JSON form cannot be made"
                self._refuse(path, f"{problem}: {shown(error)}", error)
        if self._encode is None:
            self._refuse(path, f"is of type {type(value).__name__}, which is not JSON{hint(value)}")
        try:
            given = self._encode(value)
        except Exception as error:  # noqa: BLE001 as above
            problem = f"is of type {type(value).__name__}, for which encode raised {shown(error)}"
            self._refuse(path, problem, error)
        if given is value:
            problem = f"is of type {type(value).__name__}, which encode gave back as it was"
            self._refuse(path, problem)
        return given

    def _in_form(self, value: object, path: str) -> object:
        """What `value`, which was found in another's JSON form, stands for."""
        if isinstance(value, str | int | float | dict | list | tuple):
            return self.plain(value, path, 0)
        return self._unwrapped(value, path)

    def _refuse(self, path: str, problem: str, cause: BaseException | None = None) -> NoReturn:
        raise ValueInvalid(what=self._what, path=path, problem=problem) from cause
