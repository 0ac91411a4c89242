"""The Docker engine and the images on it: connecting, base images, building, what a killed run left there.

How a run's processes live in containers is ``backends.docker``'s. The SDK is imported in ``engine`` alone, and only
when it is used: most runs need no engine.
"""
