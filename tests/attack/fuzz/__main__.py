"""``make fuzz``: hostile input for an hour; what makes a target raise becomes a file of the corpus.

The argument is how long, in seconds. Exit code 1 if anything was found, also an input that is never done
with. A find stays in the corpus when it is mended.
"""

import contextlib
import faulthandler
import hashlib
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from processor.runtime.embedded_engine import Engine
from tests.attack.fuzz.mutate import mutated
from tests.attack.fuzz.sockets import of_server
from tests.attack.fuzz.targets import PURE, Target, of_application
from tests.processor.web.v1.filling import Filling
from tests.support.service import Service

CORPUS = Path(__file__).parent / "corpus"
HOUR_S = 3_600.0
ROUND_S = 1.0
"""Time that one target is tried before the next, in seconds."""

LIMIT_S = 300.0
"""Limit of one input, in seconds: longer than a target itself waits, whose failure names the input."""

SETTINGS = {"OPERATOR_PASSWORD": "a password of the fuzzer"}


def corpus_of(name: str, target: Target) -> list[bytes]:
    """The seeds of a target, and what was found before."""
    return [*target.seeds, *(path.read_bytes() for path in sorted(CORPUS.glob(f"{name}/*")))]


def failure_of(target: Target, data: bytes) -> BaseException | None:
    """What an input makes a target raise."""
    try:
        target.attempt(data)
    except Exception as error:
        return error
    return None


def smallest(target: Target, data: bytes, kind: type[BaseException]) -> bytes:
    """The input without the parts that the failure does not need."""
    size = len(data) // 2
    while size:
        for at in range(0, len(data), size):
            shorter = data[:at] + data[at + size :]
            if type(failure_of(target, shorter)) is kind:
                data = shorter
                break
        else:
            size //= 2
    return data


def fuzz(targets: Mapping[str, Target], seconds: float, chance: random.Random) -> tuple[Counter[str], int]:
    """Try all targets in turn; how often each was tried, and how many finds were written."""
    pools = {name: corpus_of(name, target) for name, target in targets.items()}
    tried, finds, until = Counter[str](), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        for name, target in targets.items():
            next_at = time.monotonic() + ROUND_S
            while time.monotonic() < min(next_at, until):
                data = mutated(chance, pools[name])
                tried[name] += 1
                with _limited(name, data):
                    failure = failure_of(target, data)
                if failure is not None:
                    with _limited(name, data):
                        found = smallest(target, data, type(failure))
                    _keep(name, found, failure)
                    finds += 1
                    break  # the same fault would be found again and again
    return tried, finds


@contextlib.contextmanager
def _limited(name: str, data: bytes) -> Iterator[None]:
    """End the process with a traceback at the limit; the input is then a file of the corpus, ``endless``."""
    path = CORPUS / name / "endless"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    faulthandler.dump_traceback_later(LIMIT_S, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        path.unlink()


def _keep(name: str, data: bytes, failure: BaseException) -> None:
    path = CORPUS / name / hashlib.sha256(data).hexdigest()[:12]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    print(f"{path.relative_to(CORPUS.parent)}: {failure!r:.300}\n    {data[:200]!r}", flush=True)


@contextlib.contextmanager
def all_targets() -> Iterator[dict[str, Target]]:
    """Those without a store, those of an application on an engine of its own, and that of a whole service."""
    with (
        tempfile.TemporaryDirectory(prefix="codat-") as folder,
        Engine(Path(folder)) as engine,
        tempfile.TemporaryDirectory(prefix="codat-") as own_folder,
        Service(Path(own_folder), LOG_LEVEL="ERROR") as service,
    ):
        filling = Filling(engine.url, **SETTINGS)
        yield PURE | of_application(filling) | of_server(service.port)
        filling.close()


def main(argv: list[str], show: Callable[[str], object] = print) -> int:
    """Fuzz for the time that the argument says."""
    seconds, seed = float(argv[1]) if len(argv) > 1 else HOUR_S, random.randrange(2**32)
    logging.disable(logging.CRITICAL)
    show(f"{seconds:.0f} s, seed {seed}")
    with all_targets() as targets:
        tried, finds = fuzz(targets, seconds, random.Random(seed))
    show(", ".join(f"{name} {count:,}" for name, count in sorted(tried.items())))
    show(f"{finds} finds" if finds else "nothing found")
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
