#!/usr/bin/env python3
"""Verifies proof bundles by the pages under spec/ (spec/verification.md).

    python3 verify.py FILE TRUST            one bundle: what each check found, then the verdict as JSON
    python3 verify.py --batch FILE TRUST... many, in pairs: one line of JSON each

Exit code: 0 accept, 1 reject, 6 indeterminate; 2 when a file could not be read or the trust file is refused.
With --batch 0, and the verdicts are in the lines.
"""

import functools
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from exoverify.outcome import Fail  # noqa: E402
from exoverify.run import NOT_MADE, verify  # noqa: E402
from exoverify.trust import Trust  # noqa: E402

EXIT = {"accept": 0, "reject": 1, "indeterminate": 6}


@functools.cache
def trust_of(path: str) -> Trust:
    """The trust file, read once."""
    return Trust(pathlib.Path(path).read_bytes())


def main(arguments: list[str]) -> int:
    """The command."""
    batch = arguments[:1] == ["--batch"]
    paths = arguments[1:] if batch else arguments
    if len(paths) < 2 or len(paths) % 2 != 0 or (not batch and len(paths) != 2):
        print(__doc__, file=sys.stderr)
        return 2
    code = 0
    for file, trust in zip(paths[::2], paths[1::2]):
        try:
            result = verify(pathlib.Path(file).read_bytes(), trust_of(trust))
        except (Fail, OSError) as error:
            print(f"{trust}: {error}", file=sys.stderr)
            return 2
        if not batch:
            for check in result["checks"]:
                print(" ".join([check["id"], check["state"], check.get("code", ""), check.get("message", "")]).rstrip())
            for line in NOT_MADE:
                print(f"not made: {line}")
            code = EXIT[result["verdict"]]
            del result["checks"]
        print(json.dumps(result, separators=(",", ":")))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
