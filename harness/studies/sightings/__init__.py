"""Runs of many cells that are asked one question: does the finding show? Kept in a journal, so that no run is lost."""
