"""The staff pages: thin views that call the services and tell the truth."""
