"""The dashboard in a browser of this machine: a page, a door that asks for a token, and the program behind it."""
