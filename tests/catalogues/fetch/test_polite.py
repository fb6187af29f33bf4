import threading
import time
from collections import Counter
from dataclasses import replace

import pytest

from mmlib.catalogues.fetch.polite import politely
from mmlib.catalogues.fetch.web import Patience, Trouble

QUICK = Patience(hosts=("127.0.0.1",), attempts=3, pause=0.01, longest=0.3)


def outcomes(urls: list[str], ask, **options):  # type: ignore[no-untyped-def]
    return dict(politely(urls, ask, **{"workers": 8, "per_host": 4, "patience": QUICK, **options}))


def test_every_address_gets_its_answer() -> None:
    urls = [f"http://h{n % 3}/{n}" for n in range(40)]
    assert outcomes(urls, len) == {url: len(url) for url in urls}
    assert outcomes([], len) == {}


def test_limits_hold_for_each_host_and_for_all() -> None:
    lock, now, most = threading.Lock(), Counter(), Counter()

    def ask(url: str) -> int:
        with lock:
            for key in (url[:9], "all"):
                now[key] += 1
                most[key] = max(most[key], now[key])
        time.sleep(0.005)
        with lock:
            now.subtract([url[:9], "all"])
        return 1

    outcomes([f"http://h{n % 3}/{n}" for n in range(60)], ask, workers=5, per_host=2)
    assert most == {"http://h0": 2, "http://h1": 2, "http://h2": 2, "all": 5}


def test_a_passing_trouble_is_asked_again_and_a_lasting_one_not() -> None:
    asked: Counter[str] = Counter()

    def ask(url: str) -> str:
        asked[url] += 1
        if url.endswith("dead"):
            raise Trouble("dead", "gone")
        if url.endswith("late") and asked[url] < 3:
            raise Trouble("timeout", "slow", passing=True)
        if url.endswith("never"):
            raise Trouble("timeout", "slow", passing=True)
        return "here"

    got = outcomes([f"http://h/{name}" for name in ("good", "dead", "late", "never")], ask)
    assert got["http://h/good"] == got["http://h/late"] == "here"
    assert got["http://h/dead"].status == "dead"
    assert got["http://h/never"].status == "timeout"
    assert asked == {"http://h/good": 1, "http://h/dead": 1, "http://h/late": 3, "http://h/never": 3}


def test_a_busy_host_is_left_alone_while_others_go_on() -> None:
    asked: list[tuple[float, str]] = []

    def ask(url: str) -> str:
        asked.append((time.monotonic(), url))
        if url == "http://busy/0" and sum(url == before for _, before in asked) == 1:
            raise Trouble("busy", "HTTP 429", passing=True, wait=0.4)
        time.sleep(0.002)
        return "here"

    urls = ["http://busy/0", *(f"http://other/{n}" for n in range(10)), "http://busy/1"]
    got = outcomes(urls, ask, per_host=1, patience=replace(QUICK, longest=1.0))
    assert set(got.values()) == {"here"}
    busy = [moment for moment, url in asked if "busy" in url]
    other = [moment for moment, url in asked if "other" in url]
    assert len(busy) == 3
    assert busy[1] - busy[0] >= 0.4
    assert max(other) < busy[1]


def test_a_host_that_says_it_is_busy_is_not_asked_by_those_who_waited_for_a_worker() -> None:
    asked: list[float] = []

    def ask(url: str) -> str:
        asked.append(time.monotonic())
        if len(asked) == 1:
            raise Trouble("busy", "HTTP 429", passing=True, wait=0.2)
        return "here"

    outcomes([f"http://busy/{n}" for n in range(3)], ask, workers=1, per_host=3)
    assert asked[1] - asked[0] >= 0.2


def test_a_host_that_is_down_is_given_up() -> None:
    asked: Counter[str] = Counter()

    def ask(url: str) -> str:
        host = url.split("/")[2]
        asked[host] += 1
        if host == "down":
            raise Trouble("unreachable", "no route", passing=True)
        return "here"

    urls = [f"http://{host}/{n}" for n in range(200) for host in ("down", "up")]
    got = outcomes(urls, ask, give_up=10)
    assert asked["up"] == 200
    assert asked["down"] <= 10 + 4
    assert len(got) == 400
    down = [answer for url, answer in got.items() if "down" in url]
    assert {answer.status for answer in down} == {"unreachable"}
    assert sum("times in a row, last: no route" in str(answer) for answer in down) >= 190


def test_what_was_not_begun_is_dropped_when_the_reader_stops() -> None:
    asked: Counter[str] = Counter()

    def ask(url: str) -> str:
        asked[url] += 1
        time.sleep(0.005)
        return "here"

    answers = politely([f"http://h/{n}" for n in range(100)], ask, workers=2, per_host=2, patience=QUICK)
    next(answers)
    answers.close()
    time.sleep(0.05)
    assert sum(asked.values()) < 10


def test_a_mistake_in_asking_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        outcomes(["http://h/0"], lambda url: 1 // 0)


def test_what_is_no_address_is_passed_on_all_the_same() -> None:
    assert outcomes(["http://[x/", "", "nonsense"], lambda url: "asked") == dict.fromkeys(
        ["http://[x/", "", "nonsense"], "asked"
    )
