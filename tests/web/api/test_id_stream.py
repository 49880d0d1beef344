"""Ids out of streams of bytes, however they are cut and whatever else stands in them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.web.api.id_stream import IdStream, Kind, NotText


def read(data: bytes, kind: Kind, size: int = 7) -> tuple[list[int], IdStream]:
    stream = IdStream((data[i : i + size] for i in range(0, len(data), size)), kind)
    return list(stream.ids()), stream


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"1\n2\n3", Kind.NDJSON),
        (b'{"id": 1}\n{"user_id": 2, "x": [1]}\n3\n', Kind.NDJSON),
        (b"1\r\n\r\n 2 \r\n3\r\n\n", Kind.NDJSON),
        (b"\xef\xbb\xbf1\n2\n3\n", Kind.CSV),
        (b"id\n1\n2\n3\n", Kind.CSV),
        (b"name,user_id\nalice,1\nbob,2\ncarol,3\n", Kind.CSV),
        (b'name;ID\nalice;1\n"b;ob";2\ncarol;3\n', Kind.CSV),
        (b'name;id\n"Doe, J.";1\n"a, b, c; d";2\nbob;3\n', Kind.CSV),
        (b'"name, in full";id\nDoe, J.;1\nbob;2\ncarol;3\n', Kind.CSV),
        (b'1;"Doe, J."\n2,bob\n3\tcarol, c\n', Kind.CSV),
        (b"1,alice\n2,bob\n3,carol\n", Kind.CSV),
        (b"1\talice\n2\tbob\n3\tcarol\n", Kind.CSV),
    ],
)
def test_ids_are_found(data: bytes, kind: Kind, size: int) -> None:
    """In lines, in objects, in columns; wherever the stream is cut."""
    ids, stream = read(data, kind, size)
    assert (ids, stream.good, stream.bad, stream.errors) == ([1, 2, 3], 3, 0, [])


@given(st.lists(st.integers(1, 2**63 - 1)), st.integers(1, 50), st.sampled_from(Kind))
def test_no_id_is_lost_or_made_up(ids: list[int], size: int, kind: Kind) -> None:
    """What goes in comes out, in its order."""
    assert read("\n".join(map(str, ids)).encode(), kind, size)[0] == ids


@pytest.mark.parametrize(
    "line",
    [
        b"x",
        b"0",
        b"-1",
        b"1.5",
        b"1e3",
        b"9223372036854775808",
        b"9" * 5000,
        b"\xff",
        "٣".encode(),
        b'"1"',
        b"{}",
        b'{"id": "1"}',
        b'{"id": true}',
        b"[1]",
        b"[" * 4000,
        b"x" * 100_000,
    ],
)
def test_a_bad_line_is_told_by_its_number(line: bytes) -> None:
    """The rest is taken."""
    ids, stream = read(b"1\n" + line + b"\n2\n", Kind.NDJSON, 1000)
    assert (ids, stream.good, stream.bad) == ([1, 2], 2, 1)
    assert stream.errors[0].line == 2
    assert stream.errors[0].message.endswith(".")


@pytest.mark.parametrize("line", [b"1 2 abc 999", b"7 8", b"a\rb", b"alice", b",", b";7"])
def test_a_bad_line_of_csv(line: bytes) -> None:
    """It is told what to write; where there are several ids, that they are too many."""
    ids, stream = read(b"1\n" + line + b"\n2\n", Kind.CSV, 1000)
    assert (ids, stream.good, stream.bad, stream.lines) == ([1, 2], 2, 1, 3)
    assert ("several ids" in stream.errors[0].message) == (line[:1].isdigit())


def test_a_hundred_bad_lines_are_told() -> None:
    """All are counted."""
    ids, stream = read(b"x\n" * 250 + b"7\n", Kind.CSV)
    assert (ids, stream.bad, len(stream.errors)) == ([7], 250, 100)
    assert stream.errors[-1].line == 100


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"PK\x03\x04rest of a workbook", "Excel"),
        (b"\x1f\x8b\x08rest", "compressed"),
        (b"%PDF-1.7", "PDF"),
        ("1\n2\n".encode("utf-16"), "UTF-16"),
        (b"1\n2\n\0\n", "text"),
        (b"\x7fELF\0\0", "text"),
    ],
)
def test_what_is_no_text_is_called_by_its_name(data: bytes, word: str, size: int) -> None:
    """With what to do instead."""
    with pytest.raises(NotText, match=word):
        read(data, Kind.CSV, size)


def test_memory_is_bounded() -> None:
    """A line without an end, and a million lines, are read in less than two MiB."""

    def endless() -> Iterator[bytes]:
        for _ in range(200):
            yield b"1" * 65536
        for _ in range(20):
            yield b"\n12345678" * 7000

    tracemalloc.start()
    try:
        stream = IdStream(endless(), Kind.NDJSON)
        assert sum(1 for _ in stream.ids()) == 140_000
        assert tracemalloc.get_traced_memory()[1] < 2 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert stream.bad == 1
