"""
A stand-in behind nginx: says which port it has and what it was sent; upgrades when asked to.

    python -m tests.stack.echo PORT
"""

import asyncio
import json
import sys
from contextlib import suppress

LONGEST_HEAD = 64 * 1024


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    port = writer.get_extra_info("sockname")[1]
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request, *lines = head.strip().split("\r\n")
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers.setdefault(name.lower(), []).append(value.strip())
            await reader.readexactly(int(headers.get("content-length", ["0"])[0]))
            if "upgrade" in headers:
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n")
                writer.write(f"Connection: Upgrade\r\nX-Port: {port}\r\n\r\n".encode())
                while data := await reader.read(1024):
                    writer.write(data)
                break
            body = json.dumps({"port": port, "request": request, "headers": headers}).encode()
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    writer.close()


async def main(port: int) -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", port, limit=LONGEST_HEAD)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
