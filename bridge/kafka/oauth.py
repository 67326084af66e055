"""The token of SASL/OAUTHBEARER: fixed, or read from a file at each login, so that a rotated one counts."""

import asyncio
from pathlib import Path
from typing import Final

from aiokafka.abc import AbstractTokenProvider

TOKEN_BYTES_MAX: Final = 64 << 10


class TokenUnavailableError(OSError):
    """The token can't be read now. An OSError, because aiokafka then treats it as a failed connection: it tries again.

    A file that an agent is just rotating may be away for a moment.
    """


class FixedToken(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is untyped
    """A token that is in the configuration."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def token(self) -> str:
        """The token (aiokafka calls this at each login)."""
        return self._token


class TokenFile(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is untyped
    """A token in a file that something else keeps fresh."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def token(self) -> str:
        """What the file holds now, without white space around it. Raises TokenUnavailableError."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> str:
        where = f"kafka.security.oauth_token_file {self._path}"
        try:
            with self._path.open("rb") as file:
                content = file.read(TOKEN_BYTES_MAX + 1)
            token = content.decode("ascii").strip()
        except OSError as error:
            raise TokenUnavailableError(f"{where}: {error.strerror}") from error
        except UnicodeDecodeError:
            raise TokenUnavailableError(f"{where} holds no token: expected ASCII text") from None
        if not token or len(content) > TOKEN_BYTES_MAX or not token.isprintable() or " " in token:
            raise TokenUnavailableError(f"{where} holds no token: expected one line, {TOKEN_BYTES_MAX} bytes at most")
        return token
