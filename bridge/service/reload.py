"""A changed configuration takes effect without a restart; a wrong one changes nothing.

Watched are the file itself, every `${file:…}` in it, certificates and keys. They are compared by content, through
symbolic links: the swap of a Kubernetes ConfigMap's `..data` is a change, two writes within one tick of the file
system's clock are seen, and `touch` is no change.

A change is taken once two looks in a row found the same content: an editor may write a file in two steps. SIGHUP
(`request`) does not wait for that.

Other content in a file that `kafka.security` names is a change of that key. (The ingress looks after its own
certificates.)
"""

import asyncio
import contextlib
import dataclasses
import hashlib
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.catalogue import TABLE
from bridge.errors import ConfigError
from bridge.settings.changes import changes, config_hash, merged
from bridge.settings.load import FILE_BYTES_MAX, Loaded, files_of, load
from bridge.settings.models import Settings
from bridge.settings.problems import InvalidSettingsError
from bridge.settings.section import path_text
from bridge.telemetry import Telemetry

INTERVAL_S = 1.0
_LOADS_MAX = 3  # one, and one more whenever a load made known files that were not watched before

Fingerprint = Mapping[str, str]


class Reloader:
    def __init__(
        self,
        path: Path,
        settings: Settings,
        apply: Callable[[Settings, Sequence[str]], None],
        telemetry: Telemetry,
        *,
        interval_s: float = INTERVAL_S,
        load_file: Callable[[Path, Collection[str]], Loaded] = load,
    ) -> None:
        """`settings` is what runs, read from `path`. `apply` puts a configuration in force, or raises: ConfigError
        says what is wrong, of any other error only the kind is told.

        What `apply` gets differs from what runs only in keys that a running bridge can take; it gets their paths, too.
        """
        self._path, self._running, self._apply, self._telemetry = path, settings, apply, telemetry
        self._interval_s, self._load_file = interval_s, load_file
        self._asked = asyncio.Event()
        self._files: frozenset[str] = frozenset({str(path)})
        self._loaded: Fingerprint | None = None  # the content that the last load read, right or wrong
        self._seen: Fingerprint | None = None  # the content at the last look
        self._error: str | None = None
        self._needs_restart: tuple[str, ...] = ()
        self._hash = config_hash(settings)
        # Before anybody connects by them: what changes after that is a change.
        self._kafka_files = fingerprint(kafka_files(settings).values())

    async def run(self) -> None:
        """Look once an interval, and at once when asked. Ends by cancellation only."""
        while True:
            await self.look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await self._asked.wait()

    def request(self) -> None:
        """Read the configuration now (SIGHUP), whether it changed or not. Called in the event loop."""
        self._asked.set()

    def status(self) -> Mapping[str, Any]:
        """What is in force, what is wrong with the file, what waits for a restart. For /status and /readyz."""
        return {
            "path": str(self._path),
            "hash": self._hash,
            "error": self._error,
            "needs_restart": list(self._needs_restart),
        }

    async def look(self) -> None:
        """One look at the files: load them if they changed and came to rest, at the first look, and when asked."""
        asked, first = self._asked.is_set(), self._loaded is None
        self._asked.clear()
        found = await asyncio.to_thread(fingerprint, self._files)
        settled, self._seen = found == self._seen, found
        if asked or first or (found != self._loaded and settled):
            await self._load(found, quiet=first and not asked)

    async def _load(self, found: Fingerprint, *, quiet: bool) -> None:
        for _ in range(_LOADS_MAX):
            self._loaded = found
            loaded, files = await asyncio.to_thread(self._try)
            if files <= self._files:
                break
            # A file that is watched from now on may have changed after it was read: look, then read again.
            self._files |= files
            found = await asyncio.to_thread(fingerprint, self._files)
        self._files = files | {str(self._path)}
        self._loaded = self._seen = {name: content for name, content in found.items() if name in self._files}
        if isinstance(loaded, ConfigError):
            self._refuse(loaded)
        else:
            self._take(loaded, quiet=quiet)

    def _try(self) -> tuple[Loaded | ConfigError, frozenset[str]]:
        try:
            loaded = self._load_file(self._path, TABLE)
        except ConfigError as error:
            files = error.files if isinstance(error, InvalidSettingsError) else ()
            return error, self._files | frozenset(files)
        return loaded, frozenset({str(self._path), *loaded.files})

    def _take(self, loaded: Loaded, *, quiet: bool) -> None:
        contents = self._loaded or {}
        found, files = changes(self._running, loaded.settings), kafka_files(loaded.settings)
        renewed = [key for key, name in files.items() if contents.get(name) != self._kafka_files.get(name)]
        found = dataclasses.replace(found, reloadable=tuple(dict.fromkeys((*found.reloadable, *renewed))))
        for warning in loaded.warnings if found or quiet else ():
            self._telemetry.config_warning(str(warning))
        try:
            if found.reloadable:
                settings = merged(self._running, loaded.settings, TABLE)
                self._apply(settings, found.reloadable)
                self._running, self._hash = settings, config_hash(settings)
                self._kafka_files = {name: contents.get(name, "") for name in files.values()}
        except ConfigError as error:
            self._refuse(error)
            return
        except Exception as error:  # noqa: BLE001 - whatever it is: what runs goes on, and its text may be a secret
            self._refuse(ConfigError(f"can't be put in force: {type(error).__name__}"))
            return
        news = found.reloadable or found.restart != self._needs_restart
        self._error, self._needs_restart = None, found.restart
        if news:
            self._telemetry.config_reloaded(found.reloadable, found.restart, self._hash)
        elif not quiet:
            self._telemetry.config_unchanged()

    def _refuse(self, error: ConfigError) -> None:
        self._error = str(error)
        problems = error.problems if isinstance(error, InvalidSettingsError) else ()
        self._telemetry.config_refused(error, [str(problem) for problem in problems])


def kafka_files(settings: Settings) -> Mapping[str, str]:
    """The files that the connection to Kafka is made with: key path → file."""
    return {path_text(at): name for at, name in files_of(settings) if at[0] == "kafka"}


def fingerprint(files: Collection[str]) -> Fingerprint:
    """What each file holds now, as a digest; of a file that can't be read, why. Blocking, bounded in size."""
    return {name: _content(Path(name)) for name in files}


def _content(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "not a regular file"
        with path.open("rb") as file:
            return hashlib.sha256(file.read(FILE_BYTES_MAX + 1)).hexdigest()
    except OSError as error:
        return f"errno {error.errno}"
