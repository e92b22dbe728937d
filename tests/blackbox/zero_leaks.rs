//! What is left when all is over. The name of this module keeps its tests behind all others.

use authkit_tests::handles;

#[test]
fn what_was_opened_is_closed_again() {
    handles::wait_for_the_baseline().expect("all applications are gone");
}
