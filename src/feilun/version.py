"""The version, in a file of its own: rooms may know it without knowing the front door."""

__version__ = "0.1.0"
