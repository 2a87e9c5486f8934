//! The reply to a missed call: its template and its switch. Rendering it belongs to sending.

/// The missed-call settings of an organization.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissedCall {
    /// The template, stored as it was sent; `None` when there is none.
    pub message: Option<String>,
    /// Whether a missed call is answered at all.
    pub enabled: bool,
}

/// A partial update of [`MissedCall`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissedCallChanges {
    /// `None` keeps, the empty string clears, anything else is the new template.
    pub message: Option<String>,
    /// `None` keeps.
    pub enabled: Option<bool>,
}

impl MissedCall {
    /// These settings with `changes` merged in.
    pub fn merge(&self, changes: &MissedCallChanges) -> Self {
        let message = match &changes.message {
            None => self.message.clone(),
            Some(text) => (!text.is_empty()).then(|| text.clone()),
        };
        Self {
            message,
            enabled: changes.enabled.unwrap_or(self.enabled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_keeps_empty_clears_and_text_sets() {
        let now = MissedCall {
            message: Some("Hi".into()),
            enabled: true,
        };
        let table = [
            (None, Some("Hi")),
            (Some(""), None),
            (Some(" "), Some(" ")),
            (Some("Yo"), Some("Yo")),
        ];
        for (sent, stored) in table {
            let changes = MissedCallChanges {
                message: sent.map(Into::into),
                enabled: None,
            };
            assert_eq!(now.merge(&changes).message.as_deref(), stored);
        }
    }
}
