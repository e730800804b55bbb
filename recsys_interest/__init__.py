"""Behaviour logs with item text in; interest tiers, interest clusters and recommendations out.

Names are handed on lazily (the list is in ``__init__.pyi``): importing the package loads neither
torch nor pandas.
"""

import lazy_loader as lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
