"""Attacks on the harness: signals at any moment, hostile inputs, broken surroundings."""
