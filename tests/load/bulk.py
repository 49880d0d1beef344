"""
`make bench-bulk` on a running stack: the tutorial's loop, then Carillon's job, then the inbox.

Everything is measured in one run, on the same servers, in the same minutes.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

import psycopg

from deploy.stack.stack import Stack
from shared.accounts.demo import STAFF
from shared.accounts.models import User
from shared.bulk.queries import count_audience
from shared.notifications.queries import InboxView
from tests.load import inbox, job
from tests.load.baseline import Loop, tutorial
from tests.load.chat import Chat, Said
from tests.load.crowd import Crowd, Report
from tests.load.figures import Figure, percentile
from tests.load.memory import Peak, watched
from tests.load.people import add_users, sign_in, spread
from tests.load.sizes import Sizes

__all__ = ["measure"]

MEGABYTE = 1_000_000

TIMES = 10
MAX_WORKER_MEGABYTES = 300
MAX_ACK_MILLISECONDS = 500
MAX_INBOX_BUFFERS = 60

TALKERS = ("alice", "bob")

# How a job is named in the table. The first one finds users whom nobody has told anything yet:
# their inboxes and streams are made with it.
JOBS = ("first job", "later job")
# For frames that are on their way when the job has ended.
FRAME_SECONDS = 15


def say(line: str) -> None:
    print(line, flush=True)


def measure(stack: Stack, sizes: Sizes) -> list[Figure]:
    """Run everything and return the figures, in the order of the table."""
    with psycopg.connect(stack.database_url, autocommit=True) as database:
        say(f"Adding users until there are {sizes.recipients:,}.")
        users = add_users(database, sizes.recipients - count_audience({"type": "all"}))
        loops = measure_tutorial(stack, database, users, sizes)
        figures = [*tutorial_figures(loops, sizes)]
        figures += measure_jobs(stack, database, users, sizes, loops[0].per_second)
        figures += measure_inbox(database, users, sizes)
    return figures


def measure_tutorial(
    stack: Stack, database: psycopg.Connection, users: range, sizes: Sizes
) -> list[Loop]:
    """Run the loop as one task, as it is written, and cut into tasks for two processes."""
    recipients = list(users[: sizes.tutorial_recipients])
    cookies = sign_in(spread(recipients, sizes.tutorial_sockets))
    with contextlib.ExitStack() as exits:
        running = exits.enter_context(tutorial(stack, database))
        crowd = exits.enter_context(gathered([running.url], origin(stack), cookies))
        running.warm_up(recipients)
        loops = []
        for tasks in (1, 20):
            say(f"The tutorial's loop: {len(recipients):,} recipients in {tasks} task(s).")
            loops.append(running.run(recipients, crowd, tasks=tasks))
            say(f"  {loops[-1].per_second:,.0f} recipients/s")
        return loops


def tutorial_figures(loops: Sequence[Loop], sizes: Sizes) -> list[Figure]:
    one, cut = loops
    return [
        Figure("tutorial's loop, one task", one.per_second, "recipients/s"),
        Figure("  connected users who got it", one.told, f"of {sizes.tutorial_sockets:,}"),
        Figure("tutorial's loop, cut for 2 processes", cut.per_second, "recipients/s"),
    ]


def measure_jobs(
    stack: Stack, database: psycopg.Connection, users: range, sizes: Sizes, baseline: float
) -> list[Figure]:
    """Run the jobs while sockets listen and two people chat."""
    cookies = sign_in(spread(users, sizes.sockets))
    staff = User.objects.get(username=STAFF)
    worker = stack.supervisor.records.read("bulk")
    assert worker is not None, "the stack has a worker for bulk jobs"
    results: list[tuple[job.Outcome, Report]] = []
    gateways = [f"http://127.0.0.1:{stack.layout.gateway(n)}" for n in stack.gateways()]
    with contextlib.ExitStack() as exits:
        crowd = exits.enter_context(gathered(gateways, origin(stack), cookies))
        talkers = User.objects.filter(username__in=TALKERS).values_list("pk", flat=True)
        chat = Chat(origin(stack), sign_in(list(talkers)))
        exits.callback(chat.end)
        say(f"Chat alone, for {sizes.idle_seconds:g} s.")
        began = time.monotonic()
        time.sleep(sizes.idle_seconds)
        idle = (began, time.monotonic())
        peak = exits.enter_context(watched(worker.identity))
        for name in JOBS:
            say(f"Carillon, {name}: {sizes.recipients:,} recipients, {crowd.size:,} connected.")
            crowd.start_over()
            outcome = job.run(database, staff, f"Hello from the {name}", sizes.recipients, progress)
            results.append((outcome, crowd.wait_until_told(1, FRAME_SECONDS)))
            say(f"  {sizes.recipients / outcome.seconds:,.0f} recipients/s")
        said = chat.stop()
    return [
        *(
            figure
            for name, (outcome, report) in zip(JOBS, results, strict=True)
            for figure in job_figures(name, outcome, report, sizes)
        ),
        ratio(results, sizes, baseline),
        *memory_figures(peak),
        *chat_figures(said, idle, [outcome for outcome, _ in results]),
    ]


def progress(done: int, seconds: float) -> None:
    say(f"  {done:,} after {seconds:.0f} s ({done / seconds:,.0f}/s)")


def job_figures(name: str, outcome: job.Outcome, report: Report, sizes: Sizes) -> list[Figure]:
    exactly = float(sizes.recipients)
    return [
        Figure(f"Carillon, {name}", sizes.recipients / outcome.seconds, "recipients/s"),
        Figure(
            "  until all rows were counted",
            outcome.seconds,
            "s",
            aim="<= 60" if sizes.recipients == 1_000_000 else "",
        ),
        Figure("  rows", outcome.rows, "", at_least=exactly, at_most=exactly),
        Figure("  users among them", outcome.users, "", at_least=exactly, at_most=exactly),
        Figure("  delivered, by its own count", outcome.delivered, "", exactly, exactly),
        Figure(
            "  connected users framed once",
            report.with_exactly(1),
            "",
            at_least=sizes.sockets,
            at_most=sizes.sockets,
        ),
        Figure("  last frame, after the start", max(report.latest - outcome.began, 0.0), "s"),
    ]


def ratio(results: Sequence[tuple[job.Outcome, Report]], sizes: Sizes, baseline: float) -> Figure:
    """Compare the slower job with the loop as the tutorial has it."""
    slowest = min(sizes.recipients / outcome.seconds for outcome, _ in results)
    return Figure(
        "slower job : tutorial's loop", slowest / baseline, "times", at_least=TIMES, aim=">= 30"
    )


def memory_figures(peak: Peak) -> list[Figure]:
    return [
        Figure(
            f"bulk worker's memory, {peak.processes} processes",
            peak.together / MEGABYTE,
            "MB",
            at_most=MAX_WORKER_MEGABYTES,
        ),
        Figure("  what they share counted once", peak.unshared / MEGABYTE, "MB"),
        Figure("  its largest process", peak.largest / MEGABYTE, "MB"),
    ]


def chat_figures(
    said: Sequence[Said], idle: tuple[float, float], outcomes: Sequence[job.Outcome]
) -> list[Figure]:
    """Tell the acks of idle time from those of the jobs, by when their messages were sent."""
    spans = {"idle": [idle], "during the jobs": [(one.began, one.ended) for one in outcomes]}
    figures = []
    for name, times in spans.items():
        sent = [one for one in said if any(start <= one.at <= end for start, end in times)]
        acks = [1_000 * one.ack for one in sent if one.ack is not None]
        bound = MAX_ACK_MILLISECONDS if name != "idle" else None
        figures += [
            Figure(f"chat, {name}: messages", len(sent), ""),
            Figure("  not acked", len(sent) - len(acks), "", at_most=0),
            Figure("  ack p50", percentile(acks, 0.5), "ms"),
            Figure("  ack p99", percentile(acks, 0.99), "ms", at_most=bound),
        ]
    return figures


def measure_inbox(database: psycopg.Connection, users: range, sizes: Sizes) -> list[Figure]:
    """Fill the table, then open the inboxes of one who has many and of one who has few."""
    say(f"Filling the table until it has {sizes.notifications:,} notifications.")
    full = spread(users, sizes.full_inboxes)
    inbox.fill(database, users, full, sizes.notifications, lambda have: say(f"  {have:,}"))
    people = {"full": full[0], "usual": full[0] + 1}
    figures = []
    for name, user_id in people.items():
        user = User.objects.get(pk=user_id)
        for view in InboxView:
            cost = inbox.cost_of_page(user, view)
            # Who opens the archive looks for something; who opens the inbox looks at it.
            bound = None if view is InboxView.ARCHIVED else MAX_INBOX_BUFFERS
            figures += [
                Figure(
                    f"inbox of {sizes.notifications:,}: {name}, {view}, {cost.rows} rows",
                    cost.buffers,
                    "buffers",
                    at_most=bound,
                ),
                Figure("  time in the database", cost.milliseconds, "ms"),
            ]
    return figures


@contextlib.contextmanager
def gathered(urls: Sequence[str], origin: str, cookies: Sequence[str]) -> Iterator[Crowd]:
    """Open a socket for each cookie."""
    say(f"Opening {len(cookies):,} sockets.")
    crowd = Crowd(urls, origin, cookies)
    try:
        crowd.wait_until_open(lambda count: say(f"  {count:,}"))
        yield crowd
    finally:
        crowd.end()


def origin(stack: Stack) -> str:
    """Return the address of nginx, where people are."""
    return f"http://127.0.0.1:{stack.layout.port}"
