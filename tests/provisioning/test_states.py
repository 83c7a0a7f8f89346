"""The tables of states are complete and lead somewhere."""

import pytest

from portal.provisioning import states
from portal.provisioning.states import RUN_MOVES, RUN_STATES, STEP_MOVES, STEP_STATES


@pytest.mark.parametrize(("words", "moves"), [(RUN_STATES, RUN_MOVES), (STEP_STATES, STEP_MOVES)])
def test_every_state_has_its_moves_and_every_move_leads_to_a_state(words, moves):
    assert set(words) == set(moves)
    assert {target for targets in moves.values() for target in targets} <= set(words)


@pytest.mark.parametrize(
    ("words", "moves", "start"), [(RUN_STATES, RUN_MOVES, "queued"), (STEP_STATES, STEP_MOVES, "pending")]
)
def test_every_state_is_reached_from_the_first_and_no_unfinished_one_is_a_dead_end(words, moves, start):
    reached, frontier = {start}, [start]
    while frontier:
        for target in moves[frontier.pop()] - reached:
            reached.add(target)
            frontier.append(target)
    assert reached == set(words)
    assert all(moves[name] - {name} for name, state in words.items() if not state.is_final)


def test_the_where_of_a_compare_and_set_is_read_from_the_table():
    assert set(states.sources(RUN_MOVES, "queued")) == {"failed", "cancelled"}
    assert set(states.sources(RUN_MOVES, "succeeded")) == {"running"}


def test_a_person_may_cancel_retry_and_undo_only_where_it_means_something():
    assert {name for name in RUN_STATES if states.can_cancel(name)} == {"queued", "running", "waiting"}
    assert {name for name in RUN_STATES if states.can_retry(name)} == {"failed", "cancelled"}
    assert {name for name in RUN_STATES if states.can_undo(name)} == {"succeeded", "failed", "cancelled", "undo_failed"}


def test_a_claimed_run_runs_unless_it_is_being_undone():
    assert states.claimed("queued") == "running"
    assert states.claimed("waiting") == "running"
    assert states.claimed("undoing") == "undoing"
