//! Asks one request of an application that the environment configures, and prints the answer, or
//! what is wrong with the configuration.
//!
//! Arguments: `env`, `code` (some values are set there too) or the base URL of an application that
//! may run with an emulator; a path; a `Cookie` header.

use std::{env, io, process::ExitCode};

use actix_web::{
    App,
    test::{TestRequest, call_service, init_service},
};
use authkit_actix::{AuthKit, ConfigError, SameSite};

#[actix_web::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(io::stderr)
        .with_ansi(false)
        .init();
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [how, path, cookies] = arguments.as_slice() else {
        println!("usage: configured env|code|BASE_URL PATH COOKIES");
        return ExitCode::FAILURE;
    };
    match authkit(how) {
        Ok(authkit) => {
            print_answer(&authkit, path, cookies).await;
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

fn authkit(how: &str) -> Result<AuthKit, ConfigError> {
    match how {
        "env" => AuthKit::from_env(),
        "code" => AuthKit::builder()
            .client_id("client_in_code")
            .redirect_uri("https://code.example.com/back")
            .cookie_name("in-code")
            .cookie_same_site(SameSite::Strict)
            .build(),
        base_url => AuthKit::from_env_or_emulator(base_url),
    }
}

async fn print_answer(authkit: &AuthKit, path: &str, cookies: &str) {
    let app = App::new()
        .wrap(authkit.middleware().protect().build().expect("no patterns"))
        .service(authkit.routes());
    let app = init_service(app).await;
    let request = TestRequest::get()
        .uri(path)
        .insert_header(("accept", "text/html"))
        .insert_header(("cookie", cookies));
    let answer = call_service(&app, request.to_request()).await;
    println!("status: {}", answer.status().as_u16());
    for (name, value) in answer.headers() {
        println!("{name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
}
