//! A real browser: what a person sees, on the quickstart here. Screenshots are left in `target/screenshots`.

mod browser_side;
mod person;
mod scripts;

use person::{Person, Screen};

#[tokio::test]
async fn a_stranger_signs_up_signs_out_and_signs_in_again() {
    let person = Person::at("the-main-job", Screen::Desk).await;

    person.open("/").await;
    person.reads("Hello, stranger").await;
    person.screenshot("stranger").await;

    person.click("Sign up").await;
    person.reads("Create your account").await;
    person.fill("First name", "Mary").await;
    person.fill("Last name", "Jackson").await;
    person.fill("Email", "mary@example.com").await;
    person.fill("Password", "a good password").await;
    person.screenshot("sign-up").await;
    person.click("Create account").await;
    person.reads("Hello, Mary Jackson").await;
    person.is_at("/dashboard").await;
    person.screenshot("dashboard").await;

    person.click("Home").await;
    person.reads("Welcome back, Mary Jackson").await;
    person.screenshot("home").await;
    person.click("Sign out").await;
    person.reads("Hello, stranger").await;

    for _ in 0..3 {
        person.go_back().await;
        person.does_not_read("Mary").await;
    }
    person.open("/dashboard").await;
    person.reads("Sign in").await;
    person.screenshot("sign-in").await;

    person.fill("Email", "mary@example.com").await;
    person.fill("Password", "a good password").await;
    person.click("Sign in").await;
    person.reads("Hello, Mary Jackson").await;
    person.is_at("/dashboard").await;
}

#[tokio::test]
async fn a_wrong_password_is_said_and_the_email_need_not_be_typed_again() {
    let person = Person::at("wrong-password", Screen::Desk).await;
    person.open("/dashboard").await;
    person.fill("Email", "ada@example.com").await;
    person.fill("Password", "wrong").await;
    person.click("Sign in").await;
    person
        .is_told("That email and password do not match.")
        .await;
    person.screenshot("wrong-password").await;

    person.fill("Password", "password").await;
    person.click("Sign in").await;
    person.reads("Hello, Ada Lovelace").await;
}

#[tokio::test]
async fn whoever_cancels_is_told_so_and_may_try_again() {
    let person = Person::at("cancel", Screen::Desk).await;
    person.open("/").await;
    person.click("Sign in").await;
    person.click("Cancel").await;
    person.reads("You are not signed in").await;
    person.screenshot("cancelled").await;

    person.click("Sign in").await;
    person.fill("Email", "ada@example.com").await;
    person.fill("Password", "password").await;
    person.click("Sign in").await;
    person.reads("Welcome back, Ada Lovelace").await;
}

#[tokio::test]
async fn every_page_fits_a_phone_in_the_dark() {
    let person = Person::at("phone", Screen::PhoneInTheDark).await;
    person.open("/").await;
    person.fits("phone-stranger").await;
    person.click("Sign up").await;
    person.fits("phone-sign-up").await;
    person.click("Cancel").await;
    person.fits("phone-cancelled").await;
    person.click("Sign in").await;
    person.fits("phone-sign-in").await;
    person.fill("Email", "grace@example.com").await;
    person.fill("Password", "password").await;
    person.click("Sign in").await;
    person.reads("Choose an organization").await;
    person.fits("phone-organizations").await;
    person.click("Acme").await;
    person.reads("Welcome back, Grace Hopper").await;
    person.fits("phone-home").await;
    person.click("Dashboard").await;
    person.fits("phone-dashboard").await;
}
