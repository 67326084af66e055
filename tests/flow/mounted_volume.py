"""A folder that changes as kubelet changes the volume of a ConfigMap or a Secret: all files in one rename.

bridge.yaml -> ..data/bridge.yaml
..data      -> ..2026_07_30_10_15_00.1234
..2026_07_30_10_15_00.1234/bridge.yaml
"""

import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path


class MountedVolume:
    """One volume. `path` is where a container would have it mounted."""

    def __init__(self, path: Path, files: Mapping[str, str | bytes]) -> None:
        """Make it, with its first content."""
        path.mkdir()
        self.path = path
        self.project(files)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def project(self, files: Mapping[str, str | bytes]) -> None:
        """Replace the whole content, in kubelet's order (its `AtomicWriter`)."""
        data, fresh = self.path / "..data", self.path / "..data_tmp"
        before = data.resolve() if data.is_symlink() else None
        folder = Path(tempfile.mkdtemp(prefix=time.strftime("..%Y_%m_%d_%H_%M_%S.", time.gmtime()), dir=self.path))
        for name, content in files.items():
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        for name in files:
            if not (self.path / name).is_symlink():
                (self.path / name).symlink_to(f"..data/{name}")
        fresh.symlink_to(folder.name)
        fresh.rename(data)
        if before is not None:
            for name in {file.name for file in before.iterdir()} - set(files):
                (self.path / name).unlink()
            shutil.rmtree(before)
