"""Schemas of the tools that Anthropic defined and the client runs (translation.md 1.6).

Claude knows them by heart; another model must be told what they take. The client expects calls of
the standard name with these arguments.
"""

_BASH = (
    b"Runs a command in a bash session that keeps its state, and returns what it wrote.",
    b'{"type":"object","properties":{'
    b'"command":{"type":"string","description":"The command to run. Required unless the session is '
    b'restarted."},'
    b'"restart":{"type":"boolean","description":"True restarts the session."}}}',
)
_EDITOR_COMMANDS = b'"view","create","str_replace","insert"'
_EDITOR = (
    b"Views, creates and edits text files.",
    b'{"type":"object","properties":{'
    b'"command":{"type":"string","enum":[%b]},'
    b'"path":{"type":"string","description":"Absolute path of the file or directory."},'
    b'"file_text":{"type":"string","description":"For create: the whole content of the file."},'
    b'"old_str":{"type":"string","description":"For str_replace: the text to replace; it must '
    b'occur exactly once."},'
    b'"new_str":{"type":"string","description":"For str_replace: what replaces it."},'
    b'"insert_line":{"type":"integer","description":"For insert: the line after which to insert; 0 '
    b'is the beginning."},'
    b'"insert_text":{"type":"string","description":"For insert: the text to insert."},'
    b'"view_range":{"type":"array","items":{"type":"integer"},"description":"For view: first and '
    b'last line, counted from 1; -1 is the end."}},'
    b'"required":["command","path"]}',
)
_MEMORY = (
    b"Keeps notes between conversations as files below /memories. View that directory before "
    b"anything else.",
    b'{"type":"object","properties":{'
    b'"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},'
    b'"path":{"type":"string","description":"Path of the file or directory, below /memories."},'
    b'"file_text":{"type":"string","description":"For create: the content of the file."},'
    b'"old_str":{"type":"string","description":"For str_replace: the text to replace."},'
    b'"new_str":{"type":"string","description":"For str_replace: what replaces it."},'
    b'"insert_line":{"type":"integer","description":"For insert: the line after which to insert."},'
    b'"insert_text":{"type":"string","description":"For insert: the text to insert."},'
    b'"view_range":{"type":"array","items":{"type":"integer"},"description":"For view: first and '
    b'last line."},'
    b'"old_path":{"type":"string","description":"For rename: the path now."},'
    b'"new_path":{"type":"string","description":"For rename: the path to be."}},'
    b'"required":["command"]}',
)
_WITH_UNDO = ("text_editor_20241022", "text_editor_20250124")
"""The versions that can take an edit back."""


def description_and_schema(kind: str) -> tuple[bytes, bytes] | None:
    """What a tool of type `kind` does, as it stands between quotes, and the JSON of its schema;
    None for types that have none here."""
    if kind.startswith("bash_"):
        return _BASH
    if kind.startswith("memory_"):
        return _MEMORY
    if kind.startswith("text_editor_"):
        undo = b',"undo_edit"' if kind in _WITH_UNDO else b""
        return _EDITOR[0], _EDITOR[1].replace(b"%b", _EDITOR_COMMANDS + undo)
    return None
