"""The seven channels: five are counted as messages, two cost money."""

from typing import Final

MESSAGE_CHANNELS: Final = ("EMAIL", "INAPP_WEB", "WEB_PUSH", "PUSH", "SLACK")
COSTED_CHANNELS: Final = ("SMS", "CALL")
CHANNELS: Final = MESSAGE_CHANNELS + COSTED_CHANNELS
