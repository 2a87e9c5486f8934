//! Typical first version: actix-web, Diesel, an r2d2 pool, `web::block`, and one query after the
//! other. Nothing in it is deliberately slow, and nothing is tuned. It serves the operations of the
//! benchmark from a database that the real server has migrated.

mod audit;
mod failure;
mod model;
mod schema;
mod store;

use actix_web::http::header::{AUTHORIZATION, ETAG};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use ulid::Ulid;

use audit::Author;
use failure::Failure;
use model::{ApiKey, Organization, UpdateMissedCall, UpdateOrganization};
use store::Store;

struct State {
    store: Store,
    jwt_key: DecodingKey,
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let setting = |name: &str| {
        std::env::var(name).map_err(|error| std::io::Error::other(format!("{name}: {error}")))
    };
    let store = Store::open(&setting("QUIETLINE_DATABASE_URL")?).map_err(|failure| {
        std::io::Error::other(format!("the database cannot be opened: {failure}"))
    })?;
    let jwt_key = DecodingKey::from_secret(setting("QUIETLINE_JWT_SECRET")?.as_bytes());
    let state = web::Data::new(State { store, jwt_key });
    let workers = setting("QUIETLINE_WORKERS")?
        .parse()
        .map_err(std::io::Error::other)?;
    HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .route("/v1/organization", web::get().to(get_organization))
            .route("/v1/organization", web::patch().to(patch_organization))
            .route(
                "/api/organizations/{id}/missed-call-message",
                web::put().to(put_missed_call_message),
            )
    })
    .workers(workers)
    .bind(setting("QUIETLINE_LISTEN")?)?
    .run()
    .await
}

async fn get_organization(
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, Failure> {
    let key = authenticate(&state, &request, "org:read").await?;
    let organization = web::block(move || state.store.organization(&key.org_id)).await??;
    Ok(respond(&organization, &Ulid::generate().to_string()))
}

async fn patch_organization(
    state: web::Data<State>,
    request: HttpRequest,
    body: web::Bytes,
) -> Result<HttpResponse, Failure> {
    let key = authenticate(&state, &request, "org:admin:write").await?;
    let update: UpdateOrganization = parse(&body)?;
    update.validate().map_err(Failure::Invalid)?;
    let request_id = Ulid::generate().to_string();
    let author = Author {
        label: format!("api_key:{} ({})", key.id, key.label),
        identity: format!("api_key:{}", key.id),
        request_id: request_id.clone(),
    };
    let organization = web::block(move || {
        let change = |before: &Organization| update.apply(before).map_err(Failure::Invalid);
        state.store.update(&key.org_id, &author, change)
    })
    .await??;
    Ok(respond(&organization, &request_id))
}

async fn put_missed_call_message(
    state: web::Data<State>,
    path: web::Path<String>,
    request: HttpRequest,
    body: web::Bytes,
) -> Result<HttpResponse, Failure> {
    let user = authenticate_user(&state, &request)?;
    let organization_id = path.into_inner();
    let is_own = user.organization_id.as_ref() == Some(&organization_id);
    if user.access_role != "SUPERADMIN" && !(user.access_role == "ADMIN" && is_own) {
        return Err(Failure::Forbidden);
    }
    let update: UpdateMissedCall = parse(&body)?;
    update.validate().map_err(Failure::Invalid)?;
    let request_id = Ulid::generate().to_string();
    let author = Author {
        label: format!("user:{} ({})", user.sub, user.access_role),
        identity: format!("user:{}", user.sub),
        request_id: request_id.clone(),
    };
    let organization = web::block(move || {
        let change = |before: &Organization| Ok(update.apply(before));
        state.store.update(&organization_id, &author, change)
    })
    .await??;
    let mut response = HttpResponse::Ok();
    response.insert_header(("X-Request-Id", request_id));
    Ok(response.json(organization.missed_call()))
}

async fn authenticate(
    state: &web::Data<State>,
    request: &HttpRequest,
    scope: &str,
) -> Result<ApiKey, Failure> {
    let hash = Sha256::digest(bearer(request)?.as_bytes());
    let state = state.clone();
    let key = web::block(move || state.store.key(hash.as_slice())).await??;
    let key = key
        .filter(|key| key.revoked_at.is_none())
        .ok_or(Failure::Unauthorized)?;
    if key.scopes.split(' ').any(|granted| granted == scope) {
        Ok(key)
    } else {
        Err(Failure::Forbidden)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Claims {
    sub: String,
    organization_id: Option<String>,
    access_role: String,
}

fn authenticate_user(state: &State, request: &HttpRequest) -> Result<Claims, Failure> {
    let validation = Validation::new(Algorithm::HS256);
    let token = jsonwebtoken::decode(bearer(request)?, &state.jwt_key, &validation);
    token
        .map(|token| token.claims)
        .map_err(|_| Failure::Unauthorized)
}

fn bearer(request: &HttpRequest) -> Result<&str, Failure> {
    let header = request.headers().get(AUTHORIZATION);
    header
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or(Failure::Unauthorized)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|_| Failure::Malformed)
}

fn respond(organization: &Organization, request_id: &str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((ETAG, format!("\"{}\"", organization.version)))
        .insert_header(("X-Request-Id", request_id))
        .json(organization.to_json())
}
