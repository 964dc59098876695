from django.urls import path

from numbers.webhooks.telnyx import telnyx_view
from numbers.webhooks.twilio import status_view, twiml_view

urlpatterns = [
    path("twiml", twiml_view, name="twiml"),
    path("twilio-sms-webhook", twiml_view, name="twilio-sms-webhook"),
    path("twilio-status", status_view, name="twilio-status"),
    path("telnyx-webhook", telnyx_view, name="telnyx-webhook"),
]
