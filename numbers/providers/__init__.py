"""Drivers for the companies that sell phone numbers. They never import a model."""
