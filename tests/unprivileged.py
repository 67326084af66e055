"""Programs run without root's right to every file, so that a folder's mode means something."""

import os
import shutil

import pytest


def without_rights(*command: str) -> list[str]:
    """`command`, for `subprocess`, as it is without root's capabilities. Skips the test where that can't be had."""
    if os.geteuid():
        return list(command)
    if (setpriv := shutil.which("setpriv")) is None:
        pytest.skip("root without setpriv: no file is out of reach")
    return [setpriv, "--inh-caps=-all", "--bounding-set=-all", *command]
