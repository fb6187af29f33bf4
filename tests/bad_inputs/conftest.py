import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty working directory that is outside any project, with outputs, data and home of its own."""
    import papermill

    folder = tmp_path / "w"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MMLIB_NOTEBOOKS", raising=False)
    monkeypatch.delenv("MMLIB_RUN", raising=False)
    for name, place in (
        ("MMLIB_OUTPUTS", "outputs"),
        ("MMLIB_DATA", "data"),
        ("HOME", "home"),
        ("HF_HUB_OFFLINE", "1"),
    ):
        monkeypatch.setenv(name, place if name == "HF_HUB_OFFLINE" else str(folder / place))

    def executed(*_: object, **__: object) -> None:
        raise AssertionError("accepted: a kernel was about to start")

    def nowhere(host: object, *_: object, **__: object) -> list[object]:
        raise socket.gaierror(f"{host} is asked for, but a test stays on this machine")

    addresses = socket.getaddrinfo
    local = ("127.0.0.1", "localhost", None)
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: (addresses if host in local else nowhere)(host, *a, **k)
    )
    monkeypatch.setattr(papermill, "execute_notebook", executed)
    yield folder
    shutil.rmtree(tmp_path, ignore_errors=True)
