"""A grid of runs, several at a time, and what they say together."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from multiprocessing import util
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import pandas as pd

from ..core.errors import InputError
from ..core.files import whole, write_json
from .kernel import PageError, socket_folder
from .pages import stale
from .paths import finished, swept
from .planned_run import Plan
from .report import flat, tried_table, write_sweep_index
from .run import run
from .selection import chosen, edges
from .sweep_file import Sweep

SHARED = ("papermill", "nbclient", "plotly.graph_objects", "mmlib.show.html")  # imported once for all runs of a sweep


def sweep(one: Sweep, jobs: int = 1) -> Path:
    """Make all runs of a sweep that are not done yet, ``jobs`` at a time, each in processes of its own.

    A run that fails does not stop the others and is tried again by the next call. ``jobs`` changes no result: each
    run computes with one thread, or as many as its parameter ``threads`` says. Where the file has ``choose``, all runs
    are made on the validation part first, in a sweep of their own, and when all are done, those with the chosen values
    on the test part.

    Args:
        one: what ``sweep_file.read_sweep`` has checked.

    Returns:
        ``outputs/sweeps/<id>``, with ``sweep.json``, ``runs.parquet`` (one row a run) and ``index.html``.
    """
    if jobs < 1:
        raise InputError(f"--jobs {jobs}: give at least 1.")
    folder = _make(one, jobs)
    if not one.judged:
        return folder
    if undone := sum(not finished(each.folder) for each in one.plans):
        print(
            f"Nothing was chosen and the test part was not read: {undone} runs on the validation part are not done. "
            "Run the same command again, or leave them out with skip:.",
            flush=True,
        )
        return folder
    judged = chosen(one)
    for remark in edges(judged.tried, one.choose["over"]):
        print(f"{remark}: the best may lie beyond", flush=True)
    return _make(judged, jobs)


def _make(one: Sweep, jobs: int) -> Path:
    stale(one.plans[0].notebooks, sorted({page for each in one.plans for page in each.pages}))
    todo = [each for each in one.plans if not finished(each.folder)]
    print(f"{one.id}: {len(one.plans)} runs, {len(one.plans) - len(todo)} done before", flush=True)
    shown = dict.fromkeys([*one.varying, *one.choose.get("over", [])])
    said = {each.id: ", ".join(f"{key}={each.parameters.get(key)}" for key in shown) for each in one.plans}
    failed: dict[str, str] = {}
    _write_plan(one, failed)
    begun = time.monotonic()
    for count, (name, seconds, error) in enumerate(_results(todo, jobs), 1):
        if error:
            failed[name] = error
        state = f"FAILED: {error.splitlines()[0]}" if error else f"{seconds:.1f} s"
        left = (time.monotonic() - begun) / count * (len(todo) - count) / 60
        state += f", about {left:.0f} min left" if left >= 1 else ""
        print(f"  [{count}/{len(todo)}] {said[name] or name}: {state}", flush=True)
    _write_plan(one, failed)
    table = collect(one.folder)
    for name, error in failed.items():
        print(f"{said[name] or name} failed: {error}", flush=True)
    print(", ".join(f"{count} {state}" for state, count in table["status"].value_counts().items()), flush=True)
    return one.folder


def _write_plan(one: Sweep, failed: Mapping[str, str]) -> None:
    """What is to be run, and what failed; what is done only the runs' own folders say."""
    runs = [
        {"run": each.id, "folder": str(each.folder), "parameters": each.parameters, "error": failed.get(each.id, "")}
        for each in one.plans
    ]
    names = ("id", "about", "varying", "compare", "choose", "tried", "chosen_from")
    about = {name: getattr(one, name) for name in names}
    write_json(one.folder / "sweep.json", about | {"runs": runs})


def collect(folder: Path) -> pd.DataFrame:
    """Gather the runs of a sweep, also of one that still goes on, into ``runs.parquet`` and ``index.html``.

    Returns:
        One row a run: ``run``, the varying parameters, ``status``, ``error``, ``folder``, ``seconds``, and each
        recorded number under its path, such as ``04_recommend/all/recall@20``; where a page recorded several
        rankings, their labels are in the paths.
    """
    about = swept(folder)
    over, metric = (about["choose"].get(name, []) for name in ("over", "metric"))
    table = pd.DataFrame([_row(run, [*about["varying"], *over]) for run in about["runs"]])
    with whole(folder / "runs.parquet") as partial:
        table.to_parquet(partial, index=False)
    text, compared, tried, source = about["about"], None, about["tried"], about["chosen_from"]
    if over and not source:
        text = f"{text} The runs on the validation part, from which options are chosen.".strip()
    elif about["compare"] and (table["status"] == "done").any():
        from .sweep_results import sweep_comparison  # PyTorch, which listing a sweep does not need

        try:
            compared = sweep_comparison(folder, **about["compare"])
        except InputError as error:
            text = f"{text} No comparison yet: {error}".strip()
    chosen_of = tried_table(tried, metric, source, edges(tried, over)) if source else ""
    write_sweep_index(folder, text, table, compared, chosen_of)
    return table


def _row(run: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    done = finished(Path(run["folder"]))
    values = {name: run["parameters"].get(name) for name in names}
    plain = {name: str(value) if isinstance(value, list | dict) else value for name, value in values.items()}
    status = "done" if done else "failed" if run["error"] else "waiting"
    facts = {"run": run["run"], **plain, "status": status, "error": "" if done else run["error"]}
    facts |= {"folder": run["folder"], "seconds": done["seconds"] if done else None}
    return facts | (flat(done["metrics"]) if done else {})


def slurm_script(one: Sweep, file: Path | str) -> str:
    """A Slurm array script, one task a run; submit it with ``sbatch``."""
    template = files(__package__).joinpath("array.sh").read_text(encoding="utf-8")
    commands = "\n".join(each.command(one.base) for each in one.plans)
    then = "the same command with --slurm prints those with the chosen options" if one.judged else "gathers all of them"
    filled = {"@name@": one.name, "@last@": str(len(one.plans) - 1), "@file@": str(file), "@commands@": commands}
    filled |= {"@then@": then, "@threads@": str(max(each.threads for each in one.plans))}
    for key, value in filled.items():
        template = template.replace(key, value)
    return template


def _results(plans: Sequence[Plan], jobs: int) -> Iterator[tuple[str, float, str]]:
    """Make runs, each in a process of its own: id, seconds, and the error if it failed, as they end.

    The processes are forked, where the system can, from one that has imported what all runs need. Each ends with this
    one, whose end closes the pipe that it listens to.
    """
    processes, waiting, going = _processes(), list(reversed(plans)), dict[Any, tuple[Plan, Any]]()
    try:
        while waiting or going:
            while waiting and len(going) < jobs:
                each, (ours, theirs) = waiting.pop(), processes.Pipe()
                child = processes.Process(target=_run_given, args=(each, theirs, dict(os.environ)))
                child.start()
                theirs.close()
                going[ours] = each, child
            ready: list[Any] = wait(going)
            for pipe in ready:
                each, child = going[pipe]
                found = None
                with contextlib.suppress(EOFError, OSError):
                    found = pipe.recv()
                child.join()
                pipe.close()
                del going[pipe]
                how = signal.Signals(-child.exitcode).name if child.exitcode < 0 else f"exit code {child.exitcode}"
                died = f"its process died ({how}), as it does when memory runs out or somebody ends it"
                yield each.id, *(found or (0.0, died))
    finally:
        for _, child in going.values():
            if child.is_alive():
                os.kill(child.pid, signal.SIGINT)


@lru_cache
def _processes() -> Any:
    """How to start processes. What they are forked from listens in a folder that outlives no sweep, killed or not."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__, f"{__package__}.kernel", *SHARED])
    folder = contextlib.ExitStack()
    multiprocessing.current_process()._config["tempdir"] = str(folder.enter_context(socket_folder()))  # type: ignore[attr-defined]
    util.Finalize(None, folder.close, exitpriority=-200)
    return processes


def _run_given(each: Plan, answers: Connection, environment: Mapping[str, str]) -> None:
    """In a process of its own: make a run, and say how it went; stop when the sweep is gone."""
    os.environ.clear()
    os.environ.update(environment)
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, _stop_once)
    threading.Thread(target=_listen, args=(answers,), daemon=True).start()
    try:
        found = run(each, quiet=True).seconds, ""
    except (InputError, PageError) as error:
        found = 0.0, str(error)
    except KeyboardInterrupt:
        os._exit(130)
    except Exception as error:
        found = 0.0, f"{type(error).__name__}: {error}"
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the answer is read before the pipe closes, which means no stop now
    answers.send(found)
    os._exit(0)  # whatever threads are left


def _stop_once(*_: Any) -> None:
    """Stop, and be not disturbed in cleaning up."""
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, signal.SIG_IGN)
    raise KeyboardInterrupt


def _listen(pipe: Connection) -> None:
    """Stop this process when the sweep is gone, so that a killed sweep leaves no run going on behind its back."""
    with contextlib.suppress(EOFError, OSError):
        pipe.recv()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
    os._exit(1)
