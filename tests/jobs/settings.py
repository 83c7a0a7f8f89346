"""The product's settings with one kind of job more, for processes that tests start and kill."""

from portal.settings import *  # noqa: F403
from portal.settings import INSTALLED_APPS as _APPS

INSTALLED_APPS = [*_APPS, "tests.jobs.slow_app.SlowConfig"]
