"""What a Telegram bot reads and says: updates as they come, texts as they may be sent."""

from typing import Any, TypeGuard

from genlab.web.bodies import writable
from pipelines.chitchat.telegram_journal import Received

MAX_UNITS = 4096  # of UTF-16, in one message (Bot API, sendMessage)
ID_BITS = 63  # of the largest id; the Bot API's have 52 at most, and SQLite's integers no more

HELLO = "Здравствуйте! Я небольшая модель, со мной можно поболтать. /reset — начать сначала."
FORGOTTEN = "Хорошо, начнём сначала."
UNKNOWN = "Такой команды нет. Есть /start и /reset."
NO_TEXT = "Я понимаю только текст."
TOO_FAST = "Не так быстро, пожалуйста: сначала отвечу на прежнее."
FAILED = "Извините, не получилось ответить. Попробуйте ещё раз."


def read_update(update: Any) -> tuple[int | None, Received | None]:
    """Return an update's id, and its message if it is one from a private chat.

    Both are None if it is not an update. The library parses a whole batch or nothing, and requests
    a batch that it cannot parse again and again; here each update is parsed alone.
    """
    update_id = as_object(update).get("update_id")
    if not is_id(update_id):
        return None, None
    message = as_object(update.get("message"))
    chat = as_object(message.get("chat"))
    chat_id = chat.get("id")
    if not is_id(chat_id) or chat.get("type") != "private":
        return update_id, None
    text = message.get("text")
    said = writable(text) if isinstance(text, str) else None
    return update_id, Received(update_id, chat_id, said)


def is_id(value: Any) -> TypeGuard[int]:
    """Return whether a value can be the id of an update or of a private chat: both are positive."""
    return type(value) is int and 0 < value < 2**ID_BITS


def as_object(value: Any) -> dict[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def n_units(text: str) -> int:
    """Return the length of a text in UTF-16 units, as Telegram counts: an emoji has two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split_message(text: str, most: int = MAX_UNITS) -> list[str]:
    """Return a text in parts of at most `most` UTF-16 units, cut at spaces where there are any."""
    parts = []
    while n_units(text) > most:
        end, units = 0, 0
        while units + n_units(text[end]) <= most:
            units += n_units(text[end])
            end += 1
        # A space may stand just behind what fits.
        space = max(text.rfind(" ", 0, end + 1), text.rfind("\n", 0, end + 1))
        cut = space if space > 0 else end
        parts.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [part for part in [*parts, text] if part]
