"""Staff pages of people, keys and sign-in: thin views that call the services."""
