from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.gateway.missed import NOTHING, Page
from shared.broker.wire import Published

MOST = 30


def published(offset: int) -> Published:
    return Published("chat:lobby", "e-1", offset, f'{{"n":{offset}}}', 0.0)


@given(
    first=st.integers(1, MOST),
    count=st.integers(0, MOST),
    spans=st.lists(st.tuples(st.integers(0, 2 * MOST), st.integers(0, 2 * MOST)), max_size=20),
    held=st.integers(0, 3),
)
def test_parts_of_a_page(first: int, count: int, spans: list[tuple[int, int]], held: int) -> None:
    """Each gets exactly what it asks for or nothing, and no text is made twice."""
    page = Page([published(offset) for offset in range(first, first + count)])
    encoded = Counter[int]()

    def encode(publication: Published) -> str:
        encoded[publication.offset] += 1
        return f"<{publication.offset}>"

    for after, last in spans:
        part = page.between(after, last)
        wanted = list(range(after + 1, last + 1))
        if not set(wanted) <= set(range(first, first + count)):
            assert part is None
            continue
        assert part is not None
        assert [each.offset for each in part] == wanted
        assert part.texts(encode) == [f"<{offset}>" for offset in wanted]
        assert (len(part), bool(part)) == (len(wanted), bool(wanted))
    assert max(encoded.values(), default=1) == 1
    if count:
        rest = [published(first + count + number) for number in range(held)]
        part = page.between(first - 1, first + count - 1)
        assert part is not None
        followed = part.followed_by(rest)
        wanted = list(range(first, first + count + held))
        assert [each.offset for each in followed] == wanted
        assert followed.texts(encode) == [f"<{offset}>" for offset in wanted]
        assert followed[-1].offset == wanted[-1]
        assert list(followed[1:]) == list(followed)[1:]


def test_nothing() -> None:
    """Who has missed nothing gets nothing, and what came since."""
    assert (list(NOTHING), NOTHING.texts(str)) == ([], [])
    followed = NOTHING.followed_by([published(4)])
    assert followed.texts(lambda each: str(each.offset)) == ["4"]
