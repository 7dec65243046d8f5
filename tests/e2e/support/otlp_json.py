"""OTLP/JSON of a message, by protobuf's own JSON and the two changes that OTLP makes."""

import base64
import json

from google.protobuf import json_format

_IDS = {"traceId", "spanId", "parentSpanId"}


def tree(message, numbers=(), every_field=False):
    """Ids in hex, enums as numbers. `numbers`: members whose integers are numbers, not strings."""
    def change(v, key=None):
        if isinstance(v, dict):
            return {k: change(inner, k) for k, inner in v.items()}
        if isinstance(v, list):
            return [change(inner, key) for inner in v]
        if key in _IDS:
            return base64.b64decode(v).hex()
        return int(v) if key in numbers else v

    return change(json_format.MessageToDict(message, use_integers_for_enums=True,
                                            always_print_fields_with_no_presence=every_field))


def text(message):
    return json.dumps(tree(message), separators=(",", ":")).encode()
