"""The web process: uvicorn portal.asgi:application. Three doors: live streams, git, and everything else."""

import os
import re
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

# Git is streamed both ways and may take long: Django's own handler, which awaits.
git_door = get_asgi_application()

# Importable only once the settings are set up.
from portal.accounts.stream import live_door  # noqa: E402
from portal.kit.bodies import BoundedBodies  # noqa: E402
from portal.kit.chain import Chain  # noqa: E402
from portal.kit.postgres.waiting import hurry  # noqa: E402

_STREAM = re.compile(r"^/o/[^/]+/live/$")
_GIT = re.compile(r"^/o/[^/]+/git/")
# Pages that ask a worker and wait for its answer.
_ASKS = re.compile(r"/logs/")


def _is_patient(scope: dict[str, Any]) -> bool:
    return _ASKS.search(scope["path"]) is not None


chain = Chain(_is_patient)


async def doors(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Each request through its door."""
    hurry()  # here and not at import: every process of `make up` is forked from one that has imported this
    if scope["type"] != "http":
        await git_door(scope, receive, send)
    elif _STREAM.match(scope["path"]):
        await live_door(scope, receive, send)
    elif _GIT.match(scope["path"]):
        await git_door(scope, receive, send)
    else:
        await chain(scope, receive, send)


application = BoundedBodies(doors)
