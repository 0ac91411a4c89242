"""The Docker engine and the images on it: connecting, base images, building, what a killed run left there.

How a run's processes live in containers is ``backend``'s. The SDK is imported only inside the functions that
use it, because most runs need no engine; ``engine`` says what its refusals mean.
"""
