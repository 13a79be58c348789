"""The rules of the house, checked on every file; each checker is tried on a bad sample and a good one too."""

import re
import sys
from operator import itemgetter

import pytest

from tests.support.house import (
    ALLOWED_LATE_IMPORTS,
    CHECKERS,
    KEYS,
    LEVELS,
    LONGEST_MODULE,
    MOST_FILES_AT_ROOT,
    PACKAGES,
    ROOT,
    TABLES,
    UPWARD_IMPORTS,
    Checker,
    built_keys,
    environment_read_at_import,
    imported,
    imported_rooms,
    key_literals,
    late_imports,
    modules,
    nodes,
    private_words,
    project_files,
    public_classes,
    repeated,
    reserved_fields,
    scripts,
    upward_imports,
    words_of,
    wrong_imports,
)
from tests.support.markers import MARKERS
from tests.support.ordering import LONG, ordered

WORKPLACE = re.compile(
    "|".join(
        (
            r"(?<![\w.])/wor" + r"k/",
            r"/tmp/pro" + r"be\b",
            r"/tmp/pla" + r"n\b",
            r"/opt/py" + r"pi\b",
            r"index[-_]ur" + r"l\b",
            r"find[-_]lin" + r"ks\b",
            r"https?://[^\s\"'<>]*/simp" + r"le\b",
        )
    ),
    re.IGNORECASE,
)


def test_every_module_keeps_every_rule() -> None:
    texts = list(modules())
    assert len(CHECKERS) > 5
    assert [fault for checker in CHECKERS for path, text in texts for fault in checker(path, text)] == []


def test_scripts_use_the_keys_that_they_are_given() -> None:
    assert [fault for path, text in scripts() for fault in built_keys(path, text)] == []
    assert len(list(scripts())) > 20


def test_there_are_modules_to_check() -> None:
    results = {path.partition("/")[0] for path, _ in modules()}
    assert results == set(PACKAGES)
    assert {"pyproject.toml", "Makefile", ".ci/run"} <= {path for path, _ in project_files()}


def test_every_marked_place_exists() -> None:
    places = [place for marked in MARKERS.values() for place in marked]
    assert places
    assert [place for place in places if not (ROOT / "tests" / place).exists()] == []


def test_modules_stay_short() -> None:
    lengths = {path: text.count("\n") for path, text in modules() if path not in TABLES}
    assert {path: length for path, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_every_allowed_upward_import_is_still_there() -> None:
    texts = dict(modules())
    assert [place for place in UPWARD_IMPORTS if place[1] not in imported_rooms(texts[place[0]])] == []


def test_every_room_of_the_levels_exists() -> None:
    rooms = {path.name.removesuffix(".py") for path in (ROOT / "processor").iterdir()}
    assert sorted(set().union(*LEVELS) - rooms) == []
    assert sorted(rooms - set().union(*LEVELS) - {"__init__", "__main__", "__pycache__", "py.typed"}) == []


def test_the_root_of_the_processor_holds_rooms_and_few_files() -> None:
    files = [path.stem for path in (ROOT / "processor").glob("*.py") if not path.stem.startswith("__")]
    assert 0 < len(files) <= MOST_FILES_AT_ROOT


def test_no_class_name_means_two_things() -> None:
    classes = [name for _, text in modules() for name in public_classes(text)]
    assert len(classes) > 100
    assert repeated(classes) == []


def test_no_file_names_the_place_where_it_was_written_or_an_index() -> None:
    assert [(path, result[0]) for path, text in project_files() for result in WORKPLACE.finditer(text)] == []


def test_every_allowed_late_import_is_still_there() -> None:
    texts = dict(modules())
    for path, name in ALLOWED_LATE_IMPORTS:
        assert name in set(imported(nodes(texts[path]))), (path, name)


@pytest.mark.parametrize(
    ("checker", "path", "text"),
    [
        (wrong_imports, "handlers/x.py", "import redis"),
        (wrong_imports, "handlers/x.py", "from processor.errors import NotFound"),
        (wrong_imports, "handlers/x.py", "if True:\n    import flask.json"),
        (wrong_imports, "processor/x.py", "import workers.jobs"),
        (wrong_imports, "processor/cli/x.py", "def f():\n    from workers import drain"),
        (wrong_imports, "workers/x.py", "from . import jobs"),
        (upward_imports, "processor/store/x.py", "from processor.web import app"),
        (upward_imports, "processor/store/x.py", "from processor import container"),
        (upward_imports, "processor/codat/x.py", "import processor.reconciliation.compare"),
        (upward_imports, "processor/errors.py", "from processor.settings.loading import load"),
        (late_imports, "processor/x.py", "def f():\n    import json"),
        (late_imports, "processor/x.py", "class A:\n    async def f(self):\n        from os import path"),
        (key_literals, "processor/web/x.py", 'KEY = "codat:inbox"'),
        (key_literals, "workers/x.py", 'def f(n):\n    return f"codat:inbox:{n}"'),
        (built_keys, "processor/x.lua", "redis.call('HGET', ARGV[8] .. id, 'body')"),
        (built_keys, "processor/x.lua", "local name = prefix .. id\nredis.call('HEXISTS', name, 'x')"),
        (built_keys, "processor/x.lua", "redis.call('DEL', 'codat:inbox')"),
        (reserved_fields, "processor/x.py", 'log.info("It happened", extra={"process": 1})'),
        (reserved_fields, "processor/x.py", 'log.info("It happened", extra={"message": 1})'),
        (private_words, "processor/store/upkeep.py", ""),
        (private_words, "processor/x.py", "class MailCourier: ..."),
        (private_words, "processor/x.py", "def f(whoever): ..."),
        (private_words, "processor/x.py", "def do_things(): ..."),
        (private_words, "processor/x.py", "self.door = 1"),
        (environment_read_at_import, "processor/x.py", 'import os\nA = os.environ["A"]'),
        (environment_read_at_import, "processor/x.py", 'import os\nclass A:\n    b = os.getenv("B")'),
    ],
)
def test_a_fault_is_found(checker: Checker, path: str, text: str) -> None:
    assert len(checker(path, text)) == 1


@pytest.mark.parametrize(
    ("checker", "path", "text"),
    [
        (wrong_imports, "handlers/x.py", "import json\nfrom handlers.events import Event"),
        (wrong_imports, "processor/x.py", "import handlers.fold\nimport redis"),
        (wrong_imports, "workers/x.py", "import processor.store\nimport handlers"),
        (upward_imports, "processor/web/x.py", "from processor.container import for_web"),
        (upward_imports, "processor/store/x.py", "from processor.store import keys"),
        (upward_imports, "processor/__main__.py", "from processor.cli import main"),
        (upward_imports, "workers/x.py", "from processor.web import app"),
        (private_words, "processor/x.py", "def nothing(indoors, a_bellows): ..."),
        (late_imports, "processor/x.py", "try:\n    import apprise\nexcept ImportError:\n    apprise = None"),
        (key_literals, KEYS, 'KEY = "codat:inbox"'),
        (key_literals, "processor/x.py", '"""Reads codat:inbox."""'),
        (built_keys, "processor/x.lua", "local name = lane .. ':status'\nredis.call('HGET', KEYS[1], name)"),
        (reserved_fields, "processor/x.py", 'log.info("It happened", extra={"event_id": 1})'),
        (environment_read_at_import, "processor/x.py", "import os\ndef f():\n    return os.environ"),
    ],
)
def test_what_is_right_is_let_pass(checker: Checker, path: str, text: str) -> None:
    assert checker(path, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "see /wor" + "k/shared/x.md",
        "#!/tmp/pro" + "be/bin/python",
        "--extra-index-ur" + "l https://example.org",
        "PIP_INDEX_UR" + "L=x",
        "https://pypi.example.org/simp" + "le/",
        "--find-lin" + "ks wheels",
    ],
)
def test_a_trace_of_the_workplace_is_found(text: str) -> None:
    assert WORKPLACE.search(text)


@pytest.mark.parametrize("text", ["../shared/codat/payloads", "https://api.codat.io/companies", "/network/"])
def test_ordinary_paths_are_let_pass(text: str) -> None:
    assert not WORKPLACE.search(text)


def test_words_of_names() -> None:
    assert words_of("_own_HTTPSender2") == {"own", "http", "sender"}
    assert words_of("DISTRUSTS_TLS") == {"distrusts", "tls"}


def test_classes_of_one_name_are_found() -> None:
    names = public_classes("class A:\n    class Meta: ...\nclass _B: ...\nclass _B: ...\nclass A: ...")
    assert names == ["A", "A"]
    assert repeated([*names, "C"]) == ["A"]


@pytest.mark.parametrize("event", [("os.fork",), ("subprocess.Popen", sys.executable, [], None, None)])
def test_a_fast_test_that_starts_a_process_of_ours_fails(event: tuple[object, ...]) -> None:
    with pytest.raises(pytest.fail.Exception):
        sys.audit(*event)  # type: ignore[arg-type]


QUICK = [f"quick-{number}.py" for number in range(40)]


def test_what_takes_long_begins_first_on_each_worker_and_stays_together() -> None:
    long = [f"{path}test_other.py" if path.endswith("/") else path for _, places in LONG for path in places]
    items = [(path, number) for path in (*QUICK, *long) for number in (1, 2)]
    result = ordered(items, itemgetter(0), 2)
    assert sorted(result) == sorted(items)
    parts = result[: len(items) // 2], result[len(items) // 2 :]
    for part in parts:
        is_quick = [path in QUICK for path, _ in part]
        assert is_quick == sorted(is_quick)
        assert not is_quick[0]
    for path in long:
        assert sum(any(path == other for other, _ in part) for part in parts) == 1, path
    assert all((ROOT / "tests" / path).exists() for _, places in LONG for path in places)
