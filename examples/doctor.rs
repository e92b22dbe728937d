//! Looks over what the environment says of AuthKit, and whatever that depends on: what is wrong, and
//! what helps. Exits with 0 when people can sign in, with 1 at a fault, and with 2 if something could
//! not be checked.
//!
//! What an application sets in code is looked over by a program of its own that ends the same way.

use std::{env, process::ExitCode};

use authkit_actix::{AuthKit, Diagnosis};

#[actix_web::main]
async fn main() -> ExitCode {
    match dotenvy::dotenv() {
        Err(error) if !error.not_found() => {
            eprintln!("the .env file: {error}");
            return ExitCode::FAILURE;
        }
        _ => {}
    }
    let mut authkit = AuthKit::builder();
    if let Ok(address) = env::var("SHOWCASE_REDIS_URL") {
        let nodes = address.split(',').map(str::trim);
        authkit = authkit.redis_cluster(nodes.filter(|node| !node.is_empty()));
    }
    let diagnosis = match authkit.build() {
        Ok(authkit) => authkit.diagnose().await,
        Err(error) => Diagnosis::from(error),
    };
    println!("{diagnosis}");
    diagnosis.exit_code()
}
