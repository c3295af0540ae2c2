//! Text from a log into a command that a person may copy: quoted, or not at all.

/// The text itself when it holds nothing but letters, digits, `-`, `_` and `.`, and does not begin like an option.
pub(crate) fn plain(text: &str) -> Option<&str> {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (!text.is_empty() && !text.starts_with('-') && text.bytes().all(harmless)).then_some(text)
}

/// The text in single quotes; none when it holds a control character, which no quoting makes fit to copy.
pub(crate) fn quoted(text: &str) -> Option<String> {
    if text.chars().any(|c| c.is_control() || !c.is_ascii()) || text.starts_with('-') {
        return None;
    }
    Some(format!("'{}'", text.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_quoted_or_left_out() {
        assert_eq!(plain("8d1b-4a_6.e"), Some("8d1b-4a_6.e"));
        assert_eq!(plain("$(reboot)"), None);
        assert_eq!(plain("-rf"), None);
        assert_eq!(quoted("/a b").as_deref(), Some("'/a b'"));
        assert_eq!(
            quoted("a'; reboot; '").as_deref(),
            Some(r"'a'\''; reboot; '\'''")
        );
        assert_eq!(quoted("a\nb"), None);
    }
}
