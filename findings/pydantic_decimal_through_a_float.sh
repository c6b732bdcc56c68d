#!/bin/sh
# Packages   pydantic 2.14.4, msgspec 0.22.0
# Question   A JSON document holds the number 0.1000000000000000000001 for a field of type Decimal. What does the field get?
# Good guess That number. Decimal is chosen for exactness, and the digits stand in the text that the validator parses itself.
# Behaviour  0.1: the number has been a float before. 1.10 loses its scale, 12345678901234567.89 becomes 12345678901234568, and 1e400
#            is refused as not finite. Integers of any length stay exact, so tests with whole amounts see nothing. A string in the JSON
#            is exact, and so is what model_dump_json writes, as that is a string; only documents of others suffer. msgspec keeps
#            every digit.
# Why        The JSON parser below pydantic makes a float of each number with a dot or an exponent, and Decimal is made of its repr.
# Seen       pydantic ['0.1', '1.1', '12345678901234568', 'ValidationError'], msgspec ['0.1000000000000000000001', '1.10', ..., '1E+400']
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q pydantic==2.14.4 msgspec==0.22.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from decimal import Decimal
import msgspec
from pydantic import TypeAdapter, ValidationError

texts = ["0.1000000000000000000001", "1.10", "12345678901234567.89", "1e400"]
adapter, decoder = TypeAdapter(Decimal), msgspec.json.Decoder(Decimal)


def read(text):
    try:
        return str(adapter.validate_json(text))
    except ValidationError as refused:
        return type(refused).__name__


ours, theirs = [read(text) for text in texts], [str(decoder.decode(text)) for text in texts]
print("pydantic", ours, "msgspec", theirs)
assert ours == ["0.1", "1.1", "12345678901234568", "ValidationError"]
assert theirs == ["0.1000000000000000000001", "1.10", "12345678901234567.89", "1E+400"]
assert read("123456789012345678901234567890") == "123456789012345678901234567890"
assert read('"0.1000000000000000000001"') == texts[0]
EOF
