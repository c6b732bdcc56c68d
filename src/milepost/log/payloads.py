"""The payload codec: a hook that what jobs carry passes through on its way to the store and back.

Payloads are the values that the fold never reads (results, messages) and the values of items.
What the fold reads is stored as it is: events, item keys, parameters, variables of jobs.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from milepost.arguments import refuse
from milepost.text.wording import shown

__all__ = ["CODEC", "PayloadCodec", "codec_name", "coded", "digest_key", "parted"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
CODEC: Final = re.compile(rf"[jz][jz](\+{_NAME.pattern})?")
"""What a row says of how its two parts are packed, and what the second then passed through."""
_MAX_KEY_BYTES: Final = 64


class PayloadCodec(Protocol):
    """Turns payloads into other bytes and back: encryption, say. Used from several threads.

    `name` is stored with every payload, so that a reader knows which codec it needs; it matches
    `[a-z0-9][a-z0-9._-]{0,31}` and never changes. Keys may be rotated behind it, as long as
    `decode` knows the older ones.
    """

    @property
    def name(self) -> str:
        """The name that is stored beside every encoded payload."""
        ...

    @property
    def digest_key(self) -> bytes:
        """The secret, of up to 64 bytes, that digests of values are keyed with; none if empty.

        The fingerprint of a job's items and the keys of items that have none of their own are
        such digests, and are stored where anybody can read them. It is never rotated: with
        another one, the same items have other keys.
        """
        ...

    def encode(self, plain: bytes) -> bytes:
        """The bytes to store. Raises ValueError if it cannot."""
        ...

    def decode(self, stored: bytes) -> bytes:
        """The bytes that `encode` got. Raises ValueError if they are damaged or of another key."""
        ...


def codec_name(payloads: PayloadCodec) -> str:
    """The codec's name. Raises ArgumentInvalid unless name and digest key are what they must be."""
    for method in ("encode", "decode"):
        if not callable(getattr(payloads, method, None)):
            refuse("payload_codec", payloads, f"a PayloadCodec, with a method {method},")
    name, key = getattr(payloads, "name", None), getattr(payloads, "digest_key", None)
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        refuse("payload_codec", name, f"a codec with a name that matches {_NAME.pattern}")
    if not isinstance(key, bytes) or len(key) > _MAX_KEY_BYTES:
        refuse(
            "payload_codec", type(key), f"a codec with a digest key of up to {_MAX_KEY_BYTES} bytes"
        )
    return name


def digest_key(payloads: PayloadCodec | None) -> bytes:
    """The key of digests that stand where anybody can read them."""
    return payloads.digest_key if payloads is not None else b""


def coded(payloads: PayloadCodec | None, letter: str, packed: bytes) -> tuple[str, bytes]:
    """Letter and bytes of what was packed, once they have passed through the codec.

    The letter of coded bytes ends in `+` and the codec's name. Nothing is coded if there is
    nothing, or no codec. Raises ValueError.
    """
    if payloads is None or not packed:
        return letter, packed
    try:
        stored = payloads.encode(packed)
    except ValueError:
        raise
    except Exception as error:  # it is the codec's to say so by a ValueError, and no reason to fail
        raise ValueError(f"it raised {shown(error)}") from error
    if type(stored) is not bytes:
        raise ValueError(f"it gave {shown(stored)}, which is no bytes")
    return f"{letter}+{payloads.name}", stored


def parted(letter: str) -> tuple[str, str]:
    """The letter of what was packed, and the name of the codec that it then passed through."""
    own, _, name = letter.partition("+")
    return own, name
