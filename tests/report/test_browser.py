"""The page in a real browser: no network, no console error, every figure drawn."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import xarray as xr

from imak_pkpd.report import write_report

QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--hide-scrollbars --virtual-time-budget=5000 --enable-logging=stderr "
    # whatever the page asks of any host cannot be answered, and is logged
    "--host-resolver-rules=MAP\\ *\\ ~NOTFOUND --proxy-server=127.0.0.1:1"
)
PAGE = "report.html"

# measured in the page itself: the size on screen of each figure and of its curves
PROBE = """<script>
const all = [...document.querySelectorAll("figure svg")].map(svg => {
  const box = svg.getBoundingClientRect();
  const drawn = [...svg.querySelectorAll("path, use")].filter(node => {
    const own = node.getBoundingClientRect();
    return own.width + own.height > 0;
  });
  return {id: svg.parentNode.id, width: box.width, height: box.height,
          drawn: drawn.length, words: svg.querySelectorAll("text").length};
});
const loaded = performance.getEntriesByType("resource").map(entry => entry.name);
document.body.append(Object.assign(document.createElement("pre"),
  {id: "probe", textContent: JSON.stringify({all, loaded})}));
</script>"""


@pytest.fixture(scope="module")
def folder(
    small_tree: xr.DataTree,
    record: dict[str, object],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    path = tmp_path_factory.mktemp("run")
    small_tree.to_netcdf(path / "posterior.nc", engine="h5netcdf")
    (path / "run.json").write_text(json.dumps(record))
    write_report(path)
    return path


def opened(browser: str, page: Path, *options: str) -> subprocess.CompletedProcess:
    quiet = [word.replace("\\ ", " ") for word in re.split(r"(?<!\\) ", QUIET)]
    profile = page.parent / f"profile-{len(list(page.parent.iterdir()))}"
    command = [browser, *quiet, f"--user-data-dir={profile}", *options, page.as_uri()]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=180, check=True
    )


def console(done: subprocess.CompletedProcess) -> list[str]:
    return [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def test_the_page_opens_silently(browser: str, folder: Path) -> None:
    done = opened(browser, folder / PAGE, "--dump-dom")
    assert "Goodness of fit" in done.stdout
    assert console(done) == []


def test_every_figure_is_drawn_on_screen(browser: str, folder: Path) -> None:
    text = (folder / PAGE).read_text(encoding="utf-8")
    # the page forbids scripts: the probe is let in by dropping that rule from a copy
    open_page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert open_page != text
    probed = folder / "probed.html"
    probed.write_text(open_page.replace("</body>", f"{PROBE}</body>"), "utf-8")
    done = opened(browser, probed, "--dump-dom")
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr
    seen = json.loads(found.group(1).replace("&amp;", "&"))
    assert len(seen["all"]) == text.count("<figure ") > 20
    assert seen["loaded"] == []
    for figure in seen["all"]:
        assert figure["width"] > 200, figure
        assert figure["height"] > 100, figure
        assert figure["drawn"] > 5, figure
        assert figure["words"] > 2, figure


def test_the_page_itself_forbids_scripts_and_the_network(
    browser: str, folder: Path
) -> None:
    text = (folder / PAGE).read_text(encoding="utf-8")
    hostile = folder / "hostile.html"
    call = '<script>document.title = "owned"</script><img src="http://10.0.0.1/x.png">'
    hostile.write_text(text.replace("</body>", f"{call}</body>"), "utf-8")
    done = opened(browser, hostile, "--dump-dom")
    assert "<title>owned" not in done.stdout
    # and a refusal is what the silence of the first test would show
    assert any("Content Security Policy" in line for line in console(done))
