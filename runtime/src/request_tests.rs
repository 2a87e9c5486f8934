//! Tests of parameters, body limits and methods.

use actix_web::test::TestRequest;
use actix_web::{FromRequest, HttpResponse, http, test, web};
use serde_json::{Value, json};

use super::body::{self, MAX_BYTES};
use super::input::Input;
use super::{Operation, Rejection, Routes, Violation};

const fn operation(method: &'static str) -> Operation {
    Operation {
        id: "aThing",
        method,
        path: "/things/{id}/part",
        scheme: None,
        scopes: &[],
        minimum_role: None,
        statuses: &[200],
    }
}

static GET: Operation = operation("GET");
static PATCH: Operation = operation("PATCH");

fn read(request: TestRequest) -> Result<Value, Rejection> {
    let query = |name: &str, schema: Value| json!({"name": name, "in": "query", "schema": schema});
    let limit = json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 50});
    let kinds =
        json!({"type": "array", "maxItems": 2, "items": {"type": "string", "enum": ["a", "b"]}});
    let tag = json!({"type": "string", "pattern": "^x$"});
    let text = json!({"type": "string"});
    let mut commas = query("commas", kinds.clone());
    commas["explode"] = json!(false);
    let spec = json!({
        "components": {"schemas": {}, "parameters": {
            "Match": {"name": "If-Match", "in": "header", "schema": tag},
        }},
        "paths": {"/things/{id}/part": {
            "parameters": [{"name": "id", "in": "path", "required": true, "schema": text}],
            "get": {"parameters": [
                {"$ref": "#/components/parameters/Match"},
                query("limit", limit),
                query("count", json!({"type": "integer"})),
                query("text", json!({"type": "string", "maxLength": 3})),
                query("flag", json!({"type": "boolean"})),
                query("since", json!({"type": "string", "format": "date-time"})),
                query("uuid", json!({"type": "string", "format": "uuid"})),
                query("many", kinds),
                commas,
            ]},
        }},
    });
    Input::compile(&spec, &GET).parameters(&request.to_http_request())
}

#[test]
async fn parameters_are_typed() {
    for (uri, expected) in [
        ("/things/7/part", json!({"id": "7", "limit": 50})),
        (
            "/things/a%2Fb%25+/part?limit=1",
            json!({"id": "a/b%+", "limit": 1}),
        ),
        (
            "/things/7/part?text=a+%C3%A9&flag=false",
            json!({"id": "7", "limit": 50, "text": "a é", "flag": false}),
        ),
        (
            "/things/7/part?t%65xt=&unknown=%ZZ&%FF=1",
            json!({"id": "7", "limit": 50, "text": ""}),
        ),
        (
            "/things/7/part?many=a&many=b",
            json!({"id": "7", "limit": 50, "many": ["a", "b"]}),
        ),
        (
            "/things/7/part?commas=a,b",
            json!({"id": "7", "limit": 50, "commas": ["a", "b"]}),
        ),
        (
            "/things/7/part?since=2026-01-04T12:00:00%2B01:00\
             &uuid=0190a1b2-c3d4-e5f6-a7b8-c9d0e1f2a3b4",
            json!({
                "id": "7", "limit": 50, "since": "2026-01-04T12:00:00+01:00",
                "uuid": "0190a1b2-c3d4-e5f6-a7b8-c9d0e1f2a3b4",
            }),
        ),
    ] {
        assert_eq!(read(TestRequest::with_uri(uri)), Ok(expected), "{uri}");
    }
}

#[test]
async fn all_wrong_parameters_are_named_at_once() {
    let query = "limit=201&count=99999999999999999999&text=abcd&flag=1&since=today&uuid=x\
                 &many=a&many=c&commas=a,a,b";
    let request = TestRequest::with_uri(&format!("/things/7/part?{query}"));
    let expected = [
        ("commas", "must have at most 2 items"),
        ("count", "must be between -2147483648 and 2147483647"),
        ("flag", "must be true or false"),
        ("limit", "must be between 1 and 200"),
        ("many", "must be one of: a, b"),
        ("since", "must be an RFC 3339 date-time"),
        ("text", "must be at most 3 characters"),
        ("uuid", "must be a UUID"),
    ];
    let expected = expected
        .map(|(path, message)| Violation::new(path, message))
        .to_vec();
    assert_eq!(read(request), Err(Rejection::InvalidQuery(expected)));

    for (query, message) in [
        ("limit=1&limit=1", "must not be given more than once"),
        ("limit=", "must be an integer"),
        ("limit=%2B1", "must be an integer"),
        ("limit=1.0", "must be an integer"),
        ("limit=%zz", "is not percent-encoded UTF-8"),
        ("limit=%ff", "is not percent-encoded UTF-8"),
        ("limit=%1", "is not percent-encoded UTF-8"),
    ] {
        let request = TestRequest::with_uri(&format!("/things/7/part?{query}"));
        let expected = vec![Violation::new("limit", message)];
        assert_eq!(
            read(request),
            Err(Rejection::InvalidQuery(expected)),
            "{query}"
        );
    }
    let expected = vec![Violation::new("id", "is not percent-encoded UTF-8")];
    let request = TestRequest::with_uri("/things/%FF/part?limit=0");
    assert_eq!(read(request), Err(Rejection::InvalidPath(expected)));
}

#[test]
async fn a_header_is_passed_on_unchanged() {
    for (lines, expected) in [
        (vec!["\"1\""], "\"1\""),
        (vec!["\"1\"", "W/\"2\""], "\"1\", W/\"2\""),
        (vec!["not an entity tag"], "not an entity tag"),
    ] {
        let request = TestRequest::with_uri("/things/7/part");
        let request = lines.iter().fold(request, |request, line| {
            request.append_header(("if-match", *line))
        });
        assert_eq!(
            read(request).map(|values| values["If-Match"].clone()),
            Ok(json!(expected))
        );
    }
}

async fn read_body(request: TestRequest) -> Result<usize, Rejection> {
    let (request, mut payload) = request.to_http_parts();
    let payload = web::Payload::from_request(&request, &mut payload)
        .await
        .expect("always there");
    body::read(&request, payload).await.map(|bytes| bytes.len())
}

#[test]
async fn only_plain_json_in_utf_8_is_read() {
    for content_type in [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\" ;",
        "application/json; charset=utf8",
        "application/json; Charset=US-ASCII",
        "application/json; version=1",
        "application/json; odata=verbose; charset=utf-8",
        "application/json; profile=\"https://example.com/a;charset=utf-16\"",
        "application/json; profile=\"a\\\";charset=utf-16\"",
        "application/json; charset",
    ] {
        let request = TestRequest::patch()
            .insert_header(("content-type", content_type))
            .set_payload("{}");
        assert_eq!(read_body(request).await, Ok(2), "{content_type}");
    }
    let json = || TestRequest::patch().insert_header(("content-type", "application/json"));
    assert_eq!(
        read_body(json().insert_header(("content-encoding", "Identity"))).await,
        Ok(0)
    );
    for request in [
        TestRequest::patch(),
        TestRequest::patch().insert_header(("content-type", "text/json")),
        TestRequest::patch().insert_header(("content-type", "application/merge-patch+json")),
        TestRequest::patch().insert_header(("content-type", "application/json; charset=latin1")),
        TestRequest::patch()
            .insert_header(("content-type", "application/json; a=b;charset=utf-16")),
        TestRequest::patch().insert_header((
            "content-type",
            "application/json; a=\"b\"; charset=\"latin1\"",
        )),
        TestRequest::patch().insert_header((
            "content-type",
            "application/json; charset=utf-8; charset=utf-16",
        )),
        json().append_header(("content-type", "application/json")),
        json().insert_header(("content-encoding", "gzip")),
    ] {
        assert_eq!(
            read_body(request).await,
            Err(Rejection::UnsupportedMediaType)
        );
    }
}

#[test]
async fn a_body_has_at_most_64_kib() {
    let json = || TestRequest::patch().insert_header(("content-type", "application/json"));
    assert_eq!(
        read_body(json().set_payload(vec![b' '; MAX_BYTES])).await,
        Ok(MAX_BYTES)
    );
    let too_large = json().set_payload(vec![b' '; MAX_BYTES + 1]);
    assert_eq!(read_body(too_large).await, Err(Rejection::BodyTooLarge));
    let announced = json().insert_header(("content-length", "65537"));
    assert_eq!(read_body(announced).await, Err(Rejection::BodyTooLarge));
}

fn configure(cfg: &mut web::ServiceConfig) {
    let mut routes = Routes::default();
    routes.add(&PATCH, web::to(HttpResponse::Created));
    routes.add(&GET, web::to(HttpResponse::Ok));
    routes.register(cfg, |_, allow| HttpResponse::MethodNotAllowed().body(allow));
}

#[test]
async fn a_path_responds_to_any_other_method_with_its_own_methods() {
    let app = test::init_service(actix_web::App::new().configure(configure)).await;
    for method in ["TRACE", "PUT", "POST", "DELETE", "CONNECT", "BREW", "get"] {
        let request = TestRequest::with_uri("/things/7/part")
            .method(method.parse().expect("a token"))
            .to_request();
        let response = test::call_service(&app, request).await;
        assert_eq!(response.status(), 405, "{method}");
        assert_eq!(test::read_body(response).await, "GET, PATCH", "{method}");
    }
}

#[test]
async fn head_is_get_and_options_lists_the_methods_of_the_spec() {
    let app = test::init_service(actix_web::App::new().configure(configure)).await;
    for (method, status) in [
        ("GET", 200),
        ("HEAD", 200),
        ("PATCH", 201),
        ("OPTIONS", 204),
    ] {
        let request = TestRequest::with_uri("/things/7/part")
            .method(method.parse().expect("a token"))
            .to_request();
        let response = test::call_service(&app, request).await;
        assert_eq!(response.status(), status, "{method}");
        let allow = response.headers().get(http::header::ALLOW);
        let expected = (method == "OPTIONS").then_some("GET, PATCH");
        assert_eq!(
            allow.map(|allow| allow.as_bytes()),
            expected.map(str::as_bytes)
        );
    }
}
