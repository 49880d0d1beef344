from __future__ import annotations

import json
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.gateway.shapes import Malformed, NotJSON, parse


def nested(depth: int) -> str:
    """An object that is so many containers deep."""
    return '{"a":' + "[" * (depth - 1) + "]" * (depth - 1) + "}"


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        ' {"message" : "x"}\r\n',
        nested(16),
        "{" + ",".join(f'"{n}":0' for n in range(256)) + "}",
        '{"n":' + "9" * 4_000 + "}",
        '{"n":1e308}',
        '{"n":1e-400}',
        '{"a":{"a":{"a":1}}}',
        '{"text":"\\ud83d\\ude00"}',
        '{"text":"\\\\ud800 \\\\u0000"}',
    ],
)
def test_sane_object_is_read_as_json_does(text: str) -> None:
    """Within the bounds the result is that of any JSON parser."""
    assert parse(text) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "}",
        "[]",
        "17",
        '"text"',
        "null",
        "true",
        "NaN",
        '{"n":NaN}',
        '{"n":Infinity}',
        '{"n":-Infinity}',
        '{"n":[NaN]}',
        "{} {}",
        "{}x",
        '{"a":1,"a":1}',
        '{"b":{"a":1,"a":2}}',
        '{"a":1,"\\u0061":2}',
        nested(17),
        '{"a":' * 17 + "1" + "}" * 17,
        '{"a":' * 100_000,
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"n":' + "1" * 60_000 + "}",
        '{"n":-' + "1" * 60_000 + "}",
        '{"n":1e400}',
        '{"n":[-1e999]}',
        '{"n":' + "9" * 400 + ".0}",
        '{"text":"\\ud800"}',
        '{"text":"\\ude00\\ud83d"}',
        '{"text":"a\\u0000b"}',
        '{"\\u0000":1}',
        '{"a":[{"\\udfff":1}]}',
        '{"a":[["\\u0000"]]}',
        "{" + ",".join(f'"{n}":0' for n in range(257)) + "}",
        '{"a":{' + ",".join(f'"{n}":0' for n in range(256)) + "}}",
        "{'message':'x'}",
        '{"message":"a\nb"}',
        '{message:"x"}',
        '{"a":1,}',
        "\ufeff{}",
        "{}\0",
    ],
    ids=lambda text: f"{text[:24]!r}+{len(text)}",
)
def test_anything_else_is_malformed(text: str) -> None:
    """Whatever is not one sane JSON object is refused with a sentence, and quickly."""
    took = []
    for _ in range(3):
        started = time.thread_time()
        with pytest.raises(Malformed) as caught:
            parse(text)
        took.append(time.thread_time() - started)
    # The promise is 5 ms; a slow machine gets room, a quadratic parser would not fit.
    assert min(took) < 0.05
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 100


@settings(deadline=None)
@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    """Any text is an object or malformed; nothing else can happen."""
    with suppress(Malformed):
        assert isinstance(parse(text), dict)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=()), max_size=3),
        st.text(st.characters(exclude_categories=()), max_size=3)
        | st.lists(st.floats() | st.none() | st.integers(), max_size=3),
        max_size=4,
    )
)
def test_what_is_read_can_be_written(message: dict[str, object]) -> None:
    """As JSON that everybody reads, in UTF-8, and without what PostgreSQL refuses."""
    with suppress(Malformed):
        text = json.dumps(parse(json.dumps(message)), allow_nan=False, ensure_ascii=False)
        assert "\\u0000" not in text.replace("\\\\", "")
        text.encode()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"n":NaN}', "{} {}", '"text"'])
def test_what_is_no_json_object_is_told_apart(text: str) -> None:
    """A protocol may be harder on what is no object at all than on one of insane shape."""
    with pytest.raises(NotJSON):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        nested(17),
        '{"a":1,"a":1}',
        '{"n":' + "1" * 60_000 + "}",
        '{"n":1e999}',
        '{"text":"\\ud800"}',
    ],
)
def test_json_of_insane_shape_is_no_syntax_error(text: str) -> None:
    """It is an object, and its sender may be told what is wrong with it."""
    with pytest.raises(Malformed) as caught:
        parse(text)
    assert not isinstance(caught.value, NotJSON)
