"""What is in force shows until when: credentials, certificates, the configuration; and it follows each change."""

import datetime as dt
import shutil
import time
from pathlib import Path
from typing import Any

import aiohttp
from cryptography import x509

from tests.flow.conftest import StartInside
from tests.flow.running import TOKEN, BridgeInside
from tests.flow.test_reload import change
from tests.kafka_broker.certificates import Authority

SHOWN_WITHIN_S = 20.0
ENDS = dt.datetime(2099, 12, 31, 12, tzinfo=dt.UTC)
CREDENTIAL = 'credential_expires_timestamp_seconds{{alternative="0",generation="{}",source="treble"}}'


def sources(*values: Any) -> dict[str, Any]:
    return {"treble": {"auth": [{"bearer": list(values)}]}}


def end_of(file: Path) -> float:
    return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc.timestamp()


async def shows(bridge: BridgeInside, http: aiohttp.ClientSession, series: str, value: float | None) -> None:
    """Wait until a series has this value, or is gone."""
    end_s = time.monotonic() + SHOWN_WITHIN_S
    while (found := await bridge.metric(http, series)) != value:
        assert time.monotonic() < end_s, f"{series} is {found}, not {value}"


async def test_the_end_of_a_credential_is_that_of_the_configuration_in_force(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    old = {"value": "flow-token-of-yesterday", "not_after": ENDS.isoformat()}
    bridge = await start_inside(sources=sources(TOKEN, old))
    assert await bridge.metric(http, CREDENTIAL.format(1)) == ENDS.timestamp()
    assert await bridge.metric(http, CREDENTIAL.format(0)) is None
    loaded = await bridge.metric(http, "config_loaded_timestamp_seconds")

    change(bridge.config, sources=sources(TOKEN))
    await shows(bridge, http, CREDENTIAL.format(1), None)
    assert (await bridge.metric(http, "config_loaded_timestamp_seconds") or 0) > (loaded or 0) > time.time() - 60


async def test_keys_that_wait_for_a_restart_are_counted_until_they_are_taken_back(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    bridge = await start_inside()
    former = bridge.config.read_text()
    assert await bridge.metric(http, "config_keys_awaiting_restart") == 0
    change(bridge.config, kafka={"delivery": "at_least_once"}, journal={"max_bytes": "3GiB"})
    await shows(bridge, http, "config_keys_awaiting_restart", 2)
    bridge.config.write_text(former)
    await shows(bridge, http, "config_keys_awaiting_restart", 0)


async def test_the_end_of_the_certificate_follows_its_renewal_and_stays_when_that_is_refused(
    start_inside: StartInside, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "authority")
    first, first_key = authority.issue("first", "127.0.0.1", days=2)
    renewed, renewed_key = authority.issue("renewed", "127.0.0.1", days=90)
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    shutil.copy(first, certificate)
    shutil.copy(first_key, key)
    bridge = await start_inside(
        server={"listen": "127.0.0.1:0", "tls": {"certificate": str(certificate), "key": str(key)}}
    )
    series = 'tls_certificate_expires_timestamp_seconds{use="ingress"}'
    assert await bridge.metric(http, series) == end_of(first)

    shutil.copy(renewed, certificate)  # without its key: refused, as half of a renewal is
    end_s = time.monotonic() + SHOWN_WITHIN_S
    while not bridge.log.lines("tls.certificate_refused"):
        assert time.monotonic() < end_s
        assert await bridge.metric(http, series) == end_of(first)
    shutil.copy(renewed_key, key)
    await shows(bridge, http, series, end_of(renewed))


async def test_the_certificate_that_kafka_is_shown_has_its_end_too(
    start_inside: StartInside, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "authority")
    certificate, key = authority.issue("bridge", password="open sesame", days=7)
    files = {"ca_file": str(authority.file), "certificate_file": str(certificate), "key_file": str(key)}
    security = {"protocol": "SSL", "key_password": "open sesame", **files}
    bridge = await start_inside(kafka={"security": security})
    assert await bridge.metric(http, 'tls_certificate_expires_timestamp_seconds{use="kafka"}') == end_of(certificate)
    assert await bridge.metric(http, 'tls_certificate_expires_timestamp_seconds{use="ingress"}') is None


async def test_what_alerts_wait_for_is_there_with_zero_from_the_start(
    start_inside: StartInside, http: aiohttp.ClientSession
) -> None:
    bridge = await start_inside()
    for series in (
        'quarantined_total{reason="invalid"}',
        'unauthorized_total{reason="wrong",source="treble"}',
        'requests_total{outcome="not_accepted",source="treble"}',
        'requests_total{outcome="too_many_connections",source="-"}',
        'config_reloads_total{outcome="refused"}',
    ):
        assert await bridge.metric(http, series) == 0, series
