from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.web.server_api.globs import InvalidGlob, compile_glob


@pytest.mark.parametrize(
    ("pattern", "matched", "others"),
    [
        ("feed:news", ["feed:news"], ["feed:new", "feed:news2", "xfeed:news"]),
        ("feed:*", ["feed:", "feed:a", "feed:a.b"], ["feeds:a", "fee"]),
        ("*", ["", "a", "a:b"], []),
        ("a?c", ["abc", "a:c"], ["ac", "abbc"]),
        ("a[bc]d", ["abd", "acd"], ["aed", "ad"]),
        ("a[!bc]d", ["aed"], ["abd", "ad"]),
        ("a[0-9]", ["a7"], ["ax"]),
        ("{feed,flash}:*", ["feed:a", "flash:b"], ["chat:a", "{feed,flash}:a"]),
        ("a{b,}c", ["abc", "ac"], ["abbc"]),
        ("a{b,c{d,e}}f", ["abf", "acdf", "acef"], ["acf", "abdf"]),
        ("{a,b}{c,d}", ["ac", "ad", "bc", "bd"], ["ab", "a"]),
        ("a,b", ["a,b"], ["a"]),
        ("a.b+(c)", ["a.b+(c)"], ["axbb(c)"]),
        ("a[b", ["a[b"], ["ab"]),
    ],
)
def test_what_a_pattern_means(pattern: str, matched: list[str], others: list[str]) -> None:
    """The whole name, with what shells know."""
    matches = compile_glob(pattern)
    assert [name for name in matched + others if matches(name)] == matched


@pytest.mark.parametrize("pattern", ["{", "}", "a}b", "{a,{b}", "{a,b}" * 7, "{" * 250])
def test_braces_that_mean_nothing(pattern: str) -> None:
    """Unbalanced, or more alternatives than anybody means."""
    with pytest.raises(InvalidGlob):
        compile_glob(pattern)


@given(st.text(st.sampled_from("ab*?[]!{},-:\\"), max_size=40), st.text("ab:", max_size=40))
def test_any_pattern_is_judged(pattern: str, name: str) -> None:
    """It compiles or is refused; matching never fails."""
    try:
        matches = compile_glob(pattern)
    except InvalidGlob:
        return
    assert matches(name) in (True, False)


def test_no_pattern_is_slow() -> None:
    """Many stars are no way to keep a worker busy."""
    matches = compile_glob("*a" * 100 + "b")
    started = time.monotonic()
    assert not matches("a" * 255)
    assert time.monotonic() - started < 1
