"""The process around a service: its log, its event loop, its exit code."""

import gc
import threading
from pathlib import Path

import uvloop

from bridge.errors import BridgeError, ExitCode
from bridge.service.service import Service
from bridge.settings.models import Settings
from bridge.settings.sources import secrets_of
from bridge.telemetry import Telemetry
from bridge.telemetry.logs import Logs

GC_THRESHOLD = 50_000  # objects between two looks for cycles, of which requests make few


def run(settings: Settings, config_path: Path | None = None) -> ExitCode:
    """Run the bridge in this process until it ends. `config_path` is the file to read again on SIGHUP or a change.

    Expected errors are logged, and come back as exit codes; so do unforeseen ones, with their traceback in the log.
    """
    logs = Logs(settings.log.level, settings.log.format, secrets=[secret for _, secret in secrets_of(settings)])
    telemetry = Telemetry()
    threading.excepthook = lambda failed: telemetry.thread_failed(
        failed.thread.name if failed.thread else "?", failed.exc_value or failed.exc_type()
    )
    telemetry.metrics.watch_log(lambda: logs.dropped)
    try:
        service = Service(settings, config_path, logs=logs, telemetry=telemetry, on_started=_settle_memory)
        return uvloop.run(service.run())
    except BridgeError as error:
        telemetry.service_not_started(error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the last place that can log it
        telemetry.service_failed("service", error)
        return ExitCode.FAILURE
    finally:
        logs.close()


def _settle_memory() -> None:
    """What was built once is not looked at again by the garbage collector."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)
