"""What Twilio is answered: TwiML, made by Twilio's own package, which escapes what is in it."""

from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import Connect, VoiceResponse

from numbers.services.inbound.answering import AnsweredWith, Plan, sayable
from numbers.services.inbound.events import InboundEvent

_SAID_MAX = 4096  # Twilio says no more

# To a text message, and to whatever asks for nothing.
NOTHING = str(MessagingResponse())


def voice(plan: Plan, event: InboundEvent) -> str:
    """How a call goes on. The media stream gets its facts as parameters: Twilio drops the query
    of a stream's address. A refused call costs nothing and hears that nobody is there."""
    response = VoiceResponse()
    if plan.answered_with == AnsweredWith.STREAM:
        connect = Connect()
        stream = connect.stream(url=sayable(plan.stream_url))
        for name, value in (
            ("assistant_id", plan.assistant_id),
            ("from", event.from_number),
            ("to", event.to_number),
            ("call_id", event.call_id),
        ):
            stream.parameter(name=name, value=sayable(str(value)))
        response.append(connect)
    elif plan.answered_with == AnsweredWith.GREETING:
        response.say(plan.greeting[:_SAID_MAX], language=plan.language)
        response.hangup()
    else:
        response.reject(reason="rejected")
    return str(response)
