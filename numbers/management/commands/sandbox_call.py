from numbers.management.trying import TryingCommand
from numbers.models import PhoneNumber
from numbers.services.inbound.trying import Tried, call_number


class Command(TryingCommand):
    help = (
        "Call a number that was bought at the sandbox, as its provider would, and show what came "
        "back: TwiML, or the commands that Telnyx got. Needs the web server and the workers of "
        "`make run`."
    )

    def try_it(self, number: PhoneNumber, from_number: str, options: dict) -> Tried:
        return call_number(
            actor=self.actor,
            organization=number.organization,
            number=number,
            from_number=from_number,
        )
