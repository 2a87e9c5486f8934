//! Address of the server and credentials, from the environment that sdk/run.py sets.

use agentmessage_client::apis::{self as am, configuration::Configuration, organization_api};
use agentmessage_client::models::{Organization, UpdateOrganizationRequest};
use tether_relay_client::apis as tr;

/// A setting of the test run.
pub fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

/// A client of the AgentMessage API, through prism, which fails what breaks the spec.
pub fn agentmessage(key: &str) -> Configuration {
    Configuration {
        base_path: setting("SDK_AGENTMESSAGE_URL"),
        bearer_access_token: Some(key.to_owned()),
        ..Configuration::default()
    }
}

/// A client of the Tether API, through prism.
pub fn tether(token: &str) -> tr::configuration::Configuration {
    tr::configuration::Configuration {
        base_path: setting("SDK_TETHER_RELAY_URL"),
        bearer_access_token: Some(token.to_owned()),
        ..tr::configuration::Configuration::default()
    }
}

/// PATCH with the demonstration's key; returns the organization.
pub async fn patch(body: UpdateOrganizationRequest) -> Organization {
    let response =
        organization_api::patch_organization(&agentmessage(&setting("SDK_KEY")), body, None, None)
            .await;
    response
        .expect("the patch is accepted")
        .entity
        .expect("a body")
        .data
}

/// GET; returns the entity tag and the organization.
pub async fn read() -> (String, Organization) {
    let response =
        organization_api::get_organization(&agentmessage(&setting("SDK_KEY")), None).await;
    let response = response.expect("the organization");
    let tag = response.header("ETag").expect("an entity tag").to_owned();
    (tag, response.entity.expect("a body").data)
}

/// What a PATCH was refused with.
pub async fn refused(
    client: &Configuration,
    body: UpdateOrganizationRequest,
    if_match: Option<&str>,
) -> am::ResponseContent<organization_api::PatchOrganizationError> {
    match organization_api::patch_organization(client, body, if_match, None).await {
        Err(am::Error::ResponseError(refusal)) => refusal,
        other => panic!("it was not refused: {other:?}"),
    }
}
