"""The Django project.

Our app `numbers/` has the name of a standard-library module, which `decimal`, `fractions` and
`statistics` import. So the directory has no `__init__.py`: `import numbers` finds the standard
library everywhere and always. Here, in the package that every entry point imports first (through
the settings module), that module is lent our directory, so that `numbers.models` and all other
submodules are found in it. Nothing in the standard library has submodules of that name.
"""

from pathlib import Path

import numbers

numbers.__path__ = [str(Path(__file__).resolve().parent.parent / "numbers")]
