//! `quietline token`: signs tokens of the Tether dialect, and revokes tokens of any issuer.

use serde_json::{Value, json};

use crate::auth::jwt::{Claims, SignedToken};
use crate::config::Config;
use crate::domain::actor::Role;
use crate::domain::ids::OrgId;
use crate::domain::token::{IssuedToken, Revocation, RevokedTokens};
use crate::error::BoxError;
use crate::operator;
use crate::operator::session::Session;

use super::context::{Context, Outcome, jwt_keys, jwt_secret, open_existing};
use super::organization::find;
use super::output::Output;
use super::token_args::{
    NewTokenArgs, RevocationCommand, RevokeTokensArgs, TokenArgs, TokenCommand,
};

const PAGE: i64 = 500;

pub(super) async fn run(config: &Config, args: TokenArgs, out: &mut Output) -> Outcome {
    let context = || open_existing(config);
    match args.command {
        None => sign(config, args.new, out).await,
        Some(TokenCommand::List) => list(&context()?, out).await,
        Some(TokenCommand::Revoke(revoked)) => {
            // It would match no token that the servers accept.
            if let (Some(issuer), Some(only)) = (&revoked.issuer, &config.jwt.issuer)
                && issuer != only
            {
                return Err(format!("--issuer must be {only:?}, the QUIETLINE_JWT_ISSUER").into());
            }
            let session = context()?.session(&revoked.operator);
            revoke(&session, revoked, out).await
        }
        Some(TokenCommand::Revocation(RevocationCommand::List)) => {
            list_revocations(&context()?, out).await
        }
    }
}

async fn sign(config: &Config, args: NewTokenArgs, out: &mut Output) -> Outcome {
    args.check_ttl()?;
    // Checked first, because its error names the variables.
    jwt_secret(config)?;
    let keys = jwt_keys(config)?;
    let session = open_existing(config)?.session(&args.operator);
    let role = args.role.ok_or("--role is required")?;
    // Before it is signed, because an unknown organization would make the token useless.
    let org_id = match &args.org {
        Some(name) => Some(find(&session.db, name).await?.id),
        None => None,
    };
    // A subject of its own, so that users do not share one by accident.
    let subject = args
        .subject
        .unwrap_or_else(|| format!("command-line-{:08x}", rand::random::<u32>()));
    let claims = Claims {
        subject,
        organization: args.org,
        role: role.into_str().to_owned(),
    };
    let signed = keys.sign(&claims, args.name.as_deref(), session.clock.now(), args.ttl)?;
    record(&session, &signed, claims.subject, role, org_id).await?;
    // Plain in both formats, so that a script can put the token into a variable.
    out.print_plain(&signed.text)?;
    Ok(true)
}

/// Records a token before it is shown.
pub(super) async fn record(
    session: &Session,
    signed: &SignedToken,
    subject: String,
    role: Role,
    org_id: Option<OrgId>,
) -> Result<(), BoxError> {
    let token = IssuedToken {
        id: signed.id,
        org_id,
        issuer: signed.issuer.clone(),
        subject,
        role,
        issued_at: signed.issued_at,
        expires_at: signed.expires_at,
        issued_by: session.identity(),
        reason: session.operator.reason.clone(),
    };
    Ok(operator::token::record(session, token).await?)
}

async fn list(context: &Context, out: &mut Output) -> Outcome {
    let mut all: Vec<IssuedToken> = Vec::new();
    loop {
        let after = all.last().map(|last| last.id);
        let page = operator::token::list(&context.db, after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    let line = |token: &IssuedToken| {
        let org = token.org_id.map_or("-".to_owned(), |id| id.to_string());
        let until = token.expires_at.format("%F %T");
        let (role, by) = (token.role.into_str(), &token.issued_by);
        let subject = &token.subject;
        format!(
            "{}  {role}  {org}  {subject:?}  until {until}  by {by}",
            token.id
        )
    };
    let value = |token: &IssuedToken| {
        json!({
            "id": token.id.to_string(),
            "org_id": token.org_id.map(|id| id.to_string()),
            "issuer": token.issuer,
            "subject": token.subject,
            "role": token.role.into_str(),
            "issued_at": token.issued_at,
            "expires_at": token.expires_at,
            "issued_by": token.issued_by,
            "reason": token.reason,
        })
    };
    let values: Vec<Value> = all.iter().map(value).collect();
    let lines: Vec<String> = all.iter().map(line).collect();
    out.print(&json!(values), &lines.join("\n"))?;
    Ok(true)
}

async fn revoke(session: &Session, args: RevokeTokensArgs, out: &mut Output) -> Outcome {
    let tokens = match (args.subject, args.org) {
        (Some(subject), None) => RevokedTokens::OfSubject {
            subject,
            issuer: args.issuer,
        },
        (None, Some(org)) => RevokedTokens::OfOrganization(find(&session.db, &org).await?.id),
        (Some(_), Some(_)) | (None, None) => return Err("give either --subject or --org".into()),
    };
    let revoked = operator::token::revoke(session, tokens, args.before);
    let revocation = revoked.await?;
    out.print(
        &revocation_value(&revocation),
        &revocation_line(&revocation),
    )?;
    Ok(true)
}

async fn list_revocations(context: &Context, out: &mut Output) -> Outcome {
    let mut all: Vec<Revocation> = Vec::new();
    loop {
        let after = all.last().map(|last| last.id);
        let page = operator::token::list_revocations(&context.db, after, PAGE).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    let values: Vec<Value> = all.iter().map(revocation_value).collect();
    let lines: Vec<String> = all.iter().map(revocation_line).collect();
    out.print(&json!(values), &lines.join("\n"))?;
    Ok(true)
}

fn revocation_line(revocation: &Revocation) -> String {
    let tokens = match &revocation.tokens {
        RevokedTokens::OfOrganization(org_id) => format!("organization {org_id}"),
        RevokedTokens::OfSubject { subject, issuer } => {
            let issuer = issuer.as_deref().unwrap_or("any issuer");
            format!("subject {subject:?} of {issuer}")
        }
    };
    let before = revocation.issued_before.format("%F %T%.6f");
    format!("{}  {tokens}, issued before {before}", revocation.id)
}

fn revocation_value(revocation: &Revocation) -> Value {
    let (org_id, subject, issuer) = match &revocation.tokens {
        RevokedTokens::OfOrganization(org_id) => (Some(org_id.to_string()), None, None),
        RevokedTokens::OfSubject { subject, issuer } => (None, Some(subject), issuer.as_ref()),
    };
    json!({
        "id": revocation.id.to_string(),
        "org_id": org_id,
        "subject": subject,
        "issuer": issuer,
        "issued_before": revocation.issued_before,
        "revoked_at": revocation.revoked_at,
        "revoked_by": revocation.revoked_by,
        "reason": revocation.reason,
    })
}
