"""Results, messages and item values encrypted with AES-GCM before they reach the store.

    pip install 'milepost[examples]'
    python examples/encrypted_payloads.py demo.db

What the state machine reads stays readable: events, item keys, parameters, variables of jobs. So
`milepost show --db demo.db` works without the key, and results do not.
"""

from __future__ import annotations

import os
import sys
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from milepost import ItemEvent, StateManager
from milepost.errors import CodecAbsent

NONCE_BYTES = 12


class AesGcm:
    """A milepost.PayloadCodec. `keys` has 32 bytes by a number from 0 to 255; the last encrypts.

    A key is rotated by adding another: older payloads name theirs in their first byte. The digest
    key comes from the first key, which therefore stays.
    """

    name = "aes-256-gcm"

    def __init__(self, keys: dict[int, bytes]) -> None:
        self._ciphers = {number: AESGCM(key) for number, key in keys.items()}
        self._newest = list(keys)[-1]
        first = next(iter(keys.values()))
        self.digest_key = blake2b(b"digests of values", key=first, digest_size=32).digest()

    def encode(self, plain: bytes) -> bytes:
        """Key number, nonce, ciphertext and tag."""
        nonce = os.urandom(NONCE_BYTES)
        start = bytes([self._newest])
        return start + nonce + self._ciphers[self._newest].encrypt(nonce, plain, start)

    def decode(self, stored: bytes) -> bytes:
        """What was encoded. Raises ValueError for another key, or bytes that were changed."""
        start, nonce = stored[:1], stored[1 : 1 + NONCE_BYTES]
        cipher = self._ciphers.get(start[0]) if start else None
        if cipher is None:
            raise ValueError("there is no key of that number")
        try:
            return cipher.decrypt(nonce, stored[1 + NONCE_BYTES :], start)
        except InvalidTag:
            raise ValueError("it was not encrypted with this key, or was changed") from None


def main(path: str) -> None:
    """Record a secret, read it with the key, and see that nobody reads it without."""
    codec = AesGcm({0: AESGCM.generate_key(bit_length=256)})
    with StateManager.open(path, payload_codec=codec) as manager:
        manager.create_job({"patient-1": {"name": "a name"}}, job_id="secret")
        manager.fire("secret", "start_map")
        manager.record("secret", [ItemEvent("patient-1", "start")])
        found = {"result": {"diagnosis": "nothing to worry about"}}
        manager.record("secret", [ItemEvent("patient-1", "succeed", found)])
        print("with the key:", dict(manager.results("secret")))
    with StateManager.open(path, read_only=True) as manager:
        print("without it:", manager.get_state("secret").progress)
        try:
            dict(manager.results("secret"))
        except CodecAbsent as error:
            print("and:", error)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "demo.db")
