"""Keys and key files, written by a second telling of their format (tenancy/keys/key.h, keyfile.h): for keys
that `tenantry key` does not make, expired ones for instance."""

import hashlib
import random
import string
import time
import zlib

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def checksum(text):
    """CRC-32 in 6 base-62 digits."""
    n, out = zlib.crc32(text.encode()), ""
    for _ in range(6):
        n, digit = divmod(n, 62)
        out = _BASE62[digit] + out
    return out


def new_key():
    """The text of a key that nobody has issued."""
    pick = random.SystemRandom().choices
    text = f"tnt_{''.join(pick(_BASE62, k=8))}_{''.join(pick(_BASE62, k=28))}"
    return text + checksum(text)


def key_id(key):
    return key.split("_")[1]


def with_typo(key):
    """The same with two letters of the secret swapped, as a person mistypes it."""
    at = next(i for i in range(14, 40) if key[i] != key[i + 1])
    return key[:at] + key[at + 1] + key[at] + key[at + 2:]


def write_key(system, tenant, expires=0, revoked=0, signals="traces,metrics,logs", label="test"):
    """Adds a key to the tenant's file, returns its text. Not beside a running `tenantry key`."""
    key = new_key()
    secret = key.split("_")[2][:28]
    line = (
        f"id={key_id(key)} sha256={hashlib.sha256(secret.encode()).hexdigest()}"
        f" created={int(time.time()) - 1000} expires={expires} revoked={revoked}"
        f" signals={signals} label={label}\n"
    )
    path = system.folder / "keys.d" / f"{tenant}.keys"
    path.parent.mkdir(exist_ok=True)
    before = path.read_text() if path.exists() else ""
    fresh = path.with_suffix(".new")
    fresh.touch(0o600)
    fresh.write_text(before + line)
    fresh.rename(path)
    return key
