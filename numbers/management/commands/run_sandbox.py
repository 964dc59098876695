from pathlib import Path

from django.core.management.base import BaseCommand

from numbers.sandbox import SandboxServer


class Command(BaseCommand):
    help = (
        "Serve a local stand-in for Twilio's and Telnyx's APIs on 127.0.0.1. Point "
        "TWILIO_API_BASE_URL and TWILIO_PRICING_BASE_URL at it, TELNYX_API_BASE_URL at its /v2."
    )
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("--port", type=int, default=8100)
        parser.add_argument("--state", type=Path, help="Keep what was bought in this file.")
        parser.add_argument("--latency", type=float, default=0.0, help="Seconds before an answer.")
        parser.add_argument("--time-scale", type=float, default=1.0)

    def handle(self, *, port, state, latency, time_scale, **options):
        server = SandboxServer(port=port, state_file=state, latency=latency, time_scale=time_scale)
        self.stdout.write(f"sandbox: {server.url}")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            server.stop()
