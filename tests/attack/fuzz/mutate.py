"""Inputs from inputs: bytes are changed, doubled, cut, joined, or replaced by words that parsers read."""

import random
from collections.abc import Sequence

LONGEST = 5_000
WORDS = (
    *(
        b"\x00",
        b"\r\n",
        b"\n",
        b"\\",
        b"%00",
        b"%0d%0a",
        b"%2e%2e/",
        b"//",
        b"@",
        b"#",
        b"?",
        b";",
        b"=",
        b"&",
    ),
    *(b'"', b"'", b"<script>", b"{", b"[", b"]", b"}", b",", b":", b"null", b"true", b"NaN", b"1e999", b"-1"),
    *(
        b"\xff",
        b"\xc3\xa9",
        b"\xe2\x80\xa8",
        b"\xed\xa0\x80",
        b"\\ud800",
        b"[::1]",
        b"127.1",
        b"0x7f",
        b"0177",
    ),
    *(
        b"localhost",
        b".internal",
        b"chunked",
        b"Content-Length: 1",
        b"99999999999999999999",
        b"2026-11-22T15",
    ),
    *(b"\t", b" ", b"0", b"v1,", b"whsec_", b"%", b"%ud800", b"+", b"*", b"(", b"$", b"A" * 300),
)


def mutated(chance: random.Random, pool: Sequence[bytes]) -> bytes:
    """One of ``pool``, changed in one to six places."""
    data = bytearray(chance.choice(pool))
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(data))
        end = min(len(data), at + chance.choice((1, 1, 2, 4, 16, 64)))
        match chance.randint(0, 6):
            case 0 if data:
                data[at - 1] ^= 1 << chance.randint(0, 7)
            case 1:
                del data[at:end]
            case 2:
                data[at:at] = chance.choice(WORDS)
            case 3:
                data[at:end] = chance.choice(WORDS)
            case 4:
                data[at:at] = data[at:end] * chance.choice((1, 2, 50))
            case 5:
                other = chance.choice(pool)
                data[at:] = other[chance.randint(0, len(other)) :]
            case _:
                data[at:at] = bytes(chance.randbytes(chance.randint(1, 4)))
    return bytes(data[:LONGEST])
