//! Upper limit of the HTTP layer: responds to every request with the same 700 bytes of JSON.

use actix_web::{App, HttpResponse, HttpServer, web};

const BODY_BYTES: usize = 700;

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let setting = |name: &str| std::env::var(name).map_err(std::io::Error::other);
    let listen = setting("QUIETLINE_LISTEN")?;
    let workers = setting("QUIETLINE_WORKERS")?
        .parse()
        .map_err(std::io::Error::other)?;
    let frame = r#"{"success":true,"data":""}"#;
    let filling = "x".repeat(BODY_BYTES - frame.len());
    let body = web::Bytes::from(format!(r#"{{"success":true,"data":"{filling}"}}"#));
    HttpServer::new(move || {
        let body = body.clone();
        App::new().default_service(web::to(move || {
            let reply = HttpResponse::Ok()
                .content_type("application/json")
                .body(body.clone());
            async move { reply }
        }))
    })
    .workers(workers)
    .bind(listen)?
    .run()
    .await
}
