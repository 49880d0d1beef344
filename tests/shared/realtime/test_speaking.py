from __future__ import annotations

import pytest

from shared.realtime.speaking import speaker_in, speaking


def test_speaker_is_of_one_channel() -> None:
    """What a hook publishes elsewhere is not the client's; after it, nobody speaks."""
    with speaking("tick:x", '{"user":"7"}'):
        assert speaker_in("tick:x") == '{"user":"7"}'
        assert speaker_in("tick:y") == ""
    assert speaker_in("tick:x") == ""


def test_speaker_ends_with_a_mistake() -> None:
    """A hook that fails leaves nobody behind in its thread."""
    with pytest.raises(ZeroDivisionError), speaking("tick:x", "{}"):
        raise ZeroDivisionError
    assert speaker_in("tick:x") == ""
