"""The Celery app. A message is a nudge: it may be lost, late or doubled; the rows are the truth."""

import os

from celery import Celery

from portal.renewal import Renewal

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("portal")
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    task_time_limit=90,
    task_soft_time_limit=60,
    worker_soft_shutdown_timeout=10,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    # A process that grew over a large refresh (KiB, resident at most) makes room for a fresh one after its task.
    worker_max_memory_per_child=180_000,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # A step in flight finishes when the broker goes away: its lease is in PostgreSQL, not in the message.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_transport_options={
        # Redelivery takes the visibility time-out plus the sweep of unacknowledged messages; the defaults add 100 s.
        "visibility_timeout": 300,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_keepalive": True,
        "health_check_interval": 25,
        # A publish while Valkey is away, or says nothing, must fail fast: the sweeper finds the row. Longer than a
        # worker's own call for the next message (1 s), which is an answer when there is none.
        "socket_connect_timeout": 2,
        "socket_timeout": 3,
        "max_retries": 1,
        "retry_on_timeout": False,
    },
    task_publish_retry=False,
)
app.steps["worker"].add(Renewal)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
