"""The app of a run on the loopback address, for whoever has the address with its token.

Nobody else is asked anything: marimo brings its own fonts and scripts, its look for
updates belongs to its command line, which is not used, and the browser is told to load
from this server alone. A request that names another host is refused (DNS rebinding).
"""

import os
import secrets
import socket
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
RUN = "IMAK_EXPLORE_RUN"  # of this process: how marimo's cells learn which run
APP = Path(__file__).parent / "app.py"
EXTRA = "pip install 'imak_pkpd[explore]'"

# marimo writes scripts and styles into its page, and builds functions from text
POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' "
    "blob:; style-src 'self' 'unsafe-inline'; connect-src 'self' ws://127.0.0.1:*; "
    "frame-ancestors 'none'"
)

PARTING = 2  # seconds that an open page has to let go when the server is ended

Message = MutableMapping[str, Any]


def asked_run() -> Path:
    """The run folder that this process was started for."""
    return Path(os.environ[RUN])


def serve(run: Path, port: int, say: Callable[[str], None]) -> None:
    """Serves until it is interrupted; `say` gets the address once, with its token.

    Port 0 is any free one. Raises a `ValueError` for a folder without a run, a port
    that is taken, or when the extra is not installed.
    """
    if not (run / "run.json").is_file():
        raise ValueError(f"{run} has no run.json: give a run folder (see `imak runs`)")
    token = secrets.token_urlsafe(24)
    made, server = _app(token), _uvicorn()
    bound = _bound(port)
    os.environ[RUN] = str(run.resolve())
    say(f"http://{HOST}:{bound.getsockname()[1]}/?access_token={token}")
    config = server.Config(made, log_level="warning", timeout_graceful_shutdown=PARTING)
    with suppress(KeyboardInterrupt):  # that is how it ends
        server.Server(config).run(sockets=[bound])


def _bound(port: int) -> socket.socket:
    """A socket of the loopback address alone."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port))
    except OSError as error:
        made.close()
        text = f"port {port} of {HOST} cannot be had ({error.strerror})"
        raise ValueError(f"{text}: give another --port, or none") from error
    return made


def _app(token: str) -> Callable[..., Any]:
    """The ASGI app; no source code is sent to the browser."""
    try:
        import marimo
        from starlette.middleware.trustedhost import TrustedHostMiddleware
    except ImportError as error:
        raise ValueError(_without(error)) from error
    served = marimo.create_asgi_app(quiet=True, include_code=False, token=token)
    inner = served.with_app(path="", root=str(APP)).build()
    return TrustedHostMiddleware(_guarded(inner), allowed_hosts=[HOST])


def _uvicorn() -> Any:
    try:
        import uvicorn
    except ImportError as error:
        raise ValueError(_without(error)) from error
    return uvicorn


def _without(error: ImportError) -> str:
    return f"`imak explore` needs marimo, which cannot be imported ({error}): {EXTRA}"


def _guarded(app: Callable[..., Any]) -> Callable[..., Any]:
    """The app whose every answer tells the browser to load from here alone."""
    said = (b"content-security-policy", POLICY.encode())

    async def guarded(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), said]
            await send(message)

        await app(scope, receive, sent)

    return guarded
