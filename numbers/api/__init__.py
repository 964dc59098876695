"""The REST API of phone numbers: doors of about fifteen lines."""
