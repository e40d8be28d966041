"""The walk of a request through the house."""
