use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use actix_web::dev::{ServerHandle, Service as _};
use actix_web::http::header::{DATE, HeaderValue};
use actix_web::web::{self, Data, PayloadConfig, ServiceConfig};
use actix_web::{App, HttpServer};
use tokio::sync::mpsc::UnboundedReceiver;

use super::state::State;
use super::webhooks::{self, Delivery};
use super::{EmulatorError, api, api_keys, authenticate, authorize, feature_flags};

/// A running server; dropping it stops the server and frees the port.
pub(super) struct Server {
    handle: ServerHandle,
    thread: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Serves on a thread with an Actix system of its own, so that it runs beside any runtime.
    pub(super) fn start(
        listener: TcpListener,
        state: Arc<State>,
        deliveries: UnboundedReceiver<Delivery>,
    ) -> Result<Self, EmulatorError> {
        let (started, wait) = mpsc::channel();
        let run = move || {
            actix_web::rt::System::new().block_on(async move {
                let data = Data::from(state);
                actix_web::rt::spawn(webhooks::deliver(data.clone(), deliveries));
                let server = HttpServer::new(move || {
                    let clock = data.clone();
                    App::new()
                        .wrap_fn(move |request, service| {
                            let (answer, clock) = (service.call(request), clock.clone());
                            async move {
                                let mut answer = answer.await?;
                                if let Some(date) = date(&clock) {
                                    answer.headers_mut().insert(DATE, date);
                                }
                                Ok(answer)
                            }
                        })
                        .app_data(data.clone())
                        .app_data(PayloadConfig::new(BODY_LIMIT))
                        .configure(routes)
                })
                .workers(1)
                .worker_max_blocking_threads(1)
                .disable_signals()
                // Longer than clients keep idle connections, so that none meets its end half-way.
                .keep_alive(KEEP_ALIVE)
                // A hanging answer ends with its client.
                .h1_allow_half_closed(false)
                .listen(listener);
                match server {
                    Ok(server) => {
                        let server = server.run();
                        let _ = started.send(Ok(server.handle()));
                        if let Err(error) = server.await {
                            tracing::error!(%error, "the AuthKit emulator stopped");
                        }
                    }
                    Err(error) => drop(started.send(Err(error))),
                }
            });
        };
        let thread = thread::Builder::new()
            .name("authkit-emulator".to_owned())
            .spawn(run)
            .map_err(EmulatorError::Start)?;
        let handle = match wait.recv() {
            Ok(handle) => handle.map_err(EmulatorError::Start)?,
            Err(gone) => return Err(EmulatorError::Start(std::io::Error::other(gone))),
        };
        Ok(Self {
            handle,
            thread: Some(thread),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The command is sent by the call; the future only waits for it.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What time it is by the emulator's own clock, RFC 9110 section 6.6.1.
fn date(state: &State) -> Option<HeaderValue> {
    let now = u64::try_from((state.settings.clock)()).ok()?;
    let now = UNIX_EPOCH + Duration::from_secs(now.min(LAST_DATE));
    HeaderValue::from_str(&httpdate::fmt_http_date(now)).ok()
}

fn routes(config: &mut ServiceConfig) {
    config
        .route(authorize::AUTHORIZE, web::get().to(authorize::authorize))
        .route(authorize::SIGN_IN, web::post().to(authorize::sign_in))
        .route(authorize::SIGN_UP, web::post().to(authorize::sign_up))
        .route(
            authorize::ORGANIZATION,
            web::post().to(authorize::organization),
        )
        .route(
            authorize::IMPERSONATE,
            web::post().to(authorize::impersonate),
        )
        .route(
            "/user_management/authenticate",
            web::post().to(authenticate::authenticate),
        )
        .route("/sso/jwks/{client_id}", web::get().to(api::jwks))
        .route(
            "/user_management/sessions/logout",
            web::get().to(api::logout),
        )
        .route(
            "/user_management/sessions/revoke",
            web::post().to(api::revoke),
        )
        .route("/api_keys/validations", web::post().to(api_keys::validate))
        .route("/organizations/{id}", web::get().to(api::organization))
        .route("/user_management/users/{id}", web::get().to(api::user))
        .route(
            "/user_management/users/{id}",
            web::delete().to(api::delete_user),
        )
        .route(
            "/user_management/users/{id}/sessions",
            web::get().to(api::sessions),
        )
        .route(
            "/user_management/organization_memberships",
            web::get().to(api::memberships),
        )
        .route(
            "/sdk/feature-flags",
            web::get().to(feature_flags::feature_flags),
        )
        .default_service(web::to(api::unknown));
}

/// The end of the year 9999, in Unix seconds.
const LAST_DATE: u64 = 253_402_300_799;
const BODY_LIMIT: usize = 64 * 1024;
const KEEP_ALIVE: Duration = Duration::from_secs(120);
