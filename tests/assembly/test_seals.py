"""Which secrets seal and open what conversations carry."""

from pathlib import Path

import pytest

from proxy.assembly.seals import seal_secrets
from proxy.config.settings import Sealing
from proxy.domain.fault import Fault

ENVIRON = {"NOW": "n" * 16, "BEFORE": "b" * 16, "SHORT": "fifteen letters"}
NOW, BEFORE, HASH = b"n" * 16, b"b" * 16, b"of the keys"


@pytest.mark.parametrize(
    ("wanted", "secrets"),
    [
        (Sealing(), [HASH]),
        (Sealing("env:NOW"), [NOW, HASH]),
        (Sealing("env:NOW", "env:BEFORE"), [NOW, BEFORE]),
        (Sealing("env:NOW", "env:NOW"), [NOW]),
        (Sealing("", "env:NOW"), [HASH, NOW]),
    ],
)
def test_the_first_seals_and_what_is_not_set_is_that_of_the_keys(
    wanted: Sealing, secrets: list[bytes]
) -> None:
    assert seal_secrets(wanted, ENVIRON, HASH) == secrets


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Sealing("env:NOT_THERE"), "sealing.secret: env:NOT_THERE"),
        (Sealing("env:NOW", "env:SHORT"), "sealing.former_secret: env:SHORT is shorter than 16"),
        (Sealing("file:FOLDER/none"), "sealing.secret: file:"),
    ],
)
def test_a_secret_that_cannot_be_had_is_said_by_its_setting(
    wanted: Sealing, said: str, tmp_path: Path
) -> None:
    with pytest.raises(Fault) as caught:
        seal_secrets(
            Sealing(wanted.secret.replace("FOLDER", str(tmp_path)), wanted.former_secret),
            ENVIRON,
            HASH,
        )
    assert caught.value.message.startswith(said)
    assert ENVIRON["SHORT"] not in caught.value.message
