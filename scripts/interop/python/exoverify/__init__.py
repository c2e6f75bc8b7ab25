"""A second verifier of ExoArmur proof bundles, written from the pages under spec/ and nothing else.

Python 3.11 or newer, standard library only. Each module names the page and the section it follows.
"""
