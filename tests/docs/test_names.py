"""Documentation names only files, modules, classes and links that exist."""

import re
from functools import cache
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.exceptions import MethodNotAllowed, NotFound

from processor.container import for_web
from processor.settings.definitions import definitions
from processor.settings.loading import load
from processor.web.app import create_app

ROOT = Path(__file__).parents[2]
PACKAGES = ("handlers", "processor", "workers", "tests")
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *ROOT.glob("docs/**/*.md"),
    )
)
PAGES_ABOUT_CODE = ("CONTRIBUTING.md", "docs/architecture.md", "docs/glossary.md")

CODE = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"(?<![\w./-])(?:handlers|processor|workers|tests|deploy|docs|\.ci)/[\w./*-]*")
FILE = re.compile(r"[a-z_0-9]+\.(?:py|lua|md|html|txt|toml|json)")
MODULE = re.compile(r"(?<![\w./-])(?:handlers|processor|workers|tests)(?:\.\w+)+")
CLASS_DEFINED = re.compile(r"^ *class (\w+)[(:]", re.MULTILINE)
CLASS = re.compile(r"[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+)+")
LINK = re.compile(r"""\]\(([^)\s]+)\)|src="([^"]+)\"""")
SETTING = re.compile(r"(?<![\w.-])[A-Z][A-Z0-9]*_[A-Z0-9_]+(?![\w.])")
CALL = re.compile(r"(?:(GET|POST|PUT|PATCH|DELETE) )?(/[a-z][\w{}/.-]*)(?:\?[\w=&]*)?")
OF_OPENTELEMETRY = "OTEL_"
"""The beginning of variables that OpenTelemetry itself reads."""

NO_SETTINGS = {"DESK_TURN"}
"""Variables that only the tests read."""

ADDRESSES_OF_OTHERS = {"/webhooks", "/lender", "/var/lib/codat-processor/engine"}
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def classes() -> frozenset[str]:
    """The names of all classes of the project."""
    return frozenset(
        name
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for name in CLASS_DEFINED.findall(path.read_text(encoding="utf-8"))
    )


@cache
def file_names() -> frozenset[str]:
    """The names of all files of the project, without their folders."""
    folders = (*PACKAGES, "docs", "deploy")
    paths = [*ROOT.glob("*"), *(path for folder in folders for path in (ROOT / folder).rglob("*"))]
    return frozenset(path.name for path in paths)


def module_exists(name: str) -> bool:
    """Whether ``name`` is a module, or a name that is defined at the top of one."""
    path = ROOT.joinpath(*name.split("."))
    if path.with_suffix(".py").exists() or path.is_dir():
        return True
    module = path.parent.with_suffix(".py")
    if not module.exists():
        module = path.parent / "__init__.py"
    if not module.exists():
        return False
    return bool(
        re.search(rf"^(?:def |class |async def )?{path.name}\b", module.read_text("utf-8"), re.MULTILINE)
    )


def untrue_names(text: str) -> list[str]:
    """The paths, files and modules that ``text`` names and that do not exist."""
    untrue = []
    for code in CODE.findall(FENCE.sub("", text)):
        for name in PATH.findall(code):
            if not any(ROOT.glob(name.rstrip("/"))):
                untrue.append(name)
        if FILE.fullmatch(code) and code not in file_names():
            untrue.append(code)
        untrue += [name for name in MODULE.findall(code) if not module_exists(name)]
    return untrue


def broken_links(page: str, text: str) -> list[str]:
    """The relative links of ``text`` that lead to no file."""
    links = [link or source for link, source in LINK.findall(text)]
    return [
        link
        for link in links
        if "://" not in link and not ((ROOT / page).parent / link.partition("#")[0]).exists()
    ]


def has_address(app: Flask, method: str | None, path: str) -> bool:
    """Whether the application answers ``method`` at ``path``; ``None``: any method, there or below."""
    if any(rule.rule.startswith(f"{path}/") for rule in app.url_map.iter_rules()) and method is None:
        return True
    try:
        app.url_map.bind("localhost").match(re.sub(r"{\w+}", "x", path), method or "GET")
    except MethodNotAllowed:
        return method is None
    except NotFound:
        return False
    return True


def test_pages_name_only_what_exists() -> None:
    untrue = {page: untrue_names(read(page)) for page in PAGES}
    assert len(untrue) > 50
    assert {page: names for page, names in untrue.items() if names} == {}


def test_the_links_of_pages_lead_to_files() -> None:
    broken = {page: broken_links(page, read(page)) for page in PAGES}
    assert {page: links for page, links in broken.items() if links} == {}


@pytest.mark.parametrize("page", PAGES_ABOUT_CODE)
def test_a_page_about_the_code_names_only_classes_that_exist(page: str) -> None:
    named = {code for code in CODE.findall(FENCE.sub("", read(page))) if CLASS.fullmatch(code)}
    assert named - classes() == set()


def test_pages_name_only_settings_that_exist() -> None:
    text = " ".join(code for page in PAGES for code in CODE.findall(FENCE.sub("", read(page))))
    settings = {name for name in SETTING.findall(text) if not name.startswith(OF_OPENTELEMETRY)}
    assert len(settings) > 20
    assert settings - {row.name for row in definitions()} == NO_SETTINGS


@pytest.fixture(scope="module")
def app() -> Flask:
    environ = {
        "REDIS_URL": "unix:///nonexistent",
        "CODAT_ALERT_AUTHORIZATIONS": "a",
        "OPERATOR_PASSWORD": "b",
    }
    return create_app(for_web(load(environ)))


def test_pages_name_only_addresses_that_the_service_has(app: Flask) -> None:
    calls = {
        (page, *call.groups())
        for page in PAGES
        for code in CODE.findall(FENCE.sub("", read(page)))
        if (call := CALL.fullmatch(code))
    }
    assert len(calls) > 20
    assert {
        (page, method, path)
        for page, method, path in calls
        if path not in ADDRESSES_OF_OTHERS and not has_address(app, method, path)
    } == set()


def test_an_address_that_the_service_does_not_have_is_found(app: Flask) -> None:
    assert has_address(app, "POST", "/v1/companies")
    assert not has_address(app, "POST", "/v1/company")
    assert not has_address(app, "PUT", "/v1/companies")


def test_every_room_has_its_line_in_the_architecture() -> None:
    rooms = {
        f"{path.parent.relative_to(ROOT).as_posix()}/"
        for package in ("handlers", "processor", "workers")
        for path in (ROOT / package).rglob("__init__.py")
        if path.parent.name != "scripts"
    }
    assert len(rooms) > 20
    lines = re.findall(
        r"^\| `((?:handlers|processor|workers)/[\w/]*)` \|", read("docs/architecture.md"), re.MULTILINE
    )
    assert sorted(lines) == sorted(rooms)


def test_the_index_of_decisions_has_every_record_under_its_title() -> None:
    index = read("docs/decisions/README.md")
    records = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    assert len(records) > 10
    for record in records:
        number, _, title = record.read_text("utf-8").splitlines()[0].removeprefix("# ").partition(". ")
        assert f"| {number} | [{title}]({record.name}) | 20" in index


@pytest.mark.parametrize(
    "text",
    [
        "`handlers/absent.py`",
        "`processor/absent/`",
        "`absent.lua`",
        "`processor.absent`",
        "`python -m handlers.absent`",
        "`workers.jobs.absent`",
    ],
)
def test_an_untrue_name_is_found(text: str) -> None:
    assert len(untrue_names(text)) == 1


def test_true_names_pass() -> None:
    text = "`handlers/fold.py` `tests/test_*.py` `accept.lua` `python -m handlers.diagram` `workers.jobs.ask`"
    assert untrue_names(text) == []


def test_a_broken_link_is_found() -> None:
    text = '[a](absent.md) [b](../README.md#start) [c](https://example.org) <img src="absent.png">'
    assert broken_links("docs/guide.md", text) == ["absent.md", "absent.png"]


def test_every_picture_is_shown_on_a_page() -> None:
    sources = {source for page in PAGES for _, source in LINK.findall(read(page)) if source}
    shown = {Path(source).name for source in sources if not source.endswith("embed.js")}
    assert shown == {path.name for path in (ROOT / "docs" / "images").iterdir()}
