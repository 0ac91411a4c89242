"""From a record to a verdict. Pure: the same events always give the same verdict, and no server is needed."""
