"""A real Prometheus for one test: its own port and folder, one bridge to scrape."""

import asyncio
import contextlib
import subprocess
import time
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from tests.kafka_broker.broker import free_port
from tests.observability.programs import program

STARTS_WITHIN_S = 20.0
WINDOW_S = 120
"""How far back a range query looks: longer than a test runs."""


class Prometheus:
    """Scrapes `target` each second, and evaluates the rules of a file as often."""

    def __init__(self, folder: Path, target: str, rules: Path, http: aiohttp.ClientSession) -> None:
        folder.mkdir()
        self._http, self._log = http, folder / "log.txt"
        listens = f"127.0.0.1:{free_port()}"
        self._url = f"http://{listens}"
        config = folder / "prometheus.yml"
        scrape = {"job_name": "treble-bridge", "static_configs": [{"targets": [target]}]}
        every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config.write_text(yaml.safe_dump({"global": every, "rule_files": [str(rules)], "scrape_configs": [scrape]}))
        self._command = [
            program("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={listens}",
        ]

    async def __aenter__(self) -> "Prometheus":
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            await self._ready()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._end()

    async def _ready(self) -> None:
        end_s = time.monotonic() + STARTS_WITHIN_S
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with self._http.get(f"{self._url}/-/ready") as answer:
                    if answer.status == 200:
                        return
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < end_s, f"not ready within {STARTS_WITHIN_S} s:\n{self._log.read_text()}"
            await asyncio.sleep(0.1)

    async def _end(self) -> None:
        self._process.terminate()
        await asyncio.to_thread(self._process.wait, 20)

    async def get(self, path: str, **parameters: str) -> Any:
        """The data of an answer, which must be a success."""
        async with self._http.get(f"{self._url}/api/v1/{path}", params=parameters) as answer:
            said = await answer.json(content_type=None)
        assert said["status"] == "success", f"{parameters}: {said}"
        return said["data"]

    async def values(self, query: str, *, instant: bool) -> list[float]:
        """All numbers that a query returns now, or over the last while; NaN left out."""
        if instant:
            rows = [[row["value"]] for row in (await self.get("query", query=query))["result"]]
        else:
            now_s = time.time()
            found = await self.get("query_range", query=query, start=str(now_s - WINDOW_S), end=str(now_s), step="1")
            rows = [row["values"] for row in found["result"]]
        numbers = [float(value) for row in rows for _, value in row]
        return [number for number in numbers if number == number]  # noqa: PLR0124 - NaN is the one that is not
