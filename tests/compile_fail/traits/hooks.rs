use actix_web::App;
use authkit_actix::{AuthKit, SessionRevoked, SignIn, WebhookEvent};

struct Team {
    id: u32,
}

fn configured(authkit: &AuthKit) {
    let counts = authkit
        .handle_auth()
        .on_success(|sign_in: SignIn| async move { sign_in.user.roles().len() });
    let answers = authkit
        .webhooks("secret")
        .on(|event: WebhookEvent<SessionRevoked>| async move { event.id });
    let unreadable = authkit
        .handle_auth()
        .on_success(|sign_in: SignIn<Team>| async move {
            let _ = sign_in.state.map(|team| team.id);
        });
    let admits = authkit
        .handle_auth()
        .on_authenticated(|sign_in: SignIn| async move { sign_in.user.email_verified });
    let _ = App::new().service((counts, unreadable, admits));
    let _ = answers.build();
}

fn main() {}
