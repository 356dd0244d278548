from refinery.sources.record import document_id, to_valid_text
from refinery.sources.urls import normalise_url


def test_equal_addresses_give_equal_ids() -> None:
    assert document_id("HTTP://A.example:80", b"x") == document_id("http://a.example/#top", b"x")


def test_the_border_between_address_and_payload_is_part_of_the_id() -> None:
    assert document_id("ab", b"c") != document_id("a", b"bc")


def test_an_id_has_32_hex_digits() -> None:
    assert len(document_id(None, b"")) == 32
    assert int(document_id(None, b""), 16) >= 0


def test_query_and_path_name_the_document() -> None:
    assert normalise_url("https://a.example/P?b=2&a=1") == "https://a.example/P?b=2&a=1"


def test_a_broken_address_stays() -> None:
    assert normalise_url("http://[oops") == "http://[oops"


def test_lone_surrogates_and_nul_are_replaced() -> None:
    assert to_valid_text("a\ud800b\0中") == "a?b\ufffd中"
