"""Who works on jobs here: see tests/patient.py."""

from tests.patient import client_for as client_for
from tests.patient import who_waits_lets_the_worker_begin as who_waits_lets_the_worker_begin
