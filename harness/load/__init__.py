"""The load generators: one module each. What drives them and when they stop is the engine's."""
