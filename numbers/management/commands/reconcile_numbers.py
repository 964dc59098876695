import logging

from django.core.management.base import BaseCommand, CommandError

from burki.errors import BurkiError
from numbers.inventory import Report, accounts_to_compare, compare_account
from numbers.models import Finding
from numbers.services.evidence import foreign, in_words
from numbers.services.repairing import Repaired, repair_number
from organizations.actors import Actor
from organizations.models import Organization, ProviderAccount

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Compare every provider account with our rows: one line for each account and one for each "
        "finding. Changes nothing but the findings and the verdicts on our numbers; with --repair "
        "also what our numbers have at the provider. Exit status 1 if an account could not be "
        "compared, or a number not be repaired; the others are all the same."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "--organization", metavar="SLUG", help="Only this organization's own accounts."
        )
        parser.add_argument(
            "--repair",
            action="store_true",
            help="Set what drifted at the provider as it should be, such as all addresses after "
            "PUBLIC_BASE_URL changed. What somebody else set there is told and left alone.",
        )
        parser.add_argument(
            "--overwrite",
            action="store_true",
            help="With --repair: overwrite what somebody else set, too. It is kept in the audit.",
        )
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="Write nothing down and set nothing; with --repair, tell what would be set.",
        )

    def handle(self, *, organization, repair, overwrite, dry_run, **options):
        if overwrite and not repair:
            raise CommandError("--overwrite says what --repair may do: give both.")
        tenant = None
        if organization is not None:
            tenant = Organization.objects.filter(slug=organization).first()
            if tenant is None:
                raise CommandError(f"There is no organization with the slug '{organization}'.")
        self.actor = Actor.system("reconcile_numbers")
        failed = unrepaired = 0
        for account in accounts_to_compare(tenant):
            owner = account.organization or "the platform"
            try:
                report = compare_account(account, actor=self.actor, dry_run=dry_run)
            except Exception as error:  # one must not keep the others from being compared
                logger.exception("account %s could not be compared", account.pk)
                self.stderr.write(f"{account} of {owner}: failed: {type(error).__name__}")
                failed += 1
                continue
            failed += report.failure is not None
            self.tell(account, str(owner), report)
            if repair:
                unrepaired += self.repair(report, overwrite=overwrite, dry_run=dry_run)
        if failed:
            raise CommandError(f"Accounts that could not be compared: {failed}.")
        if unrepaired:
            raise CommandError(f"Numbers that could not be repaired: {unrepaired}.")

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

    def repair(self, report: Report, *, overwrite: bool, dry_run: bool) -> int:
        """Repair what drifted, one number after the other; how many could not be. An account that
        wants no more requests now is left for another time."""
        drifted = [f for f in report.findings if f.kind == Finding.Kind.DRIFT and f.number]
        failed = 0
        for finding in drifted:
            number = finding.number
            if dry_run:
                self.say_what_would_be_done(finding, overwrite=overwrite)
                continue
            try:
                done = repair_number(
                    actor=self.actor,
                    organization=number.organization,
                    number=number,
                    overwrite=overwrite,
                )
            except BurkiError as error:
                failed += 1
                hint = error.facts.get("hint") or ""
                self.stderr.write(f"  {number} not repaired: {error.detail} {hint}".rstrip())
                if error.code == "rate_limited":
                    break
            else:
                failed += bool(done.differences.keys() - done.left.keys())
                self.say_what_was_done(done)
        return failed

    def say_what_would_be_done(self, finding: Finding, *, overwrite: bool) -> None:
        theirs = foreign(finding.number, finding.details)
        left = {} if overwrite else theirs
        todo = {name: pair for name, pair in finding.details.items() if name not in left}
        if todo:
            self.stdout.write(f"  {finding.number} would be repaired: {', '.join(sorted(todo))}")
        self.say_whose(finding.number, "would be overwritten", theirs if overwrite else {})
        self.say_whose(finding.number, "would be left alone", left)

    def say_what_was_done(self, done: Repaired) -> None:
        if done.agrees:
            self.stdout.write(f"  {done.number} repaired")
        elif rest := sorted(done.differences.keys() - done.left.keys()):
            self.stderr.write(f"  {done.number} set, but not shown yet: {', '.join(rest)}")
        self.say_whose(done.number, "overwritten", done.overwritten)
        self.say_whose(done.number, "left alone (see --overwrite)", done.left)

    def say_whose(self, number, what: str, theirs) -> None:
        if theirs:
            self.stdout.write(f"  {number} set by somebody else, {what}: {in_words(theirs)}")
