"""Bodies of messages as they are stored: compressed with a dictionary of Codat's vocabulary.

The first byte of a stored body is the number of its dictionary, a file in ``dictionaries``. A dictionary is
never changed, because stored bodies need it: a better one gets the next number.
"""

import zlib
from importlib.resources import files

NEWEST = 1
LEVEL = 6
WINDOW_BITS = -13
"""Raw deflate with a window of 8 KB, which holds the dictionary; a larger one costs twice as much a body."""

MEMORY_LEVEL = 4


def _dictionary(number: int) -> bytes:
    return files(__package__).joinpath("dictionaries", f"{number}.txt").read_bytes()


_DICTIONARIES = {bytes([number]): _dictionary(number) for number in range(1, NEWEST + 1)}
_MARK = bytes([NEWEST])
_compressor = zlib.compressobj(
    LEVEL, zlib.DEFLATED, WINDOW_BITS, MEMORY_LEVEL, zlib.Z_DEFAULT_STRATEGY, _DICTIONARIES[_MARK]
)
_decompressors = {
    mark: zlib.decompressobj(WINDOW_BITS, dictionary) for mark, dictionary in _DICTIONARIES.items()
}


def pack(body: bytes) -> bytes:
    """A body in its stored form."""
    compressor = _compressor.copy()
    return _MARK + compressor.compress(body) + compressor.flush()


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
