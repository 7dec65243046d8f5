"""Certificates for tests, made by openssl: CAs, and what they sign."""

import subprocess

_EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]


def openssl(*args, folder):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, timeout=60, cwd=folder)


def make_ca(folder, name):
    openssl("req", "-x509", "-nodes", "-days", "2", "-subj", f"/CN={name}", *_EC,
            "-keyout", f"{name}.key", "-out", f"{name}.pem", folder=folder)  # fmt: skip


def make_client(folder, name, san=None, ca="ca"):
    """Certificate and key."""
    openssl("req", "-new", "-nodes", "-subj", f"/CN={name}", *_EC,
            "-keyout", f"{name}.key", "-out", f"{name}.csr", folder=folder)  # fmt: skip
    (folder / f"{name}.ext").write_text(f"subjectAltName={san}\n" if san else "basicConstraints=CA:FALSE\n")
    openssl("x509", "-req", "-days", "2", "-in", f"{name}.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key",
            "-CAcreateserial", "-extfile", f"{name}.ext", "-out", f"{name}.pem", folder=folder)  # fmt: skip
    return folder / f"{name}.pem", folder / f"{name}.key"
