#!/bin/sh
# Packages   pydantic 2.14.4, jsonschema 4.26.0, msgspec 0.22.0
# Question   A model says version: Literal[1], as the tag of a union, and is strict. Does {"version": true} pass?
# Good guess No: strict mode turns no bool into an int, and the model's own JSON Schema (const: 1) refuses it.
# Behaviour  It passes, strict or not, and so does 1.0. The field then holds 1, the value of the Literal, so that
#            the document that is written again differs from the one that was read. As a discriminator true picks the model, too. Likewise
#            Literal[True] takes 1. The JSON Schema of the same model refuses true, and so does msgspec.
# Why        The input is looked up among the expected values by Python's equality, where 1, 1.0 and True are one.
# Seen       pydantic {'true': 1, '1.0': 1}, tagged One, schema {'true': False, '1.0': True}, msgspec {'true': 'ValidationError'}
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q pydantic==2.14.4 jsonschema==4.26.0 msgspec==0.22.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import json
from typing import Annotated, Literal, Union
import jsonschema
import msgspec
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class One(BaseModel):
    model_config = ConfigDict(strict=True)
    version: Literal[1]


class Two(BaseModel):
    model_config = ConfigDict(strict=True)
    version: Literal[2]


class Same(msgspec.Struct):
    version: Literal[1]


def text(value):
    return f'{{"version": {value}}}'


validator = jsonschema.Draft202012Validator(One.model_json_schema())
tagged = TypeAdapter(Annotated[Union[One, Two], Field(discriminator="version")])
read = {value: One.model_validate_json(text(value)).version for value in ("true", "1.0")}
schema = {value: validator.is_valid(json.loads(text(value))) for value in ("true", "1.0")}
picked = type(tagged.validate_json(text("true"))).__name__
try:
    msgspec.json.decode(text("true"), type=Same)
    other = "taken"
except msgspec.ValidationError as refused:
    other = type(refused).__name__
print("pydantic", read, "tagged", picked, "schema", schema, "msgspec", other)
assert read == {"true": 1, "1.0": 1} and all(type(value) is int for value in read.values())
assert (picked, other) == ("One", "ValidationError")
assert schema == {"true": False, "1.0": True}
assert TypeAdapter(Literal[True], config=ConfigDict(strict=True)).validate_json("1") is True
EOF
