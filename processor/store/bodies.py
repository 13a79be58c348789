"""Documents as they are stored: compressed with a dictionary of what they repeat.

The first byte of the stored form is the number of its dictionary, a file in ``dictionaries``. A dictionary is
never changed, because stored data need it: a better one gets the next number.
"""

import zlib
from importlib.resources import files

OF_BODIES, OF_CONNECTIONS, OF_NOTIFICATIONS, OF_TIMELINES = 1, 2, 3, 4
"""The newest dictionaries: Codat's vocabulary; a connection with every field; notifications; timelines."""

DICTIONARIES = {
    OF_BODIES: "1.txt",
    OF_CONNECTIONS: "2.msgpack",
    OF_NOTIFICATIONS: "3.txt",
    OF_TIMELINES: "4.msgpack",
}
LEVEL = 3
"""Level 4 takes a tenth longer for documents of this size, and leaves them two in a hundred larger."""
WINDOW_BITS = 13
"""The largest window, of 8 KB; a larger one costs twice as much a body."""

MIN_LOOKAHEAD = 262
"""The part of a window that cannot hold a dictionary (https://zlib.net/manual.html)."""

MEMORY_LEVEL = 4

_CONTENTS = {
    number: files(__package__).joinpath("dictionaries", name).read_bytes()
    for number, name in DICTIONARIES.items()
}
_compressors = {
    number: zlib.compressobj(
        LEVEL,
        zlib.DEFLATED,
        -(len(dictionary) + MIN_LOOKAHEAD).bit_length(),  # raw deflate; a small window is copied faster
        MEMORY_LEVEL,
        zlib.Z_DEFAULT_STRATEGY,
        dictionary,
    )
    for number, dictionary in _CONTENTS.items()
}
_decompressors = {
    bytes([number]): zlib.decompressobj(-WINDOW_BITS, dictionary) for number, dictionary in _CONTENTS.items()
}


def pack(body: bytes, dictionary: int = OF_BODIES) -> bytes:
    """A body in its stored form."""
    compressor = _compressors[dictionary].copy()
    return bytes([dictionary]) + compressor.compress(body) + compressor.flush()


def unpack(stored: bytes) -> bytes:
    """The inverse of ``pack``; a damaged body is returned as it is, so that parsing it fails."""
    decompressor = _decompressors.get(stored[:1])
    if decompressor is None:
        return stored
    decompressor = decompressor.copy()
    try:
        body = decompressor.decompress(stored[1:])
    except zlib.error:
        return stored
    return body if decompressor.eof else stored
