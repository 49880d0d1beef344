"""Clients of npm's `centrifuge`, driven in one Node process, or wherever else they can live."""

from __future__ import annotations

import abc
import asyncio
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from tests.sdk.client import CommandFailed, Event, History, Position, SdkClient, TokenSource

__all__ = ["FOLDER", "Driver", "JsClient", "JsDriver"]

FOLDER = Path(__file__).parent / "js"
# A recovery's publications come as lines of their own; this is for one publication, and a page.
LINE_BYTES = 32 * 1024 * 1024


def find_node() -> str:
    """Return the Node that `deploy/bootstrap` found or installed."""
    # Beside Python first: it is there only when the one on PATH is too old.
    own = Path(sys.executable).parent
    path = shutil.which("node", path=str(own)) or shutil.which("node")
    assert path, "Node is missing: `make test` installs it, or run deploy/bootstrap sdk."
    return path


class Driver(abc.ABC):
    """Where clients live; see `js/driver.js` for what goes in and comes out."""

    def __init__(self) -> None:
        self._clients: dict[str, JsClient] = {}
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self._questions: set[asyncio.Task[None]] = set()

    def client(self, name: str) -> JsClient:
        """Return a client that lives there."""
        assert name not in self._clients, f"{name} is there already"
        self._clients[name] = JsClient(name, self)
        return self._clients[name]

    async def command(self, **command: Any) -> Any:
        """Have something done; return the result, or raise `CommandFailed`."""
        self._last += 1
        answer = self._answers[self._last] = asyncio.get_running_loop().create_future()
        await self._send({"id": self._last, **command})
        return await answer

    @abc.abstractmethod
    async def _send(self, command: Mapping[str, Any]) -> None:
        """Pass a command on."""

    async def _take(self, line: str | bytes) -> None:
        """Take what came out."""
        told = json.loads(line)
        if "question" in told:
            task = asyncio.create_task(self._answer(told))
            self._questions.add(task)
            task.add_done_callback(self._questions.discard)
        elif "event" in told:
            await self._clients[told.pop("client")]._add(told)
        elif "error" in told:
            self._answers.pop(told["id"]).set_exception(CommandFailed(**told["error"]))
        else:
            self._answers.pop(told["id"]).set_result(told["result"])

    async def _answer(self, told: Event) -> None:
        source = self._clients[told["client"]].sources[told["channel"]]
        answer: dict[str, Any] = {"question": told["question"]}
        try:
            answer["token"] = await source()
        except Exception as error:
            answer["failure"] = str(error)
        await self.command(command="token", **answer)


class JsDriver(Driver):
    """The Node process."""

    async def __aenter__(self) -> Self:
        assert (FOLDER / "node_modules/centrifuge").is_dir(), (
            "npm's packages are missing in tests/sdk/js: `make test` installs them, "
            "or run deploy/bootstrap sdk."
        )
        self._process = await asyncio.create_subprocess_exec(
            find_node(),
            str(FOLDER / "driver.js"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_BYTES,
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(10):
            await self._process.wait()
            await self._reader
        assert self._process.stderr is not None
        complaints = (await self._process.stderr.read()).decode()
        assert (self._process.returncode, complaints) == (0, ""), complaints

    async def _send(self, command: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            await self._take(line)
        for answer in self._answers.values():
            answer.set_exception(ConnectionError("The Node process has ended."))


class JsClient(SdkClient):
    """
    A client in a `Driver`.

    Attributes:
        sources: who is asked for tokens, by channel; empty for the connection's.
    """

    sdk: ClassVar[str] = "js"

    def __init__(self, name: str, driver: Driver) -> None:
        super().__init__(name)
        self.sources: dict[str, TokenSource] = {}
        self._driver = driver

    async def create(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        token: str = "",
        get_token: TokenSource | None = None,
        data: Any = None,
    ) -> None:
        if get_token is not None:
            self.sources[""] = get_token
        await self._do(
            "create",
            url=url,
            headers=dict(headers or {}),
            options={"token": token, "data": data},
            asks=get_token is not None,
        )

    async def connect(self) -> None:
        await self._do("connect")

    async def disconnect(self) -> None:
        await self._do("disconnect")

    async def subscribe(
        self,
        channel: str,
        *,
        token: str = "",
        get_token: TokenSource | None = None,
        data: Any = None,
        positioned: bool = False,
        recoverable: bool = False,
        join_leave: bool = False,
    ) -> None:
        if get_token is not None:
            self.sources[channel] = get_token
        options = {
            "token": token,
            "data": data,
            "positioned": positioned,
            "recoverable": recoverable,
            "joinLeave": join_leave,
        }
        await self._do("subscribe", channel=channel, options=options, asks=get_token is not None)

    async def unsubscribe(self, channel: str) -> None:
        await self._do("unsubscribe", channel=channel)

    async def publish(self, channel: str, data: Any) -> None:
        await self._do("publish", channel=channel, data=data)

    async def history(
        self,
        channel: str,
        *,
        limit: int = 0,
        since: Position | None = None,
        reverse: bool = False,
    ) -> History:
        options: dict[str, Any] = {"limit": limit, "reverse": reverse}
        if since is not None:
            options["since"] = {"offset": since.offset, "epoch": since.epoch}
        page = await self._do("history", channel=channel, options=options)
        return History(page["publications"], Position(page["offset"], page["epoch"]))

    async def presence(self, channel: str) -> dict[str, Event]:
        present: dict[str, Event] = await self._do("presence", channel=channel)
        return present

    async def presence_stats(self, channel: str) -> tuple[int, int]:
        stats = await self._do("presence_stats", channel=channel)
        return stats["num_clients"], stats["num_users"]

    async def rpc(self, method: str, data: Any) -> Any:
        return await self._do("rpc", method=method, data=data)

    async def close(self) -> None:
        await self.disconnect()

    async def _do(self, command: str, **members: Any) -> Any:
        return await self._driver.command(client=self.name, command=command, **members)
