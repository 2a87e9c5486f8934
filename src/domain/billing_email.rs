//! Address for an organization's invoices.

use crate::error::Violation;

/// Plausible address of at most 254 ASCII characters: a local part of at most 64 characters, `@`,
/// and a domain of two labels or more. The local part is atoms with single dots between them (RFC
/// 5321 §4.1.2, `Dot-string`). Only sending a message can prove the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingEmail(String);

impl BillingEmail {
    /// Maximum length of an address, in characters.
    pub const MAX_CHARS: usize = 254;
    const MAX_LOCAL_CHARS: usize = 64;
    const MAX_LABEL_CHARS: usize = 63;

    /// Checks `text` and stores it unchanged.
    ///
    /// # Errors
    /// [`Violation`] of `billing_email`, with the rule as its message.
    pub fn parse(text: &str) -> Result<Self, Violation> {
        if is_plausible(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Violation::new(
                "billing_email",
                "must be a plausible email address",
            ))
        }
    }

    /// Wraps an address read from the database, where only checked addresses are written.
    pub(crate) fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

fn is_plausible(text: &str) -> bool {
    // Quoted local parts, which may hold a second `@`, are refused. RFC 5321, section 4.1.2,
    // advises against them.
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    // Bytes are characters here, because atoms and labels admit only ASCII.
    text.len() <= BillingEmail::MAX_CHARS
        && local.len() <= BillingEmail::MAX_LOCAL_CHARS
        && local.split('.').all(is_atom)
        && domain.contains('.')
        && domain.split('.').all(is_label)
}

fn is_atom(text: &str) -> bool {
    let may_be = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte);
    !text.is_empty() && text.bytes().all(may_be)
}

fn is_label(text: &str) -> bool {
    // RFC 1035, section 2.3.1, with a digit first as RFC 1123, section 2.1, admits it.
    let may_be = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=BillingEmail::MAX_LABEL_CHARS).contains(&text.len())
        && text.bytes().all(may_be)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plausible_email_has_a_local_part_and_a_dotted_domain() {
        let longest = format!(
            "{}@{}.example",
            "l".repeat(64),
            ["d".repeat(60), "e".repeat(60)].join(".")
        );
        for good in ["ap@acme.example", "a+b@x.co", "a.b.c@x.co", &longest] {
            let kept = BillingEmail::parse(good).map(BillingEmail::into_string);
            assert_eq!(kept.as_deref(), Ok(good));
        }
        let long = format!("{}@acme.example", "l".repeat(65));
        for bad in [
            "", "a", "a@", "@b.c", "a@b", "a@b..c", "a b@c.d", "a@b.c\n", "a@b@c.d", "a@-b.c",
            ".a@b.c", "a.@b.c", "a..b@c.d", &long,
        ] {
            assert!(BillingEmail::parse(bad).is_err(), "{bad}");
        }
    }
}
