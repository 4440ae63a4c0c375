"""The gates of an impl-creator run; one small module a gate that needs more than the verification's results."""
