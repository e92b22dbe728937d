//! What the compiler says about the use of the macros and traits: nothing to the right one, and
//! something helpful to the wrong one.

#[test]
fn mistakes_are_answered_by_the_compiler_where_they_are_made() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("compile_fail/macros/*.rs");
    cases.compile_fail("compile_fail/traits/*.rs");
    cases.pass("compile_pass/macros/*.rs");
}
