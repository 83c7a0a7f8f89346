"""How what happens outside our code reads in the log."""

import logging


class OneLine(logging.Filter):
    """What a stranger can cause as often as they like is one line, without a traceback: nothing of ours is broken."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg, record.args = " ".join(record.getMessage().split())[:300], ()
        return True
