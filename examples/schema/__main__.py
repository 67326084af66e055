"""Write the schema and the types again: `python -m examples.schema [LANGUAGE...]`."""

import shutil
import sys

from examples.schema import bundle
from examples.schema.generators import GENERATORS
from examples.schema.workshop import EXAMPLES, ToolError, UnavailableError


def main(languages: list[str]) -> int:
    """Generate for these languages, or for all; the exit code says whether all were."""
    if unknown := set(languages) - set(GENERATORS):
        sys.exit(f"no such language: {', '.join(unknown)}; there are {', '.join(GENERATORS)}")
    bundle.FILE.write_text(bundle.text(), encoding="utf-8")
    failures = 0
    for language in languages or GENERATORS:
        generated, generate = GENERATORS[language]
        if (target := EXAMPLES / language / generated).is_dir():
            shutil.rmtree(target)
        try:
            generate(EXAMPLES / language)
            sys.stdout.write(f"{language}: {target.relative_to(EXAMPLES.parent)}\n")
        except (UnavailableError, ToolError) as error:
            failures += 1
            sys.stderr.write(f"{language}: NOT made: {error}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
