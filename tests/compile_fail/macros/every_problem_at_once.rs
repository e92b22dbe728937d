use actix_web::{HttpResponse, Responder};
use authkit_actix::ensure_signed_in;

#[ensure_signed_in(role = 5, permision = "posts:write", any(), max_age = 0)]
fn four_in_the_attribute_and_one_in_the_function() -> impl Responder {
    HttpResponse::Ok()
}

fn main() {}
