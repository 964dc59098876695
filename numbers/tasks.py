"""Background work: thin tasks around services and reconcile. All are idempotent; a worker that
was only paused may run a job at the same time as the one that took it over."""

import logging
from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from psycopg.errors import RaiseException

from numbers import clocks, inventory, jobs, reconcile
from numbers.clocks import after
from numbers.exceptions import ProviderError
from numbers.models import BulkPurchase, Purchase, Release
from numbers.services import bulk_work, tallies
from numbers.services.bulk import LANES
from numbers.services.checking import check_account as check
from numbers.services.costs.upkeep import refresh_prices as refresh
from numbers.services.finishing import finish_number as finish
from numbers.services.inbound import inbox, messages
from numbers.services.offers import purge_offers as purge
from numbers.services.proof import verify_and_look_again
from organizations.actors import Actor
from organizations.models import ProviderAccount

logger = logging.getLogger(__name__)

_OVERDUE = 30.0  # seconds after which the sweep takes up what its own job should have done
_LOST_AFTER = 10.0  # seconds of a worker's silence; they say that they live every two
_AT_A_TIME = 200
_CHECKS_APART = timedelta(seconds=5)


@app.task(name="numbers.tasks.settle_purchase", queue="settle")
def settle_purchase(*, purchase_id: str) -> None:
    reconcile.settle_purchase(UUID(purchase_id), actor=Actor.system("settle"))


@app.task(name="numbers.tasks.settle_release", queue="settle")
def settle_release(*, release_id: str) -> None:
    reconcile.settle_release(UUID(release_id), actor=Actor.system("settle"))


@app.task(name="numbers.tasks.finish_number", queue="settle")
def finish_number(*, phone_number_id: int) -> None:
    finish(phone_number_id, actor=Actor.system("finish"))


@app.periodic(cron="* * * * *")
@app.task(name="numbers.tasks.sweep", queue="settle", queueing_lock="sweep")
def sweep(timestamp: int) -> None:
    """The second net: purchases and releases whose own settle job was lost."""
    overdue = timezone.now() - after(_OVERDUE)
    for model, settle in (
        (Purchase, reconcile.settle_purchase),
        (Release, reconcile.settle_release),
    ):
        late = model.objects.filter(next_look_at__lt=overdue).order_by("next_look_at")
        for pk in list(late.values_list("pk", flat=True)[:_AT_A_TIME]):
            try:
                settle(pk, actor=Actor.system("sweep"))
            except Exception:  # one must not keep the others from being settled
                logger.exception("sweep could not settle %s %s", model.__name__, pk)


@app.periodic(cron="* * * * * */5")  # the last are seconds
@app.task(
    name="numbers.tasks.retry_stalled",
    queue="settle",
    queueing_lock="retry_stalled",
    pass_context=True,
)
async def retry_stalled(context, timestamp: int) -> None:
    """Jobs of workers that were killed are done again, soon: a caller or a lane of a bulk purchase
    may wait for it. Of one that was only slow to say that it lives they are done twice, which is
    harmless."""
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_LOST_AFTER):
        try:
            await _do_again(job)
        except ConnectorException as error:
            if not isinstance(error.__cause__, RaiseException):
                raise
            logger.info("job %s is not being done any more: somebody else was faster", job.id)


async def _do_again(job: Job) -> None:
    try:
        await app.job_manager.retry_job(job)
    except UniqueViolation:  # its queueing lock is taken: the same work is queued already
        await app.job_manager.finish_job(job, Status.ABORTED, delete_job=False)


def _process(delivery_id: int) -> None:
    try:
        inbox.process_delivery(delivery_id)
    except Exception as error:  # whatever it was, the inbox tells the people who look there
        inbox.record_failure(delivery_id, error)
        raise


@app.task(
    name="numbers.tasks.command_call",
    queue="calls",
    retry=RetryStrategy(max_attempts=4, linear_wait=1),  # then the caller has hung up
)
def command_call(*, delivery_id: int) -> None:
    _process(delivery_id)


@app.task(
    name="numbers.tasks.process_delivery",
    queue="default",
    retry=RetryStrategy(max_attempts=5, exponential_wait=4),
)
def process_delivery(*, delivery_id: int) -> None:
    _process(delivery_id)


@app.task(
    name="numbers.tasks.hand_over_message",
    queue="default",
    retry=RetryStrategy(max_attempts=5, exponential_wait=4),  # of trouble on our own side
)
def hand_over_message(*, message_id: int) -> None:
    messages.hand_over(message_id)


@app.periodic(cron="*/5 * * * *")
@app.task(name="numbers.tasks.fold_tallies", queue="default", queueing_lock="fold_tallies")
def fold_tallies(timestamp: int) -> None:
    tallies.fold()


@app.periodic(cron="27 3 * * *")
@app.task(name="numbers.tasks.purge_inbox", queue="default", queueing_lock="purge_inbox")
def purge_inbox(timestamp: int) -> None:
    inbox.purge_deliveries()


@app.periodic(cron="43 * * * *")
@app.task(
    name="numbers.tasks.compare_inventories",
    queue="default",
    queueing_lock="compare_inventories",
)
def compare_inventories(timestamp: int) -> None:
    """Every hour each account is compared with our rows, in a job of its own: the one whose last
    comparison is oldest first, the others after it, over most of the hour."""
    accounts = inventory.accounts_to_compare(oldest_first=True)
    for position, account in enumerate(accounts):
        wait = after(clocks.COMPARE_WITHIN * position / len(accounts))
        jobs.compare_account_later(account.pk, after=wait)


@app.task(name="numbers.tasks.verify_numbers", queue="default")
def verify_numbers(*, phone_number_ids: list[int], tries: int) -> None:
    """After a change; a few times more while the provider does not show what was set."""
    verify_and_look_again(phone_number_ids, tries=tries, actor=Actor.system("verify"))


@app.task(name="numbers.tasks.compare_account", queue="default")
def compare_account(*, account_id: int) -> None:
    """Trouble at the provider is logged; the next hour tries again."""
    account = ProviderAccount.objects.select_related("organization").get(pk=account_id)
    inventory.compare_account(
        account, actor=Actor.system("compare"), dry_run=False, wants_findings=False
    )


@app.periodic(cron="11 */6 * * *")
@app.task(name="numbers.tasks.check_accounts", queue="default", queueing_lock="check_accounts")
def check_accounts(timestamp: int) -> None:
    """Every six hours, one account after the other: how it stands, and whether its balance is
    low."""
    for position, account in enumerate(inventory.accounts_to_compare()):
        jobs.check_account_later(account.pk, after=_CHECKS_APART * position)


@app.task(name="numbers.tasks.check_account", queue="default")
def check_account(*, account_id: int) -> None:
    """An account that cannot be asked now keeps its last result until the next time."""
    account = ProviderAccount.objects.select_related("organization").get(pk=account_id)
    try:
        check(account=account, actor=Actor.system("check"))
    except ProviderError as error:
        logger.warning("account %s was not checked: %s", account_id, error.code)


@app.periodic(cron="23 4 * * *")
@app.task(name="numbers.tasks.refresh_prices", queue="default", queueing_lock="refresh_prices")
def refresh_prices(timestamp: int) -> None:
    """Once a day, one account after the other: what its numbers cost now."""
    for position, account in enumerate(inventory.accounts_to_compare()):
        jobs.refresh_prices_later(account.pk, after=_CHECKS_APART * position)


@app.task(name="numbers.tasks.refresh_account_prices", queue="default")
def refresh_account_prices(*, account_id: int) -> None:
    """Prices that cannot be asked now stay as they are until the next day."""
    account = ProviderAccount.objects.select_related("organization").get(pk=account_id)
    try:
        refresh(account, actor=Actor.system("prices"))
    except ProviderError as error:
        logger.warning("prices of account %s were not asked: %s", account_id, error.code)


@app.task(name="numbers.tasks.buy_next", queue="bulk")
def buy_next(*, bulk_id: str, lane: int) -> None:
    """SPENDS MONEY, as somebody asked for: see `numbers.services.bulk_work`."""
    bulk_work.buy_next(UUID(bulk_id), lane=lane)


@app.periodic(cron="* * * * *")
@app.task(name="numbers.tasks.resume_bulks", queue="bulk", queueing_lock="resume_bulks")
def resume_bulks(timestamp: int) -> None:
    """Bulk purchases whose jobs failed, or that waited for a purchase in doubt, go on."""
    for pk in BulkPurchase.objects.filter(state="running").values_list("pk", flat=True):
        for lane in range(LANES):
            jobs.buy_next_later(pk, lane=lane)


@app.periodic(cron="17 3 * * *")
@app.task(name="numbers.tasks.purge_offers", queue="default", queueing_lock="purge_offers")
def purge_offers(timestamp: int) -> None:
    purge()


@app.periodic(cron="37 3 * * *")
@app.task(
    name="numbers.tasks.purge_jobs",
    queue="default",
    queueing_lock="purge_jobs",
    pass_context=True,
)
async def purge_jobs(context, timestamp: int) -> None:
    """Finished jobs are kept for a week."""
    await app.job_manager.delete_old_jobs(
        nb_hours=7 * 24,
        include_failed=False,
        include_cancelled=True,
        include_aborted=True,
    )
