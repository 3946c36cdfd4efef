"""Checks SBOMs against CycloneDX's JSON Schema: sbom.py FILE..."""

import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

failed = False
for name in sys.argv[1:]:
    with open(name, encoding="utf-8") as file:
        error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(file.read())
    if error is not None:
        print(f"{name}: {error}", file=sys.stderr)
        failed = True
sys.exit(failed)
