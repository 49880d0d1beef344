"""The programs of a run: compiled when they are not yet, pinned to their cores, ended with it."""

from __future__ import annotations

import hashlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.stack.errors import StackError
from tests.load.memory import memory

__all__ = ["HERE", "Client", "Program", "Run", "Server", "checked", "compiled", "cores", "started"]

HERE = Path(__file__).parent
ROOT = HERE.parents[2]

START_SECONDS = 60.0
END_SECONDS = 20.0
# More than the slowest of all runs; the client itself gives up when nothing comes.
RUN_SECONDS = 300.0


@dataclass(frozen=True)
class Run:
    """
    One answer of the load client, checked.

    Attributes:
        deliveries: frames that subscribers got.
        seconds: of the wall clock.
        cpu_seconds: that the server's process has used meanwhile.
        p50_ms: of latency, 0 where none was measured.
        p99_ms: likewise.
    """

    deliveries: int
    seconds: float
    cpu_seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def microseconds(self) -> float:
        """The server's CPU time for one delivery."""
        return self.cpu_seconds / self.deliveries * 1e6


def cores() -> tuple[int, int] | None:
    """Return the server's core and the client's; None where there are no two."""
    mine = sorted(os.sched_getaffinity(0))
    return (mine[0], mine[1]) if len(mine) > 1 else None


def compiled(source: Path, folder: Path) -> Path:
    """Return the program made of a C source, in a folder; compile it when that has changed."""
    # Of the headers, too, which it may include.
    texts = [source, *sorted(HERE.parent.glob("*.h"))]
    digest = hashlib.sha256(b"".join(text.read_bytes() for text in texts)).hexdigest()[:16]
    program = folder / f"{source.stem}-{digest}"
    if program.exists():
        return program
    compiler = shutil.which("cc")
    if compiler is None:
        raise StackError(
            "There is no C compiler: install one (Debian: apt-get install gcc libc6-dev)."
        )
    folder.mkdir(parents=True, exist_ok=True)
    draft = program.with_suffix(f".{os.getpid()}")
    result = subprocess.run(
        [compiler, "-O2", "-std=gnu11", "-Wall", "-Wextra", "-o", str(draft), str(source)],
        check=False,
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        raise StackError(f"{source.name} cannot be compiled:\n{result.stderr}")
    draft.rename(program)
    return program


class Program:
    """A process that reads stdin to its end, which is its own, and writes lines."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        core: int | None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            # Ctrl-C reaches the whole terminal; whoever owns this process ends it.
            start_new_session=True,
        )
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def hear(self, seconds: float) -> str:
        """
        Return its next line.

        Raises:
            RuntimeError: it has ended, or says nothing for so long.
        """
        stdout = self._process.stdout
        assert stdout is not None
        line = b""
        deadline = time.monotonic() + seconds
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([stdout], [], [], left)[0]:
                raise RuntimeError(f"{self.name} said nothing for {seconds:g} s.")
            if not (more := os.read(stdout.fileno(), 4096)):
                raise RuntimeError(f"{self.name} ended with status {self._process.wait()}.")
            line += more
        return line.decode().strip()

    def ask(self, line: str, seconds: float) -> dict[str, Any]:
        """Tell it a line, and return its answer."""
        self.tell(line)
        answer: dict[str, Any] = json.loads(self.hear(seconds))
        return answer

    def end(self) -> None:
        """End it, gently at first."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Server(Program):
    """A server, which has said on which port it listens."""

    port = 0

    @property
    def resident(self) -> int:
        """Bytes of memory that it has."""
        return memory(self.pid).get("Rss", 0)


class Client:
    """A server's subscribers, and its publisher."""

    def __init__(self, program: Path, server: Server, core: int | None) -> None:
        self._server = server
        self._program = Program(
            f"The load client of {server.name}",
            [str(program), str(server.port), str(server.pid)],
            core,
        )

    def open(self, connections: int) -> dict[str, Any]:
        """Open subscribers until there are so many."""
        return self._ask(f"open {connections}")

    def close(self, connections: int) -> None:
        """Have so many of them stay."""
        self._ask(f"close {connections}")

    def size(self, payload_bytes: int) -> None:
        """Publish frames of this size from now on."""
        self._ask(f"size {payload_bytes}")

    def window(self, outstanding: int, seconds: float) -> Run:
        """Publish whenever fewer broadcasts are outstanding."""
        return checked(self._server.name, self._ask(f"window {outstanding} {seconds}"))

    def rate(self, per_second: float, seconds: float) -> Run:
        """Publish on a schedule, and measure latency."""
        return checked(self._server.name, self._ask(f"rate {per_second} {seconds}"))

    def end(self) -> None:
        self._program.end()

    def _ask(self, line: str) -> dict[str, Any]:
        return self._program.ask(line, RUN_SECONDS)


def checked(name: str, answer: dict[str, Any]) -> Run:
    """A figure of a server that loses frames is none."""
    wrong = {word: answer[word] for word in ("missing", "disordered", "lost") if answer[word]}
    if wrong or answer["deliveries"] != answer["broadcasts"] * answer["connections"]:
        raise RuntimeError(
            f"{name} has not given each frame once and in order to each subscriber: "
            f"{answer['deliveries']} of {answer['broadcasts']} x {answer['connections']}, {wrong}."
        )
    return Run(**{field: answer[field] for field in Run.__dataclass_fields__})


@contextmanager
def started(
    name: str,
    command: Sequence[str],
    client: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[tuple[Server, Client]]:
    """Start a server and its load client; end both at the end of the block."""
    pinned = cores()
    server = Server(name, command, pinned and pinned[0], environment)
    try:
        server.port = int(server.hear(START_SECONDS))
        load = Client(client, server, pinned and pinned[1])
        try:
            yield server, load
        finally:
            load.end()
    finally:
        server.end()
