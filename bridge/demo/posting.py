"""Webhooks over HTTP, one by one or at a rate, with the time that each answer took."""

import asyncio
import datetime as dt
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import aiohttp

from bridge.auth.proof import Proof, Recipient
from bridge.catalogue.samples import Posting

IN_FLIGHT_MAX: Final = 256
ANSWER_BYTES_SHOWN_MAX: Final = 2_000
UNREACHABLE: Final = 0
"""In place of an HTTP status: there was no answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a posting. `status` is UNREACHABLE without an answer; `answer` is then the reason."""

    posting: Posting
    status: int
    ms: float
    answer: str

    @property
    def as_expected(self) -> bool:
        return self.status in self.posting.expected


class Poster:
    """Posts to one recipient."""

    def __init__(self, to: Recipient, *, headers: Mapping[str, str], timeout_s: float, verify: bool = True) -> None:
        self._to, self._headers = to, headers
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            connector=aiohttp.TCPConnector(limit=IN_FLIGHT_MAX, ssl=verify),
            headers={"User-Agent": "treble-bridge-send"},
        )

    async def close(self) -> None:
        await self._session.close()

    async def post(self, posting: Posting) -> Outcome:
        """Post one webhook and wait for its answer. Raises nothing that the network does."""
        proof = self._proof(posting)
        url = "/".join(part for part in (self._to.base, proof.segment, posting.hint) if part)
        url += f"?{proof.query}" if proof.query else ""
        headers = {"Content-Type": "application/json", **proof.headers}
        started_s = time.perf_counter()
        try:
            async with self._session.post(url, data=posting.body, headers=headers, allow_redirects=False) as response:
                answer = (await response.content.read(ANSWER_BYTES_SHOWN_MAX)).decode(errors="replace")
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            status, answer = UNREACHABLE, _reason(error)
        return Outcome(posting, status, (time.perf_counter() - started_s) * 1000, answer)

    def _proof(self, posting: Posting) -> Proof:
        """The credentials of a posting: the headers that were given may be some as well."""
        proof = self._to.prove(posting.body, dt.datetime.now(dt.UTC))
        proof = replace(proof, headers={**proof.headers, **self._headers})
        if posting.credentials == "right":
            return proof
        return proof.spoilt() if posting.credentials == "wrong" else Proof()

    async def stream(self, postings: Iterator[Posting], rate: float | None) -> AsyncIterator[Outcome]:
        """Post them all: `rate` a second whatever the answers take, or without a rate each after the other's answer."""
        if rate is None:
            for posting in postings:
                yield await self.post(posting)
            return
        done: asyncio.Queue[Outcome | None] = asyncio.Queue()
        feeding = asyncio.create_task(self._feed(postings, rate, done))
        try:
            while (outcome := await done.get()) is not None:
                yield outcome
            await feeding
        finally:
            feeding.cancel()

    async def _feed(self, postings: Iterator[Posting], rate: float, done: "asyncio.Queue[Outcome | None]") -> None:
        in_flight = asyncio.Semaphore(IN_FLIGHT_MAX)

        async def one(posting: Posting) -> None:
            done.put_nowait(await self.post(posting))
            in_flight.release()

        try:
            async with asyncio.TaskGroup() as group:
                started_s = time.monotonic()
                for number in itertools.count():
                    # By the clock, not by the last one: a slow answer must not lower the rate.
                    await asyncio.sleep(max(0.0, started_s + number / rate - time.monotonic()))
                    posting = next(postings, None)
                    if posting is None:
                        break
                    await in_flight.acquire()
                    group.create_task(one(posting))
        finally:
            done.put_nowait(None)


def _reason(error: BaseException) -> str:
    """Why there was no answer, without the URL: it may hold a secret."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection ({error.os_error.strerror or type(error.os_error).__name__})"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return f"the connection ended ({type(error).__name__})"
