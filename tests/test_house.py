"""The rules of the house, read from the files themselves; each checker is tried on a bad sample too."""

import ast
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.markers import MARKERS

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("handlers", "processor", "workers")
LONGEST_MODULE = 320
"""Lines. A longer module has a second subject; only the table of keys may be longer."""

KEYS = "processor/store/keys.py"
"""The one file that may spell a Redis key."""

ALLOWED_LATE_IMPORTS: dict[tuple[str, str], str] = {}
"""(file, module) -> the reason why it is imported inside a function."""

RESERVED_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
"""Names that a log record uses itself: as a field, ``logging`` raises KeyError."""

SKIPPED_FOLDERS = {"var", "build", "dist", "__pycache__"}

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


def modules() -> Iterator[tuple[str, str]]:
    """Every module of the packages: its path from the root, its text."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def project_files() -> Iterator[tuple[str, str]]:
    """Every text file that belongs to the project.

    The folders of tools are not looked into: tests in other processes make and remove what is there.
    """
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(filter(_is_ours, folders))
        for path in (Path(folder, name) for name in sorted(names)):
            if path in (ROOT / ".env", ROOT / ".git") or not path.is_file():
                continue
            try:
                yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def _is_ours(folder: str) -> bool:
    hidden = folder.startswith(".") and folder != ".ci"
    return not (hidden or folder in SKIPPED_FOLDERS or folder.endswith(".egg-info"))


def imported(tree: ast.AST) -> Iterator[str]:
    """The absolute names of what is imported anywhere in a tree; a relative import is ``.``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." if node.level else str(node.module)


def wrong_imports(path: str, text: str) -> list[str]:
    """Imports against the direction workers -> processor -> handlers -> standard library."""
    package = path.partition("/")[0]
    above = PACKAGES[PACKAGES.index(package) + 1 :]
    found = []
    for name in imported(ast.parse(text)):
        top = name.partition(".")[0]
        foreign = package == "handlers" and top != "handlers" and top not in sys.stdlib_module_names
        if name == "." or top in above or foreign:
            found.append(f"{path} imports {name}")
    return found


def late_imports(path: str, text: str) -> list[str]:
    """Imports inside functions, other than the allowed ones."""
    functions = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    names = sorted({name for function in functions for name in imported(function)})
    return [f"{path} imports {name} late" for name in names if (path, name) not in ALLOWED_LATE_IMPORTS]


def key_literals(path: str, text: str) -> list[str]:
    """Redis keys that are spelt outside of the one file for them."""
    strings = (
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return [f"{path} spells {value}" for value in strings if path != KEYS and value.startswith("codat:")]


def reserved_fields(path: str, text: str) -> list[str]:
    """Fields of log lines that would raise KeyError as soon as the level is switched on."""
    return [
        f"{path} logs the field {key.value}"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.keyword) and node.arg == "extra" and isinstance(node.value, ast.Dict)
        for key in node.value.keys
        if isinstance(key, ast.Constant) and key.value in RESERVED_FIELDS
    ]


def environment_read_at_import(path: str, text: str) -> list[str]:
    """Uses of ``os.environ`` and ``os.getenv`` outside of functions."""
    waiting: list[ast.AST] = [ast.parse(text)]
    found = []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
            found.append(f"{path} reads the environment at import, line {node.lineno}")
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


Checker = Callable[[str, str], list[str]]
CHECKERS = (wrong_imports, late_imports, key_literals, reserved_fields, environment_read_at_import)


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.__name__)
def test_every_module_keeps_the_rule(checker: Checker) -> None:
    assert [fault for path, text in modules() for fault in checker(path, text)] == []


def test_there_are_modules_to_check() -> None:
    found = {path.partition("/")[0] for path, _ in modules()}
    assert found == set(PACKAGES)
    assert {"pyproject.toml", "Makefile", ".ci/run"} <= {path for path, _ in project_files()}


def test_every_marked_place_exists() -> None:
    places = [place for marked in MARKERS.values() for place in marked]
    assert places
    assert [place for place in places if not (ROOT / "tests" / place).exists()] == []


def test_modules_stay_short() -> None:
    lengths = {path: text.count("\n") for path, text in modules() if path != KEYS}
    assert {path: length for path, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_no_file_names_the_place_where_it_was_written_or_an_index() -> None:
    assert [(path, found[0]) for path, text in project_files() for found in WORKPLACE.finditer(text)] == []


def test_every_allowed_late_import_is_still_there() -> None:
    texts = dict(modules())
    for path, name in ALLOWED_LATE_IMPORTS:
        assert name in set(imported(ast.parse(texts[path]))), (path, name)


@pytest.mark.parametrize(
    ("checker", "path", "text"),
    [
        (wrong_imports, "handlers/x.py", "import redis"),
        (wrong_imports, "handlers/x.py", "from processor.errors import NotFound"),
        (wrong_imports, "handlers/x.py", "if True:\n    import flask.json"),
        (wrong_imports, "processor/x.py", "import workers.jobs"),
        (wrong_imports, "processor/cli/x.py", "def f():\n    from workers import drain"),
        (wrong_imports, "workers/x.py", "from . import jobs"),
        (late_imports, "processor/x.py", "def f():\n    import json"),
        (late_imports, "processor/x.py", "class A:\n    async def f(self):\n        from os import path"),
        (key_literals, "processor/web/x.py", 'KEY = "codat:inbox"'),
        (key_literals, "workers/x.py", 'def f(n):\n    return f"codat:inbox:{n}"'),
        (reserved_fields, "processor/x.py", 'log.info("It happened", extra={"process": 1})'),
        (reserved_fields, "processor/x.py", 'log.info("It happened", extra={"message": 1})'),
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
        (late_imports, "processor/x.py", "try:\n    import apprise\nexcept ImportError:\n    apprise = None"),
        (key_literals, KEYS, 'KEY = "codat:inbox"'),
        (key_literals, "processor/x.py", '"""Reads codat:inbox."""'),
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
