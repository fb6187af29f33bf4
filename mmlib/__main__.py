"""The command line: ``mmlib run | sweep | report | data | audit | pair | params``."""

import argparse
import errno
import re
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .core.errors import InputError
from .workbook.paths import finished, notebooks, short, swept

EXAMPLES = """\
examples:
  mmlib run params/toy.yaml                            the whole workbook, then its report
  mmlib run params/toy.yaml -p epochs 5 --pages 00 04  two pages, one parameter changed
  mmlib sweep params/sweeps/starts.yaml --jobs 2       a grid of runs; resumes what is done
  mmlib sweep params/sweeps/starts.yaml --slurm        the same as a Slurm array script
  mmlib report outputs/runs/toy-1a2b3c4d               the HTML page again
  mmlib data my-shop/                                  what a catalogue holds, and what reading it found
  mmlib data fetch amazon-2014/Baby                    bring a public catalogue and its pictures
  mmlib audit my-shop/ --html audit.html               leaks, copies, placeholders: what bends results
  mmlib params                                         all parameters of the pages; with a name, that one
"""
_WRITE = "Free some space or open it to writing, or name another place with MMLIB_OUTPUTS (results) or MMLIB_DATA."
_FILE = "A file stands where a folder should; move it, or name another place."
_REMEDIES = {  # of what the system refuses; other errors of the system are errors of mmlib
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO), _WRITE),
    **dict.fromkeys((errno.EACCES, errno.EPERM), "Open it to this user, or name another."),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), _FILE),
    errno.EISDIR: "A folder stands where a file should; name a file.",
    errno.ENAMETOOLONG: "Give a shorter name.",
    errno.ELOOP: "The link leads back to itself; name the file.",
}
_EXTRAS = {  # whose packages may be missing
    "workbook": "jinja2 jupytext nbconvert nbformat papermill plotly pydantic ruamel",
    "fetch": "platformdirs requests urllib3",
    "encoders": "open_clip timm torchvision transformers",
    "sentences": "sentence_transformers",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, 1 when a page or run failed, 2 for wrong input."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    for place, word in enumerate(words):
        if place > 1 and words[place - 2] == "-p" and re.match("-[^-]", word):
            words[place] = f"\0{word}"  # argparse would take a value such as -inf for an option
    options = _parser().parse_args(words)
    own = threading.current_thread() is threading.main_thread()  # elsewhere signals cannot be taken
    before = signal.signal(signal.SIGTERM, _terminated) if own else None
    try:
        return int(options.do(options) or 0)
    except BrokenPipeError:  # the reader, such as head, has gone
        sys.stderr.close()
        return 0
    except (InputError, ModuleNotFoundError, OSError, MemoryError) as error:
        if not (said := _said(error)):
            raise
        print(f"mmlib: {said}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as error:
        print("mmlib: stopped; the same command goes on from what is done.", file=sys.stderr)
        return 143 if isinstance(error, _Terminated) else 130
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _said(error: Exception) -> str:
    """What a user can do about an error; empty for one of mmlib's own."""
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        extra = next((name for name, packages in _EXTRAS.items() if package in packages.split()), "")
        return f"{package} is not installed. Run: pip install 'mmlib[{extra}]'" if extra else ""
    if isinstance(error, MemoryError):
        return f"memory ran out ({error}). Try a smaller catalogue, batch_size or dim."
    if isinstance(error, OSError):
        remedy = _REMEDIES.get(error.errno or 0)
        return str(InputError(f"{error.filename or 'A file'}: {error.strerror}. {remedy}")) if remedy else ""
    return str(error)


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which schedulers send before they kill."""


def _terminated(number: int, frame: Any) -> None:
    raise _Terminated


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mmlib",
        description="A notebook-first workbook for multimodal recommendation.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = _command(commands, "run", _run, "execute the pages with parameters, and write a report")
    run.add_argument("params", nargs="?", type=Path, help="a YAML file, such as params/toy.yaml (default: no file)")
    _add_parameters(run)
    run.add_argument("--pages", nargs="+", metavar="PAGE", help="names or numbers, such as 00 04 (default: the file's)")
    run.add_argument("--force", action="store_true", help="execute the pages even if this run was done before")
    run.add_argument("-v", "--verbose", action="store_true", help="show what the pages print while they run")

    sweep = _command(commands, "sweep", _sweep, "make all runs of a grid, and write an index page")
    sweep.add_argument("params", type=Path, help="a YAML file, such as params/sweeps/starts.yaml")
    sweep.add_argument("-j", "--jobs", type=int, default=1, help="runs at a time, which changes no result (default: 1)")
    _add_parameters(sweep)
    how = sweep.add_mutually_exclusive_group()
    how.add_argument("--list", action="store_true", help="print one command a run that is due and do nothing")
    how.add_argument("--slurm", action="store_true", help="print a Slurm array script and do nothing")

    report = _command(commands, "report", _report, "make the HTML of a finished run or a sweep again")
    report.add_argument("folder", type=Path, help="a folder in outputs/runs or outputs/sweeps")

    data = _command(commands, "data", _data, "print what a catalogue holds, or fetch a public one")
    data.add_argument("what", metavar="CATALOGUE|fetch", help="a catalogue's folder or public name, toy, or fetch")
    data.add_argument("name", nargs="?", help="after fetch: a public name (default: list them all)")
    data.add_argument("--folder", type=Path, help="fetch: where to (default: the user's data folder, or $MMLIB_DATA)")
    only = data.add_mutually_exclusive_group()
    only.add_argument("--no-pictures", action="store_true", help="fetch: the tables only")
    only.add_argument("--pictures-only", action="store_true", help="fetch: the pictures of items whose tables are here")
    private = "fetch: a host that may be asked although its address is not on the public internet; may be given again"
    data.add_argument("--private-host", action="append", default=[], metavar="HOST", help=private)
    _add_parameters(data)

    audit = _command(commands, "audit", _audit, "look for what voids or bends results: leaks, copies, placeholders")
    audit.add_argument("dataset", help="a catalogue's folder or public name, or toy")
    audit.add_argument("--html", type=Path, help="write the audit as a page, or as JSON if the name ends in .json")
    audit.add_argument("--no-pictures", action="store_true", help="leave out the checks that read every picture")
    _add_parameters(audit)

    pair = _command(commands, "pair", _pair, "make each page's .ipynb from its .py")
    how = pair.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="write nothing; fail if a notebook is out of step")
    how.add_argument("--back", action="store_true", help="the other way: take over edits made in JupyterLab")
    how.add_argument("--force", action="store_true", help="drop edits made in JupyterLab")

    params = _command(commands, "params", _params, "list the parameters of all pages, or show one")
    params.add_argument("name", nargs="?", help="one of them (default: all)")
    return parser


def _command(commands: Any, name: str, do: Any, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(do=do)
    return parser


def _add_parameters(parser: argparse.ArgumentParser) -> None:
    text = "set a parameter, such as -p epochs 5; may be repeated; lists as '[1, 2]'"
    parser.add_argument("-p", dest="set", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help=text)


def _overrides(options: argparse.Namespace) -> dict[str, Any]:
    from .workbook.declaration import parse
    from .workbook.parameters import known_parameters

    given = {name: value.removeprefix("\0") for name, value in options.set}
    return parse(given, known_parameters(notebooks())) if given else {}


def _run(options: argparse.Namespace) -> int:
    from .workbook.kernel import PageError
    from .workbook.planned_run import plan
    from .workbook.run import run

    try:
        one = plan(options.params or {}, _overrides(options), options.pages)
        done = run(one, force=options.force, echo=options.verbose)
    except PageError as error:
        print(f"mmlib: {error}", file=sys.stderr)
        return 1
    print(f"report: {short(done.folder / 'report.html')}")
    return 0


def _sweep(options: argparse.Namespace) -> int:
    from .workbook.sweep_file import read_sweep

    one = read_sweep(options.params, _overrides(options))
    if one.judged and (options.list or options.slurm):
        from .workbook.selection import due

        one = due(one)
    if options.list:
        print("\n".join(each.command(one.base) for each in one.plans))
        return 0
    from .workbook.sweep import slurm_script, sweep

    if options.slurm:
        print(slurm_script(one, options.params), end="")
        return 0
    folder = sweep(one, options.jobs)
    print(f"index: {short(folder / 'index.html')}")
    made = [*(each.folder for each in one.plans), *(Path(run["folder"]) for run in swept(folder)["runs"])]
    return int(not all(map(finished, made)))


def _report(options: argparse.Namespace) -> int:
    from .workbook.report import write_run_report
    from .workbook.sweep import collect

    if (options.folder / "sweep.json").exists():
        collect(options.folder)
        print(f"index: {short(options.folder / 'index.html')}")
        return 0
    done = finished(options.folder)
    if not done:
        raise InputError(f"{options.folder} holds no finished run (metrics.json) and no sweep (sweep.json).")
    print(f"report: {short(write_run_report(options.folder, done))}")
    return 0


def _data(options: argparse.Namespace) -> int:
    from .workbook import catalogues

    values = _overrides(options)
    if options.what != "fetch":
        if options.name or options.folder or options.no_pictures or options.pictures_only or options.private_host:
            raise InputError(
                "--folder, --no-pictures, --pictures-only, --private-host and a second name belong to: "
                "mmlib data fetch."
            )
        catalogues.summary(options.what, values)
    elif options.name is None:
        catalogues.listing()
    else:
        which = {"files": not options.pictures_only, "pictures": not options.no_pictures}
        reader, hosts = values.get("reader", {}), options.private_host
        catalogues.fetch(options.name, options.folder, **which, reader=reader, hosts=hosts)
    return 0


def _audit(options: argparse.Namespace) -> int:
    """1 when a leak was found, so that a script stops there."""
    from .workbook import catalogues

    return int(catalogues.audit(options.dataset, _overrides(options), options.html, pictures=not options.no_pictures))


def _pair(options: argparse.Namespace) -> int:
    from .workbook.pages import pair, take_back

    folder = notebooks()
    if options.back:
        back = take_back(folder)
        print("\n".join(f"{folder.name}/{name}.py made from the notebook" for name in back) or "no edits to take over")
    changed = pair(folder, check=options.check, force=options.force or options.back)
    for name in changed:
        print(f"{folder.name}/{name}.ipynb {'is not made from its .py' if options.check else 'made'}")
    return int(options.check and bool(changed))


def _params(options: argparse.Namespace) -> int:
    from .workbook.declaration import check
    from .workbook.parameters import known_parameters

    known = known_parameters(notebooks())
    if options.name:
        check({options.name: None} if options.name not in known else {}, known)  # says which is meant
        one = known[options.name]
        print(f"{one.line}\nrange: {one.range or 'any'}\nread by: {', '.join(one.pages)}")
        return 0
    rows = [("name", "type", "default", "pages", "range", "what it is")]
    for one in known.values():
        pages = " ".join(page.split("_")[0] for page in one.pages)
        rows.append((one.name, one.type, repr(one.default), pages, one.range, one.help))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        print("  ".join([f"{text:<{width}}" for text, width in zip(row, widths)] + [row[5]]).rstrip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
