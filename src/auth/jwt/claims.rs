//! Claims of a token and their rules. Not here: the signature, which is verified before.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Tolerance for the issuer's clock in checks of times, in seconds.
pub(super) const LEEWAY_SECS: u32 = 30;

/// Maximum length of `sub` and `iss`, in characters. RFC 7519 sets no limit, and OpenID Connect
/// Core §2 says 255 for `sub`.
pub(super) const MAX_NAME_CHARS: usize = 255;

const BAD_SUBJECT: &str = "sub must have 1 to 255 characters and no control characters";
const BAD_ISSUER: &str = "iss must have 1 to 255 characters and no control characters";

/// Claims that the product uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: the caller. 1 to [`MAX_NAME_CHARS`] characters, no control characters.
    pub subject: String,
    /// `organizationId`: the caller's organization. `None` when absent or null.
    pub organization: Option<String>,
    /// `accessRole`, verbatim. May be the name of an unknown role.
    pub role: String,
}

impl Claims {
    /// Refuses a subject that a server would refuse.
    ///
    /// # Errors
    ///
    /// The violated rule.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        if is_name(&self.subject) {
            Ok(())
        } else {
            Err(BAD_SUBJECT)
        }
    }
}

/// Token whose signature and claims were verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    pub claims: Claims,
    /// `iss`. `None` when absent or null.
    pub issuer: Option<String>,
    /// `iat`. `None` when absent, or not a time.
    pub issued_at: Option<DateTime<Utc>>,
}

/// Configured rules.
#[derive(Clone, Debug)]
pub(super) struct ClaimRules {
    /// Required `iss`.
    pub(super) issuer: Option<String>,
    /// Required `aud`, alone or in a list.
    pub(super) audience: Option<String>,
    /// Longest time from `iat`, and from now, to `exp`.
    pub(super) max_lifetime: Option<Duration>,
}

/// Claims in the token. Unknown claims are ignored (RFC 7519 §4), and a duplicate claim is refused.
#[derive(Deserialize)]
pub(super) struct Payload {
    sub: String,
    #[serde(rename = "organizationId")]
    organization_id: Option<String>,
    #[serde(rename = "accessRole")]
    access_role: String,
    /// Exactly one text (RFC 7519 §4.1.1). A list would let a token name the configured issuer
    /// beside another one (CVE-2025-30144 is of this kind).
    iss: Option<String>,
    /// Any value, unless an audience is configured.
    #[serde(default)]
    aud: Value,
    /// Seconds since 1970, possibly with a fraction (RFC 7519 §2, NumericDate).
    exp: f64,
    #[serde(default, deserialize_with = "present_number")]
    nbf: Option<f64>,
    /// Any value, unless a longest lifetime is configured.
    #[serde(default)]
    iat: Value,
}

/// Reads a number. Unlike a plain `Option`, refuses null, so that an intended time limit cannot
/// vanish.
fn present_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    f64::deserialize(deserializer).map(Some)
}

impl Payload {
    /// Checks the claims at the time `now`.
    ///
    /// # Errors
    ///
    /// The violated rule.
    pub(super) fn check(
        self,
        rules: &ClaimRules,
        now: DateTime<Utc>,
    ) -> Result<VerifiedToken, &'static str> {
        let issued_at = self.iat.as_f64();
        check_times(&self, now)?;
        check_issuer(self.iss.as_deref(), rules.issuer.as_deref())?;
        if let Some(audience) = &rules.audience {
            check_audience(&self.aud, audience)?;
        }
        if let Some(longest) = rules.max_lifetime {
            check_lifetime(issued_at, self.exp, longest, now)?;
        }
        let claims = Claims {
            subject: self.sub,
            organization: self.organization_id,
            role: self.access_role,
        };
        claims.check()?;
        Ok(VerifiedToken {
            claims,
            issuer: self.iss,
            issued_at: issued_at.and_then(moment),
        })
    }
}

/// Checks the times: a token is invalid on and after `exp`, and before `nbf` (RFC 7519 §4.1.4 and
/// §4.1.5).
fn check_times(payload: &Payload, now: DateTime<Utc>) -> Result<(), &'static str> {
    if moment(payload.exp).is_none() {
        return Err("exp must be a time");
    }
    let (leeway, now) = (f64::from(LEEWAY_SECS), seconds(now));
    // Named before it is negated, so that a number that cannot be compared (NaN) is refused.
    let is_current = now < payload.exp + leeway;
    if !is_current {
        return Err("expired");
    }
    let has_begun = payload.nbf.is_none_or(|nbf| now + leeway >= nbf);
    if !has_begun {
        return Err("not valid yet");
    }
    Ok(())
}

/// Refuses a token that is valid for longer than `longest`.
fn check_lifetime(
    issued_at: Option<f64>,
    expires_at: f64,
    longest: Duration,
    now: DateTime<Utc>,
) -> Result<(), &'static str> {
    let issued_at = issued_at.ok_or("iat is missing, and a longest lifetime is configured")?;
    let longest = longest.as_secs_f64();
    // From now too, because an issuer may write any `iat`.
    let is_short = expires_at - issued_at <= longest
        && expires_at - seconds(now) <= longest + f64::from(LEEWAY_SECS);
    if is_short {
        Ok(())
    } else {
        Err("valid for longer than the longest lifetime")
    }
}

fn check_issuer(issuer: Option<&str>, required: Option<&str>) -> Result<(), &'static str> {
    match required {
        Some(_) if issuer != required => Err("wrong iss"),
        // It reaches audit rows like the subject.
        None if issuer.is_some_and(|issuer| !is_name(issuer)) => Err(BAD_ISSUER),
        Some(_) | None => Ok(()),
    }
}

/// Checks `aud`: a text, or a list of texts (RFC 7519 §4.1.3).
fn check_audience(audience: &Value, required: &str) -> Result<(), &'static str> {
    let is_right = match audience {
        Value::Array(all) => {
            all.iter().all(Value::is_string) && all.iter().any(|one| one == required)
        }
        one => one == required,
    };
    if is_right { Ok(()) } else { Err("wrong aud") }
}

/// Returns whether a text can name a subject or an issuer. Names reach audit rows and log lines,
/// and PostgreSQL cannot store a NUL in a text.
fn is_name(text: &str) -> bool {
    // Bytes are compared first, because nearly every name is short and need not be counted.
    let is_long = text.len() > MAX_NAME_CHARS && text.chars().count() > MAX_NAME_CHARS;
    !text.is_empty() && !is_long && !text.contains(char::is_control)
}

fn seconds(moment: DateTime<Utc>) -> f64 {
    moment.timestamp_millis() as f64 / 1000.0
}

/// Converts a NumericDate. `None` if it is too far away.
fn moment(seconds: f64) -> Option<DateTime<Utc>> {
    const MICROS: f64 = 1e6;
    // Saturates, and no time is that far away.
    DateTime::from_timestamp_micros((seconds * MICROS).floor() as i64)
}
