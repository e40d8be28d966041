"""What a deployment on Bedrock's runtime turns out not to know."""

from proxy.providers.bedrock.lessons import SURE_AFTER_S, UNKNOWN_BETAS, BedrockLessons
from proxy.providers.compat_lessons import ALL_BETAS, FORGOTTEN_AFTER_S

UNNAMED = b'{"message":"invalid beta flag"}'
NOW_S = 1_770_000_000.0


def test_unknown_betas_are_suspected_first_and_all_only_after_that() -> None:
    lessons = BedrockLessons()
    assert lessons.learn(400, UNNAMED, NOW_S) == UNKNOWN_BETAS
    assert lessons.left_out(NOW_S) == {UNKNOWN_BETAS}
    assert lessons.learn(400, UNNAMED, NOW_S + SURE_AFTER_S) == ALL_BETAS
    assert lessons.left_out(NOW_S + SURE_AFTER_S) == {UNKNOWN_BETAS, ALL_BETAS}


def test_requests_that_were_under_way_together_teach_one_lesson() -> None:
    lessons = BedrockLessons()
    for number in range(50):
        assert lessons.learn(400, UNNAMED, NOW_S + number * 0.01) == UNKNOWN_BETAS
    assert lessons.left_out(NOW_S + 1) == {UNKNOWN_BETAS}


def test_lessons_are_forgotten_within_the_hour() -> None:
    lessons = BedrockLessons()
    lessons.learn(400, UNNAMED, NOW_S)
    assert lessons.left_out(NOW_S + FORGOTTEN_AFTER_S) == frozenset()
    assert lessons.learn(400, UNNAMED, NOW_S + FORGOTTEN_AFTER_S) == UNKNOWN_BETAS


def test_what_is_named_is_learned_by_its_name() -> None:
    lessons = BedrockLessons()
    named = b'{"message":"context_management: Extra inputs are not permitted"}'
    assert lessons.learn(400, named, NOW_S) == "context_management"
    assert lessons.learn(500, UNNAMED, NOW_S) == ""
