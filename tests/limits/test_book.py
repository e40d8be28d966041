"""Books: an amount is counted once on its way from reserved to stored, in every worker."""

import pytest

from proxy.limits.book import TENANT, UNKNOWN, USER, Book, Books
from proxy.limits.window import Months
from tests.limits.stores import DECEMBER_MS, NOW_MS, make_entry

MONTHS = Months("UTC")
NOVEMBER = MONTHS.of(NOW_MS)


def read(book: Book, base: int, now_s: float = 0.0) -> None:
    book.begin_reading(now_s)
    book.end_reading(base)


@pytest.fixture
def books() -> Books:
    return Books(MONTHS, shared=True)


@pytest.fixture
def book(books: Books) -> Book:
    book = books.get(NOVEMBER, TENANT, "tenant_1", limited=True)
    read(book, 100)
    return book


def test_a_book_that_was_never_read_is_above_every_limit(books: Books) -> None:
    book = books.get(NOVEMBER, USER, "user_1", limited=True)
    book.reserved = book.total = 7
    book.total += UNKNOWN
    assert (book.total > 10**18, book.known) == (True, 7)
    read(book, 100)
    assert book.total == book.known == 107


def test_what_others_store_moves_from_what_they_hold_into_the_base(book: Book) -> None:
    book.hear(30, 0)
    assert book.total == 130
    book.hear(10, 20)  # twenty of it was stored
    assert book.total == 130
    read(book, 120)
    assert book.total == 130
    book.hear(10, 20)
    assert book.total == 130


def test_what_was_stored_between_hearing_and_reading_counts_twice_until_the_next_reading(
    book: Book,
) -> None:
    book.hear(30, 0)
    read(book, 130)  # meanwhile they stored it
    assert book.total == 160
    book.hear(0, 30)
    assert book.total == 160
    read(book, 130)
    assert book.total == 130


def test_a_worker_that_is_gone_takes_nothing_off_before_the_next_reading(book: Book) -> None:
    book.hear(0, 500)
    read(book, 600)
    book.hear(5, 520)
    assert book.total == 625
    book.hear(0, 0)
    assert (book.total, book.wanted) == (620, True)
    read(book, 620)
    assert book.total == 620
    book.hear(0, 40)
    assert book.total == 660


def test_while_the_others_cannot_be_asked_only_what_is_stored_counts(book: Book) -> None:
    book.hear(30, 200)
    read(book, 300)
    book.hear(30, 210)
    book.hear_nothing()
    assert book.total == 300
    book.hear(5, 250)
    read(book, 350)
    assert book.total == 355


def test_a_worker_tells_what_it_holds_and_all_it_ever_stored(books: Books, book: Book) -> None:
    assert books.told() == {}
    book.reserved, book.unstored, book.total = 5, 10, book.total + 15
    assert books.told() == {book.name: 15}
    books.stored([make_entry(10)], own=True)
    assert books.told() == {book.name: 5, book.stored_name: 10}
    books.stored([make_entry(3)], own=False)
    assert books.told() == {book.name: 5, book.stored_name: 13}
    assert book.total == 118


def test_a_new_book_knows_what_was_heard_before_it_was_begun(books: Books) -> None:
    names = Book(NOVEMBER, TENANT, "tenant_2")
    books.heard({names.name: 7, names.stored_name: 1_000, "h|2026-11|t|unknown": 3})
    book = books.get(NOVEMBER, TENANT, "tenant_2", limited=True)
    read(book, 1_000)
    assert book.total == 1_007
    books.heard({})
    assert book.total == 1_000


def test_rows_count_in_the_month_they_started_in(books: Books) -> None:
    before = books.get(NOVEMBER, TENANT, "tenant_1", limited=True)
    after = books.get(MONTHS.of(DECEMBER_MS), TENANT, "tenant_1", limited=True)
    books.stored(
        [make_entry(1, started_at=DECEMBER_MS - 1), make_entry(2, started_at=DECEMBER_MS)], own=True
    )
    assert (before.fresh, after.fresh) == (1, 2)


def test_without_a_limit_nothing_piles_up(books: Books) -> None:
    book = books.get(NOVEMBER, TENANT, "tenant_1", limited=False)
    for _ in range(3):
        book.unstored += 5
        book.total += 5
        books.stored([make_entry(5)], own=True)
    assert (book.idle, books.limited, books.told()) == (True, 0, {})
    books.sweep(set())
    assert len(books) == 0


def test_a_row_of_ours_that_is_not_known_to_be_ours_is_counted_at_least_once(book: Book) -> None:
    book.unstored, book.total = 10, book.total + 10
    book.stored(25, own=True)
    assert (book.unstored, book.fresh, book.total) == (0, 25, 125)
