//! `quietline brand` and `quietline campaign`: mirror a registry that is managed elsewhere.

use serde_json::{Value, json};

use crate::domain::ids::{BrandId, CampaignId};
use crate::domain::registry::{self, Brand, Campaign};
use crate::error::{BoxError, Error, Result};
use crate::operator;
use crate::operator::session::Session;

use super::args::{NewBrandArgs, NewCampaignArgs};
use super::context::Outcome;
use super::organization::find;
use super::output::Output;

pub(super) async fn add_brand(session: &Session, args: NewBrandArgs, out: &mut Output) -> Outcome {
    let name = parse_name(&args.name)?;
    let org_id = find(&session.db, &args.org).await?.id;
    let brand = operator::registry::add_brand(session, org_id, name, args.status).await?;
    print_brand(&brand, out)
}

pub(super) async fn delete_brand(session: &Session, id: &str, out: &mut Output) -> Outcome {
    let brand_id = BrandId::parse(id).ok_or_else(|| unknown("brand", id))?;
    let deleted = operator::registry::delete_brand(session, brand_id).await;
    print_brand(&found(deleted, "brand", id)?, out)
}

pub(super) async fn add_campaign(
    session: &Session,
    args: NewCampaignArgs,
    out: &mut Output,
) -> Outcome {
    let name = parse_name(&args.name)?;
    let brand_id = BrandId::parse(&args.brand).ok_or_else(|| unknown("brand", &args.brand))?;
    let added = operator::registry::add_campaign(session, brand_id, name, args.status).await;
    print_campaign(&found(added, "brand", &args.brand)?, out)
}

pub(super) async fn delete_campaign(session: &Session, id: &str, out: &mut Output) -> Outcome {
    let campaign_id = CampaignId::parse(id).ok_or_else(|| unknown("campaign", id))?;
    let deleted = operator::registry::delete_campaign(session, campaign_id).await;
    print_campaign(&found(deleted, "campaign", id)?, out)
}

fn parse_name(text: &str) -> Result<String, Error> {
    registry::parse_name(text).map_err(|violation| Error::Invalid(vec![violation]))
}

fn unknown(what: &str, id: &str) -> BoxError {
    format!("there is no {what} {id:?}").into()
}

fn found<T>(result: Result<T>, what: &str, id: &str) -> Result<T, BoxError> {
    match result {
        Err(Error::NotFound(_)) => Err(unknown(what, id)),
        other => Ok(other?),
    }
}

fn print_brand(brand: &Brand, out: &mut Output) -> Outcome {
    let value = json!({
        "id": brand.id.to_string(),
        "org_id": brand.org_id.to_string(),
        "name": brand.name,
        "status": brand.status.into_str(),
    });
    print(&value, out)
}

fn print_campaign(campaign: &Campaign, out: &mut Output) -> Outcome {
    let value = json!({
        "id": campaign.id.to_string(),
        "org_id": campaign.org_id.to_string(),
        "brand_id": campaign.brand_id.to_string(),
        "name": campaign.name,
        "status": campaign.status.into_str(),
    });
    print(&value, out)
}

fn print(value: &Value, out: &mut Output) -> Outcome {
    let text = |name: &str| value[name].as_str().unwrap_or_default();
    let line = format!("{}  {}  ({})", text("id"), text("name"), text("status"));
    out.print(value, &line)?;
    Ok(true)
}
