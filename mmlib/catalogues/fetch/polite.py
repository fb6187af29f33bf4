"""Many small requests at once, without pressing any host."""

import heapq
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from .web import Patience, Trouble, is_web

T = TypeVar("T")
Job = tuple[float, int, int, str]  # not before, place in the order, attempts so far, address


@dataclass
class _Host:
    """What one host is still to be asked for."""

    jobs: list[Job] = field(default_factory=list)
    running: int = 0
    not_before: float = 0.0
    failures: int = 0  # in a row

    def next_time(self) -> float:
        return max(self.not_before, self.jobs[0][0])


def politely(
    urls: Iterable[str],
    ask: Callable[[str], T],
    *,
    workers: int,
    per_host: int,
    patience: Patience,
    give_up: int = 20,
) -> Generator[tuple[str, T | Trouble], None, None]:
    """Ask for every address and yield (address, answer) as they come; an answer is a ``Trouble`` where there is none.

    A host that is busy (429, 503) is left alone for as long as it asks, within ``patience.longest``. An address with
    another passing trouble is asked again later, ``patience.attempts`` times in all. A host that fails ``give_up``
    times in a row is not asked any more.

    Args:
        ask: gives the answer or raises ``Trouble``; called in threads.
        workers: requests under way at once.
        per_host: the same, for one host.
    """
    hosts: dict[str, _Host] = {}
    for place, url in enumerate(urls):
        host = urlsplit(url).netloc.lower() if is_web(url) else ""  # asking for what is no address says so
        hosts.setdefault(host, _Host()).jobs.append((0.0, place, 0, url))
    pool = ThreadPoolExecutor(workers, thread_name_prefix="fetch")
    running: dict[Future[T], tuple[_Host, Job]] = {}
    try:
        while hosts:
            now = time.monotonic()
            free = [host for host in hosts.values() if host.jobs and host.running < per_host]
            first = min(free, key=lambda host: (max(host.next_time(), now), host.running), default=None)
            pause = max(0.0, first.next_time() - now) if first and len(running) < workers else None
            if first and pause == 0:
                job = heapq.heappop(first.jobs)
                running[pool.submit(ask, job[-1])] = (first, job)
                first.running += 1
            elif not running:
                time.sleep(pause or 0.0)
            else:
                done, _ = wait(running, timeout=pause, return_when=FIRST_COMPLETED)
                for future in done:
                    yield from _settled(future, *running.pop(future), patience, give_up)
                hosts = {name: host for name, host in hosts.items() if host.jobs or host.running}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _settled(
    future: Future[T], host: _Host, job: Job, patience: Patience, give_up: int
) -> Generator[tuple[str, T | Trouble], None, None]:
    """The outcome of one request, or nothing if it is to be made again."""
    _, place, attempts, url = job
    host.running -= 1
    try:
        answer = future.result()
    except Trouble as trouble:
        if not trouble.passing:
            host.failures = 0
            yield url, trouble
            return
        host.failures += 1
        later = time.monotonic() + patience.after(attempts + 1, trouble.wait)
        if trouble.status == "busy":
            host.not_before = max(host.not_before, later)
        if attempts + 1 >= patience.attempts:
            yield url, trouble
        else:
            heapq.heappush(host.jobs, (later, place, attempts + 1, url))
        if host.failures >= give_up:
            said = f"the host failed {host.failures} times in a row, last: {trouble}"
            for *_, left in sorted(host.jobs, key=lambda job: job[1]):
                yield left, Trouble(trouble.status, said, passing=True)
            host.jobs.clear()
        return
    host.failures = 0
    yield url, answer
