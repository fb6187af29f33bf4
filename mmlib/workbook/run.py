"""One run: the pages in order, with parameters, into one folder with a report."""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.files import digest, read_json, write_json
from ..core.lock import alone
from .environment import environment
from .kernel import LeftOut, execute, runner
from .pages import stale
from .paths import finished, short
from .planned_run import Plan
from .read import PLANNED
from .report import write_run_report


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Args:
        folder: ``outputs/runs/<id>``.
        metrics: page -> what the page recorded.
        seconds: how long the pages took together.
        reused: whether it had been done before.
    """

    folder: Path
    metrics: dict[str, Any]
    seconds: float
    reused: bool


def run(one: Plan, *, force: bool = False, echo: bool = False, quiet: bool = False) -> RunResult:
    """Execute pages with parameters; at once when the same was done before.

    The run's folder holds ``params.json``, ``pages/*.ipynb``, ``report.html``, ``per_user.parquet``, ``env.json``,
    ``log.txt`` and, last of all and the only proof that the run is done, ``metrics.json``. A run that was killed
    starts with its first page again, whose finished stages come from the cache.

    Args:
        one: what ``planned_run.plan`` has checked.
        force: execute the pages even if it was done before.
        echo: show the pages' text output on stderr while they run.
        quiet: print nothing.

    Raises:
        InputError: before any work, where pages were edited since it was planned; later, what a page raised.
        PageError: when a page failed.
    """
    stale(one.notebooks, one.pages)
    one.check_defaults()
    lock = one.folder.with_name(f".{one.id}.lock")
    with alone(lock, f"{one.id}: another process is at this run; waiting for it"):
        before = None if force else finished(one.folder)
        if not before:
            return _run(one, echo, quiet)
    if not quiet:
        print(f"{one.id}: done before in {before['seconds']:.1f} s", flush=True)
    if not quiet and before.get("code") != _code(one):
        print("  pages or mmlib have changed since; --force runs it again", flush=True)
    return RunResult(one.folder, before["metrics"], before["seconds"], True)


def _run(one: Plan, echo: bool, quiet: bool) -> RunResult:
    runner()  # before anything is written
    folder = _fresh(one)
    log = folder / "log.txt"
    if not quiet:
        print(f"{one.id}: {len(one.pages)} page{'s' * (len(one.pages) > 1)}, log in {short(log)}", flush=True)
    seconds: dict[str, float] = {}
    found: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    env = variables(one)
    for page in one.pages:
        start = time.monotonic()
        output = folder / "pages" / f"{page}.ipynb"
        try:
            execute(one.notebooks / f"{page}.ipynb", output, one.page_values(page), env=env, log=log, echo=echo)
            seconds[page] = round(time.monotonic() - start, 2)
            recorded = output.with_suffix(".metrics.json")
            found[page] = read_json(recorded) if recorded.exists() else {}
            said = f"{page:<20} {seconds[page]:7.1f} s"
        except LeftOut as error:
            said = left_out[page] = str(error)
            output.unlink(missing_ok=True)
        if not quiet:
            print(f"  {said}", flush=True)
    if not seconds:
        raise InputError("\n".join(left_out.values()))
    total = round(sum(seconds.values()), 2)
    audit = folder / "audit.json"  # which pages that read no catalogue do not make
    data = {
        "key": one.contents.get("dataset", ""),
        "passport": read_json(audit)["passport"] if audit.exists() else None,
    }
    done = {"parameters": one.parameters, "pages": seconds, "metrics": found, "seconds": total, "code": _code(one)}
    done |= {"left_out": left_out, "threads": one.threads, "data": data}
    if not (folder / "env.json").exists():
        write_json(folder / "env.json", environment(one.notebooks))
    write_run_report(folder, done)
    write_json(folder / "metrics.json", done)
    return RunResult(folder, found, total, False)


def _fresh(one: Plan) -> Path:
    """The run's folder, empty but for what the run is."""
    if one.folder.exists():
        (one.folder / "metrics.json").unlink(missing_ok=True)  # first, as it says that the rest is whole
        shutil.rmtree(one.folder)
    about = {"id": one.id, "about": one.about, "file": one.file and str(one.file), "pages": list(one.pages)}
    write_json(one.folder / "params.json", about | {"given": one.given, "parameters": one.parameters})
    return one.folder


def variables(one: Plan) -> dict[str, str]:
    """What the pages' processes are told beside their parameters."""
    env = {"MMLIB_RUN": str(one.folder), "MMLIB_OUTPUTS": str(one.outputs), "MMLIB_NOTEBOOKS": str(one.notebooks)}
    env["MMLIB_MODELS"] = os.pathsep.join(filter(None, [*map(str, one.models), os.environ.get("MMLIB_MODELS")]))
    env |= {PLANNED: f"{key} {one.parameters['dataset']}"} if (key := one.contents.get("dataset")) else {}
    return env | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(one.threads))


def _code(one: Plan) -> str:
    """A short hash of the pages and of mmlib, to tell whether a finished run was made by the code as it is now."""
    package = Path(__file__).resolve().parents[1]
    return digest(*sorted(package.rglob("*.py")), *[one.notebooks / f"{page}.ipynb" for page in one.pages])
