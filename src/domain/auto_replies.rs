//! Keyword auto-replies (PATCH /v1/organization, `auto_replies`): their texts, their switch, and
//! the attestation that switching them off requires.

use serde_json::json;

use crate::error::{Refusal, Violation};

use super::audit::event::Fields;
use super::display_text;

/// Keyword auto-replies of an organization (STOP, HELP, START confirmations). Switching them off
/// never affects opt-out handling itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoReplies {
    pub enabled: bool,
    /// Reply to an opt-out keyword. `None` is the platform default, as in the next two fields.
    pub stop_text: Option<String>,
    /// Reply to a help keyword.
    pub help_text: Option<String>,
    /// Reply to an opt-in keyword.
    pub start_text: Option<String>,
}

impl Default for AutoReplies {
    fn default() -> Self {
        Self {
            enabled: true,
            stop_text: None,
            help_text: None,
            start_text: None,
        }
    }
}

/// Partial update of [`AutoReplies`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AutoRepliesChanges {
    /// `None` keeps.
    pub enabled: Option<bool>,
    /// `None` keeps, `Some(None)` restores the platform default, `Some(Some(v))` sets. The next two
    /// fields work alike.
    pub stop_text: Option<Option<String>>,
    pub help_text: Option<Option<String>>,
    pub start_text: Option<Option<String>>,
    /// Statement that the organization handles HELP and STOP itself.
    pub attestation: Option<String>,
}

/// Checks the text of a reply, which is the field `path`.
///
/// # Errors
/// [`Violation`] of `path` for a text without a visible character.
pub fn parse_text(path: &'static str, text: String) -> Result<String, Violation> {
    if display_text::has_visible(&text) {
        Ok(text)
    } else {
        Err(Violation::new(path, display_text::INVISIBLE))
    }
}

impl AutoReplies {
    /// Returns these settings with `changes` merged in field by field.
    ///
    /// # Errors
    /// [`Refusal`] of switching off without an attestation, or with one that has no letter.
    pub fn merge(&self, changes: &AutoRepliesChanges) -> Result<Self, Refusal> {
        let AutoRepliesChanges {
            enabled,
            stop_text,
            help_text,
            start_text,
            attestation,
        } = changes;
        let enabled = enabled.unwrap_or(self.enabled);
        // A text without a letter states nothing.
        let is_attested = attestation.as_deref().is_some_and(display_text::has_letter);
        // Sending `false` again needs no attestation, because nothing changes.
        if self.enabled && !enabled && !is_attested {
            return Err(Refusal::AttestationRequired);
        }
        let text = |change: &Option<Option<String>>, now: &Option<String>| {
            change.clone().unwrap_or_else(|| now.clone())
        };
        Ok(Self {
            enabled,
            stop_text: text(stop_text, &self.stop_text),
            help_text: text(help_text, &self.help_text),
            start_text: text(start_text, &self.start_text),
        })
    }

    /// Returns the fields as the audit log shows them.
    pub fn recorded(&self) -> Fields {
        let Self {
            enabled,
            stop_text,
            help_text,
            start_text,
        } = self;
        vec![
            ("enabled", json!(enabled)),
            ("stop_text", json!(stop_text)),
            ("help_text", json!(help_text)),
            ("start_text", json!(start_text)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switching_auto_replies_off_needs_an_attestation_and_nothing_else_does() {
        let on = AutoReplies::default();
        let off = AutoReplies {
            enabled: false,
            ..on.clone()
        };
        let change = |enabled: bool, attestation: Option<&str>| AutoRepliesChanges {
            enabled: Some(enabled),
            attestation: attestation.map(Into::into),
            ..Default::default()
        };
        let refused = Err(Refusal::AttestationRequired);
        for blank in [
            None,
            Some(""),
            Some(" \n\u{3000}"),
            Some("."),
            Some("\u{200b}\u{2060}"),
            Some("\u{3164}"),
        ] {
            assert_eq!(on.merge(&change(false, blank)), refused, "{blank:?}");
            assert_eq!(
                off.merge(&change(false, blank)),
                Ok(off.clone()),
                "already off"
            );
        }
        assert_eq!(
            on.merge(&change(false, Some("We answer HELP and STOP."))),
            Ok(off.clone())
        );
        assert_eq!(off.merge(&change(true, None)), Ok(on));
    }
}
