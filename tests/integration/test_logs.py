"""What operators find in the logs after all the faults of the other tests."""

from __future__ import annotations

import json

import pytest

from tests.servers import RunningStack

pytestmark = pytest.mark.servers


def test_no_log_has_a_traceback_and_every_line_of_ours_is_json(stack: RunningStack) -> None:
    """Whatever the tests before this one did to the stack, operators can read what it logged."""
    for service in ("web", "worker", "bulk", "beat", "gateway-1", "gateway-2"):
        lines = stack.log_text(service).splitlines()
        assert [line for line in lines if "Traceback" in line] == [], service
        for line in lines:
            if service.startswith("gateway"):
                assert isinstance(json.loads(line), dict), line
