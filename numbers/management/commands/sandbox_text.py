from numbers.management.trying import TryingCommand
from numbers.models import PhoneNumber
from numbers.services.inbound.trying import Tried, text_number


class Command(TryingCommand):
    help = (
        "Send a text message to a number that was bought at the sandbox, as its provider would, "
        "and show what came back. Needs the web server of `make run`."
    )

    def add_arguments(self, parser):
        super().add_arguments(parser)
        parser.add_argument("text")

    def try_it(self, number: PhoneNumber, from_number: str, options: dict) -> Tried:
        return text_number(
            actor=self.actor,
            organization=number.organization,
            number=number,
            from_number=from_number,
            text=options["text"],
        )
