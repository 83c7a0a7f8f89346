"""Facts of many entities that were not there before: their numbers are higher than any that stands in a set.

So nothing of what stands has to be read to be changed. What is new is inserted, a list is continued, and only what is
kept in blocks, or becomes so, goes the way of every other change. Runs under the organisation's lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from django.db import connection

from catalog.index import sets, terms
from catalog.index.bulk import run
from catalog.index.parts import NAMED, fact_in, key_in

_TABLES = count()
# Which of the facts are there already. The planner knows nothing of a table that was filled a moment ago: it may put
# these two side by side in any way but one look-up for each.
_INSERT = (
    "WITH done AS (INSERT INTO catalog_fact (organisation_id, key_id, value, label, n, one, members)"
    " SELECT %s, key_id, value, label, n, CASE WHEN n = 1 THEN members[1] END, CASE WHEN n > 1 THEN members END"
    " FROM {table} WHERE n <= %s"
    " ON CONFLICT (organisation_id, key_id, value, label) DO NOTHING RETURNING key_id, value, label)"
    " SELECT w.place FROM {table} w LEFT JOIN done d USING (key_id, value, label) WHERE d.key_id IS NULL"
)
_CONTINUE = (
    "UPDATE catalog_fact f SET n = f.n + g.n, one = NULL, members = coalesce(f.members, ARRAY[f.one]) || g.members"
    " FROM (SELECT w.place, w.n, w.members, x.at"
    "  FROM (SELECT * FROM {table} WHERE place = ANY(%s::int[]) OFFSET 0) w"
    "  CROSS JOIN LATERAL (SELECT ctid AS at, n, blocks FROM catalog_fact y WHERE y.organisation_id = %s"
    "   AND y.key_id = w.key_id AND y.value = w.value AND y.label = w.label OFFSET 0) x"
    "  WHERE x.blocks IS NULL AND x.n + w.n <= %s) g"
    " WHERE f.organisation_id = %s AND f.ctid = g.at RETURNING g.place"
)


def arrive(organisation_id: int, facts: Mapping[str, Sequence[int]], many: set[str]) -> None:
    """Writes facts, each as its line, with the numbers of the new entities that have it, each once.

    many: the keys for which some entity has several values
    """
    lines = sorted([line for line, numbers in facts.items() if numbers])
    if not lines:
        return
    keys = {written: key_in(written) for written in {line.partition("\t")[0] for line in lines}}
    numbers = terms.numbers_of_keys(organisation_id, sorted(keys.values()), many)
    known = {written: str(numbers[key]) for written, key in keys.items()}
    table = f"incoming_facts_{next(_TABLES)}"
    with connection.cursor() as cursor:
        cursor.execute(
            f'CREATE TEMPORARY TABLE {table} (place int, key_id int, value text COLLATE "C", label text COLLATE "C",'
            " n int, members int[]) ON COMMIT DROP"
        )
        with cursor.copy(f"COPY {table} FROM STDIN") as copy:
            copy.write("".join([_row(place, line, known, facts[line]) for place, line in enumerate(lines)]))
    left = {place for (place,) in run(_INSERT.format(table=table), organisation_id, sets.MOST_LISTED)}
    words = [fact_in(line)[1] for place, line in enumerate(lines) if line.startswith(_NAMED) and place not in left]
    if left:
        wanted = [sorted(left), organisation_id, sets.MOST_LISTED, organisation_id]
        done = run(_CONTINUE.format(table=table), *wanted)
        left.difference_update(place for (place,) in done)
    rest = [(line, fact_in(line)) for line in (lines[place] for place in sorted(left))]
    brought = terms.bring(
        organisation_id, [(numbers[key], value, label, facts[line]) for line, (key, value, label) in rest]
    )
    words += [value for key_id, value, _ in brought if key_id == numbers.get(NAMED)]
    terms.note_new_words(organisation_id, words)


_NAMED = f"{NAMED}\t"


def _row(place: int, line: str, keys: Mapping[str, str], numbers: Sequence[int]) -> str:
    key, tab, rest = line.partition("\t")
    if len(numbers) == 1:
        return f"{place}\t{keys[key]}{tab}{rest}\t1\t{{{numbers[0]}}}\n"
    numbers = sorted(numbers)
    return f"{place}\t{keys[key]}{tab}{rest}\t{len(numbers)}\t{{{','.join(map(str, numbers))}}}\n"
