"""Keeping `numbers.models.tallies` small. That they are right is a trigger's business."""

from django.db import connection

from numbers.models.tallies import CostTally, NumberTally


def fold(*, most: int = 100_000) -> int:
    """Add the oldest changes to the row of their kind; how many there were. One statement for each
    table, so that no reader sees a change twice or not at all."""
    folded = 0
    with connection.cursor() as cursor:
        for model in (NumberTally, CostTally):
            table, kind = model._meta.db_table, ", ".join(model.KIND)
            sums = ", ".join(f"sum({name})" for name in model.SUMS)
            nothing = " AND ".join(f"coalesce({name}, 0) = 0" for name in model.SUMS)
            added = ", ".join(  # of numbers without a price there is no sum
                f"{name} = coalesce(known.{name} + excluded.{name}, known.{name}, excluded.{name})"
                for name in model.SUMS
            )
            cursor.execute(
                f"""WITH gone AS (
                        DELETE FROM {table} WHERE id IN (
                            SELECT id FROM {table} WHERE NOT folded ORDER BY id LIMIT %s)
                        RETURNING *
                    ), summed AS (
                        INSERT INTO {table} AS known ({kind}, {", ".join(model.SUMS)}, folded)
                        SELECT {kind}, {sums}, true FROM gone GROUP BY {kind}
                        ON CONFLICT ({kind}) WHERE folded DO UPDATE SET {added}
                        RETURNING *
                    )
                    SELECT (SELECT count(*) FROM gone),
                        (SELECT array_agg(id) FROM summed WHERE {nothing})""",
                [most],
            )
            count, empty = cursor.fetchone()
            folded += count
            cursor.execute(f"DELETE FROM {table} WHERE id = ANY(%s) AND {nothing}", [empty or []])
    return folded


def recount() -> None:
    """Count everything again, for rows that were written past the trigger."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT recount_numbers()")
