"""The traps others fell into (translation.md 11), each with what keeps us out of it.

A name with a slash is a golden case, one with `::` a test.
"""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
CHAT = "chat_to_messages"
ASKED = "openai_request"
BEDROCK = "stream/test_bedrock_to_messages.py"
SURFACES = "providers/bedrock/test_surfaces.py"
TRAPS: dict[int, list[str]] = {
    1: [f"{CHAT}/call_in_one_chunk", f"{CHAT}/calls_in_one_chunk"],
    2: [f"{CHAT}/content_with_the_finish"],
    3: [f"{CHAT}/first_chunk_has_content"],
    4: [f"{CHAT}/fragments_in_one_chunk"],
    5: [f"{CHAT}/text_after_a_call"],
    6: [f"{CHAT}/calls_interleaved", f"{CHAT}/arguments_for_a_closed_call"],
    7: [f"{CHAT}/text_inside_a_call", "compat/several_blocks_open"],
    8: [
        "laws/test_chat_streams.py::test_a_stream_of_anything_is_accepted_or_refused",
        "laws/test_rude_servers.py::test_a_spoilt_stream_is_a_legal_one",
    ],
    9: [f"{CHAT}/thinking_then_text", f"{CHAT}/thinking_after_text"],
    10: [f"{CHAT}/usage_after_the_end", "compat/more_after_the_end"],
    11: ["compat/delta_without_delta"],
    12: [f"{CHAT}/usage_with_cache"],
    13: [f"{CHAT}/nothing_said", f"{CHAT}/space_only", f"{ASKED}/user_nothing_but_blank"],
    14: [f"{CHAT}/name_null_then_late", f"{CHAT}/name_never_empty"],
    15: [f"{CHAT}/calls_all_at_index_0"],
    16: [f"{CHAT}/ids_seen_before", f"{CHAT}/ids_repeated_in_a_reply"],
    17: [f"{CHAT}/stop_with_calls_is_tool_use"],
    18: [
        f"{CHAT}/end_without_a_reason",
        "laws/test_chat_streams.py"
        "::test_a_stream_cut_at_any_border_before_its_finish_ends_in_an_error",
    ],
    19: [f"{CHAT}/no_done", f"{CHAT}/no_done_where_required"],
    20: [f"{CHAT}/error_chunk", f"{CHAT}/error_beside_choices"],
    21: [f"{CHAT}/crlf", f"{CHAT}/several_data_lines", f"{CHAT}/characters_cut_anywhere"],
    22: [
        "journeys/test_rude_chat.py"
        "::test_comments_keep_the_provider_waited_for_and_reach_the_client_as_pings"
    ],
    23: ["journeys/test_chat.py::test_a_silent_server_is_covered_by_pings_behind_a_beginning"],
    24: [f"{CHAT}/usage_with_every_chunk", "compat/usage_null"],
    25: [f"{ASKED}/assistant_thinking_of_the_family", f"{ASKED}/assistant_thinking_lost"],
    26: [f"{ASKED}/assistant_thinking_lost_deepseek"],
    27: [f"{ASKED}/id_kimi_unwrapped", f"{CHAT}/ids_of_kimi"],
    28: [f"{ASKED}/order_images_of_results", f"{ASKED}/order_text_before_results"],
    29: [f"{ASKED}/order_system_in_place"],
    30: [
        f"{ASKED}/assistant_claudes_thinking_dropped",
        "wire/test_artefacts.py::test_thinking_of_ours_is_taken_out",
    ],
    31: [f"{ASKED}/result_error", f"{ASKED}/result_texts"],
    32: [f"{ASKED}/order_orphan", f"{ASKED}/result_absent"],
    33: [f"{ASKED}/choice_none", f"{ASKED}/choice_not_parallel", f"{CHAT}/first_call_only"],
    34: [f"{ASKED}/think_none_with_tools", f"{ASKED}/think_with_tools"],
    35: [f"{ASKED}/format_not_strict", f"{ASKED}/tools_strict"],
    36: [f"{CHAT}/tags", f"{CHAT}/leaked_calls", f"{CHAT}/leaked_calls_in_thinking"],
    37: [
        "providers/bedrock/test_invoke_body.py"
        "::test_tools_lose_what_is_not_taken_and_keep_what_their_beta_brings",
        "journeys/test_vertex.py::test_a_request_of_claude_code_is_what_the_cloud_takes",
    ],
    38: [
        "providers/test_compat_lessons.py::test_a_refused_hint_is_learned",
        "providers/test_vertex.py::test_what_a_refusal_teaches",
    ],
    39: [
        "providers/test_compat_lessons.py::test_a_beta_takes_its_field_along",
        "journeys/test_vertex.py::test_a_refused_beta_goes_with_its_field_and_is_remembered",
    ],
    40: [
        "providers/test_compat_lessons.py::test_a_refused_hint_is_learned",
        "providers/test_vertex.py::test_what_a_refusal_teaches",
    ],
    41: [
        "wire/test_sigv4.py::test_they_are_those_of_botocore",
        "journeys/test_bedrock.py::test_each_model_is_asked_where_it_is",
    ],
    42: [f"{BEDROCK}::test_json_in_the_guise_of_a_stream_is_a_refusal"],
    43: [
        f"{BEDROCK}::test_an_exception_means_what_its_name_says_before_and_after_the_beginning",
    ],
    44: [
        f"{BEDROCK}::test_a_stream_without_its_end_is_no_whole_message",
        f"{BEDROCK}::test_usage_is_told_even_where_only_amazons_measures_have_it",
    ],
    45: [
        "stream/test_converse_to_messages.py"
        "::test_text_begins_without_a_start_and_usage_comes_behind_the_stop"
    ],
    46: [
        "journeys/test_chat.py::test_the_vendors_own_count_is_exact_and_stood_in_for",
        "journeys/test_bedrock.py::test_a_model_that_bedrock_does_not_count_is_estimated",
    ],
    47: [
        "providers/openai_chat/test_provider.py"
        "::test_tokens_are_counted_where_each_server_counts_them",
        "journeys/test_vertex.py::test_tokens_are_counted_there",
    ],
    48: [f"{SURFACES}::test_host_and_signature_name_the_same_region"],
    49: [f"{ASKED}/top_october_sampling"],
    50: [
        "providers/openai_chat/test_provider.py::test_the_head_is_ours_alone",
        "providers/test_anthropic.py::test_exactly_our_credential_is_sent",
    ],
    51: ["faults/overflow_openai", "faults/overflow_mantle"],
    52: [f"{ASKED}/top_system_attribution"],
    53: ["search_loop/one_search", "search_loop/mixed_turn"],
    54: [f"{ASKED}/assistant_arguments_bytes", f"{CHAT}/surrogates_torn"],
    55: ["wire/test_token_estimate.py::test_any_bytes_have_an_estimate"],
    56: [f"{CHAT}/annotations_of_azure"],
    57: [f"{CHAT}/usage_with_cache"],
    58: [f"{CHAT}/usage_in_the_choice", f"{CHAT}/usage_with_every_chunk"],
    59: [f"{ASKED}/tools_too_many", f"{ASKED}/tools_deferred_referenced"],
    60: [f"{ASKED}/id_too_long_for_openai", f"{ASKED}/id_mistral"],
    61: [f"{SURFACES}::test_tokens_are_counted_by_the_id_without_geography"],
    62: [f"{SURFACES}::test_host_and_signature_name_the_same_region"],
    63: [f"{ASKED}/top_max_tokens_clamped", f"{SURFACES}::test_the_id_tells"],
    64: ["server/test_door.py::test_reach_the_provider_as_they_were_however_large"],
}
OF_OTHER_WIRES: set[int] = set()
"""Of wires that nobody speaks here yet."""


def test_every_trap_is_on_the_list() -> None:
    assert TRAPS.keys() | OF_OTHER_WIRES == set(range(1, 65))
    assert not TRAPS.keys() & OF_OTHER_WIRES


@pytest.mark.parametrize("name", sorted({name for names in TRAPS.values() for name in names}))
def test_what_keeps_us_out_of_it_is_there(name: str) -> None:
    path, _, test = name.partition("::")
    if test:
        text = (TESTS / path).read_text(encoding="utf-8")
        assert re.search(rf"def {test}\b", text)
    else:
        assert (TESTS / "cases" / f"{path}.case").is_file()
