"""Execute one page in a fresh kernel of the interpreter that runs now."""

import logging
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.files import digest
from .paths import short

START_TIMEOUT = 300  # seconds; many kernels that import PyTorch from one busy disk take long
KERNEL = """
import ctypes, os, runpy, signal, sys
if sys.platform == "linux":  # elsewhere ipykernel looks every second whether its parent lives
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != int(os.environ["JPY_PARENT_PID"]):
        sys.exit("its parent is gone")
runpy.run_module("ipykernel_launcher", run_name="__main__")
"""  # a kernel that outlived its parent would make folders anew while another process removes them


class LeftOut(InputError):
    """A page has nothing to work on in this catalogue; the others go on."""


class PageError(RuntimeError):
    """A page failed; the message names the error, the page, the cell and the log."""


def execute(
    source: Path, output: Path, parameters: Mapping[str, Any], *, env: Mapping[str, str], log: Path, echo: bool = False
) -> None:
    """Execute ``source`` with papermill; ``output`` holds all that was done, also when it fails.

    Args:
        source: an ``.ipynb``; it is not changed.
        parameters: only those that the page declares.
        env: variables added to the kernel's environment.
        log: papermill's messages and the cells' text output are appended here.
        echo: show the same on stderr while it runs.

    Raises:
        InputError: what the page raised as InputError or LeftOut, with the same message.
        PageError: anything else: an error in a cell, a dead kernel, a page that stopped before its end.
    """
    papermill = runner()
    from nbclient.exceptions import DeadKernelError

    output.parent.mkdir(parents=True, exist_ok=True)
    where = f"  log: {short(log)}\n  the page as far as it got: {short(output)}"
    with _logging(log, echo), socket_folder() as sockets, _ended() as started:
        try:
            done = papermill.execute_notebook(
                source,
                output,
                dict(parameters),
                kernel_name="python3",
                language="python",
                progress_bar=False,
                log_output=True,
                start_timeout=START_TIMEOUT,
                kernel_manager_class=_manager(sockets, env, log, started),
            )
        except papermill.PapermillExecutionError as error:
            if error.ename in (LeftOut.__name__, InputError.__name__):
                raise (LeftOut if error.ename == LeftOut.__name__ else InputError)(error.evalue) from None
            raise PageError(f"{_failure(source.stem, error)}\n{where}") from None
        except DeadKernelError:
            raise PageError(
                f"{source.stem} failed: its kernel died, as it does when memory runs out or a library crashes.\n{where}"
            ) from None
        except RuntimeError as error:  # the kernel did not start
            raise PageError(f"{source.stem} failed: {error}\n{where}") from None
    stopped = _first_not_executed(done.cells)
    if stopped:
        raise PageError(f"{source.stem} stopped before its end, as after sys.exit(): not run is `{stopped}`.\n{where}")


def runner() -> Any:
    try:
        import ipykernel  # noqa: F401
        import papermill
    except ImportError as error:
        raise InputError(f"{error.name} is not installed. Pages need: pip install 'mmlib[workbook]'") from None
    return papermill


def _manager(folder: Path, env: Mapping[str, str], log: Path, started: list[Any]) -> type:
    """A kernel manager for this interpreter, whichever kernels Jupyter would find, over sockets in ``folder``.

    Sockets that are files need no free port, which parallel runs would race for, and are closed to other users.
    """
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    command = [sys.executable, "-c", KERNEL, "-f", "{connection_file}"]
    own = {"IPYTHONDIR": str(folder / "ipython")}  # nobody's start-up files
    own |= {"MMLIB_PROGRESS": os.environ.get("MMLIB_PROGRESS", "lines"), "PLOTLY_RENDERER": "plotly_mimetype"}
    escaped = {name: value.replace("$", "$$") for name, value in (own | dict(env)).items()}
    spec = KernelSpec(argv=command, display_name="Python 3", language="python", env=escaped)

    class Manager(AsyncKernelManager):
        kernel_spec = spec

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            self.transport = "tcp" if sys.platform == "win32" else "ipc"
            self.connection_file = str(folder / "kernel.json")

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            with log.open("ab") as errors:  # the process's own, such as the last words of a crash
                await super().start_kernel(stderr=errors, **options)
            started.append(self.provisioner.process)  # type: ignore[union-attr]

    return Manager


@contextmanager
def _ended() -> Iterator[list[Any]]:
    """A list of processes, none of which outlives the block, however it is left."""
    started: list[Any] = []
    try:
        yield started
    finally:
        logging.getLogger("asyncio").addFilter(_is_news)
        for process in started:
            if process.poll() is None:
                process.kill()
            process.wait()


def _is_news(record: logging.LogRecord) -> bool:
    """Not what asyncio says of a task that waited for a kernel which was ended here."""
    return "DeadKernelError" not in record.getMessage()


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, OSError):  # not ours to say
        return True
    return True


@contextmanager
def socket_folder() -> Iterator[Path]:
    """A folder for sockets, whose paths may have about 100 characters; those of killed processes are removed."""
    base = Path("/tmp" if len(tempfile.gettempdir()) > 60 and os.access("/tmp", os.W_OK) else tempfile.gettempdir())
    prefix = f"mmlib-{digest(platform.node())[:6]}-"  # processes of other machines cannot be asked whether they live
    for left in base.glob(f"{prefix}*"):
        if not _lives(left.name.removeprefix(prefix).partition("-")[0]):
            shutil.rmtree(left, ignore_errors=True)  # another user's stays
    with tempfile.TemporaryDirectory(prefix=f"{prefix}{os.getpid()}-", dir=base) as folder:
        yield Path(folder)


@contextmanager
def _logging(path: Path, echo: bool) -> Iterator[None]:
    logger = logging.getLogger("papermill")
    handlers: list[logging.Handler] = [logging.FileHandler(path, encoding="utf-8")]
    handlers += [logging.StreamHandler()] if echo else []
    before = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    for handler in handlers:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            logger.removeHandler(handler)
            handler.close()
        logger.level, logger.propagate = before


def _failure(page: str, error: Any) -> str:
    """The error in two lines: what and where, and the cell's line that it came from."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    at = re.search(r"^-+> *(\d+) (.*)$", text, re.MULTILINE)
    line = f"\n  in the line: {at[2].strip()}" if at else ""
    return f"{page} failed in cell In [{error.exec_count}]: {error.ename}: {error.evalue}{line}"


def _first_not_executed(cells: list[Any]) -> str | None:
    for cell in cells:
        skipped = "skip-execution" in cell.metadata.get("tags", [])
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None and not skipped:
            return cell.source.splitlines()[0]
    return None
