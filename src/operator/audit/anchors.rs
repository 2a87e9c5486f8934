//! Anchors: signed heads of the chains of the audit log at some time. They reveal that a whole
//! chain was rewritten, if they are stored out of reach of everyone who can write to the database.

use std::fmt;
use std::io::{BufRead, Write};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::db::Db;
use crate::domain::audit::chain::Anchors;
use crate::domain::audit::entry::{ChainHead, EntryHash};
use crate::domain::ids::OrgId;
use crate::error::{BoxError, Error, Result};

use super::export_format::{hash, org_id};
use super::read_chain::{self, Logs};

/// `typ` and `iss` of an anchor. Other statements signed with the same key cannot pass for anchors.
const TYPE: &str = "quietline-audit-anchor";

const PRIVATE_KEY: &str = "PRIVATE KEY";
const PUBLIC_KEY: &str = "PUBLIC KEY";

/// Reason to refuse a key file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// The text is not PEM.
    #[error("must be PEM")]
    NotPem,
    /// The PEM block has another label.
    #[error("must have a PEM block {expected:?}, not {found:?}")]
    WrongBlock {
        /// Actual label.
        found: String,
        /// Expected label.
        expected: &'static str,
    },
    /// The key has another algorithm, or the content is not a key.
    #[error("must be an Ed25519 key")]
    NotEd25519,
}

/// Private key that signs anchors.
pub struct AnchorKey(EncodingKey);

/// Public key that verifies anchors.
pub struct AnchorPublicKey(DecodingKey);

/// New key pair.
pub struct NewAnchorKey {
    /// Private key (PKCS#8) in PEM.
    pub private_pem: Zeroizing<String>,
    /// Public key (SubjectPublicKeyInfo) in PEM.
    pub public_pem: String,
}

/// Line of a file of anchors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnchorLine {
    /// Copy of the signed claim, for selecting the lines of one organization.
    org_id: String,
    /// JWS in compact form (RFC 7515 §7.1).
    anchor: String,
}

/// Signed claims of an anchor.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    org_id: String,
    length: i64,
    hash: String,
    anchored_at: DateTime<Utc>,
}

impl NewAnchorKey {
    /// Generates a key pair.
    ///
    /// # Errors
    /// [`Error::Internal`] without random numbers from the operating system.
    pub fn generate() -> Result<Self> {
        let pair = Ed25519KeyPair::generate().map_err(Error::internal)?;
        let private: Pkcs8V1Der<'_> = pair.as_der().map_err(Error::internal)?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(Error::internal)?;
        Ok(Self {
            private_pem: Zeroizing::new(to_pem(PRIVATE_KEY, private.as_ref())),
            public_pem: to_pem(PUBLIC_KEY, public.as_ref()),
        })
    }
}

fn to_pem(label: &str, der: &[u8]) -> String {
    let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(label, der), lines)
}

fn from_pem(text: &str, expected: &'static str) -> Result<Vec<u8>, KeyProblem> {
    let block = pem::parse(text).map_err(|_not_pem| KeyProblem::NotPem)?;
    if block.tag() == expected {
        Ok(block.into_contents())
    } else {
        Err(KeyProblem::WrongBlock {
            found: block.tag().to_owned(),
            expected,
        })
    }
}

impl AnchorKey {
    /// Reads an Ed25519 private key, unencrypted PKCS#8 in PEM.
    ///
    /// # Errors
    /// [`KeyProblem`], which never quotes the key.
    pub fn from_pem(text: &str) -> Result<Self, KeyProblem> {
        let der = Zeroizing::new(from_pem(text, PRIVATE_KEY)?);
        // Checked here, because `EncodingKey::from_ed_der` accepts any bytes.
        Ed25519KeyPair::from_pkcs8(&der).map_err(|_rejected| KeyProblem::NotEd25519)?;
        Ok(Self(EncodingKey::from_ed_der(&der)))
    }

    fn sign(&self, org_id: &OrgId, head: &ChainHead, now: DateTime<Utc>) -> Result<String> {
        let claims = Claims {
            iss: TYPE.to_owned(),
            org_id: org_id.to_string(),
            length: head.length,
            hash: hex::encode(head.hash),
            anchored_at: now,
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        let anchor = jsonwebtoken::encode(&header, &claims, &self.0).map_err(Error::internal)?;
        let org_id = claims.org_id;
        serde_json::to_string(&AnchorLine { org_id, anchor }).map_err(Error::internal)
    }
}

impl AnchorPublicKey {
    /// Reads an Ed25519 public key, SubjectPublicKeyInfo in PEM.
    ///
    /// # Errors
    /// [`KeyProblem`] of any other text.
    pub fn from_pem(text: &str) -> Result<Self, KeyProblem> {
        let der = from_pem(text, PUBLIC_KEY)?;
        ParsedPublicKey::new(&ED25519, &der).map_err(|_rejected| KeyProblem::NotEd25519)?;
        Ok(Self(DecodingKey::from_ed_der(&der)))
    }

    fn verify(&self, line: &str) -> Result<(OrgId, ChainHead), &'static str> {
        let line: AnchorLine = serde_json::from_str(line)
            .map_err(|_unlike| "must be a JSON object with org_id and anchor")?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        // The defaults of `Validation`, which anchors do not have: an anchor never expires.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["iss"]);
        validation.set_issuer(&[TYPE]);
        let anchor = jsonwebtoken::decode::<Claims>(&line.anchor, &self.0, &validation)
            .map_err(|_refused| "must be an anchor signed with this key")?;
        // RFC 7515 §4.1.11: an unknown critical extension must be refused.
        if anchor.header.typ.as_deref() != Some(TYPE) || anchor.header.crit.is_some() {
            return Err("is signed with this key, but is not an anchor");
        }
        if anchor.claims.org_id != line.org_id {
            return Err("org_id differs from the organization in the anchor");
        }
        let head = ChainHead {
            length: anchor.claims.length,
            hash: hash(&anchor.claims.hash)?,
        };
        // Only an empty log has the zero hash. Another combination would match no log.
        let is_empty = head.hash == EntryHash::default();
        if head.length >= 0 && is_empty == (head.length == 0) {
            Ok((org_id(&anchor.claims.org_id)?, head))
        } else {
            Err("the length and the hash in the anchor contradict each other")
        }
    }
}

/// Shows no part of the key.
impl fmt::Debug for AnchorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnchorKey(***)")
    }
}

/// Reads lines of anchors, verifies each signature, and returns the anchors of all organizations or
/// of `only`, with their number. An organization may have any number of anchors.
///
/// # Errors
/// The first line that is not an anchor signed with `key`'s private half. Also an empty result,
/// because a comparison with nothing proves nothing.
pub fn read_anchors(
    lines: impl BufRead,
    key: &AnchorPublicKey,
    only: Option<&OrgId>,
) -> Result<(Anchors, usize), BoxError> {
    let mut anchors = Anchors::default();
    let mut count = 0;
    for (index, line) in lines.lines().enumerate() {
        let (org_id, head) = key
            .verify(&line?)
            .map_err(|problem| format!("line {}: {problem}", index + 1))?;
        if only.is_none_or(|only| *only == org_id) {
            anchors.add(org_id, head);
            count += 1;
        }
    }
    match (count, only) {
        (0, None) => Err("must contain at least one anchor".into()),
        (0, Some(only)) => Err(format!("organization {only} has no anchor").into()),
        _ => Ok((anchors, count)),
    }
}

/// Signs the heads of one organization's log, or of all logs, and writes the anchors to `out`. Does
/// not verify the entries. Returns the organizations with an unreadable head, and the reasons.
///
/// # Errors
/// Errors of `out`, and [`Error::Unavailable`].
pub async fn anchor(
    db: &Db,
    only: Option<OrgId>,
    key: &AnchorKey,
    now: DateTime<Utc>,
    out: &mut impl Write,
) -> Result<Vec<(OrgId, String)>, BoxError> {
    let mut unreadable = Vec::new();
    let mut logs = match only {
        Some(org_id) => Logs::one(db, org_id),
        // An organization without a row has no head to sign.
        None => Logs::with_row(db),
    };
    while let Some(org_id) = logs.next().await? {
        match read_chain::read_head(db, &org_id).await {
            Ok(head) => writeln!(out, "{}", key.sign(&org_id, &head, now)?)?,
            Err(Error::Internal(cause)) => unreadable.push((org_id, cause.to_string())),
            Err(other) => return Err(other.into()),
        }
    }
    out.flush()?;
    Ok(unreadable)
}
