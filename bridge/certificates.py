"""When a certificate is over.

The standard library reads a certificate's fields of a peer only, once it is verified. So a handshake is done in memory,
in which the certificate is shown to a side that trusts just it, whatever the time: OpenSSL reads it, and no parser of
our own is needed, nor a dependency.
"""

import ssl
from typing import Final

_NO_CHECK_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which `ssl` has no name for: so that what is over tells since when."""
_TURNS: Final = 4
"""Each side speaks twice in TLS 1.2, once or twice in 1.3."""


def certificate_end_s(
    certificate: str, key: str | None, password: str = "", *, as_client: bool = False
) -> float | None:
    """The end (UNIX time, seconds) of the first certificate in the file `certificate`; None when it can't be told.

    `key` is its private key's file, None when that is in the same file. `as_client` for one that a client shows: what
    a certificate may be used for is written in it. Blocks for some 20 ms.
    """
    try:
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE  # unless it is the one that looks; nothing leaves this process
        for side in (server, client):
            side.load_cert_chain(certificate, key, lambda: password)
        looks = server if as_client else client
        looks.verify_mode = ssl.CERT_REQUIRED
        looks.load_verify_locations(certificate)
        looks.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
        shown = _shown(server, client, as_client=as_client)
        return float(ssl.cert_time_to_seconds(str(shown["notAfter"])))
    except (OSError, ValueError, KeyError):
        return None


def _shown(server: ssl.SSLContext, client: ssl.SSLContext, *, as_client: bool) -> dict[str, object]:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (client.wrap_bio(down, up), server.wrap_bio(up, down, server_side=True))
    for _ in range(_TURNS):
        for side in sides:
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return dict(sides[1 if as_client else 0].getpeercert() or {})
