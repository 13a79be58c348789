"""Every regular expression of the project works in linear time, whatever it is given.

A stranger's path of 60,000 letters, matched by a quadratic pattern of the log redactor on the event loop,
stopped the service for 241 s. Here each pattern meets texts that are made from its own parts.
"""

import ast
import functools
import importlib
import re
import time
from collections.abc import Callable, Iterator
from re import _constants as codes
from re import _parser as parser
from typing import Any, NamedTuple

import pytest

from processor.runtime.logs import Redactor
from tests.support.house import ROOT, modules

COMPILERS = frozenset(
    {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
)
CHECKED_BY_HAND = {"processor/runtime/logs.py": {"'|'.join(map(re.escape, longest_first))"}}
"""Patterns that are made at run time, by module; each is checked by a test of its own."""

SHORT, LONG = 1_000, 4_000
"""Characters of the two texts that are compared. A linear pattern takes four times as long for the longer
one, a quadratic one sixteen times."""

GROWTH = 9.0
CHEAP_S = 0.000_3
"""A text of ``LONG`` characters that takes less than this is no proof of anything: a quadratic pattern
takes a hundred times as long."""

CERTAIN_S = 1.0
"""No linear pattern computes this long on ``LONG`` characters."""

SUFFIXES = ("", "\x00", "!", "\n", "=", "a")
GENERIC = (
    *"aA0_ .-:/\\\"'=?&%{[(@\t\n\u00e9\x00",
    "a:",
    "a.",
    "a-",
    "-a",
    "://",
    "a://",
    '\\"',
    "\u00e9 ",
    "/a",
)


class Pattern(NamedTuple):
    """A regular expression of the project, and how it is used."""

    place: str
    pattern: re.Pattern[str]
    methods: frozenset[str]


def patterns_in(path: str, text: str) -> Iterator[Pattern]:
    """What a module compiles or matches; raises for what cannot be found out and is not known."""
    tree = ast.parse(text)
    nodes: list[Any] = list(ast.walk(tree))
    named = {id(node.value): node.targets[0].id for node in nodes if _is_name_for_call(node)}
    for node in filter(_is_of_re, nodes):
        source = ast.unparse(node.args[0])
        if source in CHECKED_BY_HAND.get(path, ()):
            continue
        method = node.func.attr
        flags = next((word.value for word in node.keywords if word.arg == "flags"), None)
        position = {"compile": 1, "sub": 4, "subn": 4, "split": 3}.get(method, 2)
        if flags is None and len(node.args) > position:
            flags = node.args[position]
        names = vars(importlib.import_module(path.removesuffix(".py").replace("/", ".")))
        made = re.compile(_value(node.args[0], names), _value(flags, names) if flags else 0)
        used = _uses(named[id(node)], tree) if method == "compile" else {method}
        yield Pattern(f"{path}:{node.lineno}", made, frozenset(used))


def _is_name_for_call(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Call)
    )


def _is_of_re(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and node.func.attr in COMPILERS
    )


def _value(node: ast.expr, names: dict[str, Any]) -> Any:
    return eval(compile(ast.Expression(node), "<pattern>", "eval"), dict(names))  # noqa: S307 - our own source


def _uses(name: str, tree: ast.AST) -> set[str]:
    """The methods of a compiled pattern that its module calls; where none is, any may be called elsewhere."""
    results = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }
    return (results & COMPILERS) or {"search", "fullmatch"}


@functools.cache
def patterns() -> list[Pattern]:
    """All regular expressions of the project."""
    return [pattern for path, text in modules() if "import re" in text for pattern in patterns_in(path, text)]


def hostile(pattern: str, flags: int, length: int) -> Iterator[str]:
    """Texts of about ``length`` characters that nearly match in very many ways."""
    tree = parser.parse(pattern, flags)
    pumps: dict[tuple[str, str], None] = {}
    _pump(tree, "", pumps)
    whole = _sample(tree)
    pumps |= {("", whole): None, (whole, whole): None, ("", whole[:-1]): None}
    pumps |= {(prefix, unit): None for prefix in ("", whole) for unit in GENERIC}
    for prefix, unit in pumps:
        for suffix in SUFFIXES:
            yield prefix + unit * (length // max(1, len(unit))) + suffix


def _pump(tree: Any, before: str, found: dict[tuple[str, str], None]) -> str:
    """Collect (what leads to a repetition, what it repeats); returns a text that the whole matches."""
    for code, argument in tree:
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            least, most, inner = argument
            unit = _sample(inner)
            if most > 10:
                found[before, unit] = None
                found["", before + unit] = None
            _pump(inner, before, found)
            before += unit * least
        elif code is codes.SUBPATTERN:
            before = _pump(argument[-1], before, found)
        elif code is codes.ATOMIC_GROUP:
            before = _pump(argument, before, found)
        elif code is codes.BRANCH:
            before, *_ = [_pump(branch, before, found) for branch in argument[1]]
        elif code in (codes.ASSERT, codes.ASSERT_NOT):
            _pump(argument[1], before, found)
        else:
            before += _sample([(code, argument)])
    return before


def _sample(tree: Any) -> str:
    """A short text that matches, as far as can be seen; at least one round of each repetition."""
    text = ""
    for code, argument in tree:
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
            text += _sample(argument[2]) * max(1, min(argument[0], 20))
        elif code is codes.SUBPATTERN:
            text += _sample(argument[-1])
        elif code is codes.ATOMIC_GROUP:
            text += _sample(argument)
        elif code is codes.BRANCH:
            text += _sample(argument[1][0])
        elif code is codes.LITERAL:
            text += chr(argument)
        elif code is codes.ANY:
            text += "a"
        elif code is codes.NOT_LITERAL:
            text += "b" if argument == ord("a") else "a"
        elif code is codes.IN:
            single = re.compile(f"[{''.join(_spelt(argument))}]")
            text += next(
                (item for item in "aA0_- .:/=\t\"'\\{[%@!\x00\u2028\ud800" if single.match(item)), "a"
            )
    return text


def _spelt(members: Any) -> Iterator[str]:
    """A character class as it is written."""
    categories = {
        codes.CATEGORY_DIGIT: r"\d",
        codes.CATEGORY_NOT_DIGIT: r"\D",
        codes.CATEGORY_SPACE: r"\s",
        codes.CATEGORY_NOT_SPACE: r"\S",
        codes.CATEGORY_WORD: r"\w",
        codes.CATEGORY_NOT_WORD: r"\W",
    }
    for code, argument in members:
        if code is codes.NEGATE:
            yield "^"
        elif code is codes.LITERAL:
            yield f"\\U{argument:08x}"
        elif code is codes.RANGE:
            yield f"\\U{argument[0]:08x}-\\U{argument[1]:08x}"
        elif code is codes.CATEGORY:
            yield categories[argument]


def growth(match: Callable[[str], object], short: str, long: str) -> float:
    """How many times longer the long text takes, at the best of several runs; 0 where both are cheap."""
    took = _computed_s(match, long)
    if took < CHEAP_S:
        return 0.0
    if took > CERTAIN_S:
        return float("inf")
    ratio = took / _computed_s(match, short)
    for _ in range(3):  # another process may have disturbed one of the two
        if ratio < GROWTH:
            break
        ratio = min(ratio, min(_computed_s(match, long) for _ in range(3)) / _computed_s(match, short))
    return ratio


def _computed_s(match: Callable[[str], object], text: str) -> float:
    began = time.thread_time()
    match(text)
    return time.thread_time() - began


def grows(pattern: re.Pattern[str], methods: frozenset[str]) -> str | None:
    """A text, as far as its ends show, for which a pattern takes more than linear time."""
    for method in sorted(methods - {"compile"}):
        match = getattr(pattern, method)
        if method in ("sub", "subn"):
            match = functools.partial(match, "")
        texts = (hostile(pattern.pattern, pattern.flags, length) for length in (SHORT, LONG))
        for short, long in zip(*texts, strict=True):
            if growth(match, short, long) >= GROWTH:
                return f"{method} {long[:20]!r}…{long[-5:]!r}"
    return None


def test_every_pattern_of_the_project_is_linear() -> None:
    """A path of 60,000 letters kept the redactor, and with it the whole service, busy for a minute."""
    growing = {row.place: grows(row.pattern, row.methods) for row in patterns()}
    assert growing
    assert {place: text for place, text in growing.items() if text is not None} == {}


def test_the_redactor_is_linear_on_the_path_that_stopped_the_service() -> None:
    """Four requests for ``/aaaa…`` that broke off: no answer to anybody for 241 s."""
    redact = Redactor(["a-known-secret"])
    assert growth(redact, "a" * 16_000, "a" * 64_000) < GROWTH


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"[a-z][a-z0-9+.-]*://[^\s/:@]*:", "search"),
        (r"\s+$", "search"),
        (r"\s*(.*?)\s*", "fullmatch"),
        (r"\[(.+)\]$", "sub"),
        (r"\d+-?\d+!", "match"),
    ],
)
def test_a_quadratic_pattern_is_found(pattern: str, method: str) -> None:
    assert grows(re.compile(pattern), frozenset({method}))


def test_every_pattern_is_found() -> None:
    """A pattern that this file does not see could be anything: each use of ``re`` is accounted for."""
    uses = sum(
        len(re.findall(r"\bre\.(?:compile|match|fullmatch|search|sub|split|findall)\(", text))
        for _, text in modules()
    )
    by_hand = sum(map(len, CHECKED_BY_HAND.values()))
    assert len(patterns()) == uses == len(patterns()) - 1 + by_hand


LINEAR_ELSEWHERE = {
    "processor/delivery/scripts/claim.lua": ["match("],
    "processor/delivery/scripts/fan_out.lua": ["gmatch("],
    "processor/delivery/scripts/settle.lua": ["match("],
}
"""Patterns of other languages, by file: numbers of lanes, one class repeated once; at most seven digits."""


def test_no_pattern_hides_in_another_language() -> None:
    """Lua patterns and those of templates are none of the above; in scripts one knows which there are."""
    results = {
        str(path.relative_to(ROOT)): hits
        for suffix in ("*.lua", "*.js")
        for path in (ROOT / "processor").rglob(suffix)
        if (hits := re.findall(r"RegExp\(|/[^/\n]+/[gimsuy]*[,)]|\b(?:g?match|gsub)\(", path.read_text()))
    }
    assert results == LINEAR_ELSEWHERE, "is it linear?"
