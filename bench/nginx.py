"""nginx as a reference: where it is, how it is installed, how a plain streaming proxy is set up."""

import os
import pathlib
import shutil
import subprocess
from collections.abc import Sequence

ROUTE = "plain streaming proxy, one worker, nothing logged or buffered"


def version() -> str:
    """Which nginx this is, "" when it does not say."""
    done = subprocess.run([found("nginx") or "nginx", "-v"], capture_output=True, text=True)
    return done.stderr.strip().rpartition("/")[2]


def found(program: str) -> str | None:
    """Where a program is that Debian may keep out of the PATH."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")


def apt_install(program: str, packages: Sequence[str]) -> str | None:
    """Install a Debian package where its program is missing and we may; None or why not."""
    if found(program):
        return None
    if os.geteuid() or not shutil.which("apt-get"):
        return f"{program} is missing and only root on a Debian-like system can install it here"
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for package in packages:
        for command in (["install"], ["update"], ["install"]):
            with_package = [package] if command == ["install"] else []
            done = subprocess.run(
                ["apt-get", *command, "-y", *with_package], env=quiet, capture_output=True
            )
            if done.returncode == 0 and found(program):
                return None
    return f"{program} is missing and could not be installed"


def install() -> str | None:
    """Install nginx where it is missing and we may; None or why it cannot be had."""
    return apt_install("nginx", ("nginx-light", "nginx"))


def settings(home: pathlib.Path, sites: Sequence[str]) -> str:
    """A plain streaming proxy as its makers would set it up: nothing logged or buffered."""
    user = "user root;" if os.geteuid() == 0 else ""  # the folder is ours alone
    folders = "".join(
        f"{kind}_temp_path {home / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
error_log {home / "error.log"} warn;
pid {home / "nginx.pid"};
events {{ worker_connections 8192; }}
http {{
{folders}
access_log off;
keepalive_requests 1000000000;
client_max_body_size 64m;
client_body_buffer_size 1m;
proxy_http_version 1.1;
proxy_set_header Connection "";
proxy_buffering off;
proxy_read_timeout 300s;
{"".join(sites)}
}}
"""


def site(name: str, port: int, scheme: str, upstream_port: int, extra: str = "") -> str:
    return f"""
upstream {name} {{
  server 127.0.0.1:{upstream_port};
  keepalive 128;
  keepalive_requests 1000000000;
}}
server {{
  listen 127.0.0.1:{port} backlog=4096;
  location / {{ proxy_pass {scheme}://{name}; {extra} }}
}}
"""
