"""What PostgreSQL's log says of a gateway's statements."""

from __future__ import annotations

from tests.load.recovery.watching import Asked

LOG = """\
2026-11-23 08:00:00.001 UTC [11] carillon LOG:  statement: SELECT 1
2026-11-23 08:00:00.002 UTC [12] carillon LOG:  execute <unnamed>:
    SELECT s.id FROM realtime_stream s
2026-11-23 08:00:00.002 UTC [12] carillon DETAIL:  Parameters: $1 = 'LOG:  statement: '
2026-11-23 08:00:00.003 UTC [12] carillon LOG:  execute _pg3_0: SELECT 2
2026-11-23 08:00:00.004 UTC [13] postgres LOG:  parameter "log_statement" changed to "none"
2026-11-23 08:00:00.005 UTC [13] postgres LOG:  statement: SELECT pid FROM pg_stat_activity
"""


def test_statements_of_others() -> None:
    """Each statement counts once, however many lines it has; those of the bench do not count."""
    asked = Asked()
    asked.count(LOG, bench={11, 13})
    assert asked.statements == 2
