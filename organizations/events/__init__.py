"""Telling customers' own systems, and their owners, what happened.

`announcing` writes an event in the transaction of its cause, `delivering` brings it to every
endpoint that wants it, `endpoints` has the verbs of people and programs, `mailing` the e-mails.
"""
