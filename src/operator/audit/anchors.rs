//! Anchors: signed statements of the heads of all chains of the audit log at some time. They reveal
//! that a whole chain was rewritten, if they are stored out of reach of everyone who can write to
//! the database.

use std::fmt;
use std::io::BufRead;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};
use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::domain::audit::chain::Anchors;
use crate::domain::audit::entry::{ChainHead, EntryHash};
use crate::domain::encoding::push_netstring;
use crate::domain::ids::OrgId;
use crate::error::{BoxError, Error, Result};

use super::export_format::{hash, org_id};

/// `typ` and `iss` of a statement. Other statements signed with the same key cannot pass for
/// anchors.
const TYPE: &str = "quietline-audit-anchor";

/// First field of the text that the digest of the heads covers.
const HEADS: &str = "quietline.audit.heads.v1";

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

/// Private key that signs anchors, with its public half.
pub struct AnchorKey {
    private: EncodingKey,
    public: AnchorPublicKey,
}

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
struct StatementLine<'a> {
    /// JWS in compact form (RFC 7515 §7.1).
    statement: &'a str,
    /// Organization, length and hash of every head, in order of organization.
    #[serde(borrow)]
    heads: Vec<(&'a str, i64, &'a str)>,
}

/// Signed claims of a statement.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    anchored_at: DateTime<Utc>,
    /// Number of heads.
    organizations: usize,
    /// Digest of the heads, in hexadecimal.
    heads_sha256: String,
    /// SHA-256 of the line before, in hexadecimal; `None` for the first line of a file.
    #[serde(deserialize_with = "Option::deserialize")]
    previous: Option<String>,
}

/// Verified statements of a file.
#[derive(Debug, Default)]
pub struct Statements {
    pub anchors: Anchors,
    pub count: usize,
    /// Time of the last statement.
    pub newest: Option<DateTime<Utc>>,
    /// SHA-256 of the last line, which the next statement names.
    last_line: Option<EntryHash>,
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
        let pair = Ed25519KeyPair::from_pkcs8(&der).map_err(|_rejected| KeyProblem::NotEd25519)?;
        Ok(Self {
            private: EncodingKey::from_ed_der(&der),
            public: AnchorPublicKey(DecodingKey::from_ed_der(pair.public_key().as_ref())),
        })
    }

    pub fn public(&self) -> &AnchorPublicKey {
        &self.public
    }

    /// Signs that logs had these `heads` at `now`, and returns the line that continues `previous`.
    ///
    /// # Errors
    /// [`Error::Internal`] if signing fails.
    pub fn sign(
        &self,
        heads: &[(OrgId, ChainHead)],
        previous: &Statements,
        now: DateTime<Utc>,
    ) -> Result<String> {
        let mut heads: Vec<(String, i64, String)> = heads
            .iter()
            .map(|(org_id, head)| (org_id.to_string(), head.length, hex::encode(head.hash)))
            .collect();
        // In a fixed order, because the digest covers the order too.
        heads.sort_unstable();
        let heads: Vec<(&str, i64, &str)> = heads
            .iter()
            .map(|(org_id, length, hash)| (org_id.as_str(), *length, hash.as_str()))
            .collect();
        let claims = Claims {
            iss: TYPE.to_owned(),
            anchored_at: now,
            organizations: heads.len(),
            heads_sha256: digest(&heads),
            previous: previous.last_line.map(hex::encode),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        // RFC 8725, section 3.11: an explicit type tells anchors from other JWTs of this key.
        header.typ = Some(TYPE.to_owned());
        let statement =
            &jsonwebtoken::encode(&header, &claims, &self.private).map_err(Error::internal)?;
        serde_json::to_string(&StatementLine { statement, heads }).map_err(Error::internal)
    }
}

/// Computes SHA-256 over the fields of all heads, each as a netstring, in hexadecimal.
fn digest(heads: &[(&str, i64, &str)]) -> String {
    let mut sha256 = Sha256::new();
    let mut text = String::new();
    push_netstring(&mut text, HEADS);
    for (org_id, length, hash) in heads {
        for field in [org_id, length.to_string().as_str(), hash] {
            push_netstring(&mut text, field);
        }
        sha256.update(&text);
        text.clear();
    }
    sha256.update(&text);
    hex::encode(sha256.finalize())
}

impl AnchorPublicKey {
    /// Reads an Ed25519 public key, SubjectPublicKeyInfo in PEM.
    ///
    /// # Errors
    /// [`KeyProblem`] of any other text.
    pub fn from_pem(text: &str) -> Result<Self, KeyProblem> {
        let der = from_pem(text, PUBLIC_KEY)?;
        // Checked here, because `DecodingKey::from_ed_der` accepts any bytes.
        ParsedPublicKey::new(&ED25519, &der).map_err(|_rejected| KeyProblem::NotEd25519)?;
        Ok(Self(DecodingKey::from_ed_der(&der)))
    }

    fn verify(&self, line: &StatementLine<'_>) -> Result<Claims, &'static str> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        // The defaults of `Validation`, which anchors do not have: an anchor never expires.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["iss"]);
        validation.set_issuer(&[TYPE]);
        let statement = jsonwebtoken::decode::<Claims>(line.statement, &self.0, &validation)
            .map_err(|_refused| "must be an anchor signed with this key")?;
        // RFC 7515 §4.1.11: an unknown critical extension must be refused.
        if statement.header.typ.as_deref() != Some(TYPE) || statement.header.crit.is_some() {
            return Err("is signed with this key, but is not an anchor");
        }
        let claims = statement.claims;
        if claims.organizations != line.heads.len() || claims.heads_sha256 != digest(&line.heads) {
            return Err("must have the heads that were signed");
        }
        Ok(claims)
    }
}

/// Shows no part of the key.
impl fmt::Debug for AnchorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnchorKey(***)")
    }
}

impl Statements {
    /// Reads a file of anchors line by line. Verifies each signature, and that each statement names
    /// the statement before it. Returns the anchors of all organizations or of `only`.
    ///
    /// # Errors
    /// The first line that is not a statement signed with `key`'s private half, or that does not
    /// continue the line before it.
    pub fn read(
        mut lines: impl BufRead,
        key: &AnchorPublicKey,
        only: Option<&OrgId>,
    ) -> Result<Self, BoxError> {
        let mut statements = Self::default();
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line)? > 0 {
            let added = match line.strip_suffix(b"\n") {
                Some(line) => statements.add(line, key, only),
                // Otherwise the next anchor would be appended to this line.
                None => Err("must end with a line feed"),
            };
            added.map_err(|problem| format!("line {}: {problem}", statements.count + 1))?;
            line.clear();
            statements.count += 1;
        }
        Ok(statements)
    }

    fn add(
        &mut self,
        text: &[u8],
        key: &AnchorPublicKey,
        only: Option<&OrgId>,
    ) -> Result<(), &'static str> {
        let line: StatementLine<'_> = serde_json::from_slice(text)
            .map_err(|_unlike| "must be a JSON object with statement and heads")?;
        let claims = key.verify(&line)?;
        if claims.previous != self.last_line.map(hex::encode) {
            return Err("must continue the line before: a statement is missing or moved");
        }
        for (id, length, end) in line.heads {
            let (org_id, length, hash) = (org_id(id)?, length, hash(end)?);
            // Only an empty log has the zero hash. Another combination would match no log.
            let is_empty = hash == EntryHash::default();
            if length < 0 || is_empty != (length == 0) {
                return Err("the length and the hash of a head contradict each other");
            }
            if only.is_none_or(|only| *only == org_id) {
                self.anchors.add(org_id, ChainHead { length, hash });
            }
        }
        self.newest = Some(claims.anchored_at);
        self.last_line = Some(Sha256::digest(text).into());
        Ok(())
    }
}
