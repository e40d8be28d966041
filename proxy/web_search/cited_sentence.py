"""What of a page a citation quotes: the sentence that has most words in common with what the model
wrote (translation.md 9.8).
"""

from proxy.web_search.prose import cut_at_word, sentences, words

CITED_CHARS_MAX = 150


def cited_text(extract: str, claim: str) -> str:
    """At most 150 characters; the beginning of the extract where nothing matches."""
    wanted = words(claim)
    best, most = extract.strip(), 0
    for sentence in sentences(extract):
        common = len(wanted & words(sentence))
        if common > most:
            best, most = sentence, common
    return cut_at_word(best, CITED_CHARS_MAX)
