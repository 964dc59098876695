"""What happens when somebody calls or texts one of our numbers."""
