"""Types of Arrow for JSON values: a type that is wanted or inferred, and which value does not fit.

Arrow itself drops the fields of an object that a struct does not have, and takes truth for a
number: here neither is lost or changed in silence. Takes the module pyarrow as an argument.
"""

from __future__ import annotations

from typing import Any, Final

from milepost.text.wording import shown

__all__ = ["joined", "misfit", "type_of", "wanted_type"]

_EXACT: Final = 2**53  # beyond it a float does not hold every integer


def wanted_type(pa: Any, schema: Any) -> Any:  # Any: pyarrow and its types
    """The type of values that `schema` asks for: a DataType, or the struct of a Schema's fields.

    Raises TypeError if it is neither.
    """
    if isinstance(schema, pa.Schema):
        return pa.struct(list(schema))
    if isinstance(schema, pa.DataType):
        return schema
    raise TypeError(f"{shown(schema)} is no pyarrow.Schema and no pyarrow.DataType")


def type_of(pa: Any, value: Any) -> Any:  # Any: pyarrow and its types, and JSON
    """The narrowest type that a JSON value fits. Raises ValueError where Arrow has none."""
    match value:
        case None:
            return pa.null()
        case bool():
            return pa.bool_()
        case int() if -(2**63) <= value < 2**63:
            return pa.int64()
        case int() if 0 <= value < 2**64:
            return pa.uint64()
        case int():
            raise ValueError(f"{shown(value)} is an integer beyond 64 bits, which Arrow has not")
        case float():
            return pa.float64()
        case str():
            return pa.string()
        case list():
            inner = pa.null()
            for each in value:
                inner = joined(pa, inner, type_of(pa, each))
            return pa.list_(inner)
        case _:
            return pa.struct([(name, type_of(pa, inner)) for name, inner in value.items()])


def joined(pa: Any, one: Any, other: Any) -> Any:  # Any: as above
    """The narrowest type that all fit which fit one of two.

    Integers with floats are floats, null fits everything, and an object has the fields of both.
    Raises ValueError where the two differ in kind.
    """
    types = pa.types
    if one.equals(other) or types.is_null(other):
        return one
    if types.is_null(one):
        return other
    if types.is_struct(one) and types.is_struct(other):
        fields = {field.name: field.type for field in one}
        for field in other:
            known = fields.get(field.name, pa.null())
            fields[field.name] = joined(pa, known, field.type)
        return pa.struct(list(fields.items()))
    if types.is_list(one) and types.is_list(other):
        return pa.list_(joined(pa, one.value_type, other.value_type))
    numbers = [each for each in (one, other) if types.is_integer(each) or types.is_floating(each)]
    if len(numbers) == 2 and any(map(types.is_floating, numbers)):
        return pa.float64()
    raise ValueError(f"some are {one} and some are {other}")


def misfit(pa: Any, value: Any, wanted: Any, path: str = "$") -> str:  # Any: as above
    """Why a JSON value does not fit a type without loss, with the place in it; `""` if it does."""
    types = pa.types
    if value is None:
        return ""
    if types.is_null(wanted):
        return f"{path} is {shown(value)} where all rows before had null"
    if types.is_struct(wanted):
        return _misfit_of_object(pa, value, wanted, path)
    if types.is_list(wanted) or types.is_large_list(wanted):
        return _misfit_of_list(pa, value, wanted, path)
    if types.is_boolean(wanted) != isinstance(value, bool):
        return _other(value, wanted, path)
    if types.is_floating(wanted) and isinstance(value, int) and abs(value) > _EXACT:
        return f"{path} is {shown(value)}, which {wanted} does not hold exactly"
    if types.is_integer(wanted) and not isinstance(value, int):
        return _other(value, wanted, path)
    try:
        pa.scalar(value, type=wanted)
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        return f"{_other(value, wanted, path)}: {' '.join(str(error).split())[:200]}"
    return ""


def _misfit_of_object(pa: Any, value: Any, wanted: Any, path: str) -> str:
    if not isinstance(value, dict):
        return _other(value, wanted, path)
    types = {field.name: field.type for field in wanted}
    for name, inner in value.items():
        if name not in types:
            return f"{path} has the field {shown(name)}, which {wanted} has not"
        if found := misfit(pa, inner, types[name], f"{path}.{name}"):
            return found
    return ""


def _misfit_of_list(pa: Any, value: Any, wanted: Any, path: str) -> str:
    if not isinstance(value, list):
        return _other(value, wanted, path)
    misfits = (
        misfit(pa, inner, wanted.value_type, f"{path}[{index}]")
        for index, inner in enumerate(value)
    )
    return next((found for found in misfits if found), "")


def _other(value: object, wanted: object, path: str) -> str:
    return f"{path} is {shown(value)}, which is no {wanted}"
