//! Everything that AuthKit for Actix-web does, in one application to look at.
//!
//! Without WorkOS variables it signs people in against an emulator, so `cargo run --bin showcase` is
//! all it takes.

mod api;
mod layout;
mod live;
mod organizations;
mod pages;
mod react;
mod settings;
mod sign_ins;
#[cfg(test)]
mod tests;

use std::{
    env,
    error::Error,
    io::{self, IsTerminal as _},
    net::TcpListener,
    process::ExitCode,
};

use actix_web::{App, HttpServer, web};
use authkit_actix::{AuthKit, SignIn, WebhookEvent};

use crate::{settings::Settings, sign_ins::SignIns};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[actix_web::main]
async fn run() -> Result<(), Box<dyn Error>> {
    match dotenvy::dotenv() {
        Err(error) if !error.not_found() => return Err(format!("the .env file: {error}").into()),
        _ => {}
    }
    let settings = Settings::read(|name| env::var(name).ok())?;
    tracing_subscriber::fmt()
        .with_env_filter(settings.log)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();

    // Port 0 is any free one, so the address is known only now.
    let listener = TcpListener::bind(("127.0.0.1", settings.port))
        .map_err(|error| format!("PORT: {} cannot be listened on: {error}", settings.port))?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let mut authkit = AuthKit::builder()
        .or_emulator(&base_url)?
        .return_to_origins(settings.return_to_origins)
        .seal_format(settings.seal_format);
    if let Some(buffer) = settings.refresh_buffer {
        authkit = authkit.refresh_buffer(buffer);
    }
    if settings.eager_auth {
        authkit = authkit.eager_auth();
    }
    if !settings.redis.is_empty() {
        authkit = authkit.redis_cluster(settings.redis);
    }
    if settings.sessions_in_redis {
        authkit = authkit.sessions_in_redis();
    }
    if settings.strict_revocation {
        authkit = authkit.strict_revocation();
    }
    let authkit = authkit.build()?;
    let private = authkit
        .middleware()
        .protect()
        .unauthenticated_paths(["/private/open", "/private/docs/:path*"])
        .sign_up_paths(["/private/join"])
        .build()?;
    // What WorkOS reports an emulator reports too; nobody else has to know the secret of one that
    // started with this program.
    let of_emulator = || Some(authkit.emulator()?.api_key().into());
    let webhook_secret = settings.webhook_secret.or_else(of_emulator);
    if let (Some(emulator), Some(secret)) = (authkit.emulator(), &webhook_secret) {
        emulator.send_webhooks(&format!("{base_url}/webhooks/workos"), secret.clone())?;
    }
    let webhooks = webhook_secret
        .map(|secret| {
            let webhooks = authkit.webhooks(secret);
            webhooks
                .on_any(|event: WebhookEvent| async move {
                    tracing::info!(event = event.event, id = event.id, "WorkOS reports");
                })
                .build()
        })
        .transpose()?;
    let sign_ins = web::Data::new(SignIns::default());

    let app = authkit.clone();
    let server = HttpServer::new(move || {
        let on_success = sign_ins.clone();
        let callback = app.handle_auth().on_success(move |sign_in: SignIn| {
            on_success.keep(sign_in);
            async {}
        });
        App::new()
            .wrap(app.middleware())
            .app_data(web::Data::new(app.clone()))
            .app_data(sign_ins.clone())
            .service(callback)
            .service(app.routes())
            .configure(pages::routes)
            .configure(live::routes)
            .configure(react::routes)
            .configure(|config| api::routes(config, settings.bearer))
            .configure(|config| {
                if let Some(webhooks) = &webhooks {
                    config.service(webhooks.clone());
                }
            })
            .service(
                web::scope("/private")
                    .wrap(private.clone())
                    .configure(pages::private),
            )
    });
    let server = match settings.workers {
        Some(workers) => server.workers(workers),
        None => server,
    };
    let server = server.listen(listener)?;
    println!("Open {}", authkit.base_url());
    Ok(server.run().await?)
}
