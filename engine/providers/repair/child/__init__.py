"""What the repairer lends to the target's interpreter: a pytest plug-in that tries edits in memory.

This folder is copied, under a name of its own, beside a scratch copy of the project and put on that child's path.
It must stay valid Python 3.9, import only the standard library and pytest, and never import from the engine.
"""
