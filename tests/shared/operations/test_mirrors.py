"""The mirror for headers."""

from __future__ import annotations

import pytest
from django.core.signing import TimestampSigner
from django.test import Client

from shared.operations import mirrors
from shared.operations.mirrors import ADDRESS, PROOF_HEADER


def test_whoever_has_the_secret_sees_headers(client: Client) -> None:
    """Those of proxies, of this very request, and no cookie."""
    headers = {
        PROOF_HEADER: mirrors.proof(),
        "X-Real-IP": "203.0.113.77",
        "Cookie": "carillon_session=secret",
    }
    answer = client.get(f"/{ADDRESS}", headers=headers)
    assert answer.status_code == 200
    assert answer.json() == {"headers": {"X-Real-IP": "203.0.113.77"}, "is_secure": False}
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("proof", ["", "mirror", "mirror:1u:x", "another purpose's"])
def test_nobody_else_does(client: Client, proof: str) -> None:
    """There is nothing here."""
    if proof == "another purpose's":
        proof = TimestampSigner(salt="another").sign("mirror")
    assert client.get(f"/{ADDRESS}", headers={PROOF_HEADER: proof}).status_code == 404


def test_proof_of_yesterday(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was in a log is no key."""
    proof = mirrors.proof()
    monkeypatch.setattr(mirrors, "_SECONDS", -1)
    assert client.get(f"/{ADDRESS}", headers={PROOF_HEADER: proof}).status_code == 404
