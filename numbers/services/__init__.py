"""The verbs, one module each. API, admin and staff pages call these and nothing below them."""
