from __future__ import annotations

import pytest

from edge_tts.documents import MAX_CHARACTERS, parse_yaml


def test_yaml_is_read() -> None:
    assert parse_yaml("a: 1\nb: [x, 2.5, null]\n") == {"a": 1, "b": ["x", 2.5, None]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "http:\n  port: 1\nmqtt: {}\nhttp:\n  port: 2\n",
            "http: given twice, first in line 1, at line 4",
        ),
        ("http:\n  port: 1\n  port: 2\n", "port: given twice, first in line 2, at line 3"),
        ("a: &a [x]\nb: *a\n", "aliases are not taken, write the value out, at line 2"),
        ("a: [\n", "expected the node content, but found .*, at line 2"),
        ("a: 2026-13-45", "month"),
        ("a: !!bool perhaps", "perhaps"),
        ('a: !!int ""', "none of its type"),
        ("a: " + "1" * 5000, "none of its type"),
        ("[" * 5000, "nested in more than 32 levels, at line 1"),
        ("a:\n- {b: " + "[" * 31, "nested in more than 32 levels, at line 2"),
        ("#" * (MAX_CHARACTERS + 1), "at most"),
        ("a: !!python/object:os.x {}", "python/object"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_yaml(text)


def test_a_billion_laughs_are_refused_at_once() -> None:
    laughs = "".join(f"l{n + 1}: &l{n + 1} [{', '.join([f'*l{n}'] * 10)}]\n" for n in range(9))
    with pytest.raises(ValueError, match="aliases"):
        parse_yaml(f"l0: &l0 ha\n{laughs}name: *l9\n")
