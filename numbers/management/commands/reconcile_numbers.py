import logging

from django.core.management.base import BaseCommand, CommandError

from numbers.inventory import Report, accounts_to_compare, compare_account
from numbers.models import Finding
from organizations.actors import Actor
from organizations.models import Organization, ProviderAccount

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Compare every provider account with our rows: one line for each account and one for each "
        "finding. Changes nothing but the findings. Exit status 1 if an account could not be "
        "compared; the others are compared all the same."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "--organization", metavar="SLUG", help="Only this organization's own accounts."
        )
        parser.add_argument("--dry-run", action="store_true", help="Write nothing down.")

    def handle(self, *, organization, dry_run, **options):
        tenant = None
        if organization is not None:
            tenant = Organization.objects.filter(slug=organization).first()
            if tenant is None:
                raise CommandError(f"There is no organization with the slug '{organization}'.")
        failed = 0
        for account in accounts_to_compare(tenant):
            owner = account.organization or "the platform"
            try:
                report = compare_account(
                    account, actor=Actor.system("reconcile_numbers"), dry_run=dry_run
                )
            except Exception as error:  # one must not keep the others from being compared
                logger.exception("account %s could not be compared", account.pk)
                self.stderr.write(f"{account} of {owner}: failed: {type(error).__name__}")
                failed += 1
                continue
            failed += report.failure is not None
            self.tell(account, str(owner), report)
        if failed:
            raise CommandError(f"Accounts that could not be compared: {failed}.")

    def tell(self, account: ProviderAccount, owner: str, report: Report) -> None:
        if report.failure is not None:
            failure = report.failure
            why = f"{failure.detail} {failure.hint}".strip()
            self.stderr.write(f"{account} of {owner}: failed: {why} ({failure.code})")
            return
        counts = ", ".join(f"{kind} {count}" for kind, count in report.counts.items())
        self.stdout.write(
            f"{account} of {owner}: listed {report.listed}, {counts}, resolved {report.resolved}"
        )
        for finding in report.findings:
            self.stdout.write(f"  {finding} {self.state_of(finding)}")

    def state_of(self, finding: Finding) -> str:
        since = f"since {finding.first_seen_at:%Y-%m-%d %H:%M} UTC"
        if finding.kind == Finding.Kind.DRIFT:
            return f"{', '.join(sorted(finding.details))}, {since}"
        return f"{'confirmed' if finding.confirmed_at else 'not confirmed yet'}, {since}"
