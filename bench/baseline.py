"""What the bridge is compared with: aiohttp on uvloop that reads the body and answers `{}`, and does nothing else."""

import asyncio
import sys

import uvloop
from aiohttp import web


async def _answer(request: web.Request) -> web.Response:
    await request.read()
    return web.json_response({})


async def _serve(port: int) -> None:
    app = web.Application(client_max_size=1 << 20)
    app.router.add_post("/webhooks/treble/read", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
