"""The doors through which the providers come: signature first, then the inbox, then the answer."""
