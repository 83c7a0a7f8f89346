"""`make up`: the whole product on one machine, under one supervisor.

Three processes of ours stand behind it. The *guard* (portal/guard.py), which the terminal sees, starts the supervisor
and starts it again should it be killed; the *supervisor* (portal/house.py) starts the engines, imports the product
once, forks sandbox, web, worker and live, and keeps them all, the guard and its *spare* among them; the spare acts when
guard and supervisor are killed together. DATABASE_URL, VALKEY_URL and KUBECONFIG, where set, replace the embedded part.
"""

from __future__ import annotations

import os
import sys

from portal import stem as stems
from portal.guard import begin, guard
from portal.supervisor import Ledger
from portal.wish import CannotStart, StartWish, close_to_others, environment, only_one, require_free, wished


def main(argv: list[str]) -> int:
    try:
        wish = wished()
        os.umask(0o077)
        if argv[:1] == ["supervise"]:
            # The guards, which start here too, need nothing of it.
            from portal.house import House

            return House(wish, int(argv[1]), (argv[2], int(argv[3])), *map(int, argv[4:])).run()
        if argv[:1] in (["guard"], ["spare"]):
            return guard(wish, int(argv[2]), int(argv[1]), role=argv[0], status=int(argv[3]))
        if argv[:1] == ["run"] and argv[1:]:
            return run(wish, argv[1:])
        # By whoever starts anew, and by nobody beside a supervisor that may be making the database in there.
        close_to_others(wish.var)
        only_one(wish.var).close()
        if not Ledger(wish.var / "up.json").file.exists():
            require_free(wish.host, wish.port)
        known = environment(wish)
        private = stems.seal({name: known.get(name, "") for name in stems.PRIVATE})
        begin(wish, private)
    except CannotStart as error:
        sys.stderr.write(f"\n  {error}\n\n")
        return 1


def run(wish: StartWish, argv: list[str]) -> int:
    """Runs a command with the environment of the product that runs from this folder; raises CannotStart without one."""
    running = Ledger(wish.var / "up.json").read()
    if not running:
        raise CannotStart("Nothing runs from this folder: start it with make up.")
    os.execvpe(argv[0], argv, {**environment(wish), **running.get("addresses", {})})  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
