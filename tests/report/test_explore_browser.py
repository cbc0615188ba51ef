"""`imak explore` in a real browser: it renders, and asks nobody but this machine."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import xarray as xr

pytest.importorskip("marimo", reason="the extra `explore` is not installed")

import psutil

from tests.report.devtools import Page, opened
from tests.report.explored import BEST, DOUBLED, explored_run

# The command, where every address that is not this machine's is written down, and not
# asked; it begins with one such address, to show that it would be seen.
WATCHED = """
import os, socket, sys

log = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

def watch(event, said):
    if event not in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        return
    asked = said[1] if event == "socket.connect" else said
    host = asked[0] if isinstance(asked, tuple) else None
    if host not in (None, "127.0.0.1", "::1", "localhost", b"127.0.0.1", b"localhost"):
        os.write(log, f"{event} {host}\\n".encode())
        raise OSError("watched: not this machine")

sys.addaudithook(watch)
try:
    socket.create_connection(("192.0.2.1", 9))  # RFC 5737: nobody's
except OSError:
    pass
from imak_pkpd.cli.app import main
main()
"""
SHADOWS = "[...document.querySelectorAll('marimo-{kind}')].map(e => e.shadowRoot)"


class Served(NamedTuple):
    """The command's process, its address, and whom it wanted to ask."""

    process: subprocess.Popen
    address: str
    log: Path


@pytest.fixture(scope="module")
def served(
    browser: str,
    small_tree: xr.DataTree,
    record: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("served")
    run = explored_run(home, small_tree, record)
    command = (sys.executable, "-c", WATCHED, str(home / "log"), "explore", str(run))
    own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home)}  # no settings of a user's
    with (
        (home / "errors").open("w") as errors,
        subprocess.Popen(
            command,
            env={**os.environ, **own},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address, (home / "errors").read_text()
            yield Served(process, address, home / "log")
        finally:
            process.terminate()
            process.wait(timeout=30)


@pytest.fixture(scope="module")
def page(
    served: Served, browser: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    with opened(browser, tmp_path_factory.mktemp("profile")) as found:
        found.call("Page.navigate", url=served.address)
        yield found


def test_every_cell_is_rendered(page: Page) -> None:
    for text in (
        "Research use, not a medical device.",
        "The draws did not pass",
        "Population parameters: posterior median",
        "Prior (grey) and posterior (blue)",
        "Trace (left) and rank plots (right) of",
        f"Recommended: {BEST}",
        f"{BEST}: expected utility 0.",
        "no admissible design is better",
        "Next sample: it was not asked",
        "Virtual trial: none was simulated",
    ):
        page.shows(text)
    figures = page.value(
        "[...document.querySelectorAll('figure svg')].map(e => e.clientWidth)"
    )
    assert len(figures) == 3  # prior and posterior, traces, the dose
    assert min(figures) > 200


def test_another_design_and_another_weight(page: Page) -> None:
    """The controls are used as a person does; the numbers follow."""
    page.shows("no admissible design is better")
    page.value(
        f"(() => {{ const of = {SHADOWS.format(kind='dropdown')}"
        ".map(root => root.querySelector('select'))"
        f".find(each => [...each.options].some(o => o.value === '{DOUBLED}'));"
        f"of.value = '{DOUBLED}';"
        "of.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )
    page.shows(f"; {BEST} is better by")
    page.value(
        f"{SHADOWS.format(kind='slider')}[1].querySelector('[role=slider]').focus()"
    )
    for _ in range(20):  # steps of 0.05: the square counts twice
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight",
                      code="ArrowRight", windowsVirtualKeyCode=39)  # fmt: skip
    page.until(
        f"!document.body.innerText.includes('; {BEST} is better by') && "
        "document.body.innerText.includes('no admissible design is better')"
    )


def test_nothing_is_complained_of(page: Page) -> None:
    page.shows("Virtual trial: none was simulated")
    assert page.complaints == []
    # and an error would be seen: the answer's own rule forbids another host
    page.value("fetch('http://192.0.2.1:9/').catch(() => null)")
    page.until("true")
    page.value("new Promise(done => setTimeout(done, 500))")
    assert any("Content Security Policy" in each for each in page.complaints)


def test_the_browser_asks_this_machine_only(page: Page, served: Served) -> None:
    page.shows("Virtual trial: none was simulated")
    own = urlsplit(served.address).netloc
    asked = [urlsplit(each) for each in page.requests]
    hosts = {each.netloc for each in asked if each.scheme not in ("data", "blob")}
    assert hosts - {"192.0.2.1:9"} == {own}  # that one is refused, as shown above
    assert {"http", "ws"} <= {each.scheme for each in asked}


def test_the_server_asks_nobody(page: Page, served: Served) -> None:
    page.shows("Virtual trial: none was simulated")
    assert served.log.read_text() == "socket.getaddrinfo 192.0.2.1\n"


def test_it_listens_on_the_loopback_address_only(served: Served) -> None:
    process = psutil.Process(served.process.pid)
    found = [
        each
        for one in (process, *process.children(recursive=True))
        for each in one.net_connections(kind="inet")
        if each.status == psutil.CONN_LISTEN
    ]
    assert {each.laddr.ip for each in found} == {"127.0.0.1"}


@pytest.mark.parametrize(
    ("path", "host", "status"),
    [("/", None, 303), ("/", "evil.example", 400), ("/?access_token=x", None, 303)],
)
def test_strangers_are_turned_away(
    served: Served, path: str, host: str | None, status: int
) -> None:
    """Without its token to the login, by another name not at all."""
    own = urlsplit(served.address)
    connection = http.client.HTTPConnection(own.netloc, timeout=30)
    headers = {} if host is None else {"Host": host}
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    connection.close()
    assert answer.status == status
    if status == 303:
        assert "/auth/login" in answer.headers["location"]
        assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_it_ends_when_it_is_interrupted(page: Page, served: Served) -> None:
    """The last test of this file: with a page open, as a user would."""
    page.shows("Virtual trial: none was simulated")
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(timeout=30) == 0
