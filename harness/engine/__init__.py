"""One run from start to end: preparation, the stack, control, load, settle, conclusion."""
