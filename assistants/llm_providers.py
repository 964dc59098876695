"""The words for `llm_provider` that clients know. We keep an assistant's settings and do not read
them, so any other word is kept as well."""

_FIELDS = ["api_key", "base_url", "model", "custom_config"]

LLM_PROVIDERS: dict[str, dict] = {
    word: {"name": name, "config_fields": _FIELDS, "requires_base_url": word == "custom"}
    for word, name in {
        "openai": "OpenAI",
        "anthropic": "Anthropic",
        "gemini": "Google Gemini",
        "xai": "xAI",
        "groq": "Groq",
        "custom": "Any server that speaks OpenAI's API",
    }.items()
}
