"""The rules of the house. A checker takes the path and the text of a module, and returns faults."""

import ast
import functools
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("handlers", "processor", "workers")

LONGEST_MODULE = 320
"""Lines. A longer module has a second subject; only a table may be longer."""

MOST_FILES_AT_ROOT = 6
"""Modules at the root of ``processor`` that everything uses, besides ``__init__`` and ``__main__``."""

KEYS = "processor/store/keys.py"
"""The only file that may contain a Redis key."""

TABLES = {KEYS, "processor/settings/definitions.py"}
"""Modules that are a table: a row for each key, and for each setting."""

LEVELS = (
    {"errors", "clock", "humanize", "languages"},
    {"settings"},
    {"store", "codat", "alerts"},
    {"access", "journey", "reconciliation", "delivery", "erasure", "conditions", "resources", "runtime"},
    {"container"},
    {"web", "cli", "simulator"},
)
"""Rooms of ``processor``, lowest first. A room imports from its own level and from those below."""

UPWARD_IMPORTS = {
    ("processor/reconciliation/wiring.py", "container"): "builds the reconciliation from the container",
}
"""(file, room) of the allowed imports from a higher level, with the reason."""

ALLOWED_LATE_IMPORTS: dict[tuple[str, str], str] = {}
"""(file, module) -> the reason why it is imported inside a function."""

RESERVED_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
"""Names that a log record uses itself: as a field, ``logging`` raises KeyError."""

PRIVATE_WORDS = frozenset(
    {
        *("anybody", "everybody", "nobody", "somebody", "theirs", "whatever", "whoever"),
        *("stuff", "thing", "things"),
        *("bell", "courier", "dealings", "desk", "door", "errand", "mishap", "mishaps", "putting", "sheets"),
        *("finding", "findings", "found", "one", "own", "said", "upkeep", "wishes"),
    }
)
"""Words that no name may contain: each stands for a term of the field."""

TERMS = re.compile("NotFound|not_found|OneTime")
"""Terms of the field that contain one of these words."""

WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
SKIPPED_FOLDERS = {"var", "build", "dist", "__pycache__"}

Checker = Callable[[str, str], list[str]]


def modules() -> Iterator[tuple[str, str]]:
    """Every module of the packages: its path from the root, its text."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def project_files() -> Iterator[tuple[str, str]]:
    """Every text file that belongs to the project.

    The folders of tools are skipped: tests in other processes create and remove files there.
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


@functools.cache
def nodes(text: str) -> tuple[ast.AST, ...]:
    """All nodes of a module's syntax tree."""
    return tuple(ast.walk(ast.parse(text)))


def imported(tree: ast.AST | tuple[ast.AST, ...]) -> Iterator[str]:
    """Absolute names of the modules that are imported anywhere in a tree; a relative import is ``.``."""
    for node in tree if isinstance(tree, tuple) else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." if node.level else str(node.module)


def wrong_imports(path: str, text: str) -> list[str]:
    """Imports against the direction workers -> processor -> handlers -> standard library."""
    package = path.partition("/")[0]
    above = PACKAGES[PACKAGES.index(package) + 1 :]
    faults = []
    for name in imported(nodes(text)):
        top = name.partition(".")[0]
        foreign = package == "handlers" and top != "handlers" and top not in sys.stdlib_module_names
        if name == "." or top in above or foreign:
            faults.append(f"{path} imports {name}")
    return faults


def upward_imports(path: str, text: str) -> list[str]:
    """Imports inside ``processor`` from a room of a higher level."""
    if not path.startswith("processor/"):
        return []
    level = level_of(path.split("/")[1].removesuffix(".py"))
    return [
        f"{path} imports the room {room}"
        for room in sorted(imported_rooms(text))
        if level_of(room) > level and (path, room) not in UPWARD_IMPORTS
    ]


def imported_rooms(text: str) -> set[str]:
    """Rooms of ``processor`` that a module imports from."""
    names = set(imported(nodes(text)))
    for node in nodes(text):
        if isinstance(node, ast.ImportFrom) and node.module == "processor":
            names |= {f"processor.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("processor.")}


def level_of(room: str) -> int:
    """Level of a room; a room that is not in ``LEVELS`` (``__init__``, ``__main__``) is above all others."""
    return next((level for level, rooms in enumerate(LEVELS) if room in rooms), len(LEVELS))


def late_imports(path: str, text: str) -> list[str]:
    """Imports inside functions, other than the allowed ones."""
    if not any(isinstance(node, ast.Import | ast.ImportFrom) and node.col_offset for node in nodes(text)):
        return []
    functions = [node for node in nodes(text) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    names = sorted({name for function in functions for name in imported(function)})
    return [f"{path} imports {name} late" for name in names if (path, name) not in ALLOWED_LATE_IMPORTS]


def key_literals(path: str, text: str) -> list[str]:
    """Redis keys outside of the file for them."""
    strings = (
        node.value for node in nodes(text) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return [f"{path} spells {value}" for value in strings if path != KEYS and value.startswith("codat:")]


_SCRIPT_CALL = re.compile(r"redis\.p?call\(\s*'[A-Z]+'\s*,\s*([^,)]+)")


def scripts() -> Iterator[tuple[str, str]]:
    """Every server-side script: its path from the root, its text."""
    for path in sorted((ROOT / "processor").rglob("*.lua")):
        yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def built_keys(path: str, text: str) -> list[str]:
    """Keys that a script was not given: a cluster cannot know where they are."""
    names = {name.strip() for name in _SCRIPT_CALL.findall(text)}
    return [
        f"{path} uses the key {name}"
        for name in sorted(names)
        if not re.fullmatch(r"KEYS\[[^\]]+\]", name)
        and (not name.isidentifier() or re.search(rf"\b{name}\b[^=\n]*=[^=\n]*\.\.", text))
    ]


def reserved_fields(path: str, text: str) -> list[str]:
    """Fields of log lines that raise KeyError as soon as the level is switched on."""
    return [
        f"{path} logs the field {key.value}"
        for node in nodes(text)
        if isinstance(node, ast.keyword) and node.arg == "extra" and isinstance(node.value, ast.Dict)
        for key in node.value.keys
        if isinstance(key, ast.Constant) and key.value in RESERVED_FIELDS
    ]


def environment_read_at_import(path: str, text: str) -> list[str]:
    """Uses of ``os.environ`` and ``os.getenv`` outside of functions."""
    waiting: list[ast.AST] = [nodes(text)[0]]
    faults = []
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
            faults.append(f"{path} reads the environment at import, line {node.lineno}")
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return faults


def private_words(path: str, text: str) -> list[str]:
    """Names of modules, classes, functions and variables that contain a word of ``PRIVATE_WORDS``."""
    places = [(path, part.removesuffix(".py")) for part in path.split("/")]
    places += [(f"{path}:{line}", name) for line, name in names_in(text)]
    return [f"{place} is called {name}" for place, name in places if PRIVATE_WORDS & words_of(name)]


def names_in(text: str) -> Iterator[tuple[int, str]]:
    """Line and name of every class, function, parameter, variable and attribute that a module defines."""
    for node in nodes(text):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr


def words_of(name: str) -> set[str]:
    """The words of a name, in lower case, whether it is written with underscores or with capitals."""
    return {word.lower() for word in WORD.findall(TERMS.sub("", name))}


def public_classes(text: str) -> list[str]:
    """Names of the classes of a module, without private ones and marshmallow's ``Meta``."""
    names = [node.name for node in nodes(text) if isinstance(node, ast.ClassDef)]
    return [name for name in names if not name.startswith("_") and name != "Meta"]


def repeated(names: list[str]) -> list[str]:
    """Names that occur more than once."""
    return sorted({name for name in names if names.count(name) > 1})


CHECKERS: tuple[Checker, ...] = (
    wrong_imports,
    upward_imports,
    late_imports,
    key_literals,
    reserved_fields,
    environment_read_at_import,
    private_words,
)
