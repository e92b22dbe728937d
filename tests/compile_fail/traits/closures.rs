use actix_web::{HttpRequest, test::TestRequest};
use authkit_actix::{
    AuthKit, CallbackError, RequestInfo, SignIn,
    testing::{SignedIn as _, TestUser},
};

fn configured(authkit: &AuthKit) {
    let _ = authkit
        .handle_auth()
        .client_ip(|request: &HttpRequest| request.peer_addr());
    let _ = authkit
        .handle_auth()
        .on_error(|error: &CallbackError, _: &HttpRequest| error.code());
    let _ = authkit.handle_auth().on_success(async |sign_in: SignIn| drop(sign_in));
    let _ = AuthKit::builder()
        .redirect_uri_for(["https://a.example/callback"], |request: &RequestInfo| {
            request.host.as_deref()
        });
    let _ = TestRequest::get().signed_in("ada@example.com");
    let _ = TestRequest::get().signed_in(TestUser::new("ada@example.com"));
}

fn main() {}
