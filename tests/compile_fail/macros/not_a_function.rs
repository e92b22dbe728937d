use authkit_actix::{ensure_signed_in, sign_up_path};

#[ensure_signed_in]
struct Posts;

#[ensure_signed_in(role = "admin")]
impl Posts {}

#[sign_up_path]
mod posts {}

#[ensure_signed_in(rol = "admin")]
const LIMIT: usize = 10;

fn main() {
    let _ = (Posts, LIMIT);
}
