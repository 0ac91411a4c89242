"""One run from left to right: preparation, stage, control, load, settle, conclusion."""
