"""How many bytes of large bodies are held at a time."""

from proxy.server.body_room import BodyRoom


class Holder:
    def __init__(self, body_bytes: int) -> None:
        self.body_bytes = body_bytes


def test_bodies_share_the_room() -> None:
    room = BodyRoom(100)
    first, second, third = Holder(60), Holder(40), Holder(10)
    assert room.take(first, 60) and room.take(second, 40)
    assert not room.take(third, 10)
    first.body_bytes = 0  # it was answered, or its stream has begun
    assert room.take(third, 10)


def test_a_body_that_grows_is_not_counted_against_itself() -> None:
    room = BodyRoom(100)
    holder, other = Holder(50), Holder(30)
    assert room.take(holder, 50) and room.take(other, 30)
    assert room.take(holder, 70)
    assert not room.take(holder, 71)


def test_one_body_alone_always_finds_room() -> None:
    assert BodyRoom(100).take(Holder(500), 500)


def test_a_connection_that_is_gone_holds_nothing() -> None:
    room = BodyRoom(100)
    holder = Holder(100)
    room.take(holder, 100)
    room.leave(holder)
    assert room.take(Holder(100), 100)
