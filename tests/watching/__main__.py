"""`python -m tests.watching`: the table of what each panel shows, on a stack of its own."""

from __future__ import annotations

import asyncio
import sys

from deploy.stack.programs import SERVERS, install
from tests.servers import GATEWAYS, SETTINGS, RunningStack, temporary_stack
from tests.watching.contract import hold, table


def main() -> int:
    install(SERVERS)
    with temporary_stack(SETTINGS) as stack:
        stack.up(GATEWAYS)
        rows = asyncio.run(hold(RunningStack(stack)))
    print(table(rows))
    return int(any(row.complaint for row in rows))


if __name__ == "__main__":
    sys.exit(main())
