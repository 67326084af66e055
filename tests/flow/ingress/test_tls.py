"""TLS on the ingress port: what is offered, who is let in, and new files without a dropped connection."""

import asyncio
import contextlib
import os
import ssl
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bridge.errors import ConfigError
from bridge.ingress import Ingress
from bridge.ingress import server as ingress_server
from bridge.ingress.tls import Certificates
from bridge.settings.models import Settings
from bridge.telemetry import Telemetry
from tests.fakes.journal import FakeJournal
from tests.flow.ingress.certificates import Authority
from tests.flow.ingress.harness import AUTHORIZED, PATH, READ, Client, Door, door, request, settings

CA = Authority("a CA of these tests")
OTHER_CA = Authority("another CA")
FIRST, SECOND = CA.pair("first"), CA.pair("second")


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingress_server, "TLS_CHECK_INTERVAL_S", 0.1)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Certificate and key, in place."""
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    FIRST.write(certificate, key)
    return certificate, key


def tls(files: tuple[Path, Path], client_ca: Path | None = None, **server: object) -> Settings:
    section = {"certificate": str(files[0]), "key": str(files[1])}
    if client_ca is not None:
        section["client_ca"] = str(client_ca)
    return settings(server={"tls": section, **server})


def trusting(ca: Authority = CA) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=ca.certificate.decode())
    context.check_hostname = False
    return context


async def shown(d: Door, context: ssl.SSLContext | None = None) -> str:
    """The name on the certificate that a new connection is shown."""
    client = await d.connect(context or trusting())
    found = client.writer.get_extra_info("peercert")
    client.close()
    return str(found["subject"][0][0][1])


async def speak(client: Client) -> int:
    await client.send(request(PATH, READ, AUTHORIZED))
    return (await client.reply()).status


async def test_a_webhook_over_tls_is_taken_in_one_piece_and_in_many(files: tuple[Path, Path]) -> None:
    async with door(tls(files)) as d:
        client = await d.connect(trusting())
        assert client.writer.get_extra_info("ssl_object").selected_alpn_protocol() in {None, "http/1.1"}
        assert [await speak(client) for _ in range(3)] == [200] * 3
        large = b'"' + b"x" * 500_000 + b'"'
        await client.send(request(PATH, large, AUTHORIZED))
        assert (await client.reply()).status == 200
        await client.send(request(PATH, large, {"Authorization": "Bearer wrong"}))
        assert (await client.reply()).status == 401
        assert [entry.body for entry in d.journal.stored] == [READ] * 3 + [large]


async def test_tls_1_2_and_1_3_are_spoken_nothing_older_and_no_plain_http(files: tuple[Path, Path]) -> None:
    async with door(tls(files)) as d:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = trusting()
            context.minimum_version = context.maximum_version = version
            assert await shown(d, context) == "first"
        client = await d.connect()
        await client.send(request(PATH, READ, AUTHORIZED))
        assert b"HTTP/" not in await client.ended()
        assert not d.journal.submissions
    section = tls(files).server.tls
    assert section is not None
    certificates = Certificates(section)
    certificates.load()
    assert certificates.context.newest.minimum_version is ssl.TLSVersion.TLSv1_2


async def test_a_handshake_that_is_never_finished_is_closed_after_the_header_timeout(files: tuple[Path, Path]) -> None:
    async with door(tls(files, header_timeout="300ms")) as d:
        client = await d.connect()
        assert await client.ended() == b""


async def test_above_the_number_of_connections_a_new_one_is_told_503_after_its_handshake(
    files: tuple[Path, Path],
) -> None:
    async with door(tls(files, max_connections=2)) as d:
        used = [await d.connect(trusting()) for _ in range(2)]
        assert [await speak(client) for client in used] == [200, 200]
        refused = await d.connect(trusting())
        reply = await refused.reply()
        assert (reply.status, reply.headers["Connection"]) == (503, "close")
        assert await refused.ended() == b""
        assert d.requests[("-", "too_many_connections")] == 1
        assert await speak(used[0]) == 200, "a connection that exists goes on"


async def test_a_connection_counts_once_its_handshake_is_over(files: tuple[Path, Path]) -> None:
    async with door(tls(files, max_connections=1, header_timeout="3s")) as d:
        silent = [await d.connect() for _ in range(5)]
        assert await speak(await d.connect(trusting())) == 200
        assert d.open == 1
        for client in silent:
            assert await client.ended() == b"", "after the header timeout"


async def test_handshakes_that_fail_free_their_places(files: tuple[Path, Path]) -> None:
    async with door(tls(files, max_connections=2, header_timeout="1h")) as d:
        for _ in range(10):
            client = await d.connect()
            await client.send(request(PATH, READ, AUTHORIZED))  # no TLS
            await client.ended()
            vanishing = await d.connect()
            vanishing.vanish()
        await asyncio.sleep(0.1)
        for _ in range(2):
            assert await speak(await d.connect(trusting())) == 200


async def test_a_handshake_that_is_under_way_does_not_hold_up_the_end(files: tuple[Path, Path]) -> None:
    async with door(tls(files, header_timeout="2s")) as d:
        client = await d.connect()
        await asyncio.sleep(0.05)
        async with asyncio.timeout(1):
            await d.ingress.close()
        assert await client.ended() == b""


async def test_a_handshake_that_ends_after_the_ingress_leads_nowhere(files: tuple[Path, Path]) -> None:
    async with door(tls(files)) as d:
        client = await d.connect()
        await asyncio.sleep(0.05)
        await d.ingress.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            await client.writer.start_tls(trusting(), server_hostname="bridge.test")
            assert await speak(client) == 0, "no answer comes"
        assert not d.journal.submissions


async def test_with_a_client_ca_only_its_certificates_are_let_in(files: tuple[Path, Path], tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(CA.certificate)
    async with door(tls(files, ca)) as d:
        for authority, works in ((CA, True), (OTHER_CA, False), (None, False)):
            context = trusting()
            if authority is not None:
                authority.pair("client").write(tmp_path / "client.crt", tmp_path / "client.key")
                context.load_cert_chain(tmp_path / "client.crt", tmp_path / "client.key")
            status = 0
            with contextlib.suppress(ssl.SSLError, ConnectionError, asyncio.IncompleteReadError):
                status = await speak(await d.connect(context))
            assert (status == 200) is works
        assert len(d.journal.stored) == 1


async def test_new_files_are_used_for_new_connections_and_the_old_ones_go_on(files: tuple[Path, Path]) -> None:
    async with door(tls(files)) as d:
        old = await d.connect(trusting())
        assert await speak(old) == 200
        port = d.port
        with capture_logs() as lines:
            SECOND.write(*files)
            await d.until(lambda: lines)  # found by itself
        assert [line["event"] for line in lines] == ["tls.certificate_changed"]
        assert await shown(d) == "second"
        assert await speak(old) == 200
        assert d.port == port


async def test_a_connection_made_while_the_certificate_changes_is_not_lost(files: tuple[Path, Path]) -> None:
    async with door(tls(files)) as d:
        made: list[int] = []

        async def keep_coming() -> None:
            while True:
                made.append(await speak(await d.connect(trusting())))

        coming = [asyncio.create_task(keep_coming()) for _ in range(4)]
        with capture_logs() as lines:
            for count, pair in enumerate((SECOND, FIRST, SECOND), start=1):
                pair.write(*files)
                await d.until(lambda: len([line for line in lines if "changed" in line["event"]]) >= count)  # noqa: B023
                before = len(made)
                await d.until(lambda: len(made) > before + 20)  # noqa: B023 - the loop waits for it
        for task in coming:
            task.cancel()
        results = await asyncio.gather(*coming, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert set(made) == {200}
        assert await shown(d) == "second"


async def test_swapped_links_are_noticed_as_kubernetes_swaps_them(files: tuple[Path, Path], tmp_path: Path) -> None:
    for name, pair in (("one", FIRST), ("two", SECOND)):
        (tmp_path / name).mkdir()
        pair.write(tmp_path / name / "tls.crt", tmp_path / name / "tls.key")
    data = tmp_path / "..data"
    data.symlink_to("one")
    async with door(tls((data / "tls.crt", data / "tls.key"))) as d:
        assert await shown(d) == "first"
        (tmp_path / "..new").symlink_to("two")
        os.replace(tmp_path / "..new", data)  # noqa: PTH105 - the very call that kubelet makes
        with capture_logs() as lines:
            await d.until(lambda: lines)
        assert await shown(d) == "second"


@pytest.mark.parametrize("broken", ["half", "mismatch", "gone", "encrypted", "garbage"])
async def test_a_broken_new_pair_keeps_the_old_one_and_is_reported_once(files: tuple[Path, Path], broken: str) -> None:
    certificate, key = files
    async with door(tls(files)) as d:
        with capture_logs() as lines:
            if broken == "half":
                certificate.write_bytes(SECOND.certificate[:200])
            elif broken == "mismatch":
                certificate.write_bytes(SECOND.certificate)
            elif broken == "gone":
                certificate.unlink()
            elif broken == "encrypted":
                CA.pair("locked", b"password").write(certificate, key)
            else:
                key.write_bytes(b"\x00\xff garbage")
            await d.until(lambda: lines)
            assert await shown(d) == "first"
            await asyncio.sleep(0.3)
            await asyncio.sleep(0.3)
            assert [line["event"] for line in lines] == ["tls.certificate_refused"]
            SECOND.write(certificate, key)
            await d.until(lambda: len(lines) == 2)
        assert await shown(d) == "second"


@pytest.mark.parametrize("what", ["certificate", "key", "client_ca", "encrypted"])
async def test_files_that_cant_be_read_at_start_are_an_error_that_names_them(
    files: tuple[Path, Path], tmp_path: Path, what: str
) -> None:
    certificate, key = files
    if what == "encrypted":
        CA.pair("locked", b"password").write(certificate, key)
        wrong, client_ca = key, None
    else:
        wrong = {"certificate": certificate, "key": key, "client_ca": tmp_path / "ca.pem"}[what]
        wrong.write_bytes(b"not PEM")
        client_ca = tmp_path / "ca.pem" if what == "client_ca" else None
    ingress = Ingress(tls(files, client_ca), FakeJournal(), Telemetry(), lambda: 0)
    with pytest.raises(ConfigError, match=str(wrong)) as caught:
        await ingress.start()
    assert "server.tls" in str(caught.value)
    await ingress.close()
