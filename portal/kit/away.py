"""What "away" is: another system does not answer. Said of connection errors alone, at the one door of each system.

Whoever speaks to another system catches its library's own connection errors, by the tuples here or its own, around that
call and nothing else, and raises or notes Away. A KeyError or ValueError of ours is a bug wherever it happens.
"""

import errno
import socket
import ssl

from django.db import InterfaceError, OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

# Valkey, called or listened to: the client wraps every error of its socket in one of these.
BROKER = (RedisConnectionError, RedisTimeoutError)
_NO_WAY = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL})


def is_network(error: OSError) -> bool:
    """Whether an error of the operating system is one of the network: a missing file or a refused right is none."""
    return isinstance(error, ConnectionError | TimeoutError | socket.gaierror | ssl.SSLError) or error.errno in _NO_WAY


def is_database_away(exception: BaseException) -> bool:
    """Whether PostgreSQL cannot be reached, is shutting down or has ended the connection; its other errors are bugs.

    Class 08 and 57P0x of PostgreSQL's error codes; none at all when no connection came about or the pool had none.
    """
    if not isinstance(exception, OperationalError | InterfaceError):
        return False
    state = getattr(exception.__cause__, "sqlstate", None)
    return state is None or state.startswith(("08", "57P"))
