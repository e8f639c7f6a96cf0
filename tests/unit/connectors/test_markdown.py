"""Markdown to HTML."""

from __future__ import annotations

from typing import Any

import pytest

from junctor.connectors.markdown import markdown
from junctor.errors import BundleInvalid
from junctor.language.forms import bind, schema_of


def html(data: str, **mapper: Any) -> str:
    module = markdown.modules["Compile"]
    made = module.function(**bind(module, {"data": data, **mapper}, {}))
    return str(made["data"]).strip()


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("# A\n\n*b* **c** `d`", "<h1>A</h1>\n<p><em>b</em> <strong>c</strong> <code>d</code></p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("[a](http://x.y)", '<p><a href="http://x.y">a</a></p>'),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"),
        ("a <b>c</b>", "<p>a <b>c</b></p>"),
        ("", ""),
    ],
)
def test_compile(text: str, made: str) -> None:
    assert html(text) == made


def test_the_github_flavor() -> None:
    text = "~~a~~ http://x.y\n\n|a|\n|-|\n|1|"
    assert "<s>a</s>" in html(text)
    assert '<a href="http://x.y">http://x.y</a>' in html(text)
    assert "<td>1</td>" in html(text)
    assert html(text, gfm=False) == "<p>~~a~~ http://x.y</p>\n<p>|a|\n|-|\n|1|</p>"


def test_cleaning() -> None:
    text = "<script>alert(1)</script><b onclick='x()'>ok</b>"
    assert "<script>" in html(text)
    assert html(text, sanitize=True) == "<b>ok</b>"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a" * 200_001, "the most is 200,000"),
        ("[" * 20_001, "the most is 20,000"),
        ("<div>" * 501, "deeper than 500"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(BundleInvalid, match=rf"'data'.*{said}"):
        html(text, sanitize=True)


def test_the_form_has_labels() -> None:
    form = schema_of(markdown.modules["Compile"])
    assert all(field.get("title") for field in form["properties"].values())
