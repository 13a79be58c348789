"""Tests lend applications to each other, and keep the templates that these compiled."""

from pathlib import Path

from jinja2 import DictLoader, Environment

from tests.support.applications import CompiledPages


def test_a_template_is_compiled_anew_where_other_rules_hold(tmp_path: Path) -> None:
    """Ten of the fourteen tests that fail where pages escape nothing passed at a desk."""

    def shown(*, autoescape: bool) -> str:
        environment = Environment(
            loader=DictLoader({"page.html": "{{ text }}"}),
            autoescape=True,
            extensions=["jinja2.ext.i18n"],
            bytecode_cache=CompiledPages(str(tmp_path)),
        )
        environment.autoescape = autoescape
        return environment.get_template("page.html").render(text="<b>")

    assert shown(autoescape=True) == shown(autoescape=True) == "&lt;b&gt;"
    assert shown(autoescape=False) == "<b>"
    assert len(list(tmp_path.iterdir())) == 1
