"""Gets what an experiment needs onto this machine: interpreters, pinned environments, native tools."""
