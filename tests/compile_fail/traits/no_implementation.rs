use std::{collections::HashMap, time::Instant};

use authkit_actix::{AuthKit, WebhookEvent};

#[derive(serde::Deserialize)]
struct InvitationCreated {
    email: String,
}

fn configured(authkit: &AuthKit) {
    let _ = AuthKit::builder().session_store(HashMap::<String, String>::new());
    let _ = AuthKit::builder().clock(Instant::now());
    let _ = authkit
        .webhooks("secret")
        .on(|event: WebhookEvent<InvitationCreated>| async move {
            drop(event.data.email);
        });
}

fn main() {}
